/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: the promises of every kind. */
#include <csignal>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "tests/segment/fixture.h"

namespace {

using slm_test::can_attach;
using slm_test::Handle;
using slm_test::has_file;
using slm_test::in_child;
using slm_test::is_readable;
using slm_test::is_untouchable;
using slm_test::is_zero;
using slm_test::kEveryKind;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;

class EachKind : public testing::TestWithParam<Kind> {
  protected:
    Options options_;
    slm_error error_{};

    slm_segment_options options() const
    {
        return options_.of(GetParam());
    }
};

INSTANTIATE_TEST_SUITE_P(Segment, EachKind, testing::ValuesIn(kEveryKind));

TEST_P(EachKind, ConsistsOfZerosInWholePages)
{
    slm_segment_options options = this->options();
    options.bytes = 3 * kPage + 1;
    options.max_bytes = 15 * kPage + 1;
    Handle a;
    ASSERT_EQ(a.create(options, &error_), SLM_OK) << error_.text;
    EXPECT_STREQ(error_.text, "");
    EXPECT_EQ(a.bytes(), 4 * kPage);
    EXPECT_EQ(slm_segment_max_bytes(a.segment), 16 * kPage);
    EXPECT_EQ(slm_segment_get_kind(a.segment), GetParam());
    EXPECT_FALSE(slm_segment_is_read_only(a.segment));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.base()) % kPage, 0u);
    EXPECT_TRUE(is_zero(a.base(), a.bytes()));
    memset(a.base(), 0xA5, a.bytes());
    EXPECT_EQ(slm_segment_verify(a.segment, &error_), SLM_OK);
}

TEST_P(EachKind, CannotBeTouchedPastItsEnd)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    EXPECT_TRUE(is_readable(a.base(), 4 * kPage));
    EXPECT_TRUE(is_untouchable(a.base() + 4 * kPage, 12 * kPage));
    EXPECT_EQ(in_child([&] {
                  (void)signal(SIGSEGV, SIG_DFL);
                  a.base()[4 * kPage] = 1;
                  return 0;
              }),
              128 + SIGSEGV);
}

TEST_P(EachKind, HasGuardPagesOnBothSidesIfAskedFor)
{
    slm_segment_options options = this->options();
    options.guard = true;
    options.max_bytes = options.bytes;
    Handle a;
    ASSERT_EQ(a.create(options), SLM_OK);
    EXPECT_TRUE(is_untouchable(a.base() - kPage, kPage));
    EXPECT_TRUE(is_untouchable(a.base() + a.bytes(), kPage));
    /* The range is reserved, not merely free by chance: a mapping that must not replace another is
     * refused. */
    for (unsigned char *page : {a.base() - kPage, a.base() + a.bytes()}) {
        EXPECT_EQ(
            mmap(page, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
            MAP_FAILED);
    }
}

TEST_P(EachKind, GrowsInPlaceAndTheNewPartIsZero)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    unsigned char *base = a.base();
    memset(base, 0x5A, a.bytes());
    ASSERT_EQ(slm_segment_grow(a.segment, 9 * kPage - 5, &error_), SLM_OK) << error_.text;
    EXPECT_EQ(a.base(), base);
    EXPECT_EQ(a.bytes(), 9 * kPage);
    EXPECT_EQ(base[4 * kPage - 1], 0x5A);
    EXPECT_TRUE(is_zero(base + 4 * kPage, 5 * kPage));
    EXPECT_TRUE(is_untouchable(base + 9 * kPage, 7 * kPage));
    ASSERT_EQ(slm_segment_grow(a.segment, 16 * kPage, &error_), SLM_OK) << error_.text;
    EXPECT_TRUE(is_zero(base + 9 * kPage, 7 * kPage));
    memset(base, 0x5A, a.bytes());
}

TEST_P(EachKind, DoesNotShrinkByGrowing)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    EXPECT_EQ(slm_segment_grow(a.segment, 1, &error_), SLM_OK);
    EXPECT_EQ(slm_segment_grow(a.segment, 4 * kPage, &error_), SLM_OK);
    EXPECT_EQ(a.bytes(), 4 * kPage);
}

TEST_P(EachKind, RefusesToGrowAboveItsRangeAndStaysAsItIs)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    for (size_t bytes : {size_t{0}, 16 * kPage + 1, SIZE_MAX, SIZE_MAX - 100}) {
        EXPECT_EQ(slm_segment_grow(a.segment, bytes, &error_), SLM_E_SIZE) << bytes;
        EXPECT_NE(strstr(error_.text, slm_segment_label(a.segment)), nullptr) << error_.text;
    }
    EXPECT_EQ(a.bytes(), 4 * kPage);
    EXPECT_TRUE(is_untouchable(a.base() + 4 * kPage, 12 * kPage));
}

TEST_P(EachKind, AShrunkPartIsZeroWhenItGrowsAgain)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    memset(a.base(), 0x11, a.bytes());
    ASSERT_EQ(slm_segment_grow(a.segment, 12 * kPage, &error_), SLM_OK);
    memset(a.base() + 4 * kPage, 0x22, 8 * kPage);
    ASSERT_EQ(slm_segment_shrink(a.segment, 4 * kPage, &error_), SLM_OK) << error_.text;
    EXPECT_EQ(a.bytes(), 4 * kPage);
    EXPECT_TRUE(is_untouchable(a.base() + 4 * kPage, 12 * kPage));
    EXPECT_EQ(a.base()[4 * kPage - 1], 0x11);
    ASSERT_EQ(slm_segment_grow(a.segment, 12 * kPage, &error_), SLM_OK);
    EXPECT_TRUE(is_zero(a.base() + 4 * kPage, 8 * kPage));
}

TEST_P(EachKind, RefusesToShrinkToALargerSize)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    for (size_t bytes : {size_t{0}, 3 * kPage + 1, 4 * kPage, 5 * kPage, 100 * kPage}) {
        EXPECT_EQ(slm_segment_shrink(a.segment, bytes, &error_), SLM_E_SIZE) << bytes;
        EXPECT_EQ(error_.status, SLM_E_SIZE);
    }
    EXPECT_EQ(a.bytes(), 4 * kPage);
    EXPECT_TRUE(is_readable(a.base(), 4 * kPage));
}

TEST_P(EachKind, RefreshesToTheCurrentLength)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    EXPECT_EQ(slm_segment_refresh(a.segment, 0, &error_), SLM_OK);
    EXPECT_EQ(slm_segment_refresh(a.segment, 4 * kPage, &error_), SLM_OK);
    EXPECT_EQ(a.bytes(), 4 * kPage);
    EXPECT_EQ(slm_segment_refresh(a.segment, 16 * kPage + 1, &error_), SLM_E_SIZE);
    EXPECT_EQ(slm_segment_refresh(a.segment, 5 * kPage, &error_),
              has_file(GetParam()) ? SLM_E_TRUNCATED : SLM_OK);
}

TEST_P(EachKind, RefusesImpossibleSizes)
{
    Handle a;
    slm_segment_options options = this->options();
    options.bytes = 0;
    EXPECT_EQ(a.create(options, &error_), SLM_E_SIZE);
    EXPECT_NE(std::string(error_.text), "");
    for (size_t bytes : {SIZE_MAX, SIZE_MAX - kPage, SIZE_MAX / 2, SIZE_MAX / 2 - kPage}) {
        options.bytes = bytes;
        options.max_bytes = 0;
        EXPECT_EQ(a.create(options, &error_), SLM_E_SIZE) << bytes;
        options.bytes = kPage;
        options.max_bytes = bytes;
        EXPECT_EQ(a.create(options, &error_), SLM_E_SIZE) << bytes;
    }
    options = this->options();
    options.max_bytes = size_t{1} << 62;
    EXPECT_EQ(a.create(options, &error_), SLM_E_NOMEM);
    EXPECT_EQ(error_.os_errno, ENOMEM);
    EXPECT_EQ(a.segment, nullptr);
    EXPECT_EQ(options_.folder().names().size(), 0u);
    EXPECT_NE(access(options_.posix().path().c_str(), F_OK), 0);
}

TEST_P(EachKind, RefusesInvalidOptions)
{
    Handle a;
    slm_segment_options options = this->options();
    options.read_only = true;
    EXPECT_EQ(a.create(options, &error_), SLM_E_OPTION);
    options = this->options();
    options.mode = 01600;
    EXPECT_EQ(a.create(options, &error_), SLM_E_OPTION);
    options = this->options();
    const unsigned after_try =
        SLM_SEGMENT_HUGE_TRY + 1; /* C++ has no cast to the enum for this value */
    static_assert(sizeof options.huge == sizeof after_try, "an enum is an int's size");
    memcpy(&options.huge, &after_try, sizeof after_try);
    EXPECT_EQ(a.create(options, &error_), SLM_E_OPTION);
    options = this->options();
    options.kind = static_cast<Kind>(SLM_SEGMENT_FILE + 1);
    EXPECT_EQ(a.create(options, &error_), SLM_E_OPTION);
    EXPECT_EQ(a.attach(options, &error_), SLM_E_OPTION);
    EXPECT_EQ(slm_segment_remove(&options, &error_), SLM_E_OPTION);
    options.kind = static_cast<Kind>(7);
    EXPECT_EQ(a.create(options, &error_), SLM_E_OPTION);
    EXPECT_EQ(error_.status, SLM_E_OPTION);
    EXPECT_EQ(a.segment, nullptr);
}

TEST_P(EachKind, ReachesAChildOfFork)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    a.base()[0] = 1;
    EXPECT_EQ(in_child([&] {
                  bool seen = a.base()[0] == 1;
                  a.base()[1] = 2;
                  return seen ? 7 : 8;
              }),
              7);
    EXPECT_EQ(a.base()[1], 2);
}

TEST_P(EachKind, RefreshShowsWhatAChildAdded)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    ASSERT_EQ(in_child([&] {
                  if (slm_segment_grow(a.segment, 10 * kPage, nullptr) != SLM_OK) {
                      return 1;
                  }
                  a.base()[10 * kPage - 1] = 77;
                  return 0;
              }),
              0);
    EXPECT_EQ(a.bytes(), 4 * kPage);
    ASSERT_EQ(slm_segment_refresh(a.segment, 10 * kPage, &error_), SLM_OK) << error_.text;
    EXPECT_EQ(a.bytes(), 10 * kPage);
    EXPECT_EQ(a.base()[10 * kPage - 1], 77);
    EXPECT_TRUE(is_untouchable(a.base() + 10 * kPage, 6 * kPage));
}

TEST_P(EachKind, AttachesAtAnotherAddressIfItsKindCan)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    slm_segment_options options = options_.to_attach(a.segment);
    Handle b;
    if (!can_attach(GetParam())) {
        EXPECT_EQ(b.attach(options, &error_), SLM_E_OPTION);
        return;
    }
    ASSERT_EQ(b.attach(options, &error_), SLM_OK) << error_.text;
    EXPECT_NE(a.base(), b.base());
    EXPECT_EQ(b.bytes(), GetParam() == SLM_SEGMENT_SYSV ? 16 * kPage : 4 * kPage);
    a.base()[5] = 55;
    EXPECT_EQ(b.base()[5], 55);
    b.base()[4 * kPage - 1] = 66;
    EXPECT_EQ(a.base()[4 * kPage - 1], 66);
}

TEST_P(EachKind, StaysAsLongAsAnyHandleAfterTheCreatorsIsGone)
{
    if (!can_attach(GetParam())) {
        return; /* this kind cannot be attached */
    }
    Handle a, b;
    ASSERT_EQ(a.create(options()), SLM_OK);
    a.base()[0] = 9;
    ASSERT_EQ(b.attach(options_.to_attach(a.segment), &error_), SLM_OK) << error_.text;
    a.detach();
    EXPECT_EQ(b.base()[0], 9);
    EXPECT_EQ(slm_segment_verify(b.segment, &error_), SLM_OK);
}

TEST_P(EachKind, ReadOnlyForbidsWrites)
{
    if (!can_attach(GetParam())) {
        return;
    }
    Handle a, b;
    ASSERT_EQ(a.create(options()), SLM_OK);
    slm_segment_options options = options_.to_attach(a.segment);
    options.read_only = true;
    ASSERT_EQ(b.attach(options, &error_), SLM_OK) << error_.text;
    EXPECT_TRUE(slm_segment_is_read_only(b.segment));
    a.base()[0] = 3;
    EXPECT_EQ(b.base()[0], 3);
    EXPECT_EQ(slm_segment_grow(b.segment, 5 * kPage, &error_), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_segment_shrink(b.segment, kPage, &error_), SLM_E_READ_ONLY);
    EXPECT_EQ(in_child([&] {
                  (void)signal(SIGSEGV, SIG_DFL);
                  b.base()[0] = 1;
                  return 0;
              }),
              128 + SIGSEGV);
    if (has_file(GetParam())) {
        ASSERT_EQ(slm_segment_grow(a.segment, 6 * kPage, &error_), SLM_OK);
        a.base()[6 * kPage - 1] = 4;
        ASSERT_EQ(slm_segment_refresh(b.segment, 6 * kPage, &error_), SLM_OK) << error_.text;
        EXPECT_EQ(b.base()[6 * kPage - 1], 4);
    }
}

TEST(Segment, NamesItselfForMessages)
{
    Options options;
    const std::string expected[] = {"anonymous", "sysv ", options.posix().path(), "memfd ",
                                    options.folder() / "file"};
    for (Kind kind : kEveryKind) {
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        std::string label = expected[kind];
        int id = slm_segment_id(a.segment);
        if (label.back() == ' ') {
            label += std::to_string(id);
        }
        EXPECT_EQ(slm_segment_label(a.segment), label);
        EXPECT_EQ(id >= 0, can_attach(kind));
        if (has_file(kind)) {
            EXPECT_EQ(fcntl(id, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        }
    }
}

TEST(Segment, NullIsReported)
{
    slm_error error;
    slm_segment *segment = nullptr;
    slm_segment_options options = Options().of(SLM_SEGMENT_ANONYMOUS);
    EXPECT_EQ(slm_segment_create(nullptr, &options, &error), SLM_E_NULL);
    EXPECT_EQ(slm_segment_create(&segment, nullptr, &error), SLM_E_NULL);
    EXPECT_EQ(slm_segment_attach(nullptr, &options, &error), SLM_E_NULL);
    EXPECT_EQ(slm_segment_attach(&segment, nullptr, &error), SLM_E_NULL);
    EXPECT_EQ(slm_segment_remove(nullptr, &error), SLM_E_NULL);
    EXPECT_EQ(slm_segment_list(nullptr, nullptr, nullptr, &error), SLM_E_NULL);
    EXPECT_EQ(slm_segment_list(&options, nullptr, nullptr, &error), SLM_E_NULL);
    EXPECT_EQ(slm_segment_create(nullptr, nullptr, nullptr), SLM_E_NULL);
    slm_segment_detach(nullptr);
}

TEST(Segment, SysvIsMarkedForRemovalAtOnce)
{
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_SYSV)), SLM_OK);
    shmid_ds data;
    int id = slm_segment_id(a.segment);
    ASSERT_EQ(shmctl(id, IPC_STAT, &data), 0);
    EXPECT_NE(data.shm_perm.mode & SHM_DEST, 0);
    EXPECT_EQ(data.shm_segsz, 16 * kPage);
    a.detach();
    EXPECT_NE(shmctl(id, IPC_STAT, &data), 0);
}

TEST(Segment, SysvIsRemovedWithAKilledProcess)
{
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    Options options;
    EXPECT_EQ(in_child([&] {
                  Handle a;
                  if (a.create(options.of(SLM_SEGMENT_SYSV)) == SLM_OK) {
                      int id = slm_segment_id(a.segment);
                      (void)!write(ends[1], &id, sizeof id);
                      (void)raise(SIGKILL);
                  }
                  return 1;
              }),
              128 + SIGKILL);
    int id = -1;
    ASSERT_EQ(read(ends[0], &id, sizeof id), static_cast<ssize_t>(sizeof id));
    shmid_ds data;
    EXPECT_NE(shmctl(id, IPC_STAT, &data), 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TEST(Segment, AFileKeepsWhatWasWritten)
{
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    memcpy(a.base() + 100, "still here", 11);
    a.detach();
    ASSERT_EQ(a.attach(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    EXPECT_STREQ(reinterpret_cast<char *>(a.base() + 100), "still here");
}

TEST(Segment, PosixIsWhatShmOpenFinds)
{
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_POSIX)), SLM_OK);
    int fd = shm_open((std::string("/") + options.posix().c_str()).c_str(), O_RDWR, 0);
    ASSERT_GE(fd, 0);
    char c = 'q';
    EXPECT_EQ(pwrite(fd, &c, 1, 10), 1);
    EXPECT_EQ(a.base()[10], 'q');
    (void)close(fd);
}

TEST(Segment, MemfdIsAttachedByADescriptorThatTheCallerCloses)
{
    Options options;
    Handle a, b;
    slm_error error;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    int fd = dup(slm_segment_id(a.segment));
    slm_segment_options attach = options.of(SLM_SEGMENT_MEMFD);
    attach.id = fd;
    ASSERT_EQ(b.attach(attach, &error), SLM_OK) << error.text;
    EXPECT_NE(slm_segment_id(b.segment), fd);
    b.detach();
    EXPECT_EQ(close(fd), 0);
    EXPECT_EQ(b.attach(attach, &error), SLM_E_MISSING) << error.text;
    attach.id = -1;
    EXPECT_EQ(b.attach(attach, &error), SLM_E_MISSING) << error.text;
}

TEST(Segment, MemfdShowsItsNameInProc)
{
    Options options;
    Handle a;
    slm_segment_options named = options.of(SLM_SEGMENT_MEMFD);
    named.name = "keys";
    ASSERT_EQ(a.create(named), SLM_OK);
    char target[100] = "";
    std::string link = "/proc/self/fd/" + std::to_string(slm_segment_id(a.segment));
    ASSERT_GT(readlink(link.c_str(), target, sizeof target - 1), 0);
    EXPECT_STREQ(target, "/memfd:keys (deleted)");
}

TEST(Segment, AttachWithAnUpperBoundRefusesALongerSegment)
{
    for (Kind kind : {SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        Options options;
        Handle a, b;
        slm_error error;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        slm_segment_options attach = options.to_attach(a.segment);
        attach.max_bytes = 3 * kPage;
        EXPECT_EQ(b.attach(attach, &error), SLM_E_SIZE) << error.text;
        attach.max_bytes = 0;
        EXPECT_EQ(b.attach(attach, &error), SLM_OK) << error.text;
        EXPECT_EQ(slm_segment_max_bytes(b.segment), b.bytes());
    }
}

TEST(Segment, RefreshMapsNewPagesOnlyAsFarAsTheRange)
{
    Options options;
    Handle a, b;
    slm_error error;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    slm_segment_options attach = options.of(SLM_SEGMENT_FILE);
    attach.max_bytes = 6 * kPage;
    ASSERT_EQ(b.attach(attach, &error), SLM_OK);
    ASSERT_EQ(slm_segment_grow(a.segment, 10 * kPage, &error), SLM_OK);
    ASSERT_EQ(slm_segment_refresh(b.segment, 5 * kPage, &error), SLM_OK) << error.text;
    EXPECT_EQ(b.bytes(), 6 * kPage);
    b.base()[6 * kPage - 1] = 12;
    EXPECT_EQ(a.base()[6 * kPage - 1], 12);
}

TEST(Segment, FullyGrownIsAttachedWithItsCreationOptions)
{
    for (Kind kind : {SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        Options options(kPage, 3 * kPage + 1);
        Handle a, b;
        slm_error error;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(slm_segment_grow(a.segment, 4 * kPage, &error), SLM_OK) << error.text;
        EXPECT_EQ(b.attach(options.to_attach(a.segment), &error), SLM_OK) << error.text;
    }
}

/* Returns how many bytes of the file have blocks. */
size_t backed_bytes(const slm_segment *segment)
{
    struct stat stat;
    EXPECT_EQ(fstat(slm_segment_id(segment), &stat), 0);
    return static_cast<size_t>(stat.st_blocks) * 512;
}

TEST(Segment, HasItsBackingFromTheStart)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        EXPECT_GE(backed_bytes(a.segment), 4 * kPage);
        ASSERT_EQ(slm_segment_grow(a.segment, 16 * kPage, nullptr), SLM_OK);
        EXPECT_GE(backed_bytes(a.segment), 16 * kPage);
        ASSERT_EQ(slm_segment_shrink(a.segment, kPage, nullptr), SLM_OK);
        EXPECT_LT(backed_bytes(a.segment), 16 * kPage);
    }
}

TEST(Segment, AttachReservesTheHolesOfACopy)
{
    Options options;
    std::string path = options.folder() / "file";
    int fd = open(path.c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(8 * kPage)), 0);
    ASSERT_EQ(pwrite(fd, "content", 7, 0), 7);
    (void)close(fd);
    Handle a;
    slm_error error;
    slm_segment_options attach = options.of(SLM_SEGMENT_FILE);
    attach.read_only = true;
    ASSERT_EQ(a.attach(attach, &error), SLM_OK) << error.text;
    EXPECT_LT(backed_bytes(a.segment), 8 * kPage);
    a.detach();
    attach.read_only = false;
    ASSERT_EQ(a.attach(attach, &error), SLM_OK) << error.text;
    EXPECT_GE(backed_bytes(a.segment), 8 * kPage);
    EXPECT_EQ(memcmp(a.base(), "content", 8), 0);
}

TEST(Segment, ShrinkLeavesWhatAnotherProcessAdded)
{
    Options options;
    Handle a, b;
    slm_error error;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    ASSERT_EQ(b.attach(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    ASSERT_EQ(slm_segment_grow(a.segment, 6 * kPage, &error), SLM_OK);
    ASSERT_EQ(slm_segment_grow(b.segment, 8 * kPage, &error), SLM_OK);
    EXPECT_EQ(slm_segment_shrink(a.segment, 4 * kPage, &error), SLM_E_STATE) << error.text;
    EXPECT_EQ(a.bytes(), 6 * kPage);
    EXPECT_EQ(slm_segment_verify(b.segment, &error), SLM_OK);
    EXPECT_TRUE(is_readable(b.base(), 8 * kPage));
}

TEST_P(EachKind, UnmapTailIsLocalAndOnlyWhereOthersCanCut)
{
    Handle a;
    ASSERT_EQ(a.create(options()), SLM_OK);
    a.base()[3 * kPage] = 7;
    slm_segment_unmap_tail(a.segment, kPage + 1);
    bool has_file = slm_segment_id(a.segment) >= 0 && GetParam() != SLM_SEGMENT_SYSV;
    EXPECT_EQ(a.bytes(), has_file ? 2 * kPage : 4 * kPage);
    EXPECT_EQ(is_untouchable(a.base() + 2 * kPage, 2 * kPage), has_file);
    ASSERT_EQ(slm_segment_refresh(a.segment, 4 * kPage, &error_), SLM_OK);
    EXPECT_EQ(a.base()[3 * kPage], 7);
}

TEST(Segment, VerifyRefreshGrowAndShrinkSeeACut)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        Options options;
        Handle a;
        slm_error error;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(ftruncate(slm_segment_id(a.segment), static_cast<off_t>(4 * kPage - 1)), 0);
        EXPECT_EQ(slm_segment_verify(a.segment, &error), SLM_E_TRUNCATED);
        EXPECT_NE(strstr(error.text, slm_segment_label(a.segment)), nullptr) << error.text;
        EXPECT_EQ(slm_segment_refresh(a.segment, 0, &error), SLM_E_TRUNCATED);
        EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, &error), SLM_E_TRUNCATED);
        EXPECT_EQ(slm_segment_shrink(a.segment, kPage, &error), SLM_E_TRUNCATED);
        EXPECT_EQ(a.bytes(), 4 * kPage);
    }
}

TEST(Segment, AttachRefusesALengthThatIsNotWholePages)
{
    for (size_t bytes : {size_t{0}, size_t{1}, kPage - 1, kPage + 1}) {
        Options options;
        int fd = open((options.folder() / "file").c_str(), O_CREAT | O_RDWR, 0600);
        ASSERT_EQ(ftruncate(fd, static_cast<off_t>(bytes)), 0);
        (void)close(fd);
        Handle a;
        EXPECT_EQ(a.attach(options.of(SLM_SEGMENT_FILE)), SLM_E_TRUNCATED) << bytes;
        EXPECT_EQ(a.segment, nullptr);
    }
}

TEST(Segment, AttachRefusesASysvSegmentThatIsNotWholePages)
{
    int id = shmget(IPC_PRIVATE, kPage + 1, IPC_CREAT | 0600);
    ASSERT_GE(id, 0);
    Handle a;
    slm_segment_options options{};
    options.kind = SLM_SEGMENT_SYSV;
    options.id = id;
    EXPECT_EQ(a.attach(options), SLM_E_TRUNCATED);
    EXPECT_EQ(shmctl(id, IPC_RMID, nullptr), 0);
    EXPECT_EQ(a.attach(options), SLM_E_MISSING);
}

} // namespace
