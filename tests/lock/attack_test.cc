/* SPDX-License-Identifier: Apache-2.0 */
/* What programs and attackers do to a lock: stop, jump, interrupt, exit, exec. */
#include <climits>
#include <pthread.h>
#include <sys/time.h>
#include <thread>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

class LockAttack : public testing::TestWithParam<slm_lock_kind> {
  protected:
    Lock lock{GetParam()};

    /* Starts a child that holds the lock until number 1 is set. */
    pid_t start_holder()
    {
        pid_t holder = start_child([this] {
            slm_lock_lock(lock);
            lock.number(0) = 1;
            await([this] { return lock.number(1) != 0; });
            return static_cast<int>(slm_lock_unlock(lock));
        });
        await([this] { return lock.number(0) != 0; });
        return holder;
    }

    /* Does what the kind needs before another thread can get a dead owner's lock. */
    void force_dead_owner()
    {
        if (GetParam() == SLM_LOCK_SPIN_SEM) {
            EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
        }
    }
};

INSTANTIATE_TEST_SUITE_P(EveryKind, LockAttack,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE));

TEST_P(LockAttack, AStoppedHolderKeepsTheLockAndUnlocksWhenItGoesOn)
{
    pid_t holder = start_holder();
    kill(holder, SIGSTOP);
    int status = 0;
    ASSERT_EQ(waitpid(holder, &status, WUNTRACED), holder);
    ASSERT_TRUE(WIFSTOPPED(status));
    EXPECT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
    EXPECT_EQ(slm_lock_timedlock(lock, 3 * SLM_LOCK_SLEEP_MS), SLM_E_TIMEOUT);
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_E_OWNER);
    EXPECT_EQ(slm_lock_owner_in(lock.word()) & SLM_LOCK_TID, static_cast<uint64_t>(holder));
    lock.number(1) = 1;
    kill(holder, SIGCONT);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(reap(holder), SLM_OK);
    EXPECT_EQ(lock.state()->n_deaths, 0u);
}

/* A stopped process that is killed never runs again, and counts as dead. */
TEST_P(LockAttack, AHolderKilledWhileStoppedIsADeadOwner)
{
    pid_t holder = start_holder();
    kill(holder, SIGSTOP);
    int status = 0;
    ASSERT_EQ(waitpid(holder, &status, WUNTRACED), holder);
    kill(holder, SIGKILL);
    await_zombie(holder);
    force_dead_owner();
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(reap(holder), -SIGKILL);
}

TEST_P(LockAttack, AStoppedSleeperDoesNotBlockOtherLockers)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t waiter = start_waiter(lock);
    await_asleep(lock, waiter);
    kill(waiter, SIGSTOP);
    int status = 0;
    ASSERT_EQ(waitpid(waiter, &status, WUNTRACED), waiter);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    }
    kill(waiter, SIGCONT);
    EXPECT_EQ(reap(waiter), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
}

volatile sig_atomic_t n_alarms;

/* Hundreds of signals interrupt the sleeps. They end neither the wait nor its time limit early. */
TEST_P(LockAttack, EndlessSignalsNeitherEndNorLengthenAWait)
{
    pid_t holder = start_holder();
    EXPECT_EQ(run_child([&] {
                  struct sigaction action = {};
                  action.sa_handler = [](int) { n_alarms = n_alarms + 1; };
                  sigaction(SIGALRM, &action, nullptr);
                  itimerval every = {{0, 500}, {0, 500}};
                  setitimer(ITIMER_REAL, &every, nullptr);
                  uint64_t before_ms = slm_lock_system.now_ms();
                  slm_status status = slm_lock_timedlock(lock, 100);
                  bool is_whole = slm_lock_system.now_ms() - before_ms >= 100;
                  every = {};
                  setitimer(ITIMER_REAL, &every, nullptr);
                  return is_whole && n_alarms > 0 ? status : SLM_STATUS_COUNT;
              }),
              SLM_E_TIMEOUT);
    lock.number(1) = 1;
    EXPECT_EQ(reap(holder), SLM_OK);
}

/* -1 becomes the largest value of the parameter: about 50 days. */
TEST_P(LockAttack, TheLargestTimeLimitIsALongWait)
{
    pid_t holder = start_holder();
    pid_t waiter = start_child([&] {
        int status = slm_lock_timedlock(lock, UINT_MAX);
        return slm_lock_unlock(lock) == SLM_OK ? status : SLM_STATUS_COUNT;
    });
    await_asleep(lock, waiter);
    lock.number(1) = 1;
    EXPECT_EQ(reap(waiter), SLM_OK);
    EXPECT_EQ(reap(holder), SLM_OK);
}

/* The fake time of the lock's clock. Each child has its own copy. */
uint64_t fake_ms;

TEST_P(LockAttack, AClockThatStartsAtZeroWorks)
{
    pid_t holder = start_holder();
    EXPECT_EQ(run_child([&] {
                  fake_ms = 0;
                  slm_lock_system.now_ms = [] { return fake_ms; };
                  slm_lock_system.wait = [](uint32_t *, uint32_t, unsigned ms) { fake_ms += ms; };
                  return slm_lock_timedlock(lock, 50) == SLM_E_TIMEOUT && fake_ms >= 50 ? 0 : 1;
              }),
              0);
    lock.number(1) = 1;
    EXPECT_EQ(reap(holder), SLM_OK);
}

/* A thread that gets no processor for so long never sleeps. Here only sleeping passes time. */
TEST_P(LockAttack, ATimedWaitOfManySleepsIsCountedOnce)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(run_child([&] {
                  slm_lock_system.now_ms = [] { return fake_ms; };
                  slm_lock_system.wait = [](uint32_t *, uint32_t, unsigned ms) { fake_ms += ms; };
                  return static_cast<int>(slm_lock_timedlock(lock, 3 * SLM_LOCK_SLEEP_MS));
              }),
              SLM_E_TIMEOUT);
    EXPECT_EQ(lock.state()->n_waits, 1u);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockAttack, AClockThatJumpsYearsAheadOnlyEndsTheWait)
{
    pid_t holder = start_holder();
    uint64_t word = slm_lock_owner_in(lock.word());
    EXPECT_EQ(run_child([&] {
                  fake_ms = 1;
                  slm_lock_system.now_ms = [] { return fake_ms; };
                  slm_lock_system.wait = [](uint32_t *, uint32_t, unsigned) {
                      fake_ms = UINT64_MAX / 2;
                  };
                  return static_cast<int>(slm_lock_timedlock(lock, UINT_MAX));
              }),
              SLM_E_TIMEOUT);
    EXPECT_EQ(slm_lock_owner_in(lock.word()), word);
    lock.number(1) = 1;
    EXPECT_EQ(reap(holder), SLM_OK);
}

TEST_P(LockAttack, AHugeNumberOfSpinsStillEndsWithTheTimeLimit)
{
    pid_t holder = start_holder();
    EXPECT_EQ(run_child([&] {
                  static_cast<slm_lock *>(lock)->spins = UINT_MAX;
                  slm_lock_system.pause = [](unsigned) {};
                  return static_cast<int>(slm_lock_timedlock(lock, 1));
              }),
              SLM_E_TIMEOUT);
    lock.number(1) = 1;
    EXPECT_EQ(reap(holder), SLM_OK);
}

/* The parent forks while it holds the lock. The child may get the lock only after the parent
 * unlocks. */
TEST_P(LockAttack, ForkWithTheLockHeldLeavesOneOwner)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t child = start_waiter(lock);
    await_asleep(lock, child);
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(reap(child), SLM_OK);
}

TEST_P(LockAttack, AParentThatDiesHoldingTheLockIsDeadForItsChild)
{
    pid_t parent = start_child([&] {
        slm_lock_lock(lock);
        start_child([&] {
            await([&] { return lock.number(0) != 0; });
            force_dead_owner();
            lock.number(1) = slm_lock_lock(lock);
            lock.number(2) = slm_lock_unlock(lock) == SLM_OK ? 1 : 2;
            return 0;
        });
        die();
        return 0;
    });
    EXPECT_EQ(reap(parent), -SIGKILL);
    lock.number(0) = 1;
    await([&] { return lock.number(2) != 0; });
    EXPECT_EQ(lock.number(1), static_cast<uint64_t>(SLM_OWNER_DIED));
    EXPECT_EQ(lock.number(2), 1u);
}

TEST_P(LockAttack, AThreadThatExitsHoldingTheLockIsADeadOwner)
{
    std::thread([&] { EXPECT_EQ(slm_lock_lock(lock), SLM_OK); }).join();
    force_dead_owner();
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

/* Destructors of thread-local data run late. A lock that they take is also released when the thread
 * ends. */
pthread_key_t late_key;

void lock_late(void *arg)
{
    EXPECT_EQ(slm_lock_lock(*static_cast<Lock *>(arg)), SLM_OK);
}

TEST_P(LockAttack, AThreadThatLocksWhileItExitsIsADeadOwner)
{
    ASSERT_EQ(pthread_key_create(&late_key, lock_late), 0);
    std::thread([&] {
        EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        pthread_setspecific(late_key, &lock);
    }).join();
    pthread_key_delete(late_key);
    force_dead_owner();
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockAttack, UnlockForceAndRepairByANonOwnerChangeNothing)
{
    pid_t holder = start_holder();
    uint64_t word = lock.word();
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
        EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_E_OWNER);
        EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_E_OWNER);
        EXPECT_EQ(slm_lock_force_unlock(lock, word), SLM_E_OWNER);
        EXPECT_EQ(slm_lock_force_unlock(lock, UINT64_MAX), SLM_E_OWNER);
    }
    EXPECT_EQ(lock.word(), word);
    lock.number(1) = 1;
    EXPECT_EQ(reap(holder), SLM_OK);
}

/* --- A signal between any two steps --- */

int n_yields_left;
slm_lock *interrupted;
slm_status handler_status;

/* What a handler does that does not know what it interrupted. */
void lock_in_between(const char *)
{
    if (n_yields_left-- == 0) {
        handler_status = slm_lock_lock(interrupted);
        if (handler_status == SLM_OK && slm_lock_unlock(interrupted) != SLM_OK) {
            handler_status = SLM_STATUS_COUNT;
        }
    }
}

TEST_P(LockAttack, AHandlerAtAnyPointGetsTheLockOrLearnsItIsHeld)
{
    interrupted = lock;
    int n_refused = 0;
    int n_got = 0;
    for (int n = 0;; n++) {
        SCOPED_TRACE("interrupted at yield point " + std::to_string(n));
        handler_status = SLM_E_STATE;
        n_yields_left = n;
        slm_yield_hook = lock_in_between;
        EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        slm_yield_hook = nullptr;
        EXPECT_EQ(lock.word(), 0u);
        if (handler_status == SLM_E_STATE || HasFailure()) {
            break;
        }
        EXPECT_TRUE(handler_status == SLM_OK || handler_status == SLM_E_HELD) << handler_status;
        n_refused += handler_status == SLM_E_HELD;
        n_got += handler_status == SLM_OK;
    }
    EXPECT_GE(n_refused, 1);
    EXPECT_GE(n_got, 1);
}

} // namespace
