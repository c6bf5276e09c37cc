/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that several processes and threads use, grow and fail to grow at the same time. */
#include <atomic>
#include <csignal>
#include <sys/file.h>
#include <sys/syscall.h>
#include <thread>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"

namespace {

using slm_test::end_child;
using slm_test::Handle;
using slm_test::in_child;
using slm_test::is_zero;
using slm_test::KeepCalls;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

pid_t start_child(const std::function<int()> &body)
{
    pid_t child = fork();
    if (child == 0) {
        end_child(body());
    }
    return child;
}

int end_of(pid_t child)
{
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A counter that is incremented through two mappings at different addresses. */
int add_many(const Handle &a, unsigned n)
{
    auto *count = reinterpret_cast<unsigned *>(a.base());
    for (unsigned i = 0; i < n; i++) {
        (void)__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

TEST(SegmentShared, TwoProcessesAtDifferentAddressesSeeTheSame)
{
    for (Kind kind : kNamedKinds) {
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        pid_t child = start_child([&] {
            Handle b; /* the child still has a's mapping, so b gets another address */
            if (b.attach(options.of(kind)) != SLM_OK || b.base() == a.base()) {
                return 1;
            }
            return add_many(b, 10000);
        });
        (void)add_many(a, 10000);
        EXPECT_EQ(end_of(child), 0);
        EXPECT_EQ(*reinterpret_cast<unsigned *>(a.base()), 20000u);
    }
}

TEST(SegmentShared, AProcessSeesAnothersGrowthWhenItRefreshes)
{
    for (Kind kind : kNamedKinds) {
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        EXPECT_EQ(in_child([&] {
                      Handle b;
                      if (b.attach(options.of(kind)) != SLM_OK ||
                          slm_segment_grow(b.segment, 12 * kPage, nullptr) != SLM_OK) {
                          return 1;
                      }
                      b.base()[12 * kPage - 1] = 88;
                      return 0;
                  }),
                  0);
        EXPECT_EQ(a.bytes(), 4 * kPage);
        EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
        ASSERT_EQ(slm_segment_refresh(a.segment, 12 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(a.base()[12 * kPage - 1], 88);
    }
}

TEST(SegmentShared, OfManyCreatorsOfOneNameOneSucceeds)
{
    for (Kind kind : kNamedKinds) {
        Options options;
        std::vector<pid_t> children;
        for (int i = 0; i < 8; i++) {
            children.push_back(start_child([&] {
                Handle a;
                return static_cast<int>(a.create(options.of(kind)));
            }));
        }
        int n_made = 0;
        for (pid_t child : children) {
            int end = end_of(child);
            n_made += end == SLM_OK;
            EXPECT_TRUE(end == SLM_OK || end == SLM_E_EXISTS) << end;
        }
        EXPECT_EQ(n_made, 1);
    }
}

TEST(SegmentShared, IsSeenCompleteOrNotAtAllWhileItIsCreated)
{
    for (Kind kind : kNamedKinds) {
        Options options(200 * kPage, 400 * kPage);
        pid_t child = start_child([&] {
            for (int i = 0; i < 100; i++) {
                Handle a;
                slm_segment_options asked = options.of(kind);
                if (a.create(asked) != SLM_OK || slm_segment_remove(&asked, nullptr) != SLM_OK) {
                    return 1;
                }
            }
            return 0;
        });
        int status = 0;
        while (waitpid(child, &status, WNOHANG) == 0) {
            Handle b;
            slm_status seen = b.attach(options.of(kind));
            EXPECT_TRUE(seen == SLM_OK || seen == SLM_E_MISSING) << seen;
            if (seen == SLM_OK) {
                EXPECT_EQ(b.bytes(), 200 * kPage);
                EXPECT_TRUE(is_zero(b.base(), b.bytes()));
            }
        }
        EXPECT_EQ(status, 0);
    }
}

/* --- Concurrent growth --- */

/* Grows page by page and writes to each new page: a cut would raise SIGBUS. */
int grow_and_write(Handle *a, size_t up_to_pages)
{
    for (size_t n = a->bytes() / kPage + 1; n <= up_to_pages; n++) {
        if (slm_segment_grow(a->segment, n * kPage, nullptr) != SLM_OK || a->bytes() < n * kPage) {
            return 1;
        }
        (void)__atomic_fetch_add(a->base() + (n - 1) * kPage, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

TEST(SegmentGrowRace, EachOfManyProcessesGetsItsPages)
{
    for (Kind kind : kNamedKinds) {
        Options options(kPage, 200 * kPage);
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        std::vector<Handle> handles(4);
        for (Handle &b : handles) {
            ASSERT_EQ(b.attach(options.of(kind)), SLM_OK);
        }
        std::vector<pid_t> children;
        for (Handle &b : handles) {
            children.push_back(start_child([&b] {
                (void)signal(SIGBUS, SIG_DFL);
                return grow_and_write(&b, 200);
            }));
        }
        for (pid_t child : children) {
            EXPECT_EQ(end_of(child), 0);
        }
        ASSERT_EQ(slm_segment_refresh(a.segment, 200 * kPage, nullptr), SLM_OK);
        for (size_t n = 1; n < 200; n++) {
            EXPECT_EQ(a.base()[n * kPage], 4);
        }
    }
}

TEST(SegmentGrowRace, ChildrenThatShareADescriptorGrowAtOnceToo)
{
    Options options(kPage, 200 * kPage);
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    std::vector<pid_t> children;
    for (int i = 0; i < 4; i++) {
        children.push_back(start_child([&] {
            (void)signal(SIGBUS, SIG_DFL);
            return grow_and_write(&a, 200);
        }));
    }
    for (pid_t child : children) {
        EXPECT_EQ(end_of(child), 0);
    }
    ASSERT_EQ(slm_segment_refresh(a.segment, 200 * kPage, nullptr), SLM_OK);
    EXPECT_EQ(a.base()[199 * kPage], 4);
}

TEST(SegmentGrowRace, ThreadsWithAHandleEachGrowAtOnceToo)
{
    Options options(kPage, 200 * kPage);
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    std::vector<Handle> handles(4);
    for (Handle &b : handles) {
        ASSERT_EQ(b.attach(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    }
    std::vector<std::thread> threads;
    std::atomic<int> n_wrong{0};
    for (Handle &b : handles) {
        threads.emplace_back([&] { n_wrong += grow_and_write(&b, 200); });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(n_wrong, 0);
    ASSERT_EQ(slm_segment_refresh(a.segment, 200 * kPage, nullptr), SLM_OK);
    for (size_t n = 1; n < 200; n++) {
        EXPECT_EQ(a.base()[n * kPage], 4);
    }
}

unsigned n_lengths;

/* Every second change of the length fails, after everything has been reserved. */
int lengthening_fails_half(int fd, int mode, off_t from, off_t n_bytes)
{
    if (mode == 0 && n_lengths++ % 2 == 0) {
        errno = EIO;
        return -1;
    }
    return fallocate(fd, mode, from, n_bytes);
}

TEST(SegmentGrowRace, AFailureTakesNothingFromTheOthers)
{
    for (Kind kind : kNamedKinds) {
        Options options(kPage, 300 * kPage);
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        pid_t failing = start_child([&] {
            (void)signal(SIGBUS, SIG_DFL);
            slm_segment_sys.fallocate = lengthening_fails_half;
            Handle b;
            if (b.attach(options.of(kind)) != SLM_OK) {
                return 2;
            }
            while (b.bytes() < 300 * kPage) {
                slm_status status = slm_segment_grow(b.segment, b.bytes() + kPage, nullptr);
                if (status != SLM_OK && status != SLM_E_IO) {
                    return 3;
                }
                b.base()[b.bytes() - kPage] = 1;
            }
            return 0;
        });
        pid_t growing = start_child([&] {
            (void)signal(SIGBUS, SIG_DFL);
            Handle b;
            return b.attach(options.of(kind)) == SLM_OK ? grow_and_write(&b, 300) : 2;
        });
        EXPECT_EQ(end_of(failing), 0);
        EXPECT_EQ(end_of(growing), 0);
    }
}

/* --- The same without chance: the lock that is held while a length may change --- */

/* The lock that another process would meet: F_UNLCK, F_RDLCK or F_WRLCK. Only another process can
 * ask. */
int lock_for_others(int fd)
{
    pid_t child = fork();
    if (child == 0) {
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        end_child(fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_type : 100);
    }
    return end_of(child);
}

std::vector<int> locks_seen;

int fallocate_looks_at_the_lock(int fd, int mode, off_t from, off_t n_bytes)
{
    locks_seen.push_back(lock_for_others(fd));
    return fallocate(fd, mode, from, n_bytes);
}

int ftruncate_looks_at_the_lock(int fd, off_t bytes)
{
    locks_seen.push_back(lock_for_others(fd));
    return ftruncate(fd, bytes);
}

ssize_t pwrite_looks_at_the_lock(int fd, const void *data, size_t n_bytes, off_t at)
{
    locks_seen.push_back(lock_for_others(fd));
    return pwrite(fd, data, n_bytes, at);
}

int fallocate_is_unknown(int, int, off_t, off_t)
{
    errno = EOPNOTSUPP;
    return -1;
}

/* The lookers fork: so this shows too that a fork does not wait for a growth. */
TEST(SegmentGrowRace, GrowersShareALockAndAShrinkHasItAlone)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        KeepCalls keep;
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        locks_seen.clear();
        slm_segment_sys.fallocate = fallocate_looks_at_the_lock;
        slm_segment_sys.ftruncate = ftruncate_looks_at_the_lock;
        ASSERT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(locks_seen, (std::vector<int>{F_RDLCK, F_RDLCK}));
        ASSERT_EQ(slm_segment_shrink(a.segment, 4 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(locks_seen, (std::vector<int>{F_RDLCK, F_RDLCK, F_WRLCK}));
        slm_segment_sys.fallocate = fallocate_is_unknown;
        slm_segment_sys.pwrite = pwrite_looks_at_the_lock;
        ASSERT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(locks_seen, (std::vector<int>{F_RDLCK, F_RDLCK, F_WRLCK, F_WRLCK}));
        EXPECT_EQ(lock_for_others(slm_segment_id(a.segment)), F_UNLCK);
    }
}

unsigned n_naps;

void count_naps()
{
    n_naps++;
}

/* A descriptor with a lock on all of the file. */
int lock_file(const std::string &path, int access, int type)
{
    int fd = open(path.c_str(), access);
    struct flock lock {};
    lock.l_type = static_cast<short>(type);
    lock.l_whence = SEEK_SET;
    EXPECT_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0) << strerror(errno);
    return fd;
}

TEST(SegmentGrowRace, WhatAReaderOfTheFileCanHoldDelaysNoGrowth)
{
    KeepCalls keep;
    Options options;
    Handle a;
    slm_error error;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    slm_segment_sys.nap = count_naps;
    n_naps = 0;
    int reader = lock_file(options.folder() / "file", O_RDONLY, F_RDLCK);
    EXPECT_EQ(flock(reader, LOCK_EX), 0);
    EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, &error), SLM_OK) << error.text;
    EXPECT_EQ(in_child([&] {
                  return static_cast<int>(slm_segment_grow(a.segment, 12 * kPage, nullptr));
              }),
              SLM_OK);
    ASSERT_EQ(slm_segment_refresh(a.segment, 12 * kPage, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_shrink(a.segment, 4 * kPage, &error), SLM_E_LOCKED);
    EXPECT_NE(strstr(error.text, slm_segment_label(a.segment)), nullptr) << error.text;
    EXPECT_EQ(a.bytes(), 12 * kPage);
    EXPECT_EQ(n_naps, 0u);
    (void)close(reader);
    EXPECT_EQ(slm_segment_shrink(a.segment, 4 * kPage, nullptr), SLM_OK);
}

TEST(SegmentGrowRace, TheReservationStaysWhileAReaderHoldsALock)
{
    KeepCalls keep;
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    int reader = lock_file(options.folder() / "file", O_RDONLY, F_RDLCK);
    n_lengths = 0;
    slm_segment_sys.fallocate = lengthening_fails_half;
    EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_E_IO);
    EXPECT_EQ(a.bytes(), 4 * kPage);
    EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
    EXPECT_TRUE(is_zero(a.base(), a.bytes()));
    (void)close(reader);
}

TEST(SegmentGrowRace, AWriterThatHoldsALockForeverIsNotWaitedForForever)
{
    for (bool can_reserve : {true, false}) {
        KeepCalls keep;
        Options options;
        Handle a;
        slm_error error;
        ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
        slm_segment_sys.nap = count_naps;
        n_naps = 0;
        if (!can_reserve) {
            slm_segment_sys.fallocate = fallocate_is_unknown;
        }
        int writer = lock_file(options.folder() / "file", O_RDWR, can_reserve ? F_WRLCK : F_RDLCK);
        EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, &error), SLM_E_LOCKED);
        EXPECT_NE(strstr(error.text, slm_segment_label(a.segment)), nullptr) << error.text;
        EXPECT_EQ(n_naps, SLM_SEGMENT_TRIES - 1);
        EXPECT_EQ(a.bytes(), 4 * kPage);
        (void)close(writer);
        EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, &error), SLM_OK) << error.text;
    }
}

/* Two processes with one open file: a lock of that file would exclude neither. */
TEST(SegmentGrowRace, AChildExcludesItsParentAlthoughTheyShareAnOpenFile)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        KeepCalls keep;
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
        static const Handle *shared;
        shared = &a;
        slm_segment_sys.fallocate = [](int fd, int mode, off_t from, off_t n_bytes) {
            EXPECT_EQ(in_child([] {
                          return static_cast<int>(
                              slm_segment_shrink(shared->segment, 4 * kPage, nullptr));
                      }),
                      SLM_E_LOCKED);
            return fallocate(fd, mode, from, n_bytes);
        };
        EXPECT_EQ(slm_segment_grow(a.segment, 12 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(in_child([] {
                      return static_cast<int>(
                          slm_segment_grow(shared->segment, 16 * kPage, nullptr));
                  }),
                  SLM_OK);
    }
}

/* Handles that were attached by one descriptor share its open file too. */
TEST(SegmentGrowRace, AProcessWithTheDescriptorOfAMemfdExcludesItsMaker)
{
    KeepCalls keep;
    Options options;
    Handle a;
    static Handle *b;
    Handle attached;
    b = &attached;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    ASSERT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
    ASSERT_EQ(attached.attach(options.to_attach(a.segment)), SLM_OK);
    slm_segment_sys.fallocate = [](int fd, int mode, off_t from, off_t n_bytes) {
        EXPECT_EQ(slm_segment_shrink(b->segment, 4 * kPage, nullptr), SLM_E_LOCKED);
        return fallocate(fd, mode, from, n_bytes);
    };
    EXPECT_EQ(slm_segment_grow(a.segment, 12 * kPage, nullptr), SLM_OK);
}

int no_open_file_locks(int fd, int command, int type)
{
    if (command == F_OFD_SETLK) {
        errno = EINVAL;
        return -1;
    }
    return slm_test::faults.real.lock(fd, command, type);
}

TEST(SegmentGrowRace, AKernelWithoutLocksOfOpenFilesHasThoseOfProcesses)
{
    KeepCalls keep;
    slm_test::faults.real = slm_segment_sys;
    slm_segment_sys.lock = no_open_file_locks;
    slm_segment_sys.fallocate = fallocate_looks_at_the_lock;
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    locks_seen.clear();
    EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
    EXPECT_EQ(locks_seen, (std::vector<int>{F_RDLCK, F_RDLCK}));
    EXPECT_EQ(lock_for_others(slm_segment_id(a.segment)), F_UNLCK);
    EXPECT_EQ(slm_segment_shrink(a.segment, 4 * kPage, nullptr), SLM_OK);
}

TEST(SegmentGrowRace, AKilledGrowerBlocksNoOther)
{
    for (int deadly_mode : {FALLOC_FL_KEEP_SIZE, 0}) {
        Options options;
        Handle a;
        static int mode_to_die_at;
        mode_to_die_at = deadly_mode;
        ASSERT_EQ(a.create(options.of(SLM_SEGMENT_MEMFD)), SLM_OK);
        EXPECT_EQ(in_child([&] {
                      slm_segment_sys.fallocate = [](int fd, int mode, off_t from, off_t n) {
                          return mode == mode_to_die_at ? raise(SIGKILL)
                                                        : fallocate(fd, mode, from, n);
                      };
                      return static_cast<int>(slm_segment_grow(a.segment, 8 * kPage, nullptr));
                  }),
                  128 + SIGKILL);
        EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
        EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
    }
}

TEST(SegmentGrowRace, AChildForkedWhileAnotherThreadGrowsCanGrow)
{
    Options options(kPage, 2000 * kPage);
    Handle a, b;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    ASSERT_EQ(b.create(Options(kPage, 4 * kPage).of(SLM_SEGMENT_MEMFD)), SLM_OK);
    std::atomic<bool> is_done{false};
    std::thread grower([&] {
        for (size_t n = 2; n <= 2000 && !is_done; n++) {
            EXPECT_EQ(slm_segment_grow(a.segment, n * kPage, nullptr), SLM_OK);
        }
    });
    for (int i = 0; i < 50; i++) {
        /* Ends without _exit: there TSan would miss the thread that the child did not inherit. */
        EXPECT_EQ(in_child([&] {
                      slm_status status = slm_segment_grow(b.segment, 4 * kPage, nullptr);
                      return static_cast<int>(syscall(SYS_exit_group, status));
                  }),
                  SLM_OK);
    }
    is_done = true;
    grower.join();
}

} // namespace
