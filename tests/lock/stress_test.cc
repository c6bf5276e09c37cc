/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that share a lock are killed at any moment: exclusion holds, and every death is
 * reported. */
#include <random>
#include <vector>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

/* What the lock guards. The two counts are equal whenever the lock is free. */
struct guarded {
    std::atomic<uint64_t> &inside; /* the owner; 0: none */
    std::atomic<uint64_t> &first;
    std::atomic<uint64_t> &second;
    std::atomic<uint64_t> &n_wrong;
    std::atomic<uint64_t> &n_repairs;

    explicit guarded(Lock &lock)
        : inside(lock.number(0)), first(lock.number(1)), second(lock.number(2)),
          n_wrong(lock.number(3)), n_repairs(lock.number(4))
    {
    }

    void repair()
    {
        n_repairs++;
        second = first.load();
        inside = 0;
    }

    void change()
    {
        n_wrong += inside.exchange(slm_lock_self()) != 0;
        n_wrong += first.load() != second.load();
        first++;
        /* Most of the time is spent here, so most deaths are deaths of an owner. */
        slm_lock_system.pause(200);
        second++;
        n_wrong += inside.exchange(0) != slm_lock_self();
    }
};

/* Locks by any of the three calls. */
enum slm_status take(slm_lock *lock, unsigned n)
{
    return n % 3 == 0   ? slm_lock_trylock(lock)
           : n % 3 == 1 ? slm_lock_timedlock(lock, 1)
                        : slm_lock_lock(lock);
}

/* Every second process uses an address of its own. */
int work_for_ever(Lock &shared, size_t idx)
{
    guarded data(shared);
    slm_lock *lock = idx % 2 == 0 ? static_cast<slm_lock *>(shared) : shared.attach_elsewhere();
    for (unsigned n = 0;; n++) {
        enum slm_status status = take(lock, n);
        if (status == SLM_E_LOCKED || status == SLM_E_TIMEOUT) {
            continue;
        }
        if (status == SLM_OWNER_DIED) {
            data.repair();
            slm_lock_mark_repaired(lock);
        } else if (status != SLM_OK) {
            return static_cast<int>(status);
        }
        data.change();
        data.n_wrong += slm_lock_unlock(lock) != SLM_OK;
    }
}

class LockStress : public testing::TestWithParam<slm_lock_kind> {};

INSTANTIATE_TEST_SUITE_P(EveryKind, LockStress,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE));

/* Locks of nginx's kind are not taken over: the reaper must free them. A refusal is correct: the
 * dead process may not have been the owner. */
void kill_and_reap(Lock &lock, pid_t worker)
{
    kill(worker, SIGKILL);
    EXPECT_EQ(reap(worker), -SIGKILL);
    if (lock.state()->kind == SLM_LOCK_SPIN_SEM) {
        (void)slm_lock_force_unlock(lock, 0);
    }
}

/* Lock and unlock pairs between two deaths, so that time plays no part. */
void await_pairs(guarded &data, uint64_t n_pairs)
{
    uint64_t before = data.first;
    await([&] { return data.first >= before + n_pairs; });
}

TEST_P(LockStress, SurvivorsOfRandomKillsStayExcludedAndProgress)
{
    constexpr size_t n_workers = 4;
    constexpr int n_kills = 300;
    constexpr uint64_t n_owners = 20; /* kill on until so many victims were owners */
    Lock lock(GetParam());
    guarded data(lock);
    std::mt19937 random(1);
    std::vector<pid_t> workers;
    for (size_t i = 0; i < n_workers; i++) {
        workers.push_back(start_child([&] { return work_for_ever(lock, i); }));
    }
    for (int i = 0; i < n_kills || data.n_repairs < n_owners; i++) {
        await_pairs(data, random() % 50);
        size_t idx = random() % n_workers;
        kill_and_reap(lock, workers[idx]);
        workers[idx] = start_child([&] { return work_for_ever(lock, idx); });
    }
    for (pid_t worker : workers) {
        kill_and_reap(lock, worker);
    }
    EXPECT_EQ(data.n_wrong, 0u);
    enum slm_status last = slm_lock_trylock(lock);
    EXPECT_TRUE(last == SLM_OK || last == SLM_OWNER_DIED);
    EXPECT_LE(data.n_repairs, lock.state()->n_deaths);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    printf("%lu lockings, %u owners died, %lu repairs\n", static_cast<unsigned long>(data.first),
           lock.state()->n_deaths, static_cast<unsigned long>(data.n_repairs));
}

} // namespace
