/* SPDX-License-Identifier: Apache-2.0 */
/* Known faults of nginx's ngx_shmtx, case by case (M1 to M9). */
#include <cstring>
#include <thread>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

/* The two kinds that sleep on the word. SpinSem is nginx's kind. */
class LockNginx : public testing::TestWithParam<slm_lock_kind> {
  protected:
    Lock lock{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(RobustAndSpinSem, LockNginx,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM));

/* M1: the unlocker is killed between the store that frees the lock and the wake. */
TEST_P(LockNginx, M1SleeperGetsTheLockOfAnUnlockerKilledBeforeItsWake)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t waiter = start_waiter(lock);
    await_asleep(lock, waiter);
    __atomic_store_n(&lock.state()->word, 0, __ATOMIC_RELEASE);
    EXPECT_EQ(reap(waiter), SLM_OK);
}

/* M1, the reaper's part: there is nothing to free, and sleepers are still woken. */
TEST_P(LockNginx, M1ForceUnlockOfAFreeLockStillWakes)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    SharedPage page;
    uint32_t *half = slm_lock_half(lock.state());
    pid_t sleeper = start_child([&] {
        page.number(0) = 1;
        /* A sleep of a minute: only a wake explains that it ends. */
        uint32_t value = __atomic_load_n(half, __ATOMIC_RELAXED);
        uint64_t before_ms = slm_lock_system.now_ms();
        slm_lock_system.wait(half, value, 60000);
        return slm_lock_system.now_ms() - before_ms < 60000 ? 0 : 1;
    });
    await([&] { return page.number(0) != 0 && state_letter(sleeper) == 'S'; });
    __atomic_store_n(&lock.state()->word, 0, __ATOMIC_RELEASE);
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
    EXPECT_EQ(reap(sleeper), 0);
}

/* M2: the waiter that consumed the wake dies with it. */
TEST_P(LockNginx, M2WakeThatDiesWithItsWaiterDelaysOnly)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t thief = start_child([&] {
        uint32_t *half = slm_lock_half(lock.state());
        uint32_t value = __atomic_load_n(half, __ATOMIC_RELAXED);
        slm_lock_system.wait(half, value, 60000);
        die();
        return 0;
    });
    await([&] { return state_letter(thief) == 'S'; });
    pid_t waiter = start_waiter(lock);
    await_asleep(lock, waiter);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(reap(waiter), SLM_OK);
    kill(thief, SIGKILL);
    EXPECT_EQ(reap(thief), -SIGKILL);
}

/* M3: nothing counts waiters, so killed waiters leave nothing. A waiter that slept for long may
 * have set TURN, which costs the next locker a sleep. */
TEST_P(LockNginx, M3KilledWaitersLeaveNothingInTheWord)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    for (int i = 0; i < 20; i++) {
        pid_t waiter = start_waiter(lock);
        await_asleep(lock, waiter);
        kill(waiter, SIGKILL);
        EXPECT_EQ(reap(waiter), -SIGKILL);
    }
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word() & ~SLM_LOCK_TURN, 0u);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_owner_in(lock.word()), slm_lock_self());
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
}

TEST_P(LockNginx, M4RecursionIsReportedAndNoDeadlock)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_lock(lock), SLM_E_HELD);
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

volatile sig_atomic_t is_shutting_down;

/* M4: a waiter that must see a shutdown waits with a time limit. Signals meanwhile are harmless. */
TEST_P(LockNginx, M4WaiterWithATimeLimitSeesAShutdown)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t worker = start_child([&] {
        signal(SIGTERM, [](int) { is_shutting_down = 1; });
        while (is_shutting_down == 0) {
            if (slm_lock_timedlock(lock, 5) != SLM_E_TIMEOUT) {
                return 1;
            }
            lock.number(0) = 1;
        }
        return 0;
    });
    await([&] { return lock.number(0) != 0; });
    kill(worker, SIGTERM);
    EXPECT_EQ(reap(worker), 0);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockNginx, M5UnlockByAnotherThreadOrAForkedChildIsRefused)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    std::thread([&] { EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER); }).join();
    EXPECT_EQ(run_child([&] { return static_cast<int>(slm_lock_unlock(lock)); }), SLM_E_OWNER);
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
}

/* M6: a thread without an identity never compares nothing with nothing. */
TEST_P(LockNginx, M6ThreadWithoutAnIdentityExcludesAndIsExcluded)
{
    slm_lock_set_self(0);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_NE(slm_lock_owner_in(lock.word()), 0u);
    std::thread([&] {
        slm_lock_set_self(0);
        EXPECT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
        slm_lock_set_self(0);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
    }).join();
    slm_lock_set_self(0);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    slm_lock_set_self(0);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
}

/* M7: the dead holder is a grandchild, which no process here can reap. Waiters find out
 * themselves. */
TEST(LockNginxM7, WaitersFindADeadHolderThatIsNotTheirChild)
{
    Lock lock;
    pid_t parent = start_child([&] {
        start_child([&] {
            slm_lock_lock(lock);
            lock.number(0) = 1;
            await([&] { return lock.number(1) != 0; });
            die();
            return 0;
        });
        return 0;
    });
    EXPECT_EQ(reap(parent), 0);
    await([&] { return lock.number(0) != 0; });
    EXPECT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
    pid_t waiter = start_waiter(lock);
    await_asleep(lock, waiter);
    lock.number(1) = 1;
    EXPECT_EQ(reap(waiter), SLM_OWNER_DIED);
}

/* M8: the same id with another start. lock_identity_test has a really reused id. */
TEST_P(LockNginx, M8ProcessWithTheDeadOwnersIdIsNotTheOwner)
{
    uint64_t dead = slm_lock_self() + (UINT64_C(1) << 32);
    lock.state()->word = dead;
    EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
    EXPECT_EQ(slm_lock_force_unlock(lock, slm_lock_self()), SLM_E_OWNER);
    EXPECT_EQ(lock.word(), dead);
    EXPECT_EQ(slm_lock_force_unlock(lock, dead), SLM_OK);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

/* M9: garbage in the memory is overwritten, and there is no destroy call that could be
 * forgotten. */
TEST_P(LockNginx, M9InitOverGarbageMakesAFreeLock)
{
    memset(lock.state(), 0xA5, SLM_LOCK_BYTES);
    ASSERT_EQ(slm_lock_init(lock.state(), GetParam()), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
    EXPECT_EQ(lock.state()->n_deaths, 0u);
    EXPECT_EQ(lock.state()->n_waits, 0u);
    EXPECT_EQ(lock.state()->unused, 0u);
    slm_lock_detach(lock.attach(GetParam()));
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

} // namespace
