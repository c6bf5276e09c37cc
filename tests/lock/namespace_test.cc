/* SPDX-License-Identifier: Apache-2.0 */
/* Pid and time namespaces, chroots without /proc, and /proc of another namespace: no process judges
 * or takes a lock where it cannot see who lives. */
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sys/stat.h>
#include <thread>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

constexpr int kNotAllowed = 99;

bool enter(int kinds)
{
    return unshare(kinds) == 0 || unshare(kinds | CLONE_NEWUSER) == 0;
}

/* Shifts the clock that start times are read from. */
bool shift_time()
{
    int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    const char *text = "boottime 100000 0\n";
    bool is_set = fd >= 0 && write(fd, text, strlen(text)) == static_cast<ssize_t>(strlen(text));
    close(fd);
    return is_set;
}

/* Runs body in a child that was forked into new namespaces of these kinds. Returns its status. */
int run_in(int kinds, const std::function<int()> &body)
{
    return run_child([&] {
        if (!enter(kinds) || ((kinds & CLONE_NEWTIME) != 0 && !shift_time())) {
            return kNotAllowed;
        }
        return run_child(body);
    });
}

/* Gives a user the rights of root in a user namespace of its own, where it stays the user that it
 * was: without a map, it could create no file. */
bool enter_user_namespace()
{
    std::string user = std::to_string(geteuid());
    std::string group = std::to_string(getegid());
    if (unshare(CLONE_NEWUSER) != 0) {
        return false;
    }
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << user << " " << user << " 1";
    std::ofstream("/proc/self/gid_map") << group << " " << group << " 1";
    return true;
}

/* An empty folder, which a child makes its root: there is no /proc. */
class Jail {
  public:
    Jail()
    {
        EXPECT_EQ(mkdir(path_.c_str(), 0755), 0) << path_;
    }
    ~Jail()
    {
        std::filesystem::remove_all(path_);
    }
    Jail(const Jail &) = delete;
    Jail &operator=(const Jail &) = delete;
    bool enter() const
    {
        bool is_in = chroot(path_.c_str()) == 0;
        is_in = is_in || (enter_user_namespace() && chroot(path_.c_str()) == 0);
        return is_in && chdir("/") == 0;
    }

  private:
    std::string path_ = testing::TempDir() + "jail_" + std::to_string(getpid());
};

#define SKIP_UNLESS_ALLOWED(status)                                                                \
    if ((status) == kNotAllowed) {                                                                 \
        GTEST_SKIP() << "this user may not make that namespace or enter that jail";                \
    }

int lock_and_unlock(slm_lock *lock)
{
    slm_status status = slm_lock_timedlock(lock, 10000);
    return status == SLM_OK ? slm_lock_unlock(lock) : status;
}

class LockNamespace : public testing::TestWithParam<slm_lock_kind> {
  protected:
    slm_status attach(slm_lock **out, slm_lock_state *state, bool is_unused,
                      const char *path = nullptr)
    {
        path = path == nullptr ? lock.path().c_str() : path;
        slm_lock_options options = {GetParam(), path, 16, is_unused};
        return slm_lock_attach(out, state, &options, nullptr);
    }

    /* What a child in other namespaces may not do. 0: all was refused. */
    int be_refused()
    {
        slm_lock *mine = nullptr;
        if (slm_lock_lock(lock) != SLM_E_STATE || slm_lock_trylock(lock) != SLM_E_STATE ||
            slm_lock_timedlock(lock, 1) != SLM_E_STATE) {
            return 1;
        }
        if (attach(&mine, lock.state(), false) != SLM_E_STATE || mine != nullptr) {
            return 2;
        }
        if (slm_lock_is_mine(lock) || slm_lock_unlock(lock) != SLM_E_OWNER) {
            return 3;
        }
        return 0;
    }

    void expect_refused(int kinds)
    {
        int status = run_in(kinds, [&] { return be_refused(); });
        SKIP_UNLESS_ALLOWED(status);
        EXPECT_EQ(status, 0);
        EXPECT_EQ(lock_and_unlock(lock), SLM_OK);
        EXPECT_EQ(lock.state()->n_deaths, 0u);
    }

    Lock lock{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(EveryKind, LockNamespace,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE));

TEST_P(LockNamespace, AChildInAnotherPidNamespaceIsRefused)
{
    expect_refused(CLONE_NEWPID);
}

TEST_P(LockNamespace, AChildInAnotherTimeNamespaceIsRefused)
{
    expect_refused(CLONE_NEWTIME);
}

TEST_P(LockNamespace, AChildThereUsesALockThatBelongsThere)
{
    int status = run_in(CLONE_NEWPID, [&] {
        SharedPage page;
        slm_lock *mine = nullptr;
        if (slm_lock_init(page.state(), GetParam()) != SLM_OK ||
            attach(&mine, page.state(), false) != SLM_OK || lock_and_unlock(mine) != SLM_OK) {
            return 1;
        }
        return run_child([&] { return lock_and_unlock(mine); });
    });
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, SLM_OK);
}

TEST_P(LockNamespace, AProcessThatKnowsThatTheLockIsUnusedTakesItThere)
{
    lock.state()->word = slm_lock_self();
    int status = run_in(CLONE_NEWPID, [&] {
        slm_lock *mine = nullptr;
        slm_status attached = attach(&mine, lock.state(), true);
        return attached == SLM_OK ? slm_lock_trylock(mine) : attached;
    });
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, SLM_OWNER_DIED);
    slm_lock *mine = nullptr;
    EXPECT_EQ(attach(&mine, lock.state(), false), SLM_E_STATE);
}

/* The id of the owner is another thread's there, or no thread's. */
TEST_P(LockNamespace, AnOwnerOfAnotherPidNamespaceCountsAsAlive)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    int status = run_in(CLONE_NEWPID, [&] {
        slm_lock_owner owner;
        slm_lock_get_owner(lock, &owner);
        if (!owner.is_alive || owner.doubt != SLM_LOCK_DOUBT_NAMESPACE) {
            return 1;
        }
        slm_lock_get_state_owner(lock.state(), &owner);
        if (!owner.is_alive || owner.doubt != SLM_LOCK_DOUBT_NAMESPACE) {
            return 2;
        }
        return slm_lock_force_unlock(lock, 0) == SLM_E_OWNER ? 0 : 3;
    });
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, 0);
}

/* The namespaces are compared in each child again, not remembered of its parent. */
TEST_P(LockNamespace, AGrandchildThatIsBackUsesTheLock)
{
    int home = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
    int status = run_child([&] {
        if (unshare(CLONE_NEWTIME) != 0 || !shift_time()) {
            return kNotAllowed;
        }
        return run_child([&] {
            if (slm_lock_trylock(lock) != SLM_E_STATE) {
                return 1;
            }
            if (setns(home, CLONE_NEWTIME) != 0) {
                return kNotAllowed;
            }
            return run_child([&] { return lock_and_unlock(lock); });
        });
    });
    close(home);
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, SLM_OK);
}

/* --- A process that moves to another time namespace itself --- */

/* Its own identity is still that which others see; other threads' start times are not. */
TEST(LockTimeNamespace, AProcessThatMovesGoesOnAndJudgesNoStartTime)
{
    Lock lock;
    pid_t owner = start_child([] {
        pause();
        return 0;
    });
    uint64_t reused = (UINT64_C(77) << 32) | static_cast<uint64_t>(owner);
    EXPECT_FALSE(slm_lock_is_alive(reused));
    int status = run_child([&] {
        if (unshare(CLONE_NEWTIME) != 0 || !shift_time()) {
            return kNotAllowed;
        }
        int there = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
        if (setns(there, CLONE_NEWTIME) != 0) {
            return kNotAllowed;
        }
        uint64_t other = 0;
        std::thread([&] { other = slm_lock_self(); }).join();
        slm_lock *mine = nullptr;
        slm_lock_options options = {SLM_LOCK_ROBUST, nullptr, 0, false};
        if (slm_lock_attach(&mine, lock.state(), &options, nullptr) != SLM_E_STATE) {
            return 1;
        }
        lock.state()->word = reused;
        slm_lock_owner found;
        slm_lock_get_state_owner(lock.state(), &found);
        lock.state()->word = 0;
        if (!found.is_alive || found.doubt != SLM_LOCK_DOUBT_START) {
            return 2;
        }
        return other >> 32 == 0 && other != 0 ? lock_and_unlock(lock) : 3;
    });
    kill(owner, SIGKILL);
    EXPECT_EQ(reap(owner), -SIGKILL);
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, SLM_OK);
}

/* --- /proc of another pid namespace --- */

bool set_last_pid(pid_t pid)
{
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    std::string text = std::to_string(pid);
    bool is_set = fd >= 0 && write(fd, text.c_str(), text.size()) > 0;
    close(fd);
    return is_set;
}

/* Without a mount of its own, the namespace has the outer /proc: the owner's number is a zombie's
 * there. */
TEST(LockOuterProc, ALivingOwnerIsNotJudgedByTheZombieOfItsNumberOutside)
{
    pid_t zombie = start_child([] { return 0; });
    await_zombie(zombie);
    int status = run_in(CLONE_NEWPID, [&] {
        Lock lock;
        if (!set_last_pid(zombie - 1)) {
            return kNotAllowed;
        }
        pid_t holder = start_child([&] {
            lock.number(0) = slm_lock_lock(lock) == SLM_OK ? 1 : 2;
            await([&] { return lock.number(1) == 1; });
            return static_cast<int>(slm_lock_unlock(lock));
        });
        await([&] { return lock.number(0) != 0; });
        slm_lock_owner owner;
        slm_lock_get_owner(lock, &owner);
        bool is_spared = slm_lock_timedlock(lock, 300) == SLM_E_TIMEOUT &&
                         slm_lock_force_unlock(lock, 0) == SLM_E_OWNER;
        lock.number(1) = 1;
        if (holder != zombie) {
            return 1;
        }
        if (!owner.is_alive || owner.doubt != SLM_LOCK_DOUBT_PROC) {
            return 2;
        }
        return is_spared ? reap(holder) : 3;
    });
    EXPECT_EQ(reap(zombie), 0);
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, SLM_OK);
}

/* A missing thread is proof enough, with any /proc. */
TEST(LockOuterProc, AReapedOwnerIsDeadAllTheSame)
{
    int status = run_in(CLONE_NEWPID, [] {
        Lock lock;
        hold_and_die(lock);
        return static_cast<int>(slm_lock_lock(lock));
    });
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, SLM_OWNER_DIED);
}

/* --- No /proc --- */

class LockJail : public LockNamespace {
  protected:
    /* Runs body in a child in an empty root folder. */
    void expect_in_jail(int expected, const std::function<int()> &body)
    {
        int status = run_child([&] { return jail.enter() ? body() : kNotAllowed; });
        SKIP_UNLESS_ALLOWED(status);
        EXPECT_EQ(status, expected);
    }

    Jail jail;
};

INSTANTIATE_TEST_SUITE_P(EveryKind, LockJail,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE));

TEST_P(LockJail, AnInheritedHandleGoesOn)
{
    expect_in_jail(SLM_OK, [&] { return lock_and_unlock(lock); });
}

TEST_P(LockJail, ANewThreadLocksWithoutAStartTimeAndIsExcluded)
{
    expect_in_jail(0, [&] {
        int n_wrong = 0;
        std::thread([&] {
            n_wrong += slm_lock_lock(lock) != SLM_OK;
            n_wrong += slm_lock_self() >> 32 != 0;
            std::thread([&] { n_wrong += slm_lock_trylock(lock) != SLM_E_LOCKED; }).join();
            n_wrong += slm_lock_unlock(lock) != SLM_OK;
        }).join();
        return n_wrong;
    });
}

TEST_P(LockJail, AttachIsRefusedUnlessTheCallerKnowsThatTheLockIsUnused)
{
    expect_in_jail(0, [&] {
        slm_lock *mine = nullptr;
        if (attach(&mine, lock.state(), false) != SLM_E_STATE) {
            return 1;
        }
        SharedPage page;
        slm_lock_init(page.state(), GetParam());
        if (attach(&mine, page.state(), false) != SLM_E_STATE) {
            return 2;
        }
        return attach(&mine, page.state(), true, "/lock") == SLM_OK ? lock_and_unlock(mine) : 3;
    });
}

TEST(LockJailRobust, AChildForkedInTheJailGoesOnAndAReapedOwnerIsDead)
{
    Jail jail;
    Lock lock;
    int status = run_child([&] {
        if (!jail.enter()) {
            return kNotAllowed;
        }
        if (run_child([&] { return lock_and_unlock(lock); }) != SLM_OK) {
            return 1;
        }
        int ended = run_child([&] {
            slm_lock_lock(lock);
            die();
            return 0;
        });
        return ended == -SIGKILL ? static_cast<int>(slm_lock_lock(lock)) : 1;
    });
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, SLM_OWNER_DIED);
}

/* Neither its parent nor the leader of its session has an id there. */
TEST(LockJailRobust, AChildForkedInTheJailIntoAnotherPidNamespaceIsRefused)
{
    Jail jail;
    Lock lock;
    int status = run_child([&] {
        if (!jail.enter() || unshare(CLONE_NEWPID) != 0) {
            return kNotAllowed;
        }
        int first = run_child([&] { return static_cast<int>(slm_lock_trylock(lock)); });
        return first == SLM_E_STATE ? 0 : 1;
    });
    SKIP_UNLESS_ALLOWED(status);
    EXPECT_EQ(status, 0);
}

/* --- A server's way: the master is root, its workers are not --- */

TEST_P(LockJail, AWorkerThatGaveUpRootLocksInAndOutsideOfAChroot)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can become another user";
    }
    for (bool in_jail : {false, true}) {
        int status = run_child([&] {
            if (in_jail && !jail.enter()) {
                return kNotAllowed;
            }
            if (setgid(65534) != 0 || setuid(65534) != 0) {
                return kNotAllowed;
            }
            return lock_and_unlock(lock);
        });
        SKIP_UNLESS_ALLOWED(status);
        EXPECT_EQ(status, SLM_OK) << in_jail;
        EXPECT_EQ(lock_and_unlock(lock), SLM_OK);
    }
}

} // namespace
