/* SPDX-License-Identifier: Apache-2.0 */
/* The lock's fairness: a waiter that was passed over for long gets the lock before newcomers. */
#include <thread>

#include "tests/lock/fixture.h"

using namespace slm_test;

namespace {

bool is_turn_marked(Lock &lock)
{
    return (lock.word() & SLM_LOCK_TURN) != 0;
}

TEST(LockFairness, NewcomerWaitsWhenASleeperIsDue)
{
    Lock lock;
    lock.state()->word = SLM_LOCK_TURN;
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(lock.state()->n_waits, 1u);
    EXPECT_FALSE(is_turn_marked(lock)) << "the newcomer slept, so it clears TURN";
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
}

TEST(LockFairness, TrylockTakesTheLockAndKeepsTheMark)
{
    Lock lock;
    lock.state()->word = SLM_LOCK_TURN;
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OK);
    EXPECT_EQ(lock.state()->n_waits, 0u);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), SLM_LOCK_TURN);
}

TEST(LockFairness, ATimeLimitDoesNotPassWhileTheLockIsFree)
{
    for (unsigned timeout_ms : {1u, 2u, 50u}) {
        Lock lock;
        lock.state()->word = SLM_LOCK_TURN;
        EXPECT_EQ(slm_lock_timedlock(lock, timeout_ms), SLM_OK) << timeout_ms;
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    }
}

TEST(LockFairness, AWaiterThatIsPassedOverForLongSetsTheMark)
{
    for (slm_lock_kind kind : {SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM}) {
        Lock lock(kind);
        ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
        pid_t child = start_waiter(lock);
        await_asleep(lock, child);
        await([&] { return is_turn_marked(lock); });
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        EXPECT_EQ(reap(child), SLM_OK);
        EXPECT_EQ(lock.word(), 0u) << "no waiter and no mark is left";
    }
}

TEST(LockFairness, AnUnlockerThatLocksAgainAtOnceWaitsForTheSleeper)
{
    Lock lock;
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t child = start_child([&lock] {
        slm_lock *mine = lock.attach_elsewhere();
        (void)slm_lock_lock(mine);
        lock.number(0) = 1;
        return slm_lock_unlock(mine) == SLM_OK ? 0 : 1;
    });
    await([&] { return is_turn_marked(lock); });
    EXPECT_EQ(kill(child, SIGSTOP), 0); /* the child is woken and cannot run yet */
    await([&] { return state_letter(child) == 'T'; });
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_TRUE(is_turn_marked(lock));
    /* Use the count, which only grows: this thread may wake by itself and clear the WAITERS bit. */
    uint64_t n_before = lock.state()->n_waits;
    std::thread waker([&] {
        await([&] { return __atomic_load_n(&lock.state()->n_waits, __ATOMIC_RELAXED) > n_before; });
        EXPECT_EQ(kill(child, SIGCONT), 0);
    });
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(lock.state()->n_waits, n_before + 1) << "the thread that locks again slept first";
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    waker.join();
    EXPECT_EQ(reap(child), 0);
    EXPECT_EQ(lock.number(0), 1u);
}

TEST(LockFairness, AWaiterThatTimesOutClearsItsMark)
{
    static Lock *seen; /* used by the child, whose sleeps take no time */
    static uint64_t now_ms;
    static bool was_turn_marked;
    Lock lock;
    seen = &lock;
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(run_child([&lock] {
                  slm_lock_system.now_ms = [] { return now_ms; };
                  slm_lock_system.wait = [](uint32_t *, uint32_t, unsigned ms) {
                      was_turn_marked = was_turn_marked || is_turn_marked(*seen);
                      now_ms += ms;
                  };
                  int status = slm_lock_timedlock(lock, 2 * SLM_LOCK_PATIENCE_MS);
                  return was_turn_marked ? status : SLM_STATUS_COUNT;
              }),
              SLM_E_TIMEOUT);
    EXPECT_FALSE(is_turn_marked(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
}

TEST(LockFairness, AWaiterSetsItsMarkWhenItsPatienceEndsAndNotBeforeOrLater)
{
    static Lock *seen; /* used by the child, whose clock moves by a millisecond each sleep */
    static uint64_t now_ms;
    static uint64_t marked_ms;
    Lock lock;
    seen = &lock;
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(run_child([&lock] {
                  slm_lock_system.now_ms = [] { return now_ms; };
                  slm_lock_system.wait = [](uint32_t *, uint32_t, unsigned) {
                      marked_ms = marked_ms == 0 && is_turn_marked(*seen) ? now_ms : marked_ms;
                      now_ms++;
                  };
                  int status = slm_lock_timedlock(lock, 2 * SLM_LOCK_PATIENCE_MS);
                  return marked_ms == SLM_LOCK_PATIENCE_MS ? status : SLM_STATUS_COUNT;
              }),
              SLM_E_TIMEOUT);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST(LockFairness, ADeadWaitersMarkCostsTheNextNewcomerOneSleep)
{
    Lock lock;
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t child = start_waiter(lock);
    await([&] { return is_turn_marked(lock); });
    EXPECT_EQ(kill(child, SIGKILL), 0);
    EXPECT_EQ(reap(child), -SIGKILL);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_TRUE(is_turn_marked(lock));
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        EXPECT_EQ(lock.word(), 0u);
    }
    EXPECT_EQ(lock.state()->n_waits, 2u) << "the dead waiter and the first newcomer";
}

TEST(LockFairness, TheMarkOutlivesTheOwnersDeath)
{
    Lock lock;
    hold_and_die(lock);
    lock.state()->word |= SLM_LOCK_TURN;
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OWNER_DIED);
    EXPECT_TRUE(is_turn_marked(lock));
    EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), SLM_LOCK_TURN);
}

} // namespace
