/* SPDX-License-Identifier: Apache-2.0 */
/* The lock's contract for each kind, status by status. */
#include <cstring>
#include <sys/stat.h>
#include <thread>
#include <vector>

#include "tests/base/short_folder.h"
#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

class LockKinds : public testing::TestWithParam<slm_lock_kind> {
  protected:
    Lock lock{GetParam()};
};

std::string kind_name(const testing::TestParamInfo<slm_lock_kind> &info)
{
    static const char *const names[] = {"Robust", "SpinSem", "File"};
    return names[info.param];
}

INSTANTIATE_TEST_SUITE_P(All, LockKinds,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE),
                         kind_name);

TEST_P(LockKinds, StartsFreeAndIsFreeAfterEveryUnlock)
{
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(lock.word(), 0u);
        EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
        EXPECT_EQ(lock.word(), slm_lock_self());
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_trylock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_timedlock(lock, 0), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    }
    EXPECT_EQ(lock.state()->n_deaths, 0u);
    EXPECT_EQ(lock.state()->n_waits, 0u);
}

TEST_P(LockKinds, ReportsToItsHolderThatItAlreadyHoldsIt)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    uint64_t word = lock.word();
    EXPECT_EQ(slm_lock_lock(lock), SLM_E_HELD);
    EXPECT_EQ(slm_lock_trylock(lock), SLM_E_HELD);
    EXPECT_EQ(slm_lock_timedlock(lock, 1000), SLM_E_HELD);
    EXPECT_EQ(lock.word(), word);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockKinds, RefusesAThreadThatDoesNotHoldItAndChangesNothing)
{
    EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
    EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_E_OWNER);
    EXPECT_EQ(lock.word(), 0u);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    uint64_t word = lock.word();
    std::thread([&] {
        EXPECT_FALSE(slm_lock_is_mine(lock));
        EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
        EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_E_OWNER);
        EXPECT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
        EXPECT_EQ(slm_lock_timedlock(lock, 0), SLM_E_TIMEOUT);
    }).join();
    EXPECT_EQ(lock.word(), word);
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockKinds, TimedWaitsForItsLimitAndLeavesTheHolderAlone)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    std::thread([&] {
        uint64_t before_ms = slm_lock_system.now_ms();
        EXPECT_EQ(slm_lock_timedlock(lock, 50), SLM_E_TIMEOUT);
        EXPECT_GE(slm_lock_system.now_ms() - before_ms, 50u);
    }).join();
    EXPECT_EQ(slm_lock_owner_in(lock.word()), slm_lock_self());
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
}

TEST_P(LockKinds, HandsTheLockToASleepingProcess)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    pid_t waiter = start_waiter(lock);
    await_asleep(lock, waiter);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(reap(waiter), SLM_OK);
    EXPECT_EQ(lock.word(), 0u);
    EXPECT_EQ(lock.state()->n_waits, 1u);
    EXPECT_EQ(lock.state()->n_deaths, 0u);
}

TEST_P(LockKinds, ExcludesThreads)
{
    constexpr uint64_t n_turns = 2000;
    uint64_t n_done = 0; /* not atomic: the lock has to guard it */
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&] {
            for (uint64_t i = 0; i < n_turns; i++) {
                ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
                n_done++;
                ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
            }
        });
    }
    for (auto &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(n_done, 4 * n_turns);
    EXPECT_EQ(lock.word(), 0u);
}

TEST_P(LockKinds, ExcludesTwoHandlesOfOneProcess)
{
    slm_lock *other = lock.attach(GetParam());
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    std::thread([&] { EXPECT_EQ(slm_lock_trylock(other), SLM_E_LOCKED); }).join();
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    std::thread([&] {
        EXPECT_EQ(slm_lock_trylock(other), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(other), SLM_OK);
    }).join();
    slm_lock_detach(other);
}

TEST_P(LockKinds, KeepsTheRepairMarkUntilItIsRepaired)
{
    hold_and_die(lock);
    if (GetParam() == SLM_LOCK_SPIN_SEM) {
        EXPECT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
        EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
    }
    ASSERT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    ASSERT_EQ(slm_lock_trylock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    ASSERT_EQ(slm_lock_timedlock(lock, 10), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.state()->n_deaths, 1u);
    EXPECT_EQ(lock.word(), 0u);
}

TEST_P(LockKinds, ReadsItsOwnerWithoutAChange)
{
    slm_lock_owner owner;
    slm_lock_get_owner(lock, &owner);
    EXPECT_EQ(owner.identity, 0u);
    EXPECT_EQ(owner.thread_id, 0);
    EXPECT_FALSE(owner.is_alive || owner.needs_repair || owner.has_waiters);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    slm_lock_get_state_owner(lock.state(), &owner);
    EXPECT_EQ(owner.identity, slm_lock_self());
    EXPECT_EQ(owner.thread_id, getpid());
    EXPECT_TRUE(owner.is_alive);
    EXPECT_FALSE(owner.needs_repair || owner.has_waiters);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    hold_and_die(lock);
    uint64_t word = lock.word();
    slm_lock_get_owner(lock, &owner);
    EXPECT_NE(owner.identity, 0u);
    EXPECT_FALSE(owner.is_alive);
    EXPECT_EQ(lock.word(), word);
}

TEST_P(LockKinds, CannotBeForcedWhileItsOwnerLives)
{
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_E_OWNER);
    EXPECT_EQ(slm_lock_force_unlock(lock, slm_lock_self()), SLM_E_OWNER);
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockKinds, IsForcedFromADeadOwnerOnlyIfItIsTheOneGiven)
{
    hold_and_die(lock);
    slm_lock_owner owner;
    slm_lock_get_owner(lock, &owner);
    EXPECT_EQ(slm_lock_force_unlock(lock, slm_lock_self()), SLM_E_OWNER);
    EXPECT_EQ(slm_lock_force_unlock(lock, owner.identity ^ UINT64_C(1) << 40), SLM_E_OWNER);
    EXPECT_EQ(slm_lock_owner_in(lock.word()), owner.identity);
    EXPECT_EQ(slm_lock_force_unlock(lock, owner.identity), SLM_OK);
    EXPECT_EQ(lock.word(), SLM_LOCK_REPAIR);
    EXPECT_EQ(lock.state()->n_deaths, 1u);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST_P(LockKinds, IsFreeAndNeedsRepairAfterAReboot)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    lock.state()->boot ^= 2;
    slm_lock *after = lock.attach(GetParam());
    EXPECT_EQ(lock.word(), SLM_LOCK_REPAIR);
    EXPECT_EQ(lock.state()->boot, slm_lock_boot());
    EXPECT_EQ(lock.state()->n_deaths, 1u);
    slm_lock *again = lock.attach(GetParam());
    EXPECT_EQ(lock.state()->n_deaths, 1u);
    slm_lock_detach(again);
    slm_lock_detach(after);
}

TEST_P(LockKinds, IsBelievedAsItIsIfItsBootIsNotKnown)
{
    uint64_t word = slm_lock_self() + (UINT64_C(1) << 32);
    ASSERT_EQ(slm_lock_init(lock.state(), GetParam()), SLM_OK);
    lock.state()->namespaces ^= lock.state()->boot;
    lock.state()->boot = 0;
    lock.state()->word = word;
    slm_lock_detach(lock.attach(GetParam()));
    EXPECT_EQ(lock.word(), word);
    EXPECT_EQ(lock.state()->boot, 0u);
}

TEST_P(LockKinds, KeepsItsMarksThroughAnAttachInTheSameBoot)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    uint64_t word = lock.word();
    slm_lock_detach(lock.attach(GetParam()));
    EXPECT_EQ(lock.word(), word);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

TEST(LockInit, RefusesInvalidArgumentsAndChangesNothing)
{
    alignas(64) unsigned char bytes[192];
    alignas(64) unsigned char before[192];
    memset(bytes, 0x5A, sizeof bytes);
    memcpy(before, bytes, sizeof bytes);
    auto at = [&](size_t offset) { return reinterpret_cast<slm_lock_state *>(bytes + offset); };
    EXPECT_EQ(slm_lock_init(nullptr, SLM_LOCK_ROBUST), SLM_E_NULL);
    EXPECT_EQ(slm_lock_init(at(8), SLM_LOCK_ROBUST), SLM_E_ALIGN);
    EXPECT_EQ(slm_lock_init(at(32), SLM_LOCK_ROBUST), SLM_E_ALIGN);
    EXPECT_EQ(slm_lock_init(at(0), static_cast<slm_lock_kind>(3)), SLM_E_OPTION);
    EXPECT_EQ(memcmp(bytes, before, sizeof bytes), 0);
    EXPECT_EQ(slm_lock_init(at(64), SLM_LOCK_ROBUST), SLM_OK);
    EXPECT_EQ(memcmp(bytes, before, 64), 0);
    EXPECT_EQ(memcmp(bytes + 128, before, 64), 0);
}

TEST(LockAttach, RefusesWhatDoesNotFit)
{
    SharedPage page;
    ASSERT_EQ(slm_lock_init(page.state(), SLM_LOCK_FILE), SLM_OK);
    slm_lock *lock = nullptr;
    slm_error error;
    slm_lock_options options = {SLM_LOCK_FILE, nullptr, 0, false};
    EXPECT_EQ(slm_lock_attach(nullptr, page.state(), &options, &error), SLM_E_NULL);
    EXPECT_EQ(slm_lock_attach(&lock, nullptr, &options, &error), SLM_E_NULL);
    EXPECT_EQ(slm_lock_attach(&lock, page.state(), nullptr, &error), SLM_E_NULL);
    EXPECT_EQ(slm_lock_attach(&lock, page.state(), &options, &error), SLM_E_OPTION);
    EXPECT_EQ(error.status, SLM_E_OPTION);
    EXPECT_STRNE(error.text, "");
    options.kind = SLM_LOCK_ROBUST;
    EXPECT_EQ(slm_lock_attach(&lock, page.state(), &options, nullptr), SLM_E_OPTION);
    auto *crooked = reinterpret_cast<slm_lock_state *>(reinterpret_cast<char *>(page.state()) + 8);
    EXPECT_EQ(slm_lock_attach(&lock, crooked, &options, &error), SLM_E_ALIGN);
    options.kind = static_cast<slm_lock_kind>(3);
    page.state()->kind = 3;
    EXPECT_EQ(slm_lock_attach(&lock, page.state(), &options, &error), SLM_E_OPTION);
    options = {SLM_LOCK_FILE, "/nowhere/at/all", 0, false};
    page.state()->kind = SLM_LOCK_FILE;
    EXPECT_EQ(slm_lock_attach(&lock, page.state(), &options, &error), SLM_E_MISSING);
    EXPECT_EQ(lock, nullptr);
}

TEST(LockAttach, RefusesALinkAndANonFile)
{
    SharedPage page;
    ASSERT_EQ(slm_lock_init(page.state(), SLM_LOCK_FILE), SLM_OK);
    std::string path = short_folder() + "/lock_refused_" + std::to_string(getpid());
    slm_lock *lock = nullptr;
    slm_error error;
    slm_lock_options options = {SLM_LOCK_FILE, path.c_str(), 0, false};
    auto attach = [&] { return slm_lock_attach(&lock, page.state(), &options, &error); };
    ASSERT_EQ(symlink("/dev/null", path.c_str()), 0);
    EXPECT_EQ(attach(), SLM_E_ACCESS);
    EXPECT_NE(std::string(error.text).find(path), std::string::npos);
    unlink(path.c_str());
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(attach(), SLM_E_ACCESS);
    unlink(path.c_str());
    ASSERT_EQ(attach(), SLM_OK) << error.text;
    slm_lock_detach(lock);
    struct stat made;
    ASSERT_EQ(stat(path.c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 0777, 0600u);
    unlink(path.c_str());
}

TEST(LockDetach, IgnoresNull)
{
    slm_lock_detach(nullptr);
}

TEST(LockWord, WithoutAnOwnerIsFreeWithAnyOtherBits)
{
    Lock lock;
    lock.state()->word = SLM_LOCK_WAITERS;
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    lock.state()->word = UINT64_C(0x1234567800000000) | SLM_LOCK_REPAIR;
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(lock.word(), SLM_LOCK_REPAIR);
}

TEST(LockWord, WithAnImpossibleThreadIdIsADeadOwners)
{
    Lock lock;
    lock.state()->word = SLM_LOCK_TID;
    EXPECT_EQ(slm_lock_trylock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

/* Calls keep errno even if a system call inside them fails. */
TEST(LockErrno, IsKept)
{
    Lock lock;
    hold_and_die(lock);
    errno = EXDEV;
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(errno, EXDEV);
}

slm_lock *held_in_handler;
volatile sig_atomic_t told_in_handler;

void lock_in_handler(int)
{
    told_in_handler = slm_lock_lock(held_in_handler);
}

TEST(LockSignal, AHandlerThatInterruptsItsHolderLearnsItIsHeld)
{
    Lock lock;
    held_in_handler = lock;
    auto before = signal(SIGUSR1, lock_in_handler);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    raise(SIGUSR1);
    EXPECT_EQ(told_in_handler, SLM_E_HELD);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    signal(SIGUSR1, before);
}

} // namespace
