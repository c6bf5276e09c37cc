/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of threads: ids used again, zombies, ended threads, fork. */
#include <cerrno>
#include <cstring>
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <time.h>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

bool parse(const std::string &text, char *state, uint32_t *start)
{
    slm_lock_stat stat = {};
    bool is_one = slm_lock_parse_stat(text.data(), text.size(), &stat);
    *state = stat.state;
    *start = stat.start;
    return is_one;
}

const char *const stat_tail =
    " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654321 20 21 22\n";

TEST(LockStat, NameMayContainSpacesAndBrackets)
{
    for (const char *name : {"(cat)", "(a b)", "(()", "())", "(x) R 1 2 3)", "()"}) {
        char state = 0;
        uint32_t start = 0;
        EXPECT_TRUE(parse(std::string("77 ") + name + stat_tail, &state, &start)) << name;
        EXPECT_EQ(state, 'S') << name;
        EXPECT_EQ(start, 987654321u) << name;
    }
}

TEST(LockStat, CutAnywhereIsRefusedOrHasAShorterStart)
{
    std::string whole = std::string("77 (cat)") + stat_tail;
    size_t first = whole.find("987654321");
    for (size_t length = 0; length <= first; length++) {
        char state = 0;
        uint32_t start = 0;
        EXPECT_FALSE(parse(whole.substr(0, length), &state, &start)) << length;
    }
    char state = 0;
    uint32_t start = 0;
    EXPECT_TRUE(parse(whole.substr(0, first + 4), &state, &start));
    EXPECT_EQ(start, 9876u);
    EXPECT_FALSE(
        parse("77 (cat) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x ", &state, &start));
    EXPECT_FALSE(parse("no such line", &state, &start));
}

TEST(LockStat, OnlyTheNinthFieldShowsASignal)
{
    for (unsigned field = 4; field < 22; field++) {
        std::string text = "77 (cat) S";
        for (unsigned i = 4; i < 22; i++) {
            text += i == field ? " 1024" : " 0";
        }
        slm_lock_stat stat = {};
        text += " 5 0";
        ASSERT_TRUE(slm_lock_parse_stat(text.data(), text.size(), &stat)) << text;
        EXPECT_EQ(stat.has_signal, field == 9) << text;
        EXPECT_EQ(stat.start, 5u);
    }
}

TEST(LockStat, StartKeepsItsLow32Bits)
{
    char state = 0;
    uint32_t start = 0;
    std::string text = "7 (x) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4294967303 0";
    EXPECT_TRUE(parse(text, &state, &start));
    EXPECT_EQ(start, 7u);
}

TEST(LockSelf, IsTheThreadsIdAndStart)
{
    uint64_t self = slm_lock_self();
    EXPECT_EQ(self & SLM_LOCK_TID, static_cast<uint64_t>(getpid()));
    EXPECT_NE(self >> 32, 0u);
    EXPECT_EQ(self & ~SLM_LOCK_IDENTITY, 0u);
    EXPECT_EQ(slm_lock_self(), self);
    EXPECT_TRUE(slm_lock_is_alive(self));
    uint64_t other = 0;
    std::thread([&] {
        other = slm_lock_self();
        EXPECT_TRUE(slm_lock_is_alive(other));
    }).join();
    EXPECT_NE(other & SLM_LOCK_TID, self & SLM_LOCK_TID);
}

TEST(LockSelf, OfAForkedChildIsItsOwnEvenIfTheParentsWasKnown)
{
    uint64_t self = slm_lock_self();
    EXPECT_EQ(run_child([self] {
                  uint64_t child = slm_lock_self();
                  bool is_own = (child & SLM_LOCK_TID) == static_cast<uint64_t>(getpid());
                  return is_own && child != self && slm_lock_is_alive(self) ? 0 : 1;
              }),
              0);
}

TEST(LockAlive, IsFalseForZeroAndForImpossibleIds)
{
    EXPECT_FALSE(slm_lock_is_alive(0));
    EXPECT_FALSE(slm_lock_is_alive(UINT64_C(5) << 32));
    EXPECT_FALSE(slm_lock_is_alive(SLM_LOCK_TID));
}

TEST(LockAlive, TheSameIdWithAnotherStartIsAnotherThread)
{
    uint64_t self = slm_lock_self();
    EXPECT_TRUE(slm_lock_is_alive(self));
    EXPECT_FALSE(slm_lock_is_alive(self + (UINT64_C(1) << 32)));
    EXPECT_FALSE(slm_lock_is_alive(self - (UINT64_C(1) << 32)));
}

TEST(LockAlive, AnIdWithoutAStartIsAliveIfAThreadHasIt)
{
    EXPECT_TRUE(slm_lock_is_alive(static_cast<uint64_t>(getpid())));
}

TEST(LockAlive, AZombieIsDead)
{
    pid_t child = start_child([] { return 0; });
    await_zombie(child);
    EXPECT_EQ(state_letter(child), 'Z');
    EXPECT_EQ(kill(child, 0), 0);
    EXPECT_FALSE(slm_lock_is_alive(static_cast<uint64_t>(child)));
    EXPECT_EQ(reap(child), 0);
    EXPECT_FALSE(slm_lock_is_alive(static_cast<uint64_t>(child)));
}

TEST(LockAlive, AStoppedProcessIsAlive)
{
    pid_t child = start_child([] {
        raise(SIGSTOP);
        return 0;
    });
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
    ASSERT_TRUE(WIFSTOPPED(status));
    EXPECT_TRUE(slm_lock_is_alive(static_cast<uint64_t>(child)));
    kill(child, SIGKILL);
    EXPECT_EQ(reap(child), -SIGKILL);
}

/* The main thread has ended, the process has not: its id stays a zombie's until the last thread
 * ends. */
TEST(LockAlive, AMainThreadThatExitedAloneIsDead)
{
    SharedPage page;
    pid_t child = start_child([&] {
        std::thread([&] {
            await([&] { return page.number(0) != 0; });
            _exit(0); /* a sanitizer may have its own thread that never ends */
        }).detach();
        syscall(SYS_exit, 0);
        return 1;
    });
    await([&] { return state_letter(child) == 'Z'; });
    EXPECT_FALSE(slm_lock_is_alive(static_cast<uint64_t>(child)));
    page.number(0) = 1;
    EXPECT_EQ(reap(child), 0);
}

TEST(LockIdentity, TheWordOfAReusedIdIsADeadOwners)
{
    Lock lock;
    lock.state()->word = slm_lock_self() + (UINT64_C(1) << 32);
    EXPECT_FALSE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

class LockThreads : public testing::TestWithParam<slm_lock_kind> {};

INSTANTIATE_TEST_SUITE_P(RobustAndFile, LockThreads,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_FILE));

TEST_P(LockThreads, AThreadThatExitsHoldingTheLockIsDeadForItsProcess)
{
    Lock lock(GetParam());
    std::thread([&] { EXPECT_EQ(slm_lock_lock(lock), SLM_OK); }).join();
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.state()->n_deaths, 1u);
}

TEST_P(LockThreads, AThreadThatExitsHoldingTheLockIsDeadForOthers)
{
    Lock lock(GetParam());
    std::thread([&] { EXPECT_EQ(slm_lock_lock(lock), SLM_OK); }).join();
    pid_t waiter = start_waiter(lock);
    EXPECT_EQ(reap(waiter), SLM_OWNER_DIED);
}

TEST(LockFile, AThreadsExitLeavesOtherThreadsLocksAlone)
{
    Lock lock(SLM_LOCK_FILE);
    Lock other(SLM_LOCK_FILE);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    std::thread([&] {
        EXPECT_EQ(slm_lock_lock(other), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(other), SLM_OK);
    }).join();
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(run_child([&] { return static_cast<int>(slm_lock_trylock(lock)); }), SLM_E_LOCKED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

/* Waits until the system's clock for start times shows another tick. */
void await_tick()
{
    auto ticks = [] {
        timespec now;
        clock_gettime(CLOCK_BOOTTIME, &now);
        long ns_per_tick = 1000000000L / sysconf(_SC_CLK_TCK);
        return now.tv_sec * sysconf(_SC_CLK_TCK) + now.tv_nsec / ns_per_tick;
    };
    auto before = ticks();
    await([&] { return ticks() > before + 1; });
}

/* Starts a child with exactly that id, which waits to be killed. -1: errno says why not. */
pid_t clone_with_id(pid_t wanted)
{
    clone_args arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<uintptr_t>(&wanted);
    arguments.set_tid_size = 1;
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) {
        for (;;) {
            syscall(SYS_pause);
        }
    }
    return static_cast<pid_t>(child);
}

TEST(LockIdentity, AProcessWithADeadOwnersIdIsNotTheOwner)
{
    Lock lock;
    hold_and_die(lock);
    slm_lock_owner owner;
    slm_lock_get_owner(lock, &owner);
    await_tick();
    pid_t heir = clone_with_id(owner.thread_id);
    if (heir < 0) {
        GTEST_SKIP() << "a process cannot choose an id here: " << strerror(errno);
    }
    EXPECT_EQ(heir, owner.thread_id);
    EXPECT_TRUE(slm_lock_is_alive(static_cast<uint64_t>(heir)));
    EXPECT_FALSE(slm_lock_is_alive(owner.identity));
    EXPECT_EQ(slm_lock_force_unlock(lock, owner.identity), SLM_OK);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    kill(heir, SIGKILL);
    EXPECT_EQ(reap(heir), -SIGKILL);
}

/* --- A process that can open nothing more --- */

class NoDescriptors {
  public:
    NoDescriptors()
    {
        getrlimit(RLIMIT_NOFILE, &before_);
        rlimit none = {0, before_.rlim_max};
        setrlimit(RLIMIT_NOFILE, &none);
    }
    NoDescriptors(const NoDescriptors &) = delete;
    NoDescriptors &operator=(const NoDescriptors &) = delete;
    ~NoDescriptors()
    {
        setrlimit(RLIMIT_NOFILE, &before_);
    }

  private:
    rlimit before_;
};

/* Runs in a child, so that its limit on open files ends with it. 0: all checks hold. */
int expect_in_child(const std::function<bool()> &body)
{
    return run_child([&] {
        NoDescriptors none;
        return body() ? 0 : 1;
    });
}

TEST(LockNoDescriptors, AnUnreadableThreadIsAliveAndAMissingOneIsDead)
{
    uint64_t reused = slm_lock_self() + (UINT64_C(1) << 32);
    pid_t gone = start_child([] { return 0; });
    EXPECT_EQ(reap(gone), 0);
    EXPECT_EQ(expect_in_child([&] {
                  return slm_lock_is_alive(reused) &&
                         !slm_lock_is_alive(static_cast<uint64_t>(gone));
              }),
              0);
    EXPECT_FALSE(slm_lock_is_alive(reused));
}

TEST(LockNoDescriptors, AThreadWithoutAStartStillOwnsWhatItTakes)
{
    Lock lock;
    EXPECT_EQ(expect_in_child([&] {
                  slm_lock_set_self(0); /* the child had made its identity already */
                  bool has_no_start = slm_lock_self() == static_cast<uint64_t>(getpid());
                  return has_no_start && slm_lock_lock(lock) == SLM_OK && slm_lock_is_mine(lock) &&
                         slm_lock_lock(lock) == SLM_E_HELD && slm_lock_unlock(lock) == SLM_OK;
              }),
              0);
    EXPECT_EQ(lock.word(), 0u);
}

TEST(LockNoDescriptors, AttachWithoutABootIdBelievesTheState)
{
    Lock lock;
    lock.state()->boot ^= 2;
    lock.state()->namespaces ^= 2;
    lock.state()->word = slm_lock_self();
    EXPECT_EQ(expect_in_child([&] {
                  slm_lock *mine = lock.attach(SLM_LOCK_ROBUST);
                  bool is_held = slm_lock_boot() == 0 && slm_lock_trylock(mine) == SLM_E_LOCKED;
                  slm_lock_detach(mine);
                  return is_held;
              }),
              0);
    EXPECT_EQ(lock.word(), slm_lock_self());
}

TEST(LockBoot, IsTheSameDuringAWholeBoot)
{
    uint64_t boot = slm_lock_boot();
    EXPECT_NE(boot, 0u);
    EXPECT_EQ(run_child([boot] { return slm_lock_boot() == boot ? 0 : 1; }), 0);
}

} // namespace
