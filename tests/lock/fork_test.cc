/* SPDX-License-Identifier: Apache-2.0 */
/* Fork while another thread uses the lock, in every state of a lock. */
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <thread>

#include "tests/base/rights.h"
#include "tests/lock/fixture.h"

/* ThreadSanitizer attributes a thread that ended just before a fork to the child, as a leak. */
extern "C" const char *__tsan_default_options();

extern "C" const char *__tsan_default_options()
{
    return "report_thread_leaks=0";
}

namespace {

using namespace slm_test;

class LockFork : public testing::TestWithParam<slm_lock_kind> {
  protected:
    Lock lock{GetParam()};

    /* A holder dies, and the process that reaps it does what the kind requires. */
    void lose_holder()
    {
        hold_and_die(lock);
        if (GetParam() == SLM_LOCK_SPIN_SEM) {
            EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
        }
    }

    /* Forks while another thread holds the lock. Taking the lock returned `taken` to that
     * thread. */
    void fork_while_held(enum slm_status taken, const std::function<int()> &child)
    {
        std::atomic<bool> is_held{false};
        std::atomic<bool> is_done{false};
        std::thread holder([&] {
            EXPECT_EQ(slm_lock_lock(lock), taken);
            is_held = true;
            await([&] { return is_done.load(); });
            EXPECT_TRUE(slm_lock_is_mine(lock));
            EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        });
        await([&] { return is_held.load(); });
        EXPECT_EQ(run_child(child), 0);
        is_done = true;
        holder.join();
    }

    /* What a child may not do to a lock that a thread of its parent holds. 0: all was refused. */
    int touch_held()
    {
        uint64_t owner = slm_lock_owner_in(lock.word());
        if (slm_lock_is_mine(lock) || slm_lock_unlock(lock) != SLM_E_OWNER) {
            return 1;
        }
        if (slm_lock_mark_repaired(lock) != SLM_E_OWNER || slm_lock_trylock(lock) != SLM_E_LOCKED) {
            return 2;
        }
        if (slm_lock_timedlock(lock, 1) != SLM_E_TIMEOUT ||
            slm_lock_force_unlock(lock, 0) != SLM_E_OWNER) {
            return 3;
        }
        return slm_lock_owner_in(lock.word()) == owner ? 0 : 4;
    }

    int take_as(enum slm_status status)
    {
        if (slm_lock_lock(lock) != status || !slm_lock_is_mine(lock)) {
            return 1;
        }
        return slm_lock_unlock(lock) == SLM_OK ? 0 : 2;
    }
};

INSTANTIATE_TEST_SUITE_P(EveryKind, LockFork,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE));

TEST_P(LockFork, AChildTakesAFreeLock)
{
    std::thread([&] {
        EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    }).join();
    EXPECT_EQ(run_child([&] { return take_as(SLM_OK); }), 0);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockFork, AChildOwnsNothingThatAThreadOfItsParentHolds)
{
    fork_while_held(SLM_OK, [&] { return touch_held(); });
}

TEST_P(LockFork, AChildOwnsNothingThatItsParentsForkingThreadHolds)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(run_child([&] { return touch_held(); }), 0);
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockFork, AChildWaitsAfterTheOtherWaiters)
{
    std::atomic<bool> is_done{false};
    std::atomic<bool> is_held{false};
    std::thread holder([&] {
        EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
        is_held = true;
        await([&] { return is_done.load(); });
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    });
    await([&] { return is_held.load(); });
    pid_t first = start_waiter(lock);
    await_asleep(lock, first);
    EXPECT_EQ(run_child([&] { return touch_held(); }), 0);
    /* That child's time limit can pass before it sleeps. Then it is not counted. */
    uint64_t n_waits = lock.state()->n_waits;
    pid_t second = start_waiter(lock);
    await([&] { return lock.state()->n_waits > n_waits && state_letter(second) == 'S'; });
    is_done = true;
    EXPECT_EQ(reap(first), SLM_OK);
    EXPECT_EQ(reap(second), SLM_OK);
    holder.join();
    EXPECT_EQ(lock.word(), 0u);
}

TEST_P(LockFork, AChildCannotClearTheRepairMarkOfALockItDoesNotHold)
{
    lose_holder();
    fork_while_held(SLM_OWNER_DIED, [&] { return touch_held(); });
    EXPECT_EQ(run_child([&] { return take_as(SLM_OWNER_DIED); }), 0);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockFork, AChildFindsADeadOwner)
{
    lose_holder();
    EXPECT_EQ(run_child([&] { return take_as(SLM_OWNER_DIED); }), 0);
}

/* The owner's thread does not exist in the child. It still counts as alive. */
TEST_P(LockFork, HoldersThatDoNotExistInTheChildStayAlive)
{
    fork_while_held(SLM_OK, [&] {
        slm_lock_owner owner;
        slm_lock_get_owner(lock, &owner);
        return owner.is_alive && owner.thread_id != getpid() ? 0 : 1;
    });
}

TEST_P(LockFork, AChildHoldsWhatItTookAndTheParentDoesNot)
{
    SharedPage page;
    pid_t child = start_child([&] {
        slm_lock_lock(lock);
        page.number(0) = 1;
        await([&] { return page.number(1) != 0; });
        return static_cast<int>(slm_lock_unlock(lock));
    });
    await([&] { return page.number(0) != 0; });
    EXPECT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
    page.number(1) = 1;
    EXPECT_EQ(reap(child), SLM_OK);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

constexpr off_t kParentsOffset = 12345;

/* Calls visit with each descriptor of this process that is open on path. */
void for_each_descriptor(const std::string &path, const std::function<void(int)> &visit)
{
    DIR *folder = opendir("/proc/self/fd");
    ASSERT_NE(folder, nullptr);
    while (const dirent *found = readdir(folder)) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(dirfd(folder), found->d_name, target, sizeof target);
        if (length >= 0 && path == std::string(target, static_cast<size_t>(length))) {
            visit(atoi(found->d_name));
        }
    }
    closedir(folder);
}

/* A description's offset is the same through all of its descriptors, those of a child included.
 * Another thread may close one that was just found. */
void sign_descriptors_of(const std::string &path)
{
    for_each_descriptor(path, [](int fd) {
        if (lseek(fd, kParentsOffset, SEEK_SET) != kParentsOffset) {
            EXPECT_EQ(errno, EBADF);
        }
    });
}

/* Returns how many descriptors are open on path through a signed description. */
int n_signed_descriptors_of(const std::string &path)
{
    int n = 0;
    for_each_descriptor(path, [&](int fd) { n += lseek(fd, 0, SEEK_CUR) == kParentsOffset; });
    return n;
}

/* A descriptor of the parent's that stays open in a child would keep the lock of a dead owner. */
TEST(LockForkFile, AChildForkedAtAnyMomentHasNoDescriptorOfItsParent)
{
    Lock lock(SLM_LOCK_FILE);
    std::atomic<bool> is_done{false};
    std::thread other([&] {
        while (!is_done) {
            slm_lock_detach(lock.attach(SLM_LOCK_FILE));
        }
    });
    for (int i = 0; i < 60; i++) {
        sign_descriptors_of(lock.path());
        EXPECT_EQ(run_child([&] { return n_signed_descriptors_of(lock.path()); }), 0);
    }
    EXPECT_EQ(n_signed_descriptors_of(lock.path()) > 0, true);
    is_done = true;
    other.join();
}

/* The child's descriptor is there before its own children are forked, and they have others. */
TEST(LockForkFile, AGrandchildForkedAtAnyMomentHasNoParentsDescriptor)
{
    Lock lock(SLM_LOCK_FILE);
    for (int i = 0; i < 40; i++) {
        EXPECT_EQ(run_child([&] {
                      std::thread other([&] {
                          (void)slm_lock_lock(lock);
                          (void)slm_lock_unlock(lock);
                      });
                      int n = 0;
                      for (int k = 0; k < 5; k++) {
                          sign_descriptors_of(lock.path());
                          n += run_child([&] { return n_signed_descriptors_of(lock.path()); });
                      }
                      other.join();
                      return n;
                  }),
                  0);
    }
}

/* A daemon attaches, goes to the root folder, and forks its workers there. */
TEST(LockForkFile, AChildForkedInAnotherFolderUsesALockWithARelativePath)
{
    Lock lock(SLM_LOCK_FILE);
    std::string name = "lock_relative_" + std::to_string(getpid());
    std::string path = testing::TempDir() + name;
    int status = run_child([&] {
        slm_lock_state *state = lock.state();
        slm_lock_options options = {SLM_LOCK_FILE, name.c_str(), 16, false};
        slm_lock *relative = nullptr;
        if (slm_lock_init(state, SLM_LOCK_FILE) != SLM_OK ||
            chdir(testing::TempDir().c_str()) != 0 ||
            slm_lock_attach(&relative, state, &options, nullptr) != SLM_OK || chdir("/") != 0) {
            return static_cast<int>(SLM_STATUS_COUNT);
        }
        return run_child([&] { return static_cast<int>(slm_lock_trylock(relative)); });
    });
    EXPECT_EQ(status, SLM_OK);
    unlink(path.c_str());
}

/* If the child created another file under that path, its lock would exclude no other process. */
TEST(LockForkFile, AChildOfALockWhoseFileIsGoneIsRefusedAndCreatesNone)
{
    Lock lock(SLM_LOCK_FILE);
    ASSERT_EQ(rename(lock.path().c_str(), (lock.path() + ".old").c_str()), 0);
    EXPECT_EQ(run_child([&] { return static_cast<int>(slm_lock_lock(lock)); }), SLM_E_REPLACED);
    EXPECT_NE(access(lock.path().c_str(), F_OK), 0);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    unlink((lock.path() + ".old").c_str());
}

/* 0: each call that takes the lock says why it cannot be had, and the others that it is not held. */
int expect_no_access(slm_lock *lock)
{
    for (int i = 0; i < 2; i++) {
        for (auto *take : {slm_lock_lock, slm_lock_trylock}) {
            errno = 0;
            if (take(lock) != SLM_E_IO || errno != EACCES) {
                return 1;
            }
        }
        errno = 0;
        if (slm_lock_timedlock(lock, 1) != SLM_E_IO || errno != EACCES) {
            return 2;
        }
        if (slm_lock_is_mine(lock) || slm_lock_unlock(lock) != SLM_E_OWNER ||
            slm_lock_mark_repaired(lock) != SLM_E_OWNER) {
            return 3;
        }
    }
    return 0;
}

/* A worker has the lock file open since it was forked, and gives up the right to open it. A child
 * that it forks must open it by itself. */
TEST(LockForkFile, AGrandchildWithoutRightToTheLockFileIsRefusedAndTakesNothing)
{
    Lock lock(SLM_LOCK_FILE);
    EXPECT_EQ(run_child([&] {
                  if (!give_up_right_to(lock.path())) {
                      return 10;
                  }
                  int refused = run_child([&] { return expect_no_access(lock); });
                  if (refused != 0) {
                      return refused;
                  }
                  bool is_taken = slm_lock_lock(lock) == SLM_OK;
                  return is_taken && slm_lock_unlock(lock) == SLM_OK ? 0 : 11;
              }),
              0);
    EXPECT_EQ(lock.word(), 0u);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

} // namespace
