/* SPDX-License-Identifier: Apache-2.0 */
/* Segments without space: full file systems, limits of the process. */
#include <csignal>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/time.h>

#include "allocator/base/config.h"
#include "tests/segment/fixture.h"

namespace {

using slm_test::first_wrong;
using slm_test::Handle;
using slm_test::has_file;
using slm_test::in_child;
using slm_test::is_zero;
using slm_test::kEveryKind;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;

const Kind kFileKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE};
const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

/* --- A small tmpfs, in a mount namespace that ends with the child --- */

bool mount_small(const std::string &where, size_t n_pages)
{
    std::string size = "size=" + std::to_string(n_pages * kPage);
    return mount("none", where.c_str(), "tmpfs", 0, size.c_str()) == 0;
}

bool can_mount()
{
    Options options;
    return in_child([&] {
               return slm_test::enter_mount_namespace() && mount_small(options.folder().path(), 1)
                          ? 0
                          : 1;
           }) == 0;
}

constexpr char kNoMount[] = "this user can neither mount nor make a namespace to mount in";

/* Returns what body returns where the kind's folder is a tmpfs of 64 pages. */
int on_small_tmpfs(const Options &options, Kind kind, const std::function<int()> &body)
{
    std::string where = kind == SLM_SEGMENT_POSIX ? "/dev/shm" : options.folder().path();
    return in_child([&] {
        (void)signal(SIGBUS, SIG_DFL);
        return slm_test::enter_mount_namespace() && mount_small(where, 64) ? body() : 99;
    });
}

size_t free_pages(const slm_segment *segment)
{
    struct statvfs stat {};
    (void)fstatvfs(slm_segment_id(segment), &stat);
    return stat.f_bfree * stat.f_frsize / kPage;
}

bool is_there(const slm_segment_options &options)
{
    std::string path = options.kind == SLM_SEGMENT_POSIX ? std::string("/dev/shm/") + options.name
                                                         : std::string(options.name);
    return access(path.c_str(), F_OK) == 0;
}

TEST(SegmentSpace, CreateReportsThatThereIsNoSpaceAndLeavesNothing)
{
    if (!can_mount()) {
        GTEST_SKIP() << kNoMount;
    }
    for (Kind kind : kNamedKinds) {
        Options all(65 * kPage, 100 * kPage);
        slm_segment_options options = all.of(kind);
        EXPECT_EQ(on_small_tmpfs(all, kind,
                                 [&] {
                                     Handle a, b;
                                     slm_error error;
                                     slm_status status = a.create(options, &error);
                                     options.bytes = 60 * kPage;
                                     return first_wrong(
                                         {status == SLM_E_SPACE, error.os_errno == ENOSPC,
                                          !is_there(options), b.create(options) == SLM_OK,
                                          is_zero(b.base(), b.bytes())});
                                 }),
                  0);
    }
}

TEST(SegmentSpace, GrowReportsThatThereIsNoSpaceAndChangesNothing)
{
    if (!can_mount()) {
        GTEST_SKIP() << kNoMount;
    }
    for (Kind kind : kNamedKinds) {
        Options all(10 * kPage, 100 * kPage);
        slm_segment_options options = all.of(kind);
        EXPECT_EQ(on_small_tmpfs(all, kind,
                                 [&] {
                                     Handle a;
                                     if (a.create(options) != SLM_OK) {
                                         return 1;
                                     }
                                     memset(a.base(), 0x42, a.bytes());
                                     size_t before = free_pages(a.segment);
                                     slm_status refused =
                                         slm_segment_grow(a.segment, 90 * kPage, nullptr);
                                     size_t after = free_pages(a.segment);
                                     slm_status grown =
                                         slm_segment_grow(a.segment, 60 * kPage, nullptr);
                                     memset(a.base() + 10 * kPage, 0x43, 50 * kPage);
                                     return first_wrong({refused == SLM_E_SPACE, after == before,
                                                         grown == SLM_OK, a.bytes() == 60 * kPage,
                                                         a.base()[10 * kPage - 1] == 0x42});
                                 }),
                  0);
    }
}

TEST(SegmentSpace, ReservedPagesCanBeWrittenWhenTheRestIsFull)
{
    if (!can_mount()) {
        GTEST_SKIP() << kNoMount;
    }
    for (Kind kind : kNamedKinds) {
        Options all(10 * kPage, 40 * kPage);
        slm_segment_options options = all.of(kind);
        EXPECT_EQ(
            on_small_tmpfs(
                all, kind,
                [&] {
                    Handle a;
                    if (a.create(options) != SLM_OK ||
                        slm_segment_grow(a.segment, 30 * kPage, nullptr) != SLM_OK) {
                        return 1;
                    }
                    std::string rest =
                        kind == SLM_SEGMENT_POSIX ? "/dev/shm/rest" : all.folder() / "rest";
                    int fd = open(rest.c_str(), O_CREAT | O_RDWR, 0600);
                    std::string page(kPage, 'x');
                    while (write(fd, page.data(), kPage) > 0) {
                    }
                    memset(a.base(), 1, a.bytes());
                    return first_wrong({free_pages(a.segment) == 0, a.base()[30 * kPage - 1] == 1});
                }),
            0);
    }
}

TEST(SegmentSpace, AttachReportsThatACopysHolesHaveNoSpace)
{
    if (!can_mount()) {
        GTEST_SKIP() << kNoMount;
    }
    Options all;
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    options.max_bytes = 0;
    EXPECT_EQ(
        on_small_tmpfs(
            all, SLM_SEGMENT_FILE,
            [&] {
                Handle a, b;
                int fd = open(options.name, O_CREAT | O_RDWR, 0600);
                bool made = ftruncate(fd, static_cast<off_t>(90 * kPage)) == 0;
                slm_status refused = a.attach(options);
                options.read_only = true;
                return first_wrong({made, refused == SLM_E_SPACE, b.attach(options) == SLM_OK});
            }),
        0);
}

TEST(SegmentSpace, AReadOnlyFileSystemAllowsReadingAndNoCreation)
{
    if (!can_mount()) {
        GTEST_SKIP() << kNoMount;
    }
    Options all;
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    EXPECT_EQ(on_small_tmpfs(all, SLM_SEGMENT_FILE,
                             [&] {
                                 Handle a, b, c, d;
                                 bool made = a.create(options) == SLM_OK;
                                 a.detach();
                                 made = made && mount("none", all.folder().path().c_str(), nullptr,
                                                      MS_REMOUNT | MS_RDONLY, nullptr) == 0;
                                 std::string other = all.folder() / "other";
                                 slm_segment_options another = options;
                                 another.name = other.c_str();
                                 slm_segment_options reading = options;
                                 reading.read_only = true;
                                 return first_wrong({made, b.create(another) == SLM_E_ACCESS,
                                                     c.attach(options) == SLM_E_ACCESS,
                                                     d.attach(reading) == SLM_OK});
                             }),
              0);
}

/* --- Limits of the process --- */

/* Applies until it goes out of scope, so that a coverage build can write its counters. */
class Limit {
  public:
    Limit(decltype(RLIMIT_FSIZE) what, rlim_t to) : what_(what)
    {
        is_set_ = getrlimit(what, &before_) == 0;
        struct rlimit limit = {to, before_.rlim_max};
        is_set_ = is_set_ && setrlimit(what, &limit) == 0;
    }
    ~Limit()
    {
        (void)setrlimit(what_, &before_);
    }
    Limit(const Limit &) = delete;
    Limit &operator=(const Limit &) = delete;
    bool is_set() const
    {
        return is_set_;
    }

  private:
    decltype(RLIMIT_FSIZE) what_;
    struct rlimit before_ {};
    bool is_set_;
};

TEST(SegmentSpace, AFileAboveTheProcesssLimitIsNoSpaceAndNoSignal)
{
    for (Kind kind : kFileKinds) {
        Options all(8 * kPage, 40 * kPage);
        EXPECT_EQ(in_child([&] {
                      (void)signal(SIGXFSZ, SIG_DFL);
                      Handle a, b;
                      slm_error error;
                      slm_segment_options options = all.of(kind);
                      Limit limit(RLIMIT_FSIZE, 10 * kPage);
                      if (!limit.is_set()) {
                          return 1;
                      }
                      options.bytes = 11 * kPage;
                      slm_status refused = a.create(options, &error);
                      options.bytes = 8 * kPage;
                      bool made = b.create(options) == SLM_OK;
                      return first_wrong(
                          {refused == SLM_E_SPACE, error.os_errno == EFBIG, made,
                           slm_segment_grow(b.segment, 11 * kPage, &error) == SLM_E_SPACE,
                           b.bytes() == 8 * kPage,
                           slm_segment_grow(b.segment, 10 * kPage, &error) == SLM_OK});
                  }),
                  0);
    }
}

TEST(SegmentSpace, TheFileSizeLimitDoesNotApplyToMemoryWithoutAFile)
{
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV}) {
        Options all;
        Limit limit(RLIMIT_FSIZE, kPage);
        Handle a;
        EXPECT_TRUE(limit.is_set());
        EXPECT_EQ(a.create(all.of(kind)), SLM_OK);
    }
}

TEST(SegmentSpace, NoDescriptorLeftIsNoMemory)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        Options all;
        EXPECT_EQ(in_child([&] {
                      Handle a;
                      slm_error error;
                      Limit limit(RLIMIT_NOFILE, 0);
                      if (!limit.is_set()) {
                          return 1;
                      }
                      return first_wrong({a.create(all.of(kind), &error) == SLM_E_NOMEM,
                                          error.os_errno == EMFILE});
                  }),
                  0);
        EXPECT_EQ(all.folder().names().size(), 0u);
    }
}

TEST(SegmentSpace, NoAddressesLeftIsNoMemory)
{
    if (SLM_ASAN || SLM_HAS_FEATURE(thread_sanitizer)) {
        GTEST_SKIP() << "a sanitizer's shadow memory does not fit into few addresses";
    }
    for (Kind kind : kEveryKind) {
        Options all(kPage, size_t{1} << 30);
        EXPECT_EQ(in_child([&] {
                      Handle a;
                      slm_error error;
                      Limit limit(RLIMIT_AS, size_t{1} << 29);
                      if (!limit.is_set()) {
                          return 1;
                      }
                      return first_wrong({a.create(all.of(kind), &error) == SLM_E_NOMEM,
                                          error.os_errno == ENOMEM});
                  }),
                  0);
        EXPECT_EQ(all.folder().names().size(), 0u);
    }
}

/* A timer's handler does not restart calls. It keeps interrupting the reservation of a large file,
 * and the reservation still completes. */
TEST(SegmentSpace, IsReservedWhileATimerKeepsInterrupting)
{
    EXPECT_EQ(in_child([] {
                  struct sigaction action {};
                  action.sa_handler = [](int) {};
                  (void)sigaction(SIGALRM, &action, nullptr);
                  struct itimerval often {};
                  often.it_interval.tv_usec = 200;
                  often.it_value.tv_usec = 200;
                  (void)setitimer(ITIMER_REAL, &often, nullptr);
                  Handle a;
                  slm_error error;
                  slm_status status =
                      a.create(Options(size_t{64} << 20).of(SLM_SEGMENT_MEMFD), &error);
                  often = {};
                  (void)setitimer(ITIMER_REAL, &often, nullptr);
                  return first_wrong({status == SLM_OK, a.bytes() == size_t{64} << 20});
              }),
              0);
}

} // namespace
