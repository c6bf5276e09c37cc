/* SPDX-License-Identifier: Apache-2.0 */
/* Cache index: uses, opens, expiry, eviction when memory is out, workers that die. */
#include <map>
#include <random>
#include <vector>

#include "examples/common/fixture.h"

extern "C" {
#include "examples/cache_index/cache_index.h"
}

namespace {

using namespace example_test;

class CacheIndex : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(slm_cache_index_init(zone), SLM_OK);
        ASSERT_EQ(slm_cache_index_join(zone, &worker), SLM_OK);
    }
    enum slm_status open(const std::string &key, uint64_t now_ms, uint64_t inactive_ms = 1000)
    {
        return slm_cache_index_open(zone, &worker, key.data(), key.size(), inactive_ms, now_ms,
                                    &use);
    }
    enum slm_status close(const slm_lease &lease)
    {
        return slm_cache_index_close(zone, &worker, &lease);
    }
    /* Opens and closes the key at once. */
    void visit(const std::string &key, uint64_t now_ms, uint64_t inactive_ms = 1000)
    {
        ASSERT_EQ(open(key, now_ms, inactive_ms), SLM_OK);
        ASSERT_EQ(close(use.lease), SLM_OK);
    }
    slm_cache_index_info look(const std::string &key)
    {
        slm_cache_index_info info = {};
        EXPECT_EQ(slm_cache_index_get_info(zone, key.data(), key.size(), &info), SLM_OK);
        return info;
    }
    size_t expire(uint64_t now_ms, size_t max = SIZE_MAX)
    {
        size_t n = 0;
        EXPECT_EQ(slm_cache_index_expire(zone, 1000, now_ms, max, &n), SLM_OK);
        return n;
    }
    struct slm_cache_index_stats stats()
    {
        struct slm_cache_index_stats found = {};
        EXPECT_EQ(slm_cache_index_get_stats(zone, &found), SLM_OK);
        return found;
    }
    unsigned check()
    {
        return zone.check(slm_cache_index_check_locked);
    }
    Zone zone{SLM_ZONE_BYTES_MIN};
    slm_lease_worker worker = {};
    slm_cache_index_use use = {};
};

TEST_F(CacheIndex, CountsUsesAndOpens)
{
    ASSERT_EQ(open("a", 5), SLM_OK);
    EXPECT_EQ(use.n_uses, 1u);
    slm_lease first = use.lease;
    ASSERT_EQ(open("a", 7), SLM_OK);
    EXPECT_EQ(use.n_uses, 2u);
    EXPECT_EQ(look("a").n_open, 2u);
    EXPECT_EQ(look("a").expires_ms, 1007u);
    EXPECT_EQ(close(first), SLM_OK);
    EXPECT_EQ(close(first), SLM_E_NOT_MEMBER);
    EXPECT_EQ(look("a").n_open, 1u);
    EXPECT_EQ(look("a").n_uses, 2u);
    EXPECT_EQ(look("b").n_uses, 0u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(CacheIndex, KeyIsDroppedWhenItExpires)
{
    visit("a", 0);
    visit("b", 500);
    EXPECT_EQ(expire(999), 0u);
    EXPECT_EQ(expire(1000), 1u);
    EXPECT_EQ(look("a").n_uses, 0u);
    EXPECT_EQ(look("b").n_uses, 1u);
    EXPECT_EQ(stats().keys.n_expired, 1u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(CacheIndex, UseGivesAKeyItsTimeAgain)
{
    visit("a", 0);
    visit("b", 1);
    visit("a", 900);
    EXPECT_EQ(expire(1001), 1u);
    EXPECT_EQ(look("a").n_uses, 2u);
    EXPECT_EQ(look("b").n_uses, 0u);
}

TEST_F(CacheIndex, OpenKeyIsKeptAndGetsItsTimeAgain)
{
    ASSERT_EQ(open("a", 0), SLM_OK);
    slm_lease lease = use.lease;
    EXPECT_EQ(expire(5000), 0u);
    EXPECT_EQ(look("a").expires_ms, 6000u);
    EXPECT_EQ(close(lease), SLM_OK);
    EXPECT_EQ(expire(5999), 0u);
    EXPECT_EQ(expire(6000), 1u);
}

TEST_F(CacheIndex, ExpiryExaminesNoMoreKeysThanAllowed)
{
    for (uint64_t i = 0; i < 10; i++) {
        visit(key_name(i), 0);
    }
    EXPECT_EQ(expire(1000, 4), 4u);
    EXPECT_EQ(stats().keys.n_entries, 6u);
}

TEST_F(CacheIndex, TimesThatWouldWrapNeverExpire)
{
    visit("a", UINT64_MAX - 1, UINT64_MAX);
    EXPECT_EQ(look("a").expires_ms, UINT64_MAX);
    EXPECT_EQ(expire(UINT64_MAX - 1), 0u);
}

TEST_F(CacheIndex, OldestKeyThatIsNotOpenIsDroppedWhenMemoryIsOut)
{
    ASSERT_EQ(open(key_name(0), 0), SLM_OK);
    slm_lease held = use.lease;
    uint64_t n = 1;
    while (stats().keys.n_evicted == 0) {
        visit(key_name(n++), 0);
    }
    EXPECT_EQ(look(key_name(0)).n_open, 1u) << "the oldest of all, but open";
    EXPECT_EQ(look(key_name(1)).n_uses, 0u);
    EXPECT_EQ(look(key_name(n - 1)).n_uses, 1u);
    EXPECT_EQ(close(held), SLM_OK);
    EXPECT_EQ(check(), 0u);
}

TEST_F(CacheIndex, LongKeysEvictShortOnesUntilTheyFit)
{
    uint64_t n = 0;
    while (stats().keys.n_evicted == 0) {
        visit(key_name(n++), 0);
    }
    for (uint64_t i = 0; i < 50; i++) {
        std::string key = key_name(i) + std::string(SLM_TABLE_KEY_BYTES_MAX - 20, 'k');
        ASSERT_EQ(open(key, 0), SLM_OK) << i;
        ASSERT_EQ(close(use.lease), SLM_OK);
        ASSERT_EQ(look(key).n_uses, 1u);
    }
    EXPECT_EQ(stats().keys.n_entries, n + 50 - stats().keys.n_evicted);
    EXPECT_EQ(check(), 0u);
}

TEST_F(CacheIndex, ReportsMemoryOutWhenAllKeysAreOpen)
{
    std::vector<slm_lease> leases;
    enum slm_status status;
    while ((status = open(key_name(leases.size()), 0)) == SLM_OK) {
        leases.push_back(use.lease);
    }
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_EQ(stats().keys.n_entries, leases.size());
    EXPECT_EQ(stats().keys.n_evicted, 0u);
    EXPECT_EQ(check(), 0u);
    for (const slm_lease &lease : leases) {
        ASSERT_EQ(close(lease), SLM_OK);
    }
    EXPECT_EQ(open("new", 0), SLM_OK);
}

TEST_F(CacheIndex, LeasesOfDeadWorkersGoFirstWhenMemoryIsOut)
{
    Progress progress;
    Child child([&] {
        slm_lease_worker mine = {};
        (void)slm_cache_index_join(zone, &mine);
        slm_cache_index_use got = {};
        for (uint64_t i = 0;; i++) {
            std::string key = key_name(i);
            if (slm_cache_index_open(zone, &mine, key.data(), key.size(), 1000, 0, &got) !=
                SLM_OK) {
                break;
            }
        }
        progress.step();
    });
    progress.await(1);
    EXPECT_EQ(open("new", 0), SLM_E_NOMEM);
    uint64_t n_open = stats().n_open;
    child.kill_now();
    EXPECT_EQ(open("new", 0), SLM_OK);
    EXPECT_EQ(stats().n_reclaimed, n_open);
    EXPECT_EQ(stats().n_open, 1u);
    EXPECT_EQ(look(key_name(0)).n_open, 0u);
    EXPECT_EQ(check(), 0u);
}

TEST_F(CacheIndex, RefusesMisuseAndChangesNothing)
{
    EXPECT_EQ(open("", 0), SLM_E_SIZE);
    EXPECT_EQ(slm_cache_index_open(zone, nullptr, "a", 1, 1, 0, &use), SLM_E_NULL);
    EXPECT_EQ(slm_cache_index_open(zone, &worker, "a", 1, 1, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_cache_index_open(nullptr, &worker, "a", 1, 1, 0, &use), SLM_E_NULL);
    slm_lease_worker other = {worker.slot_idx + 1};
    EXPECT_EQ(slm_cache_index_open(zone, &other, "a", 1, 1, 0, &use), SLM_E_OWNER);
    EXPECT_EQ(slm_cache_index_close(zone, &worker, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_cache_index_get_info(zone, "a", 1, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_cache_index_join(zone, &worker), SLM_E_DUPLICATE);
    EXPECT_EQ(stats().keys.n_entries, 0u);
    Zone bare;
    EXPECT_EQ(slm_cache_index_expire(bare, 1, 1, 1, nullptr), SLM_E_STATE);
}

TEST_F(CacheIndex, LeavingClosesAllKeysAndKeepsThem)
{
    ASSERT_EQ(open("a", 0), SLM_OK);
    ASSERT_EQ(open("b", 0), SLM_OK);
    EXPECT_EQ(slm_cache_index_leave(zone, &worker), SLM_OK);
    EXPECT_EQ(stats().n_open, 0u);
    EXPECT_EQ(stats().keys.n_entries, 2u);
    EXPECT_EQ(open("a", 0), SLM_E_OWNER);
}

TEST_F(CacheIndex, AgreesWithAPlainAccountOverTwoMappings)
{
    Zone second(&zone);
    std::mt19937_64 random(11);
    std::map<std::string, uint64_t> uses;
    std::vector<std::pair<std::string, slm_lease>> open_now;
    for (uint64_t i = 0; i < 5000; i++) {
        std::string key = key_name(random() % 20);
        ASSERT_EQ(slm_cache_index_open(i % 2 == 0 ? zone : second, &worker, key.data(), key.size(),
                                       1000000, i, &use),
                  SLM_OK);
        ASSERT_EQ(use.n_uses, ++uses[key]);
        open_now.emplace_back(key, use.lease);
        if (open_now.size() > 30) {
            std::swap(open_now[random() % open_now.size()], open_now.back());
            ASSERT_EQ(slm_cache_index_close(second, &worker, &open_now.back().second), SLM_OK);
            open_now.pop_back();
        }
    }
    std::map<std::string, uint64_t> held;
    for (const auto &[key, lease] : open_now) {
        held[key]++;
    }
    for (const auto &[key, n] : uses) {
        EXPECT_EQ(look(key).n_uses, n);
        EXPECT_EQ(look(key).n_open, held[key]);
    }
    EXPECT_EQ(second.check(slm_cache_index_check_locked), 0u);
}

TEST_F(CacheIndex, IsIntactWhereverAWorkerIsKilled)
{
    for (unsigned round = 0; round < 30; round++) {
        Progress progress;
        {
            Child child([&] {
                slm_lease_worker mine = {};
                slm_cache_index_use uses[8] = {};
                (void)slm_cache_index_join(zone, &mine);
                for (uint64_t i = 0;; i++) {
                    std::string key = key_name(i * 7919 % 500);
                    (void)slm_cache_index_close(zone, &mine, &uses[i % 8].lease);
                    (void)slm_cache_index_open(zone, &mine, key.data(), key.size(), 100, i,
                                               &uses[i % 8]);
                    (void)slm_cache_index_expire(zone, 100, i, 3, nullptr);
                    progress.step();
                }
            });
            progress.await(40 + round * 17);
        }
        ASSERT_EQ(check(), 0u);
        ASSERT_EQ(slm_cache_index_reclaim(zone, nullptr), SLM_OK);
        ASSERT_EQ(stats().n_open, 0u);
        ASSERT_EQ(check(), 0u);
    }
}

TEST_F(CacheIndex, CheckFindsImpossibleUseCounts)
{
    ASSERT_EQ(open("a", 0), SLM_OK);
    auto *head = static_cast<slm_keyed *>(slm_zone_root_locked(zone));
    slm_table_entry *entry = slm_table_oldest_locked(zone, &head->table);
    auto *opens = reinterpret_cast<slm_lease_count *>(entry + 1);
    auto *n_uses = reinterpret_cast<uint64_t *>(opens + 1);
    ASSERT_EQ(*n_uses, 1u);
    *n_uses = 0;
    EXPECT_EQ(check(), 231u);
    *n_uses = 1;
    EXPECT_EQ(check(), 0u);
    ASSERT_EQ(open("a", 0), SLM_OK);
    *n_uses = 1;
    EXPECT_EQ(check(), 231u);
}

} // namespace
