/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that several processes and threads use, grow and fail to grow at the same time. */
#include <atomic>
#include <csignal>
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
int ftruncate_fails_half(int fd, off_t bytes)
{
    struct stat stat;
    if (fstat(fd, &stat) == 0 && stat.st_size < bytes && n_lengths++ % 2 == 0) {
        errno = EIO;
        return -1;
    }
    return ftruncate(fd, bytes);
}

TEST(SegmentGrowRace, AFailureTakesNothingFromTheOthers)
{
    for (Kind kind : kNamedKinds) {
        Options options(kPage, 300 * kPage);
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        pid_t failing = start_child([&] {
            (void)signal(SIGBUS, SIG_DFL);
            slm_segment_sys.ftruncate = ftruncate_fails_half;
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

/* --- The same without chance: the lock is held while a length may change --- */

/* Returns whether another process would have to wait. Only another process can ask. Uses _Fork,
 * since fork itself waits until the lock is free. */
bool is_locked_for_others(int fd)
{
    pid_t child = _Fork();
    if (child == 0) {
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        (void)fcntl(fd, F_GETLK, &lock);
        _exit(lock.l_type == F_WRLCK && lock.l_pid == getppid() ? 1 : 0);
    }
    return end_of(child) == 1;
}

unsigned n_lock_checks;

int fallocate_checks_the_lock(int fd, int mode, off_t from, off_t n_bytes)
{
    n_lock_checks++;
    EXPECT_TRUE(is_locked_for_others(fd));
    return fallocate(fd, mode, from, n_bytes);
}

int ftruncate_looks(int fd, off_t bytes)
{
    n_lock_checks++;
    EXPECT_TRUE(is_locked_for_others(fd));
    return ftruncate(fd, bytes);
}

TEST(SegmentGrowRace, TheLengthIsLockedFromTheFirstReadToTheLastChange)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        KeepCalls keep;
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        n_lock_checks = 0;
        slm_segment_sys.fallocate = fallocate_checks_the_lock;
        slm_segment_sys.ftruncate = ftruncate_looks;
        ASSERT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
        ASSERT_EQ(slm_segment_shrink(a.segment, 4 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(n_lock_checks, 3u);
        EXPECT_FALSE(is_locked_for_others(slm_segment_id(a.segment)));
    }
}

TEST(SegmentGrowRace, AKilledGrowerBlocksNoOther)
{
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  slm_segment_sys.ftruncate = [](int, off_t) -> int { return raise(SIGKILL); };
                  return static_cast<int>(slm_segment_grow(a.segment, 8 * kPage, nullptr));
              }),
              128 + SIGKILL);
    EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
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
