/* SPDX-License-Identifier: Apache-2.0 */
/* A caller that knows that no process uses a lock: attach with is_unused, for each kind. */
#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

class LockUnused : public testing::TestWithParam<slm_lock_kind> {
  protected:
    slm_lock *attach_unused()
    {
        slm_lock *mine = nullptr;
        slm_error error;
        slm_lock_options options = {GetParam(), lock.path().c_str(), 16, true};
        EXPECT_EQ(slm_lock_attach(&mine, lock.state(), &options, &error), SLM_OK) << error.text;
        return mine;
    }

    Lock lock{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(EveryKind, LockUnused,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE));

TEST_P(LockUnused, IsTakenFromAnOwnerThatLivesAndMarkedForRepair)
{
    lock.state()->word = 1 | SLM_LOCK_WAITERS | SLM_LOCK_TURN; /* process 1 knows nothing of it */
    slm_lock *mine = attach_unused();
    EXPECT_EQ(lock.word(), SLM_LOCK_REPAIR);
    EXPECT_EQ(lock.state()->n_deaths, 1u);
    EXPECT_EQ(slm_lock_lock(mine), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_mark_repaired(mine), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(mine), SLM_OK);
    EXPECT_EQ(slm_lock_lock(mine), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(mine), SLM_OK);
    slm_lock_detach(mine);
}

TEST_P(LockUnused, NeedsNoRepairIfItWasFreeAndKeepsTheMarkIfItWasMarked)
{
    slm_lock_detach(attach_unused());
    EXPECT_EQ(lock.word(), 0u);
    lock.state()->word = SLM_LOCK_REPAIR;
    slm_lock_detach(attach_unused());
    EXPECT_EQ(lock.word(), SLM_LOCK_REPAIR);
    EXPECT_EQ(lock.state()->n_deaths, 0u);
}

TEST_P(LockUnused, BelongsToTheCallersNamespacesAndBootFromThenOn)
{
    uint64_t namespaces = lock.state()->namespaces;
    lock.state()->namespaces ^= 1;
    slm_lock *mine = nullptr;
    slm_lock_options options = {GetParam(), lock.path().c_str(), 16, false};
    slm_error error;
    EXPECT_EQ(slm_lock_attach(&mine, lock.state(), &options, &error), SLM_E_STATE);
    EXPECT_EQ(mine, nullptr);
    EXPECT_NE(std::string(error.text).find("namespace"), std::string::npos) << error.text;
    slm_lock_detach(attach_unused());
    EXPECT_EQ(lock.state()->namespaces, namespaces);
    EXPECT_EQ(lock.state()->boot, slm_lock_boot());
    slm_lock_detach(lock.attach(GetParam()));
}

} // namespace
