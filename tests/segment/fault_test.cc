/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: each call to the system fails once, and nothing stays. */
#include <tuple>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"
#include "tests/segment/traces.h"

namespace {

using slm_test::describe;
using slm_test::EveryCall;
using slm_test::faults;
using slm_test::Handle;
using slm_test::has_file;
using slm_test::is_readable;
using slm_test::is_untouchable;
using slm_test::is_zero;
using slm_test::KeepCalls;
using slm_test::kEveryKind;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;
using slm_test::Traces;

const int kErrors[] = {EIO, ENOMEM, ENOSPC, EPERM, EINVAL, EMFILE};

/* Repeats `call`, with its 1st, 2nd ... call to the system failing, until it makes no more of them.
 * After each, check(status) looks at the result. Returns the number of calls. */
template <typename Call, typename Check>
unsigned fail_each(int error, const Call &call, const Check &check)
{
    unsigned n_failed = 0;
    for (unsigned at = 1;; at++) {
        slm_status status;
        unsigned n_calls;
        {
            EveryCall hooked;
            faults.error = error;
            faults.fail_at = at;
            status = call();
            n_calls = faults.n_calls;
        }
        check(status, at);
        if (n_calls < at) {
            EXPECT_EQ(status, SLM_OK);
            return n_failed;
        }
        n_failed += status != SLM_OK;
    }
}

/* How many calls to the system make the whole call fail, for an error that has no second way. */
struct Failures {
    unsigned create;
    unsigned create_by_temporary_name;
    unsigned create_for_others; /* with a mode that denies the maker */
    unsigned attach;
    unsigned grow;
    unsigned shrink;
    unsigned refresh;
    unsigned verify;
    unsigned remove;
    unsigned list;
};

/* In the order of kinds. 0: no such call. */
const Failures kFailures[] = {
    {4, 0, 4, 0, 1, 2, 1, 0, 0, 0},     {6, 0, 8, 4, 1, 2, 1, 0, 2, 1},
    {13, 15, 13, 10, 7, 4, 3, 2, 2, 4}, {10, 0, 10, 9, 7, 4, 3, 1, 0, 0},
    {13, 15, 13, 10, 7, 4, 3, 2, 2, 4},
};

bool has_path(Kind kind)
{
    return kind == SLM_SEGMENT_POSIX || kind == SLM_SEGMENT_FILE;
}

int open_without_tmpfile(const char *path, int flags, mode_t mode)
{
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return open(path, flags, mode);
}

bool has_tmpfile(const char *folder)
{
    int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

class EachFault : public testing::TestWithParam<std::tuple<Kind, int>> {
  protected:
    Kind kind() const
    {
        return std::get<0>(GetParam());
    }
    int error() const
    {
        return std::get<1>(GetParam());
    }
    slm_segment_options options() const
    {
        return options_.of(kind());
    }
    const Failures &expected() const
    {
        return kFailures[kind()];
    }
    /* EINVAL stands for an older kernel: `n_second_ways` calls are then made in another way. */
    unsigned less(unsigned n_failures, unsigned n_second_ways) const
    {
        return n_failures - (error() == EINVAL ? n_second_ways : 0);
    }
    unsigned expected_of_create(unsigned nameless) const
    {
        bool by_temporary_name =
            has_path(kind()) &&
            !has_tmpfile(kind() == SLM_SEGMENT_FILE ? options_.folder().path().c_str()
                                                    : "/dev/shm");
        return by_temporary_name ? less(expected().create_by_temporary_name, 2)
                                 : less(nameless, has_path(kind()) ? 1 : 0);
    }

    Options options_;
};

INSTANTIATE_TEST_SUITE_P(Segment, EachFault,
                         testing::Combine(testing::ValuesIn(kEveryKind),
                                          testing::ValuesIn(kErrors)));

/* Either a segment is created, or there is an error with a text and nothing else. */
void expect_all_or_nothing(Handle *a, slm_status status, const slm_error &error,
                           const std::function<void()> &undo, const Options &options,
                           const Traces &before)
{
    EXPECT_EQ(status, error.status);
    EXPECT_EQ(status == SLM_OK, a->segment != nullptr);
    if (status == SLM_OK) {
        EXPECT_TRUE(is_zero(a->base(), a->bytes()));
        a->detach();
        undo();
    } else {
        EXPECT_NE(std::string(error.text), "");
    }
    Traces after(options);
    EXPECT_TRUE(after == before) << describe(before) << "\nand now\n" << describe(after);
}

TEST_P(EachFault, OfCreateLeavesNothing)
{
    Handle a;
    slm_error error{};
    slm_segment_options options = this->options();
    options.guard = true;
    Traces before(options_);
    unsigned n_failed = fail_each(
        this->error(), [&] { return a.create(options, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            expect_all_or_nothing(
                &a, status, error, [&] { (void)slm_segment_remove(&options, nullptr); }, options_,
                before);
        });
    EXPECT_EQ(n_failed, expected_of_create(expected().create));
}

TEST_P(EachFault, OfCreateByATemporaryNameLeavesNothing)
{
    if (!has_path(kind())) {
        return; /* this kind has no path */
    }
    KeepCalls keep;
    slm_segment_sys.open = open_without_tmpfile;
    Handle a;
    slm_error error{};
    slm_segment_options options = this->options();
    options.guard = true;
    Traces before(options_);
    unsigned n_failed = fail_each(
        this->error(), [&] { return a.create(options, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            expect_all_or_nothing(
                &a, status, error, [&] { (void)slm_segment_remove(&options, nullptr); }, options_,
                before);
        });
    EXPECT_EQ(n_failed, less(expected().create_by_temporary_name, 2));
}

/* A mode that takes a call of its own after the segment is mapped. */
TEST_P(EachFault, OfCreateWithoutRightsForTheMakerLeavesNothing)
{
    Handle a;
    slm_error error{};
    slm_segment_options options = this->options();
    options.mode = 0040;
    Traces before(options_);
    unsigned n_failed = fail_each(
        this->error(), [&] { return a.create(options, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            expect_all_or_nothing(
                &a, status, error, [&] { (void)slm_segment_remove(&options, nullptr); }, options_,
                before);
        });
    EXPECT_EQ(n_failed, expected_of_create(expected().create_for_others));
}

TEST_P(EachFault, OfAttachLeavesNothing)
{
    if (!slm_test::can_attach(kind())) {
        return; /* this kind cannot be attached */
    }
    Handle a, b;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    slm_segment_options options = options_.to_attach(a.segment);
    options.max_bytes = 20 * kPage;
    Traces before(options_);
    unsigned n_failed = fail_each(
        this->error(), [&] { return b.attach(options, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            expect_all_or_nothing(
                &b, status, error, [] {}, options_, before);
        });
    EXPECT_EQ(n_failed, expected().attach);
    EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
}

TEST_P(EachFault, OfGrowChangesNothing)
{
    Handle a;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    memset(a.base(), 0x33, a.bytes());
    Traces before(options_);
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_grow(a.segment, 10 * kPage, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            EXPECT_EQ(status, error.status);
            if (status == SLM_OK) {
                EXPECT_TRUE(is_zero(a.base() + 4 * kPage, 6 * kPage));
                EXPECT_EQ(slm_segment_shrink(a.segment, 4 * kPage, nullptr), SLM_OK);
            }
            EXPECT_EQ(a.bytes(), 4 * kPage);
            EXPECT_EQ(a.base()[4 * kPage - 1], 0x33);
            EXPECT_TRUE(is_untouchable(a.base() + 4 * kPage, 12 * kPage));
            EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
            EXPECT_EQ(slm_segment_refresh(a.segment, 4 * kPage, nullptr), SLM_OK);
            EXPECT_EQ(a.bytes(), 4 * kPage);
        });
    EXPECT_EQ(n_failed, less(expected().grow, has_file(kind()) ? 1 : 0));
    EXPECT_EQ(Traces(options_).descriptors, before.descriptors);
}

TEST_P(EachFault, OfShrinkChangesNothing)
{
    Handle a;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    ASSERT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_shrink(a.segment, 4 * kPage, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            EXPECT_EQ(status, error.status);
            EXPECT_EQ(a.bytes(), status == SLM_OK ? 4 * kPage : 8 * kPage);
            if (status == SLM_OK) {
                EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
            }
            EXPECT_TRUE(is_readable(a.base(), 8 * kPage));
            EXPECT_TRUE(is_zero(a.base(), 8 * kPage));
        });
    EXPECT_EQ(n_failed, less(expected().shrink, has_file(kind()) ? 1 : 0));
}

TEST_P(EachFault, OfRefreshChangesNothing)
{
    Handle a, b;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    slm_segment *grown = a.segment;
    if (has_file(kind())) {
        ASSERT_EQ(b.attach(options_.to_attach(a.segment)), SLM_OK);
        grown = b.segment;
    }
    ASSERT_EQ(slm_segment_grow(grown, 8 * kPage, nullptr), SLM_OK);
    size_t more = has_file(kind()) ? 8 * kPage : 9 * kPage;
    size_t before = a.bytes();
    bool is_over = false;
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_refresh(a.segment, more, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            is_over = is_over || status == SLM_OK;
            EXPECT_EQ(status, error.status);
            EXPECT_EQ(a.bytes(), is_over ? more : before);
            EXPECT_TRUE(is_untouchable(a.base() + a.bytes(), 16 * kPage - a.bytes()));
        });
    EXPECT_EQ(n_failed, expected().refresh);
}

TEST_P(EachFault, OfVerifyRemoveAndListIsReported)
{
    Handle a;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    slm_segment_options options = options_.to_attach(a.segment);
    std::string folder = options_.folder().path();
    auto check = [&](slm_status status, unsigned) { EXPECT_EQ(status, error.status); };
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_verify(a.segment, &error); }, check);
    EXPECT_EQ(n_failed, expected().verify);
    if (!slm_test::can_attach(kind()) || kind() == SLM_SEGMENT_MEMFD) {
        return;
    }
    n_failed = fail_each(
        this->error(), [&] { return slm_segment_remove(&options, &error); }, check);
    EXPECT_EQ(n_failed, expected().remove);
    if (kind() == SLM_SEGMENT_FILE) {
        options.name = folder.c_str();
    }
    auto visit = [](void *, const slm_segment_entry *) { return true; };
    n_failed = fail_each(
        this->error(), [&] { return slm_segment_list(&options, visit, nullptr, &error); }, check);
    if (kind() == SLM_SEGMENT_POSIX) {
        EXPECT_GE(n_failed, expected().list); /* other tests have files in /dev/shm too */
    } else {
        EXPECT_EQ(n_failed, expected().list);
    }
}

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
