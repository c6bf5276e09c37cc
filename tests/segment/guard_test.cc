/* SPDX-License-Identifier: Apache-2.0 */
/* The SIGBUS guard puts zeros in place of cut pages. All other signals reach the earlier
 * handler. */
#include <csetjmp>
#include <csignal>
#include <sys/syscall.h>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"

namespace {

using slm_test::end_child;
using slm_test::Handle;
using slm_test::in_child;
using slm_test::is_zero;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;

const Kind kFileKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE};
const int kOk = 42;

/* In a child: installs the guard over the handler `before`. */
void install_above(void (*before)(int))
{
    (void)signal(SIGBUS, before);
    if (slm_segment_guard_install(nullptr) != SLM_OK) {
        end_child(1);
    }
}

/* In a child: a new segment that the guard, installed over the handler `before`, protects. */
struct Guarded : Handle {
    explicit Guarded(const slm_segment_options &options, void (*before)(int) = SIG_DFL)
    {
        install_above(before);
        if (create(options) != SLM_OK) {
            end_child(3);
        }
    }
};

void end_well(int)
{
    end_child(kOk);
}

void cut(const Handle &a, size_t bytes)
{
    if (ftruncate(slm_segment_id(a.segment), static_cast<off_t>(bytes)) != 0) {
        end_child(2);
    }
}

/* Exits with kOk if all conditions hold, or with the number of the first that does not. */
int first_wrong(std::initializer_list<bool> claims)
{
    int at = 10;
    for (bool claim : claims) {
        if (!claim) {
            return at;
        }
        at++;
    }
    return kOk;
}

unsigned n_fstat;

int count_fstat(int fd, struct stat *stat)
{
    n_fstat++;
    return fstat(fd, stat);
}

TEST(SegmentGuard, WithoutItACutSegmentEndsTheProcess)
{
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  (void)signal(SIGBUS, SIG_DFL);
                  cut(a, kPage);
                  a.base()[kPage] = 1;
                  return 0;
              }),
              128 + SIGBUS);
}

TEST(SegmentGuard, LeavesEarlierSegmentsToTheDefault)
{
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  install_above(SIG_DFL);
                  cut(a, kPage);
                  if (slm_segment_verify(a.segment, nullptr) != SLM_E_TRUNCATED ||
                      a.base()[0] != 0) {
                      return 4;
                  }
                  a.base()[kPage] = 1;
                  return 0;
              }),
              128 + SIGBUS);
}

TEST(SegmentGuard, PutsZerosInPlaceOfCutPagesAndMarksTheSegment)
{
    for (Kind kind : kFileKinds) {
        Options options;
        EXPECT_EQ(in_child([&] {
                      Guarded a(options.of(kind));
                      Handle other;
                      (void)other.create(Options().of(SLM_SEGMENT_MEMFD));
                      memset(a.base(), 0x77, a.bytes());
                      cut(a, kPage);
                      bool is_zero_inside = a.base()[2 * kPage] == 0;
                      a.base()[3 * kPage + 1] = 9;
                      slm_segment_sys.fstat = count_fstat;
                      return first_wrong(
                          {is_zero_inside, a.base()[3 * kPage + 1] == 9,
                           is_zero(a.base() + kPage, 2 * kPage), a.base()[kPage - 1] == 0x77,
                           slm_segment_verify(a.segment, nullptr) == SLM_E_TRUNCATED, n_fstat == 0,
                           slm_segment_verify(other.segment, nullptr) == SLM_OK, n_fstat == 1});
                  }),
                  kOk);
    }
}

void *mmap_touches_errno(void *at, size_t n_bytes, int prot, int flags, int fd, off_t from)
{
    errno = EINVAL;
    return mmap(at, n_bytes, prot, flags, fd, from);
}

TEST(SegmentGuard, KeepsErrnoOfTheInterruptedCode)
{
    Options options;
    EXPECT_EQ(in_child([&] {
                  Guarded a(options.of(SLM_SEGMENT_MEMFD));
                  slm_segment_sys.mmap = mmap_touches_errno;
                  cut(a, kPage);
                  errno = 4711;
                  bool is_zeros = *static_cast<volatile unsigned char *>(a.base() + kPage) == 0;
                  return first_wrong({is_zeros, errno == 4711});
              }),
              kOk);
}

TEST(SegmentGuard, KeepsTheMarkWhenTheFileIsLongAgain)
{
    Options options;
    EXPECT_EQ(in_child([&] {
                  Guarded a(options.of(SLM_SEGMENT_FILE));
                  cut(a, kPage);
                  unsigned char zero = a.base()[kPage];
                  cut(a, 4 * kPage);
                  return first_wrong(
                      {zero == 0, slm_segment_verify(a.segment, nullptr) == SLM_E_TRUNCATED,
                       slm_segment_refresh(a.segment, 0, nullptr) == SLM_E_TRUNCATED,
                       slm_segment_grow(a.segment, 5 * kPage, nullptr) == SLM_E_TRUNCATED,
                       slm_segment_shrink(a.segment, kPage, nullptr) == SLM_E_TRUNCATED});
              }),
              kOk);
}

TEST(SegmentGuard, LeavesSystemCallsTheirEfault)
{
    Options options;
    EXPECT_EQ(in_child([&] {
                  Guarded a(options.of(SLM_SEGMENT_MEMFD));
                  cut(a, kPage);
                  return first_wrong({!slm_test::is_readable(a.base() + kPage, 1),
                                      slm_test::is_readable(a.base(), 1)});
              }),
              kOk);
}

TEST(SegmentGuard, ForgetsTheMarkWithTheHandle)
{
    Options options;
    EXPECT_EQ(in_child([&] {
                  Guarded a(options.of(SLM_SEGMENT_FILE));
                  cut(a, kPage);
                  unsigned char zero = a.base()[kPage];
                  a.detach();
                  return first_wrong({zero == 0, a.attach(options.of(SLM_SEGMENT_FILE)) == SLM_OK,
                                      slm_segment_verify(a.segment, nullptr) == SLM_OK,
                                      a.bytes() == kPage});
              }),
              kOk);
}

TEST(SegmentGuard, LeavesAReadOnlyViewReadOnly)
{
    Options options;
    slm_segment_options attach = options.of(SLM_SEGMENT_FILE);
    attach.read_only = true;
    EXPECT_EQ(in_child([&] {
                  Guarded a(options.of(SLM_SEGMENT_FILE));
                  Handle b;
                  (void)signal(SIGSEGV, SIG_DFL);
                  if (b.attach(attach) != SLM_OK) {
                      return 4;
                  }
                  cut(a, kPage);
                  if (b.base()[kPage] != 0) {
                      return 5;
                  }
                  b.base()[kPage] = 1;
                  return 6;
              }),
              128 + SIGSEGV);
}

TEST(SegmentGuard, WorksForInheritedSegmentsInAChild)
{
    Options options;
    EXPECT_EQ(in_child([&] {
                  Guarded a(options.of(SLM_SEGMENT_MEMFD));
                  return in_child([&] {
                      cut(a, kPage);
                      return first_wrong({a.base()[kPage] == 0});
                  });
              }),
              kOk);
}

/* Maps a page that belongs to no segment and has no file contents. */
volatile unsigned char *foreign_cut_page()
{
    int fd = memfd_create("foreign", 0);
    return static_cast<unsigned char *>(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0));
}

TEST(SegmentGuard, LeavesForeignFaultsToTheDefault)
{
    EXPECT_EQ(in_child([] {
                  install_above(SIG_DFL);
                  return static_cast<int>(*foreign_cut_page());
              }),
              128 + SIGBUS);
    /* The system does not allow a fault to be ignored. */
    EXPECT_EQ(in_child([] {
                  install_above(SIG_IGN);
                  return static_cast<int>(*foreign_cut_page());
              }),
              128 + SIGBUS);
}

TEST(SegmentGuard, LeavesSentSignalsToTheEarlierHandler)
{
    EXPECT_EQ(in_child([] {
                  install_above(SIG_DFL);
                  (void)raise(SIGBUS);
                  return 0;
              }),
              128 + SIGBUS);
    EXPECT_EQ(in_child([] {
                  install_above(SIG_IGN);
                  (void)raise(SIGBUS);
                  return kOk;
              }),
              kOk);
    EXPECT_EQ(in_child([] {
                  install_above([](int number) { end_child(number == SIGBUS ? kOk : 3); });
                  (void)raise(SIGBUS);
                  return 0;
              }),
              kOk);
}

volatile unsigned char *expected_fault;

void expect_fault(int number, siginfo_t *info, void *context)
{
    end_child(number == SIGBUS && info->si_addr == expected_fault && context != nullptr ? kOk : 3);
}

TEST(SegmentGuard, PassesAForeignFaultOnWithAllItsDetails)
{
    EXPECT_EQ(in_child([] {
                  struct sigaction action {};
                  action.sa_sigaction = expect_fault;
                  action.sa_flags = SA_SIGINFO;
                  (void)sigaction(SIGBUS, &action, nullptr);
                  if (slm_segment_guard_install(nullptr) != SLM_OK) {
                      return 1;
                  }
                  expected_fault = foreign_cut_page();
                  return static_cast<int>(*expected_fault);
              }),
              kOk);
}

/* Sends a signal as the kernel does. A process may forge signals to itself. */
void forge(int code, void *address)
{
    siginfo_t info{};
    info.si_signo = SIGBUS;
    info.si_code = code;
    info.si_addr = address;
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info);
}

TEST(SegmentGuard, DoesNotHideBrokenMemory)
{
    for (int code : {BUS_MCEERR_AR, BUS_ADRALN, BUS_OBJERR}) {
        Options options;
        EXPECT_EQ(in_child([&] {
                      Guarded a(options.of(SLM_SEGMENT_MEMFD), end_well);
                      forge(code, a.base());
                      return 3;
                  }),
                  kOk);
    }
}

void *mmap_fails(void *, size_t, int, int, int, off_t)
{
    errno = ENOMEM;
    return MAP_FAILED;
}

TEST(SegmentGuard, WithoutMemoryForThePagePassesTheSignalOn)
{
    Options options;
    EXPECT_EQ(in_child([&] {
                  Guarded a(options.of(SLM_SEGMENT_MEMFD), end_well);
                  slm_segment_sys.mmap = mmap_fails;
                  cut(a, kPage);
                  return static_cast<int>(a.base()[kPage]);
              }),
              kOk);
}

TEST(SegmentGuard, IsInstalledOnceAndNeverCallsItself)
{
    EXPECT_EQ(in_child([] {
                  install_above(end_well);
                  if (slm_segment_guard_install(nullptr) != SLM_OK) {
                      return 1;
                  }
                  (void)raise(SIGBUS);
                  return 3;
              }),
              kOk);
}

unsigned sigaction_fail_at;

int sigaction_fails(int number, const struct sigaction *action, struct sigaction *before)
{
    if (--sigaction_fail_at == 0) {
        errno = EINVAL;
        return -1;
    }
    return sigaction(number, action, before);
}

TEST(SegmentGuard, ReportsARefusalAndCanBeTriedAgain)
{
    for (unsigned at : {1u, 2u}) {
        EXPECT_EQ(in_child([at] {
                      slm_error error;
                      const slm_segment_calls real = slm_segment_sys;
                      slm_segment_sys.sigaction = sigaction_fails;
                      sigaction_fail_at = at;
                      bool refused = slm_segment_guard_install(&error) == SLM_E_IO;
                      slm_segment_sys = real;
                      return first_wrong({refused, error.os_errno == EINVAL,
                                          slm_segment_guard_install(&error) == SLM_OK});
                  }),
                  kOk);
    }
}

/* --- Its table of segments --- */

TEST(SegmentGuard, HoldsMoreSegmentsThanItsFirstTable)
{
    EXPECT_EQ(in_child([] {
                  install_above(SIG_DFL);
                  std::vector<Handle> all(100);
                  for (Handle &a : all) {
                      if (a.create(Options(kPage, kPage).of(SLM_SEGMENT_MEMFD)) != SLM_OK) {
                          return 1;
                      }
                      cut(a, 0);
                  }
                  for (Handle &a : all) {
                      if (a.base()[0] != 0) {
                          return 2;
                      }
                  }
                  return kOk;
              }),
              kOk);
}

const slm_segment_calls real_calls = slm_segment_sys;
Handle *made_meanwhile;

/* One thread finds the table full, and at that moment another thread enlarges it. */
void *malloc_with_another(size_t n_bytes)
{
    if (made_meanwhile != nullptr && n_bytes > 1000) {
        Handle *meanwhile = made_meanwhile;
        made_meanwhile = nullptr;
        EXPECT_EQ(meanwhile->create(Options().of(SLM_SEGMENT_ANONYMOUS)), SLM_OK);
    }
    return malloc(n_bytes);
}

void *malloc_fails_when_large(size_t n_bytes)
{
    return n_bytes > 1000 ? nullptr : malloc(n_bytes);
}

/* Creates segments until the next one needs a new table. False: no call was refused. */
bool fill_table(std::vector<Handle> *all)
{
    slm_segment_sys.malloc = malloc_fails_when_large;
    slm_status status = SLM_OK;
    for (size_t i = 0; i < all->size() && status == SLM_OK; i++) {
        status = (*all)[i].create(Options().of(SLM_SEGMENT_ANONYMOUS));
    }
    slm_segment_sys.malloc = real_calls.malloc;
    return status == SLM_E_NOMEM;
}

TEST(SegmentGuard, WithoutMemoryForItsTableNoSegmentIsCreated)
{
    EXPECT_EQ(in_child([] {
                  std::vector<Handle> all(100);
                  Handle a;
                  install_above(SIG_DFL);
                  return first_wrong({fill_table(&all), all.back().segment == nullptr,
                                      a.create(Options().of(SLM_SEGMENT_ANONYMOUS)) == SLM_OK});
              }),
              kOk);
}

TEST(SegmentGuard, TwoThreadsThatEnlargeItsTableGetDifferentSlots)
{
    EXPECT_EQ(in_child([] {
                  std::vector<Handle> all(100);
                  Handle a, b;
                  install_above(SIG_DFL);
                  bool is_full = fill_table(&all);
                  slm_segment_sys.malloc = malloc_with_another;
                  made_meanwhile = &b;
                  return first_wrong({is_full, a.create(Options().of(SLM_SEGMENT_MEMFD)) == SLM_OK,
                                      made_meanwhile == nullptr, b.segment != nullptr,
                                      a.segment->slot != b.segment->slot});
              }),
              kOk);
}

} // namespace
