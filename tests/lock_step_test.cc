/* SPDX-License-Identifier: Apache-2.0 */
/* Death behind every machine instruction of a turn, of the code as it is used. */
#include <cerrno>
#include <cstring>
#include <sys/ptrace.h>

#include "tests/lock_fixture.h"

namespace {

using namespace slm_test;

/* Where the stepping goes on; the victim's number 1. */
enum phase : uint64_t { before_turn, in_turn, after_turn };

/* Enough for two stops, lock, unlock and a wake under any sanitizer. */
constexpr int most_steps = 200000;

bool step(pid_t victim)
{
    int status = 0;
    return ptrace(PTRACE_SINGLESTEP, victim, nullptr, nullptr) == 0 &&
           waitpid(victim, &status, 0) == victim && WIFSTOPPED(status);
}

/* Answers a stopped victim that is about to take its turn; -1: nobody may be traced here. */
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

/* Kills the victim n steps into its turn. False: the turn was over before. */
bool kill_in_turn(Lock &lock, pid_t victim, int n_steps)
{
    for (int i = 0; i < most_steps && lock.number(1) == before_turn; i++) {
        EXPECT_TRUE(step(victim));
    }
    for (int i = 0; i < n_steps && lock.number(1) == in_turn; i++) {
        EXPECT_TRUE(step(victim));
    }
    bool is_in_turn = lock.number(1) == in_turn;
    kill(victim, SIGKILL);
    EXPECT_EQ(reap(victim), -SIGKILL);
    return is_in_turn;
}

/* Returns how many instructions of a turn were the last one; -1: not possible here. */
int sweep(const std::function<void(Lock &)> &prepare, const std::function<void(Lock &)> &judge)
{
    for (int n = 0;; n++) {
        Lock lock;
        prepare(lock);
        pid_t victim = start_victim(lock, take_turn);
        if (victim < 0) {
            return -1;
        }
        bool is_in_turn = kill_in_turn(lock, victim, n);
        SCOPED_TRACE("killed after " + std::to_string(n) + " instructions");
        judge(lock);
        if (!is_in_turn || testing::Test::HasFailure()) {
            return n;
        }
    }
}

/* Told exactly if the word names the dead one, or has its mark already. */
void judge_turn(Lock &lock)
{
    bool is_told = lock.word() != 0;
    slm_lock_owner owner;
    slm_lock_look(lock, &owner);
    EXPECT_FALSE(owner.is_alive);
    EXPECT_EQ(slm_lock_lock(lock), is_told ? SLM_OWNER_DIED : SLM_OK);
    EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
}

TEST(LockStep, DeathBehindAnyInstructionOfATurnIsToldIfTheDeadOneWasTheOwner)
{
    int n_steps = sweep([](Lock &) {}, judge_turn);
    if (n_steps < 0) {
        GTEST_SKIP() << "nobody may be traced here: " << strerror(errno);
    }
    printf("%d instructions\n", n_steps);
    EXPECT_GE(n_steps, 10);
}

/* The waiters' bit sends the unlocker the long way: it is set before the victim takes the lock. */
TEST(LockStep, DeathBehindAnyInstructionOfATurnWithWaitersIsToldToo)
{
    auto prepare = [](Lock &lock) { lock.state()->word = SLM_LOCK_WAITERS; };
    auto judge = [](Lock &lock) {
        bool is_told = slm_lock_owner_in(lock.word()) != 0;
        EXPECT_EQ(slm_lock_lock(lock), is_told ? SLM_OWNER_DIED : SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    };
    int n_steps = sweep(prepare, judge);
    if (n_steps < 0) {
        GTEST_SKIP() << "nobody may be traced here: " << strerror(errno);
    }
    printf("%d instructions\n", n_steps);
    EXPECT_GE(n_steps, 30);
}

} // namespace
