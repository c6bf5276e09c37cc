/* SPDX-License-Identifier: Apache-2.0 */
/* Death at every yield point of every call: the next locker gets the lock and learns of the
 * death. */
#include <cstring>
#include <vector>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

/* --- Death at the n-th yield point, or at a named one --- */

int yields_left;
const char *deadly_point;

void die_at_count(const char *)
{
    if (yields_left-- == 0) {
        die();
    }
}

void die_at_name(const char *point)
{
    if (strcmp(point, deadly_point) == 0) {
        die();
    }
}

void die_at(const char *point)
{
    deadly_point = point;
    slm_yield_hook = die_at_name;
}

/* Runs the step once for each yield point in it, and kills its process there. Returns the number of
 * yield points: the first number at which the step completes. `before` prepares the lock's state,
 * `after` judges it. */
struct Sweep {
    std::function<void(Lock &)> before;
    std::function<void(slm_lock *)> enter; /* in the victim, before death is armed */
    std::function<void(slm_lock *)> step;
    std::function<void(Lock &, uint64_t victim)> after;
};

/* The victim publishes its identity before it may die. */
int run_victim(Lock &lock, const Sweep &sweep, int n_yields)
{
    return run_child([&] {
        sweep.enter(lock);
        lock.number(0) = slm_lock_self();
        yields_left = n_yields;
        slm_yield_hook = die_at_count;
        sweep.step(lock);
        return 0;
    });
}

int run_sweep(const Sweep &sweep, slm_lock_kind kind = SLM_LOCK_ROBUST)
{
    for (int n = 0;; n++) {
        Lock lock(kind);
        sweep.before(lock);
        int ended = run_victim(lock, sweep, n);
        SCOPED_TRACE("killed at yield point " + std::to_string(n));
        EXPECT_TRUE(ended == 0 || ended == -SIGKILL) << ended;
        sweep.after(lock, lock.number(0));
        if (ended == 0 || testing::Test::HasFailure()) {
            return n;
        }
    }
}

void nothing(slm_lock *)
{
}

void leave_free(Lock &)
{
}

/* Every earlier holder is dead: the next locker gets SLM_OWNER_DIED exactly if the victim was the
 * owner. After that the lock works like a new one. */
void expect_reported_if_owned(Lock &lock, uint64_t victim)
{
    bool was_owner = slm_lock_owner_in(lock.word()) == victim;
    bool was_marked = (lock.word() & SLM_LOCK_REPAIR) != 0;
    EXPECT_EQ(slm_lock_trylock(lock), was_owner || was_marked ? SLM_OWNER_DIED : SLM_OK);
    EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

/* As above, and the REPAIR bit of an earlier death is not lost with the victim. */
void expect_reported(Lock &lock, uint64_t)
{
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

void lock_and_unlock(slm_lock *lock)
{
    slm_lock_lock(lock);
    slm_lock_unlock(lock);
}

TEST(LockDeath, BetweenLockAndUnlockIsReportedIfTheVictimOwned)
{
    EXPECT_GE(run_sweep({leave_free, nothing, lock_and_unlock, expect_reported_if_owned}), 2);
}

TEST(LockDeath, OnAThreadsFirstUseIsReportedIfTheVictimOwned)
{
    auto forget = [](slm_lock *) { slm_lock_set_self(0); };
    EXPECT_GE(run_sweep({leave_free, forget, lock_and_unlock, expect_reported_if_owned}), 2);
}

TEST(LockDeath, WhileTakingOverKeepsTheRepairMark)
{
    auto before = [](Lock &lock) { hold_and_die(lock); };
    EXPECT_GE(run_sweep({before, nothing, lock_and_unlock, expect_reported}), 5);
}

TEST(LockDeath, InTrylockOfADeadOwnersLockKeepsTheRepairMark)
{
    auto before = [](Lock &lock) { hold_and_die(lock); };
    auto step = [](slm_lock *lock) {
        slm_lock_trylock(lock);
        slm_lock_unlock(lock);
    };
    EXPECT_GE(run_sweep({before, nothing, step, expect_reported}), 4);
}

TEST(LockDeath, WhileRepairingKeepsTheRepairMarkOrFinishes)
{
    auto before = [](Lock &lock) { hold_and_die(lock); };
    auto enter = [](slm_lock *lock) { slm_lock_lock(lock); };
    auto step = [](slm_lock *lock) {
        slm_lock_mark_repaired(lock);
        slm_lock_unlock(lock);
    };
    EXPECT_GE(run_sweep({before, enter, step, expect_reported_if_owned}), 3);
}

TEST(LockDeath, InForceUnlockKeepsTheRepairMark)
{
    auto before = [](Lock &lock) { hold_and_die(lock); };
    auto step = [](slm_lock *lock) { slm_lock_force_unlock(lock, 0); };
    EXPECT_GE(run_sweep({before, nothing, step, expect_reported}), 3);
}

TEST(LockDeath, InForceUnlockOfSpinSemLetsTheNextCallForceIt)
{
    auto before = [](Lock &lock) { hold_and_die(lock); };
    auto step = [](slm_lock *lock) { slm_lock_force_unlock(lock, 0); };
    auto after = [](Lock &lock, uint64_t) {
        EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
        EXPECT_EQ(slm_lock_trylock(lock), SLM_OWNER_DIED);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    };
    EXPECT_GE(run_sweep({before, nothing, step, after}, SLM_LOCK_SPIN_SEM), 3);
}

TEST(LockDeath, InTheFirstAttachAfterARebootKeepsTheRepairMark)
{
    auto before = [](Lock &lock) {
        hold_and_die(lock);
        lock.state()->boot ^= 2;
    };
    auto attach = [](slm_lock *lock) {
        slm_lock *mine = nullptr;
        slm_lock_options options = {SLM_LOCK_ROBUST, nullptr, 0, false};
        slm_lock_attach(&mine, lock->state, &options, nullptr);
        slm_lock_detach(mine);
    };
    auto after = [&](Lock &lock, uint64_t) {
        attach(lock);
        EXPECT_EQ(lock.state()->boot, slm_lock_boot());
        EXPECT_EQ(lock.word(), SLM_LOCK_REPAIR);
        EXPECT_EQ(lock.state()->n_deaths, 1u);
    };
    EXPECT_GE(run_sweep({before, nothing, attach, after}), 6);
}

/* --- Sleepers: the tests count sleeps, not time --- */

std::atomic<uint64_t> *n_sleeps;
void (*system_wait)(uint32_t *, uint32_t, unsigned);

void count_and_wait(uint32_t *half, uint32_t value, unsigned timeout_ms)
{
    ++*n_sleeps;
    system_wait(half, value, timeout_ms);
}

/* Starts a waiter that counts its sleeps in number 1. It uses the lock whose word the parent
 * sees. */
pid_t start_counted_waiter(Lock &lock)
{
    return start_child([&lock] {
        n_sleeps = &lock.number(1);
        system_wait = slm_lock_system.wait;
        slm_lock_system.wait = count_and_wait;
        int status = slm_lock_lock(lock);
        return slm_lock_unlock(lock) == SLM_OK ? status : SLM_STATUS_COUNT;
    });
}

/* Starts a holder that keeps the lock until number 2 is set. It dies at the named point while it
 * unlocks. */
pid_t start_doomed_holder(Lock &lock, const char *point)
{
    pid_t holder = start_child([&lock, point] {
        slm_lock_lock(lock);
        lock.number(3) = 1;
        await([&] { return lock.number(2) != 0; });
        die_at(point);
        return static_cast<int>(slm_lock_unlock(lock));
    });
    await([&] { return lock.number(3) != 0; });
    return holder;
}

/* At most two sleeps: the one during which the holder died, and one that began before the waiter
 * could see the death. How late the parent looks does not matter. */
void expect_at_most_two_more_sleeps(Lock &lock, uint64_t n_before)
{
    EXPECT_LE(lock.number(1) - n_before, 2u);
}

TEST(LockDeath, BetweenStoreAndWakeCostsASleeperOneSleep)
{
    Lock lock;
    pid_t holder = start_doomed_holder(lock, "unlock: wake");
    pid_t waiter = start_counted_waiter(lock);
    await_asleep(lock, waiter);
    lock.number(2) = 1;
    await_zombie(holder);
    uint64_t n_before = lock.number(1);
    EXPECT_EQ(reap(waiter), SLM_OK);
    expect_at_most_two_more_sleeps(lock, n_before);
    EXPECT_EQ(reap(holder), -SIGKILL);
    EXPECT_EQ(lock.word(), 0u);
}

TEST(LockDeath, BeforeTheStoreIsFoundByASleeperWithinOneSleep)
{
    Lock lock;
    pid_t holder = start_doomed_holder(lock, "unlock: swap the word");
    pid_t waiter = start_counted_waiter(lock);
    await_asleep(lock, waiter);
    lock.number(2) = 1;
    await_zombie(holder);
    uint64_t n_before = lock.number(1);
    EXPECT_EQ(reap(waiter), SLM_OWNER_DIED);
    expect_at_most_two_more_sleeps(lock, n_before);
    EXPECT_EQ(lock.state()->n_deaths, 1u);
    EXPECT_EQ(reap(holder), -SIGKILL);
}

/* The holder stays a zombie during the whole test. */
TEST(LockDeath, OfAHolderIsFoundBeforeItIsReaped)
{
    Lock lock;
    pid_t holder = start_child([&] {
        slm_lock_lock(lock);
        die();
        return 0;
    });
    await_zombie(holder);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(reap(holder), -SIGKILL);
}

TEST(LockDeath, OfASleeperChangesNothingForTheOthers)
{
    Lock lock;
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t victim = start_waiter(lock);
    await_asleep(lock, victim);
    pid_t other = start_waiter(lock);
    await([&] { return lock.state()->n_waits == 2 && state_letter(other) == 'S'; });
    kill(victim, SIGKILL);
    EXPECT_EQ(reap(victim), -SIGKILL);
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(reap(other), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
    EXPECT_EQ(lock.state()->n_deaths, 0u);
}

/* Sleeps until the word is free, and dies instead of taking the lock. */
void wait_and_die(uint32_t *half, uint32_t value, unsigned timeout_ms)
{
    for (uint32_t seen = value;; seen = __atomic_load_n(half, __ATOMIC_RELAXED)) {
        if ((seen & SLM_LOCK_TID) == 0) {
            die();
        }
        system_wait(half, seen, timeout_ms);
    }
}

/* The wake is lost with the waiter: the other waiter loses at most one sleep. */
TEST(LockDeath, OfTheWokenWaiterCostsTheNextSleeperOneSleep)
{
    Lock lock;
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t victim = start_child([&] {
        system_wait = slm_lock_system.wait;
        slm_lock_system.wait = wait_and_die;
        return static_cast<int>(slm_lock_lock(lock));
    });
    await_asleep(lock, victim);
    pid_t other = start_counted_waiter(lock);
    await([&] { return lock.number(1) != 0 && state_letter(other) == 'S'; });
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(reap(victim), -SIGKILL);
    uint64_t n_before = lock.number(1);
    EXPECT_EQ(reap(other), SLM_OK);
    expect_at_most_two_more_sleeps(lock, n_before);
    EXPECT_EQ(lock.state()->n_deaths, 0u);
}

/* A waiter is killed at each yield point of waiting, while another thread holds the lock. */
TEST(LockDeath, OfAWaiterAtAnyPointLeavesTheHolderAndTheLockAlone)
{
    auto before = [](Lock &lock) { ASSERT_EQ(slm_lock_lock(lock), SLM_OK); };
    auto step = [](slm_lock *lock) { slm_lock_timedlock(lock, 5); };
    auto after = [](Lock &lock, uint64_t) {
        EXPECT_TRUE(slm_lock_is_mine(lock));
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        EXPECT_EQ(lock.word(), 0u);
        EXPECT_EQ(lock.state()->n_deaths, 0u);
    };
    EXPECT_GE(run_sweep({before, nothing, step, after}), 6);
}

/* A waiter that times out may have consumed a wake, so it wakes the next sleeper. */
TEST(LockTimed, WakesAnotherSleeperWhenItTimesOut)
{
    Lock lock;
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(run_child([&] {
                  static int n_wakes;
                  static uint64_t now_ms; /* time passes only in sleep, however busy the machine */
                  slm_lock_system.now_ms = [] { return now_ms; };
                  slm_lock_system.wait = [](uint32_t *, uint32_t, unsigned ms) { now_ms += ms; };
                  slm_lock_system.wake = [](uint32_t *, int) { n_wakes++; };
                  int status = slm_lock_timedlock(lock, 1);
                  return n_wakes == 1 && now_ms >= 1 ? status : SLM_STATUS_COUNT;
              }),
              SLM_E_TIMEOUT);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

/* --- The file lock: the system releases it --- */

TEST(LockDeath, OfAFileLocksUserIsReportedIfItWasTheOwner)
{
    EXPECT_GE(
        run_sweep({leave_free, nothing, lock_and_unlock, expect_reported_if_owned}, SLM_LOCK_FILE),
        2);
}

TEST(LockDeath, OfAFileLocksHolderIsFoundWhileItsChildLives)
{
    Lock lock(SLM_LOCK_FILE);
    pid_t holder = start_child([&] {
        slm_lock_lock(lock);
        pid_t heir = start_child([&] {
            lock.number(0) = 1;
            await([&] { return lock.number(1) != 0; });
            lock.number(2) = 1;
            return 0;
        });
        (void)heir;
        await([&] { return lock.number(0) != 0; });
        die();
        return 0;
    });
    EXPECT_EQ(reap(holder), -SIGKILL);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    lock.number(1) = 1;
    await([&] { return lock.number(2) != 0; });
}

} // namespace
