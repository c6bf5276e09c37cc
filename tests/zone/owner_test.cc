/* SPDX-License-Identifier: Apache-2.0 */
/* Zone: copies of its file, words that name strangers, workers without rights, other namespaces. */
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/zone/fixture.h"

namespace {

using namespace slm_test;

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

constexpr int kNotAllowed = 99;

int run_child(const std::function<int()> &body)
{
    fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        _exit(body());
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int lock_and_unlock(slm_zone *zone)
{
    slm_status status = slm_zone_timedlock(zone, 10000);
    return status == SLM_OK ? slm_zone_unlock(zone) : status;
}

class ZoneOwner : public testing::TestWithParam<slm_lock_kind> {
  protected:
    ZoneOwner()
    {
        EXPECT_EQ(zone.create(options.of(SLM_SEGMENT_FILE, GetParam())), SLM_OK) << zone.error.text;
        EXPECT_EQ(push_alone(zone, 1), SLM_OK);
    }

    /* A handle of a copy of the file as it is now. */
    void attach_copy(Zone &copy)
    {
        std::filesystem::copy_file(options.path(SLM_SEGMENT_FILE), copy_path_);
        slm_zone_attach_options again = options.to_attach(zone);
        again.segment.name = copy_path_.c_str();
        again.lock_path = copy_lock_path_.c_str();
        again.is_unused = GetParam() == SLM_LOCK_FILE; /* the lock file of a copy is another */
        ASSERT_EQ(copy.attach(again), SLM_OK) << copy.error.text;
    }

    void expect_repaired_and_used(Zone &again, uint64_t n_undone)
    {
        EXPECT_EQ(slm_zone_timedlock(again, 60000), SLM_OK);
        EXPECT_EQ(again.stats().n_recoveries, 1u);
        EXPECT_EQ(again.stats().n_undone, n_undone);
        EXPECT_EQ(slm_zone_check_locked(again), 0u);
        EXPECT_EQ(slm_zone_unlock(again), SLM_OK);
        EXPECT_EQ(numbers_alone(again), (Numbers{1}));
    }

    ZoneOptions options;
    Zone zone;
    std::string copy_path_ = options.folder() / "copy";
    std::string copy_lock_path_ = options.folder() / "copy.lock";
};

INSTANTIATE_TEST_SUITE_P(EveryLock, ZoneOwner, testing::ValuesIn(kEveryLock));

/* In the middle of a transaction, which the copy has too. */
TEST_P(ZoneOwner, ACopyThatTheHolderMakesIsRepairedAndTheOriginalGoesOn)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push(zone, 2));
    Zone copy;
    attach_copy(copy);
    expect_repaired_and_used(copy, 1);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(numbers_alone(zone), (Numbers{2, 1}));
}

TEST_P(ZoneOwner, AWordThatNamesAStrangerIsOvercomeByACallerThatKnows)
{
    slm_zone_attach_options again = options.to_attach(zone);
    again.is_unused = true;
    __atomic_store_n(&zone.zone->header->lock.word, uint64_t{1}, __ATOMIC_RELEASE);
    zone.detach();
    Zone taken;
    ASSERT_EQ(taken.attach(again), SLM_OK) << taken.error.text;
    expect_repaired_and_used(taken, 0);
}

/* Process 1 lives, and does not have the file, whether its mappings can be read or not. */
TEST_P(ZoneOwner, AWordThatNamesAStrangerIsFreedByAnAttachThatIsAlone)
{
    enum slm_status unused = slm_segment_check_unused(slm_zone_segment(zone), &zone.error);
    if (unused == SLM_E_STATE) {
        GTEST_SKIP() << zone.error.text;
    }
    EXPECT_EQ(unused, SLM_OK);
    slm_zone_attach_options again = options.to_attach(zone);
    __atomic_store_n(&zone.zone->header->lock.word, uint64_t{1}, __ATOMIC_RELEASE);
    zone.detach();
    Zone alone;
    ASSERT_EQ(alone.attach(again), SLM_OK) << alone.error.text;
    expect_repaired_and_used(alone, 0);
}

TEST_P(ZoneOwner, AnOwnerThatHasTheFileKeepsTheLockOfOneThatAttaches)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    Zone other;
    ASSERT_EQ(other.attach(options.to_attach(zone)), SLM_OK) << other.error.text;
    EXPECT_EQ(slm_zone_trylock(other), SLM_E_HELD);
    EXPECT_EQ(run_child([&] { return static_cast<int>(slm_zone_trylock(zone)); }), SLM_E_LOCKED);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(zone.stats().n_recoveries, 0u);
}

/* A process that has the zone open already reads the mappings of the named process. */
TEST(ZoneOwnerRobust, AWordThatNamesAStrangerKeepsNoProcessOut)
{
    ZoneOptions options;
    Zone zone;
    ASSERT_EQ(zone.create(options.of(SLM_SEGMENT_FILE)), SLM_OK) << zone.error.text;
    __atomic_store_n(&zone.zone->header->lock.word, uint64_t{1}, __ATOMIC_RELEASE);
    slm_lock_owner owner;
    slm_lock_get_owner(slm_zone_lock_handle(zone), &owner);
    if (owner.doubt != SLM_LOCK_NO_DOUBT) {
        GTEST_SKIP() << "process 1: " << slm_lock_doubt_text(owner.doubt);
    }
    EXPECT_EQ(slm_zone_timedlock(zone, 60000), SLM_OK);
    EXPECT_EQ(zone.stats().n_recoveries, 1u);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_P(ZoneOwner, AWorkerThatGaveUpRootUsesTheZoneInAndOutsideOfAChroot)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can become another user";
    }
    std::string jail = options.folder() / "jail";
    ASSERT_EQ(mkdir(jail.c_str(), 0755), 0);
    for (bool in_jail : {false, true}) {
        EXPECT_EQ(run_child([&] {
                      if (in_jail && (chroot(jail.c_str()) != 0 || chdir("/") != 0)) {
                          return kNotAllowed;
                      }
                      if (setgid(65534) != 0 || setuid(65534) != 0) {
                          return kNotAllowed;
                      }
                      return lock_and_unlock(zone);
                  }),
                  SLM_OK)
            << in_jail;
    }
    EXPECT_EQ(lock_and_unlock(zone), SLM_OK);
    EXPECT_EQ(zone.stats().n_recoveries, 0u);
}

/* A child of fork uses the inherited handle, but not from another namespace. */
TEST_P(ZoneOwner, AChildInAnotherNamespaceIsRefusedAtItsFirstLock)
{
    for (int kind : {CLONE_NEWPID, CLONE_NEWTIME}) {
        int status = run_child([&] {
            if (unshare(kind) != 0 && unshare(kind | CLONE_NEWUSER) != 0) {
                return kNotAllowed;
            }
            return run_child([&] { return static_cast<int>(slm_zone_lock(zone)); });
        });
        if (status == kNotAllowed) {
            GTEST_SKIP() << "this user may not make that namespace";
        }
        EXPECT_EQ(status, SLM_E_STATE);
        EXPECT_EQ(lock_and_unlock(zone), SLM_OK);
    }
}

} // namespace
