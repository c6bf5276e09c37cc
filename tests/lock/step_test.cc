/* SPDX-License-Identifier: Apache-2.0 */
/* Death after every machine instruction of a lock and unlock, of the code as it is used. */
#include <cerrno>
#include <cstring>
#include <sys/ptrace.h>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

/* Where the stepping continues: the victim's number 1. */
enum phase : uint64_t { before_turn, in_turn, after_turn };

/* Enough for two stops, lock, unlock and a wake under any sanitizer. */
constexpr int most_steps = 200000;

struct Hooks {
    std::function<void(Lock &)> prepare;
    std::function<void(Lock &)> judge;
};

bool step(pid_t victim)
{
    int status = 0;
    return ptrace(PTRACE_SINGLESTEP, victim, nullptr, nullptr) == 0 &&
           waitpid(victim, &status, 0) == victim && WIFSTOPPED(status);
}

/* Returns a stopped victim that is about to lock. -1: this system does not allow tracing. */
pid_t start_victim(Lock &lock, const std::function<void(slm_lock *)> &turn)
{
    lock.number(1) = before_turn;
    pid_t victim = start_child([&] {
        slm_lock_self();
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
            return 1;
        }
        raise(SIGSTOP);
        lock.number(1) = in_turn;
        turn(lock);
        lock.number(1) = after_turn;
        raise(SIGSTOP);
        return 0;
    });
    int status = 0;
    return waitpid(victim, &status, 0) == victim && WIFSTOPPED(status) ? victim : -1;
}

void take_turn(slm_lock *lock)
{
    slm_lock_lock(lock);
    slm_lock_unlock(lock);
}

/* Kills the victim n_most steps into its locking, or at its end. Returns the number of steps. */
int kill_in_turn(Lock &lock, pid_t victim, int n_most)
{
    for (int i = 0; i < most_steps && lock.number(1) == before_turn; i++) {
        EXPECT_TRUE(step(victim));
    }
    int n_steps = 0;
    while (n_steps < n_most && lock.number(1) == in_turn) {
        EXPECT_TRUE(step(victim));
        n_steps++;
    }
    kill(victim, SIGKILL);
    EXPECT_EQ(reap(victim), -SIGKILL);
    return n_steps;
}

/* The dynamic linker binds a function at its first call, with thousands of instructions. Bind here,
 * before there are victims. */
void bind_functions(const Hooks &hooks)
{
    Lock lock;
    hooks.prepare(lock);
    take_turn(lock);
    slm_lock_self();
}

/* Kills a victim n_most steps into its locking. Returns the number of steps. -1: not possible
 * here. */
int try_death(const Hooks &hooks, int n_most)
{
    Lock lock;
    hooks.prepare(lock);
    pid_t victim = start_victim(lock, take_turn);
    if (victim < 0) {
        return -1;
    }
    int n_steps = kill_in_turn(lock, victim, n_most);
    SCOPED_TRACE("killed after " + std::to_string(n_steps) + " instructions");
    hooks.judge(lock);
    return n_steps;
}

/* A sanitizer makes hundreds of instructions thousands, and the work grows with the square. Then a
 * victim dies after every k-th instruction only, so that all victims together take about half as
 * many steps. */
constexpr int64_t most_work = 600000;

/* Returns how many instructions lock and unlock have. -1: not possible here. With ThreadSanitizer
 * the number differs a little each time: the sweep ends with the first victim that completes. */
int sweep(const Hooks &hooks)
{
    bind_functions(hooks);
    int n_all = try_death(hooks, most_steps);
    EXPECT_LT(n_all, most_steps);
    int stride = 1 + static_cast<int>(int64_t{n_all} * n_all / most_work);
    int n_deaths = 0;
    while (try_death(hooks, n_deaths * stride) == n_deaths * stride) {
        n_deaths++;
        if (testing::Test::HasFailure()) {
            return n_all;
        }
    }
    printf("%d instructions, a death after every %d.: %d deaths\n", n_all, stride, n_deaths);
    EXPECT_GE(n_deaths * stride, n_all / 2);
    return n_all;
}

/* Death is reported exactly if the word names the dead owner or already has the REPAIR bit. */
void judge_turn(Lock &lock)
{
    bool is_told = lock.word() != 0;
    slm_lock_owner owner;
    slm_lock_get_owner(lock, &owner);
    EXPECT_FALSE(owner.is_alive);
    EXPECT_EQ(slm_lock_lock(lock), is_told ? SLM_OWNER_DIED : SLM_OK);
    EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
}

TEST(LockStep, DeathAfterAnyInstructionIsReportedIfTheVictimOwned)
{
    int n_steps = sweep({[](Lock &) {}, judge_turn});
    if (n_steps < 0) {
        GTEST_SKIP() << "this system does not allow tracing: " << strerror(errno);
    }
    EXPECT_GE(n_steps, 10);
}

/* The WAITERS bit sends the unlocker along the slow path. It is set before the victim locks. */
TEST(LockStep, DeathAfterAnyInstructionWithWaitersIsReportedToo)
{
    auto prepare = [](Lock &lock) { lock.state()->word = SLM_LOCK_WAITERS; };
    auto judge = [](Lock &lock) {
        bool is_told = slm_lock_owner_in(lock.word()) != 0;
        EXPECT_EQ(slm_lock_lock(lock), is_told ? SLM_OWNER_DIED : SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    };
    int n_steps = sweep({prepare, judge});
    if (n_steps < 0) {
        GTEST_SKIP() << "this system does not allow tracing: " << strerror(errno);
    }
    EXPECT_GE(n_steps, 30);
}

} // namespace
