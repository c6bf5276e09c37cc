/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of huge pages: the system's own, where it has some, and a simulated system. */
#include <sys/shm.h>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"
#include "tests/segment/traces.h"

namespace {

using slm_test::describe;
using slm_test::Handle;
using slm_test::in_child;
using slm_test::is_untouchable;
using slm_test::is_zero;
using slm_test::KeepCalls;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;
using slm_test::Traces;

const Kind kHugeKinds[] = {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD};

/* --- The system as it is --- */

bool has_free_huge_pages(long n)
{
    std::ifstream info("/proc/meminfo");
    for (std::string word; info >> word;) {
        long count = 0;
        if (word == "HugePages_Free:" && info >> count) {
            return count >= n;
        }
    }
    return false;
}

TEST(SegmentHuge, TryTakesHugePagesWhereThereAreSomeElsePlainOnes)
{
    for (Kind kind : kHugeKinds) {
        bool there_are = has_free_huge_pages(1);
        Options options;
        Handle a;
        slm_error error;
        slm_segment_options huge = options.of(kind);
        huge.huge = SLM_SEGMENT_HUGE_TRY;
        huge.guard = true;
        ASSERT_EQ(a.create(huge, &error), SLM_OK) << error.text;
        EXPECT_STREQ(error.text, "");
        EXPECT_EQ(a.bytes() > 4 * kPage, there_are);
        memset(a.base(), 1, a.bytes());
        EXPECT_EQ(slm_segment_grow(a.segment, 16 * kPage, &error), SLM_OK) << error.text;
        memset(a.base(), 2, a.bytes());
    }
}

TEST(SegmentHuge, OtherKindsHaveNone)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        Options options;
        Handle a;
        slm_segment_options asked = options.of(kind);
        asked.huge = SLM_SEGMENT_HUGE_TRY;
        EXPECT_EQ(a.create(asked), SLM_E_OPTION);
    }
}

/* --- A simulated system: plain pages under the rules of huge pages --- */

const size_t kHuge = size_t{2} << 20;

bool is_huge_fd[1024];
unsigned n_asked_for; /* how many huge mappings, segments and files were created */

int pretend_memfd(const char *name, unsigned flags)
{
    int fd = memfd_create(name, flags & ~static_cast<unsigned>(MFD_HUGETLB));
    if (fd >= 0) {
        is_huge_fd[fd] = (flags & MFD_HUGETLB) != 0;
        n_asked_for += is_huge_fd[fd];
    }
    return fd;
}

int pretend_dup(int fd, int least)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, least);
    if (copy >= 0) {
        is_huge_fd[copy] = is_huge_fd[fd];
    }
    return copy;
}

int pretend_close(int fd)
{
    is_huge_fd[fd] = false;
    return close(fd);
}

int pretend_huge_page(int fd, size_t *bytes)
{
    *bytes = is_huge_fd[fd] ? kHuge : 0;
    return 0;
}

bool is_whole(const void *at, size_t n_bytes)
{
    return reinterpret_cast<uintptr_t>(at) % kHuge == 0 && n_bytes % kHuge == 0;
}

void *pretend_mmap(void *at, size_t n_bytes, int prot, int flags, int fd, off_t from)
{
    if ((flags & MAP_HUGETLB) != 0 || (fd >= 0 && is_huge_fd[fd])) {
        n_asked_for++;
        EXPECT_TRUE(is_whole(at, n_bytes));
        EXPECT_EQ(static_cast<size_t>(from) % kHuge, 0u);
        flags &= ~MAP_HUGETLB;
    }
    return mmap(at, n_bytes, prot, flags, fd, from);
}

int pretend_mprotect(void *at, size_t n_bytes, int prot)
{
    EXPECT_TRUE(is_whole(at, n_bytes));
    return mprotect(at, n_bytes, prot);
}

int pretend_madvise(void *at, size_t n_bytes, int advice)
{
    EXPECT_TRUE(is_whole(at, n_bytes));
    return madvise(at, n_bytes, advice);
}

int pretend_shmget(key_t key, size_t bytes, int flags)
{
    EXPECT_NE(flags & SHM_HUGETLB, 0);
    EXPECT_EQ(bytes % kHuge, 0u);
    n_asked_for++;
    return shmget(key, bytes, flags & ~SHM_HUGETLB);
}

void *pretend_shmat(int id, const void *at, int flags)
{
    EXPECT_TRUE(is_whole(at, 0));
    return shmat(id, at, flags);
}

class Pretended : public testing::TestWithParam<Kind> {
  protected:
    void SetUp() override
    {
        n_asked_for = 0;
        slm_segment_sys.memfd_create = pretend_memfd;
        slm_segment_sys.dup_cloexec = pretend_dup;
        slm_segment_sys.close = pretend_close;
        slm_segment_sys.huge_page = pretend_huge_page;
        slm_segment_sys.mmap = pretend_mmap;
        slm_segment_sys.mprotect = pretend_mprotect;
        slm_segment_sys.madvise = pretend_madvise;
        slm_segment_sys.shmget = pretend_shmget;
        slm_segment_sys.shmat = pretend_shmat;
    }
    slm_segment_options options() const
    {
        slm_segment_options options = options_.of(GetParam());
        options.bytes = 1;
        options.max_bytes = 4 * kHuge - 1;
        options.huge = SLM_SEGMENT_HUGE_TRY;
        options.guard = true;
        return options;
    }

    KeepCalls keep_;
    Options options_;
    slm_error error_{};
};

INSTANTIATE_TEST_SUITE_P(SegmentHuge, Pretended, testing::ValuesIn(kHugeKinds));

TEST_P(Pretended, SizesAreInWholeHugePages)
{
    Handle a;
    ASSERT_EQ(a.create(options(), &error_), SLM_OK) << error_.text;
    EXPECT_GE(n_asked_for, 1u);
    EXPECT_EQ(a.bytes(), kHuge);
    EXPECT_EQ(slm_segment_max_bytes(a.segment), 4 * kHuge);
    EXPECT_TRUE(is_whole(a.base(), a.bytes()));
    ASSERT_EQ(slm_segment_grow(a.segment, kHuge + 1, &error_), SLM_OK) << error_.text;
    EXPECT_EQ(a.bytes(), 2 * kHuge);
    EXPECT_TRUE(is_zero(a.base(), a.bytes()));
    ASSERT_EQ(slm_segment_shrink(a.segment, kPage, &error_), SLM_OK) << error_.text;
    EXPECT_EQ(a.bytes(), kHuge);
    EXPECT_TRUE(is_untouchable(a.base() + kHuge, kHuge));
    EXPECT_TRUE(is_untouchable(a.base() - kPage, kPage));
}

TEST_P(Pretended, UnmapsTheAddressesTakenForAlignment)
{
    Traces before(options_);
    {
        Handle a;
        ASSERT_EQ(a.create(options(), &error_), SLM_OK) << error_.text;
        EXPECT_EQ(a.bytes(), kHuge);
    }
    Traces after(options_);
    EXPECT_TRUE(after == before) << describe(before) << "\nand now\n" << describe(after);
}

TEST_P(Pretended, IsAttachedWithItsPageSize)
{
    if (!slm_test::can_attach(GetParam())) {
        return; /* this kind cannot be attached */
    }
    Handle a, b;
    ASSERT_EQ(a.create(options(), &error_), SLM_OK) << error_.text;
    slm_segment_options attach = options();
    attach.id = slm_segment_id(a.segment);
    ASSERT_EQ(b.attach(attach, &error_), SLM_OK) << error_.text;
    EXPECT_TRUE(is_whole(b.base(), b.bytes()));
    a.base()[kPage] = 8;
    EXPECT_EQ(b.base()[kPage], 8);
    ASSERT_EQ(slm_segment_refresh(b.segment, 1, &error_), SLM_OK) << error_.text;
}

int has_no_room(int, int, off_t, off_t)
{
    errno = ENOSPC;
    return -1;
}

TEST(SegmentHuge, NoHugePageLeftForAFileIsNoMemoryNotNoSpace)
{
    KeepCalls keep;
    slm_segment_sys.memfd_create = pretend_memfd;
    slm_segment_sys.close = pretend_close;
    slm_segment_sys.huge_page = pretend_huge_page;
    Options options(1, 2 * kHuge);
    Handle huge, plain;
    slm_segment_options asked = options.of(SLM_SEGMENT_MEMFD);
    ASSERT_EQ(plain.create(asked), SLM_OK);
    asked.huge = SLM_SEGMENT_HUGE_TRY;
    ASSERT_EQ(huge.create(asked), SLM_OK);
    ASSERT_EQ(huge.bytes(), kHuge);
    slm_segment_sys.fallocate = has_no_room;
    EXPECT_EQ(slm_segment_grow(huge.segment, 2 * kHuge, nullptr), SLM_E_NOMEM);
    EXPECT_EQ(slm_segment_grow(plain.segment, 2 * kHuge, nullptr), SLM_E_SPACE);
}

int has_none(const char *, unsigned)
{
    errno = ENOSYS;
    return -1;
}

TEST(SegmentHuge, ASystemWithoutHugePagesGivesPlainPages)
{
    KeepCalls keep;
    slm_segment_sys.memfd_create = has_none;
    Options options;
    Handle a;
    slm_segment_options huge = options.of(SLM_SEGMENT_ANONYMOUS);
    huge.huge = SLM_SEGMENT_HUGE_TRY;
    EXPECT_EQ(a.create(huge), SLM_OK);
    EXPECT_EQ(a.bytes(), 4 * kPage);
}

} // namespace
