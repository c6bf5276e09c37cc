/* SPDX-License-Identifier: Apache-2.0 */
/* limit_conn: counts given back by dead workers, misuse, the check, workers killed anywhere. */
#include <thread>
#include <vector>

#include "examples/common/fixture.h"

extern "C" {
#include "examples/common/keyed.h"
#include "examples/limit_conn/limit_conn.h"
}

namespace {

using namespace example_test;

class LimitConn : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(slm_limit_conn_init(zone), SLM_OK);
        ASSERT_EQ(slm_limit_conn_join(zone, &worker), SLM_OK);
    }
    enum slm_status acquire(const std::string &key, uint64_t limit)
    {
        return slm_limit_conn_acquire(zone, &worker, key.data(), key.size(), limit, &grant);
    }
    slm_lease must_acquire(const std::string &key, uint64_t limit = 1000000)
    {
        EXPECT_EQ(acquire(key, limit), SLM_OK);
        EXPECT_FALSE(grant.is_limited);
        return grant.lease;
    }
    enum slm_status release(const slm_lease &lease)
    {
        return slm_limit_conn_release(zone, &worker, &lease, &left);
    }
    uint64_t count(const std::string &key)
    {
        uint64_t n = 0;
        EXPECT_EQ(slm_limit_conn_count(zone, key.data(), key.size(), &n), SLM_OK);
        return n;
    }
    struct slm_limit_conn_stats stats()
    {
        struct slm_limit_conn_stats found = {};
        EXPECT_EQ(slm_limit_conn_get_stats(zone, &found), SLM_OK);
        return found;
    }
    unsigned check()
    {
        return zone.check(slm_limit_conn_check_locked);
    }
    /* A child that joins, takes n connections of the key, reports that, and waits to be killed. */
    void hold_in_child(const std::string &key, unsigned n, const Progress &progress)
    {
        slm_lease_worker mine = {};
        slm_limit_conn_grant got = {};
        (void)slm_limit_conn_join(zone, &mine);
        for (unsigned i = 0; i < n; i++) {
            (void)slm_limit_conn_acquire(zone, &mine, key.data(), key.size(), 1000, &got);
        }
        progress.step();
    }
    Zone zone{128 * 1024};
    slm_lease_worker worker = {};
    slm_limit_conn_grant grant = {};
    uint64_t left = 0;
};

TEST_F(LimitConn, KeyIsCreatedAtOneAndDeletedAtZero)
{
    slm_lease first = must_acquire("a");
    EXPECT_EQ(grant.n_connections, 1u);
    slm_lease second = must_acquire("a");
    EXPECT_EQ(grant.n_connections, 2u);
    EXPECT_EQ(stats().n_keys, 1u);
    EXPECT_EQ(release(first), SLM_OK);
    EXPECT_EQ(left, 1u);
    EXPECT_EQ(release(second), SLM_OK);
    EXPECT_EQ(left, 0u);
    EXPECT_EQ(stats().n_keys, 0u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(LimitConn, RefusesConnectionsAboveTheLimitAndCountsNothing)
{
    must_acquire("a", 2);
    must_acquire("a", 2);
    EXPECT_EQ(acquire("a", 2), SLM_OK);
    EXPECT_TRUE(grant.is_limited);
    EXPECT_EQ(grant.lease.offset, 0u);
    EXPECT_EQ(grant.n_connections, 2u);
    EXPECT_EQ(count("a"), 2u);
    EXPECT_EQ(acquire("b", 1), SLM_OK);
    EXPECT_FALSE(grant.is_limited);
}

TEST_F(LimitConn, LeaseCanBeGivenBackOnlyOnce)
{
    slm_lease lease = must_acquire("a");
    must_acquire("a");
    EXPECT_EQ(release(lease), SLM_OK);
    EXPECT_EQ(release(lease), SLM_E_NOT_MEMBER);
    slm_lease again = must_acquire("a");
    for (unsigned i = 0; i < 10000 && again.offset != lease.offset; i++) {
        ASSERT_EQ(release(again), SLM_OK);
        again = must_acquire("a");
    }
    ASSERT_EQ(again.offset, lease.offset) << "the memory is used again, sooner or later";
    EXPECT_EQ(release(lease), SLM_E_NOT_MEMBER) << "the old lease does not give back the new one";
    EXPECT_EQ(count("a"), 2u);
}

TEST_F(LimitConn, RefusesMisuseAndChangesNothing)
{
    slm_lease lease = must_acquire("a");
    EXPECT_EQ(acquire("", 1), SLM_E_SIZE);
    EXPECT_EQ(acquire("a", 0), SLM_E_OPTION);
    EXPECT_EQ(slm_limit_conn_acquire(zone, nullptr, "a", 1, 1, &grant), SLM_E_NULL);
    EXPECT_EQ(slm_limit_conn_acquire(zone, &worker, "a", 1, 1, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_limit_conn_release(zone, &worker, nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_limit_conn_join(zone, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_limit_conn_join(zone, &worker), SLM_E_DUPLICATE);
    for (uint64_t offset : {uint64_t{0}, lease.offset + 8, uint64_t{1} << 40, uint64_t{4096}}) {
        EXPECT_EQ(release({offset, lease.serial}), SLM_E_NOT_MEMBER);
    }
    slm_lease_worker other = {worker.slot_idx + 1};
    EXPECT_EQ(slm_limit_conn_release(zone, &other, &lease, nullptr), SLM_E_OWNER);
    other.slot_idx = SLM_LIMIT_CONN_WORKERS_MAX;
    EXPECT_EQ(slm_limit_conn_acquire(zone, &other, "a", 1, 9, &grant), SLM_E_OWNER);
    EXPECT_EQ(count("a"), 1u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(LimitConn, AnotherThreadIsAnotherWorker)
{
    slm_lease lease = must_acquire("a");
    std::thread([&] {
        EXPECT_EQ(release(lease), SLM_E_OWNER);
        slm_lease_worker mine = {};
        ASSERT_EQ(slm_limit_conn_join(zone, &mine), SLM_OK);
        EXPECT_NE(mine.slot_idx, worker.slot_idx);
        EXPECT_EQ(slm_limit_conn_release(zone, &mine, &lease, nullptr), SLM_E_NOT_MEMBER);
        EXPECT_EQ(slm_limit_conn_leave(zone, &mine), SLM_OK);
    }).join();
    EXPECT_EQ(release(lease), SLM_OK);
}

TEST_F(LimitConn, LeavingGivesAllBack)
{
    for (unsigned i = 0; i < 20; i++) {
        must_acquire(key_name(i % 3));
    }
    EXPECT_EQ(slm_limit_conn_leave(zone, &worker), SLM_OK);
    EXPECT_EQ(stats().n_keys, 0u);
    EXPECT_EQ(stats().n_workers, 0u);
    EXPECT_EQ(slm_limit_conn_leave(zone, &worker), SLM_E_OWNER);
    EXPECT_EQ(check(), 0u);
}

TEST_F(LimitConn, CallThatWouldBeRefusedReclaimsLeasesOfDeadWorkers)
{
    Progress progress;
    must_acquire("a");
    Child child([&] { hold_in_child("a", 4, progress); });
    progress.await(1);
    EXPECT_EQ(acquire("a", 5), SLM_OK);
    EXPECT_TRUE(grant.is_limited) << "the child lives";
    child.kill_now();
    EXPECT_EQ(count("a"), 5u) << "no call has looked for dead workers yet";
    EXPECT_EQ(acquire("a", 5), SLM_OK);
    EXPECT_FALSE(grant.is_limited);
    EXPECT_EQ(grant.n_connections, 2u);
    EXPECT_EQ(stats().n_reclaimed, 4u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(LimitConn, JoiningWorkerReclaimsLeasesOfDeadWorkers)
{
    Progress progress;
    Child child([&] { hold_in_child("a", 3, progress); });
    progress.await(1);
    child.kill_now();
    EXPECT_EQ(count("a"), 3u);
    std::thread([&] {
        slm_lease_worker mine = {};
        EXPECT_EQ(slm_limit_conn_join(zone, &mine), SLM_OK);
    }).join();
    EXPECT_EQ(count("a"), 0u);
    EXPECT_EQ(stats().n_keys, 0u);
}

TEST_F(LimitConn, ReclaimTakesFromDeadWorkersOnly)
{
    Progress progress;
    Child living([&] { hold_in_child("a", 2, progress); });
    Child dying([&] { hold_in_child("a", 3, progress); });
    progress.await(2);
    dying.kill_now();
    size_t n = 0;
    EXPECT_EQ(slm_limit_conn_reclaim(zone, &n), SLM_OK);
    EXPECT_EQ(n, 3u);
    EXPECT_EQ(count("a"), 2u);
    EXPECT_EQ(slm_limit_conn_reclaim(zone, &n), SLM_OK);
    EXPECT_EQ(n, 0u);
}

TEST_F(LimitConn, ReportsThatAllSlotsAreTaken)
{
    ASSERT_EQ(slm_limit_conn_leave(zone, &worker), SLM_OK);
    auto *book = reinterpret_cast<slm_lease_book *>(
        static_cast<slm_keyed *>(slm_zone_root_locked(zone)) + 1);
    std::vector<std::thread> threads;
    Progress progress;
    for (unsigned i = 0; i < SLM_LIMIT_CONN_WORKERS_MAX; i++) {
        threads.emplace_back([&] {
            slm_lease_worker mine = {};
            EXPECT_EQ(slm_limit_conn_join(zone, &mine), SLM_OK);
            progress.step();
            progress.await(SLM_LIMIT_CONN_WORKERS_MAX + 1);
        });
    }
    progress.await(SLM_LIMIT_CONN_WORKERS_MAX);
    EXPECT_EQ(slm_limit_conn_join(zone, &worker), SLM_E_SPACE);
    EXPECT_EQ(slm_lease_n_workers_locked(book), SLM_LIMIT_CONN_WORKERS_MAX);
    progress.step();
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(slm_limit_conn_join(zone, &worker), SLM_OK) << "threads that ended are dead";
}

TEST_F(LimitConn, ReportsMemoryOutAndLeavesNothing)
{
    std::vector<slm_lease> leases;
    for (uint64_t i = 0;; i++) {
        std::string key = key_name(i);
        enum slm_status status = acquire(key, 9);
        if (status == SLM_E_NOMEM) {
            break;
        }
        ASSERT_EQ(status, SLM_OK);
        leases.push_back(grant.lease);
    }
    EXPECT_GT(leases.size(), 100u);
    EXPECT_EQ(stats().n_keys, leases.size());
    EXPECT_EQ(check(), 0u);
    for (const slm_lease &lease : leases) {
        ASSERT_EQ(release(lease), SLM_OK);
    }
    EXPECT_EQ(stats().n_keys, 0u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(LimitConn, IsIntactWhereverAWorkerIsKilled)
{
    for (unsigned round = 0; round < 30; round++) {
        Progress progress;
        {
            Child child([&] {
                slm_lease_worker mine = {};
                slm_lease leases[16] = {};
                (void)slm_limit_conn_join(zone, &mine);
                for (uint64_t i = 0;; i++) {
                    std::string key = key_name(i * 7919 % 5);
                    slm_limit_conn_grant got = {};
                    (void)slm_limit_conn_release(zone, &mine, &leases[i % 16], nullptr);
                    (void)slm_limit_conn_acquire(zone, &mine, key.data(), key.size(), 9, &got);
                    leases[i % 16] = got.lease;
                    progress.step();
                }
            });
            progress.await(40 + round * 17);
        }
        ASSERT_EQ(check(), 0u);
        ASSERT_EQ(slm_limit_conn_reclaim(zone, nullptr), SLM_OK);
        ASSERT_EQ(stats().n_connections, 0u) << "all came back";
        ASSERT_EQ(stats().n_keys, 0u);
        ASSERT_EQ(check(), 0u);
    }
}

/* Breaks each by writing one word without the journal. */
TEST_F(LimitConn, CheckReturnsTheNumberOfTheBrokenInvariant)
{
    slm_lease lease = must_acquire("a");
    must_acquire("b");
    auto *head = static_cast<slm_keyed *>(slm_zone_root_locked(zone));
    auto *book = reinterpret_cast<slm_lease_book *>(head + 1);
    auto *slot = reinterpret_cast<slm_lease_slot *>(book + 1) + worker.slot_idx;
    auto *count =
        reinterpret_cast<slm_lease_count *>(slm_table_oldest_locked(zone, &head->table) + 1);
    auto broken_by = [&](uint64_t *word, uint64_t value) {
        uint64_t kept = *word;
        *word = value;
        unsigned broken = check();
        *word = kept;
        return broken;
    };
    EXPECT_EQ(broken_by(&slot->identity, 0), 212u);
    EXPECT_EQ(broken_by(&count->leases.newest, 8), 214u);
    EXPECT_EQ(check(), 0u);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_lease_give_locked(zone, book, &worker, &lease, nullptr), SLM_OK);
    EXPECT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    EXPECT_EQ(slm_limit_conn_check_locked(zone), 221u) << "the key has no connection";
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
}

} // namespace
