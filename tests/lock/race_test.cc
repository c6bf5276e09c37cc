/* SPDX-License-Identifier: Apache-2.0 */
/* Lost races: what another process does immediately before this one takes its own step. */
#include <cstring>
#include <sys/stat.h>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

const char *place;
int n_to_pass;
std::function<void()> act_of_another;

void intrude(const char *point)
{
    if (place != nullptr && strcmp(point, place) == 0 && n_to_pass-- == 0) {
        place = nullptr;
        act_of_another();
    }
}

/* Acts as another process when the test comes to that point for the nth time, counted from 0. The
 * act changes the state directly: yield points within it do nothing. */
class Meanwhile {
  public:
    Meanwhile(const char *point, int nth, std::function<void()> act)
    {
        place = point;
        n_to_pass = nth;
        act_of_another = std::move(act);
        slm_yield_hook = intrude;
    }
    Meanwhile(const Meanwhile &) = delete;
    Meanwhile &operator=(const Meanwhile &) = delete;
    ~Meanwhile()
    {
        slm_yield_hook = nullptr;
        EXPECT_EQ(place, nullptr) << "the test never came to " << place;
    }
};

/* --- After a reboot --- */

/* A state as another boot left it: held or free. */
class LockRaceReboot : public testing::TestWithParam<slm_lock_kind> {
  protected:
    void leave(bool is_held)
    {
        lock.state()->word = is_held ? slm_lock_self() : 0;
        lock.state()->boot ^= 2;
        lock.state()->file_inode ^= GetParam() == SLM_LOCK_FILE ? 2 : 0;
        lock.state()->file_device ^= GetParam() == SLM_LOCK_FILE ? 2 : 0;
        lock.state()->namespaces ^= 2;
    }

    void reset_as_another()
    {
        lock.state()->word = is_held_ ? SLM_LOCK_REPAIR : 0;
        lock.state()->n_deaths += is_held_;
        lock.state()->file_inode = inode_;
        lock.state()->file_device = device_;
        lock.state()->namespaces = namespaces_;
        lock.state()->boot = slm_lock_boot();
    }

    void expect_reset_once(const char *point, int nth, bool is_held)
    {
        SCOPED_TRACE(std::string(point) + ", " + std::to_string(nth));
        is_held_ = is_held;
        leave(is_held);
        slm_lock *late = nullptr;
        {
            Meanwhile meanwhile(point, nth, [this] { reset_as_another(); });
            late = lock.attach(GetParam());
        }
        EXPECT_EQ(lock.word(), is_held ? SLM_LOCK_REPAIR : 0);
        EXPECT_EQ(lock.state()->n_deaths, is_held ? 1u : 0u);
        EXPECT_EQ(lock.state()->boot, slm_lock_boot());
        EXPECT_EQ(lock.state()->file_inode, inode_);
        EXPECT_EQ(lock.state()->file_device, device_);
        EXPECT_EQ(lock.state()->namespaces, namespaces_);
        slm_lock_detach(late);
    }

    Lock lock{GetParam()};
    uint64_t inode_ = lock.state()->file_inode;
    uint64_t device_ = lock.state()->file_device;
    uint64_t namespaces_ = lock.state()->namespaces;
    bool is_held_ = false;
};

INSTANTIATE_TEST_SUITE_P(RobustAndFile, LockRaceReboot,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_FILE));

TEST_P(LockRaceReboot, ALateResetOfAHeldLockCountsNoSecondDeath)
{
    expect_reset_once("lock: reset the word of another boot", 0, true);
}

TEST_P(LockRaceReboot, AResetAfterACompleteOneChangesNothing)
{
    expect_reset_once("lock: read the boot", 0, true);
}

TEST_P(LockRaceReboot, ALateResetOfAFreeLockKeepsTheNewlyAgreedNumbers)
{
    expect_reset_once("lock: reset the word of another boot", 0, false);
    expect_reset_once("lock: forget a number of another boot", 0, false);
    expect_reset_once("lock: forget a number of another boot", 1, false);
    expect_reset_once("lock: forget a number of another boot", 2, false);
}

/* --- The agreed file --- */

class LockRaceFile : public testing::Test {
  protected:
    /* Attaches. Meanwhile meanwhile process records a file first. */
    slm_status attach_second(uint64_t inode, uint64_t device)
    {
        slm_lock_init(lock.state(), SLM_LOCK_FILE);
        Meanwhile meanwhile("lock: agree on a number", 0, [&] {
            lock.state()->file_inode = inode;
            lock.state()->file_device = device;
        });
        slm_lock *late = nullptr;
        slm_lock_options options = {SLM_LOCK_FILE, lock.path().c_str(), 0, false};
        slm_status status = slm_lock_attach(&late, lock.state(), &options, nullptr);
        slm_lock_detach(late);
        return status;
    }

    Lock lock{SLM_LOCK_FILE};
    uint64_t inode_ = lock.state()->file_inode;
    uint64_t device_ = lock.state()->file_device;
};

TEST_F(LockRaceFile, TheSecondToRecordTheSameFileAttaches)
{
    EXPECT_EQ(attach_second(inode_, device_), SLM_OK);
}

TEST_F(LockRaceFile, TheSecondToRecordAnotherFileIsRefused)
{
    EXPECT_EQ(attach_second(inode_ + 1, device_), SLM_E_REPLACED);
    EXPECT_EQ(lock.state()->file_inode, inode_ + 1);
    EXPECT_EQ(attach_second(inode_, device_ + 1), SLM_E_REPLACED);
    EXPECT_EQ(lock.state()->file_device, device_ + 1);
}

TEST_F(LockRaceFile, AGrantOfAFileThatIsReplacedMeanwhileGetsNothing)
{
    Meanwhile meanwhile("file: take the file", 0, [&] { lock.state()->file_inode = inode_ + 1; });
    EXPECT_EQ(slm_lock_trylock(lock), SLM_E_REPLACED);
    EXPECT_EQ(lock.word(), 0u);
}

/* --- The owner's death --- */

TEST(LockRaceForce, ForceUnlockSparesAnOwnerThatTookOverMeanwhile)
{
    Lock lock;
    hold_and_die(lock);
    uint64_t owner = slm_lock_self() | SLM_LOCK_REPAIR;
    Meanwhile meanwhile("force: swap the word", 0, [&] { lock.state()->word = owner; });
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_E_OWNER);
    EXPECT_EQ(lock.word(), owner);
    EXPECT_EQ(lock.state()->n_deaths, 0u);
}

} // namespace
