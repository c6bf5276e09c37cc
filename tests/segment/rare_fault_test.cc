/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: failures of the system that need a scene of their own. */
#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"
#include "tests/segment/traces.h"

namespace {

using slm_test::describe;
using slm_test::Handle;
using slm_test::is_zero;
using slm_test::KeepCalls;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;
using slm_test::Traces;

bool lengthening_has_failed;

int lengthening_fails_once(int fd, int mode, off_t from, off_t n_bytes)
{
    if (mode == FALLOC_FL_KEEP_SIZE || lengthening_has_failed) {
        return fallocate(fd, mode, from, n_bytes);
    }
    struct stat stat;
    EXPECT_EQ(fstat(fd, &stat), 0);
    EXPECT_GE(stat.st_blocks * 512, from + n_bytes); /* reserved by now, past the end */
    EXPECT_LT(stat.st_size, from + n_bytes);
    lengthening_has_failed = true;
    errno = EIO;
    return -1;
}

TEST(SegmentFault, ReturnsItsReservationWhenTheLastStepFails)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        KeepCalls keep;
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        struct stat before, after;
        ASSERT_EQ(fstat(slm_segment_id(a.segment), &before), 0);
        slm_segment_sys.fallocate = lengthening_fails_once;
        lengthening_has_failed = false;
        EXPECT_EQ(slm_segment_grow(a.segment, 16 * kPage, nullptr), SLM_E_IO);
        EXPECT_TRUE(lengthening_has_failed);
        ASSERT_EQ(fstat(slm_segment_id(a.segment), &after), 0);
        EXPECT_EQ(after.st_size, before.st_size);
        EXPECT_EQ(after.st_blocks, before.st_blocks);
    }
}

void *malloc_is_for_handles_only(size_t n_bytes)
{
    return n_bytes > 1000 ? nullptr : malloc(n_bytes);
}

/* Runs in a child, since a guard stays installed. 0: as expected. */
int refuse_without_memory_for_the_table()
{
    Options options;
    std::vector<Handle> all(100);
    slm_segment_sys.malloc = malloc_is_for_handles_only;
    if (slm_segment_guard_install(nullptr) != SLM_OK) {
        return 1;
    }
    for (Handle &a : all) {
        (void)a.create(options.of(SLM_SEGMENT_ANONYMOUS)); /* until the table is full */
    }
    Traces before(options);
    Handle a;
    if (a.create(options.of(SLM_SEGMENT_ANONYMOUS)) != SLM_E_NOMEM) {
        return 2;
    }
    Traces after(options);
    EXPECT_TRUE(after == before) << describe(before) << "\nand now\n" << describe(after);
    return after == before ? 0 : 3;
}

TEST(SegmentFault, WithoutMemoryForTheGuardsTableAddressesAreUnmapped)
{
    EXPECT_EQ(slm_test::in_child(refuse_without_memory_for_the_table), 0);
}

/* --- File systems that cannot reserve, or are interrupted --- */

int fallocate_is_unknown(int, int, off_t, off_t)
{
    errno = EOPNOTSUPP;
    return -1;
}

TEST(SegmentFault, WritesZerosWhereTheFileSystemCannotReserve)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        KeepCalls keep;
        slm_segment_sys.fallocate = fallocate_is_unknown;
        Options options;
        Handle a, b;
        slm_error error;
        ASSERT_EQ(a.create(options.of(kind), &error), SLM_OK) << error.text;
        memset(a.base(), 1, a.bytes());
        /* Not a multiple of the size that it writes at once. */
        ASSERT_EQ(slm_segment_grow(a.segment, 15 * kPage, &error), SLM_OK) << error.text;
        EXPECT_TRUE(is_zero(a.base() + 4 * kPage, 11 * kPage));
        EXPECT_EQ(a.base()[4 * kPage - 1], 1);
        struct stat stat;
        ASSERT_EQ(fstat(slm_segment_id(a.segment), &stat), 0);
        EXPECT_GE(static_cast<size_t>(stat.st_blocks) * 512, 15 * kPage);
        ASSERT_EQ(b.attach(options.to_attach(a.segment), &error), SLM_OK) << error.text;
    }
}

ssize_t pwrite_is_full(int, const void *, size_t, off_t)
{
    errno = ENOSPC;
    return -1;
}

int fsync_is_full(int)
{
    errno = ENOSPC;
    return -1;
}

TEST(SegmentFault, WritingZerosReportsThatThereIsNoSpace)
{
    KeepCalls keep;
    slm_segment_sys.fallocate = fallocate_is_unknown;
    for (bool is_late : {false, true}) {
        slm_segment_sys.pwrite = keep.real.pwrite;
        slm_segment_sys.fsync = keep.real.fsync;
        Options options;
        Handle a, b;
        ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
        if (is_late) {
            slm_segment_sys.fsync = fsync_is_full;
        } else {
            slm_segment_sys.pwrite = pwrite_is_full;
        }
        EXPECT_EQ(slm_segment_grow(a.segment, 16 * kPage, nullptr), SLM_E_SPACE);
        EXPECT_EQ(a.bytes(), 4 * kPage);
        EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
        struct stat stat;
        ASSERT_EQ(fstat(slm_segment_id(a.segment), &stat), 0);
        EXPECT_EQ(static_cast<size_t>(stat.st_size), 4 * kPage);
        EXPECT_EQ(b.create(Options().of(SLM_SEGMENT_MEMFD)), SLM_E_SPACE);
    }
}

TEST(SegmentFault, AcceptsHolesWhereTheFileSystemCannotReserve)
{
    KeepCalls keep;
    slm_segment_sys.fallocate = fallocate_is_unknown;
    Options options;
    int fd = open((options.folder() / "file").c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(8 * kPage)), 0);
    ASSERT_EQ(pwrite(fd, "content", 7, 0), 7);
    (void)close(fd);
    Handle a;
    ASSERT_EQ(a.attach(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    EXPECT_EQ(memcmp(a.base(), "content", 8), 0);
}

off_t longest_step;

int fallocate_has_little_time(int fd, int mode, off_t from, off_t n_bytes)
{
    if (n_bytes > static_cast<off_t>(2 * kPage)) {
        errno = EINTR;
        return -1;
    }
    longest_step = n_bytes > longest_step ? n_bytes : longest_step;
    return fallocate(fd, mode, from, n_bytes);
}

TEST(SegmentFault, ReservesInSmallerStepsWhenSignalsKeepInterrupting)
{
    KeepCalls keep;
    slm_segment_sys.fallocate = fallocate_has_little_time;
    longest_step = 0;
    Options options(15 * kPage);
    Handle a;
    slm_error error;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE), &error), SLM_OK) << error.text;
    struct stat stat;
    ASSERT_EQ(fstat(slm_segment_id(a.segment), &stat), 0);
    EXPECT_GE(static_cast<size_t>(stat.st_blocks) * 512, 15 * kPage);
    EXPECT_GT(longest_step, 0);
}

/* --- What the system hardly ever returns --- */

/* The file is replaced between the first check and the open. */
int lstat_saw_a_file(const char *, struct stat *stat)
{
    return lstat("/proc/self/exe", stat) == 0 ? ::stat("/proc/self/exe", stat) : -1;
}

TEST(SegmentFault, AFileReplacedAfterTheFirstCheckIsRefused)
{
    KeepCalls keep;
    slm_segment_sys.lstat = lstat_saw_a_file;
    for (const char *what : {"folder", "fifo", "link"}) {
        Options all;
        Traces before(all);
        std::string path = all.folder() / what;
        slm_segment_options options = all.of(SLM_SEGMENT_FILE);
        options.name = path.c_str();
        options.mode = 0777;
        int made = *what == 'l'                ? symlink("/proc/self/exe", path.c_str())
                   : strcmp(what, "fifo") == 0 ? mkfifo(path.c_str(), 0600)
                                               : mkdir(path.c_str(), 0700);
        ASSERT_EQ(made, 0);
        for (bool read_only : {false, true}) {
            Handle a;
            slm_error error;
            options.read_only = read_only;
            EXPECT_EQ(a.attach(options, &error), SLM_E_ACCESS) << what << error.text;
        }
        EXPECT_EQ(Traces(all).descriptors, before.descriptors);
    }
}

int shmget_has_a_limit(key_t, size_t, int)
{
    errno = EINVAL;
    return -1;
}

TEST(SegmentFault, ASysvSegmentAboveTheSystemsLimitIsNoSpace)
{
    KeepCalls keep;
    slm_segment_sys.shmget = shmget_has_a_limit;
    Options options;
    Handle a;
    slm_error error;
    EXPECT_EQ(a.create(options.of(SLM_SEGMENT_SYSV), &error), SLM_E_SPACE);
    EXPECT_NE(strstr(error.text, "sysv"), nullptr);
}

int fallocate_is_full(int, int, off_t, off_t)
{
    errno = ENOSPC;
    return -1;
}

TEST(SegmentFault, HolesWithoutSpaceAreNoSpace)
{
    KeepCalls keep;
    Options options;
    int fd = open((options.folder() / "file").c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(8 * kPage)), 0);
    (void)close(fd);
    slm_segment_sys.fallocate = fallocate_is_full;
    Handle a;
    EXPECT_EQ(a.attach(options.of(SLM_SEGMENT_FILE)), SLM_E_SPACE);
    EXPECT_EQ(a.segment, nullptr);
}

} // namespace
