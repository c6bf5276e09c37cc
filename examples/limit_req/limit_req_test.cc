/* SPDX-License-Identifier: Apache-2.0 */
/* limit_req: nginx's arithmetic, eviction when memory is out, two mappings, workers that die. */
#include <algorithm>
#include <map>
#include <random>

#include "examples/common/fixture.h"

extern "C" {
#include "examples/limit_req/limit_req.h"
}

namespace {

using namespace example_test;

class LimitReq : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(slm_limit_req_init(zone), SLM_OK);
    }
    enum slm_status hit(const std::string &key, uint64_t now_ms)
    {
        return slm_limit_req_hit(zone, key.data(), key.size(), &rule, now_ms, &verdict);
    }
    bool passes(const std::string &key, uint64_t now_ms)
    {
        EXPECT_EQ(hit(key, now_ms), SLM_OK);
        return !verdict.is_limited;
    }
    bool is_known(const std::string &key, uint64_t now_ms)
    {
        EXPECT_EQ(slm_limit_req_peek(zone, key.data(), key.size(), &rule, now_ms, &verdict),
                  SLM_OK);
        return verdict.excess_milli != 0;
    }
    struct slm_keyed_stats stats()
    {
        struct slm_keyed_stats found = {};
        EXPECT_EQ(slm_limit_req_get_stats(zone, &found), SLM_OK);
        return found;
    }
    /* Uses new keys until one more would evict; returns how many there are. */
    uint64_t fill(uint64_t now_ms)
    {
        uint64_t n = 0;
        while (stats().n_evicted == 0) {
            EXPECT_TRUE(passes(key_name(n++), now_ms));
        }
        return n;
    }
    Zone zone{SLM_ZONE_BYTES_MIN};
    slm_limit_req_rule rule = {1000, 5000}; /* 1 a second, 5 more at once */
    slm_limit_req_verdict verdict = {};
};

TEST_F(LimitReq, LetsTheBurstThroughAndThenLimits)
{
    for (uint32_t i = 0; i <= 5; i++) {
        EXPECT_TRUE(passes("a", 1000));
        EXPECT_EQ(verdict.excess_milli, i * 1000);
    }
    EXPECT_FALSE(passes("a", 1000));
    EXPECT_EQ(verdict.excess_milli, 6000u);
    EXPECT_TRUE(passes("b", 1000)) << "another key has a bucket of its own";
}

TEST_F(LimitReq, DrainsByElapsedMillisecondsInThousandths)
{
    rule = {1500, 2000}; /* 1.5 a second */
    EXPECT_TRUE(passes("a", 0));
    EXPECT_TRUE(passes("a", 1));
    EXPECT_EQ(verdict.excess_milli, 999u); /* 1000 - 1 * 1500 / 1000 */
    EXPECT_TRUE(passes("a", 101));
    EXPECT_EQ(verdict.excess_milli, 1849u); /* 999 + 1000 - 150 */
    EXPECT_TRUE(passes("a", 100000));
    EXPECT_EQ(verdict.excess_milli, 0u);
}

TEST_F(LimitReq, LimitedRequestAddsNothing)
{
    rule = {1000, 0};
    EXPECT_TRUE(passes("a", 0));
    for (uint64_t now = 1; now < 1000; now += 100) {
        EXPECT_FALSE(passes("a", now));
    }
    EXPECT_TRUE(passes("a", 1000));
}

TEST_F(LimitReq, ClockThatGoesBackDrainsNothing)
{
    rule = {1000, 1000};
    EXPECT_TRUE(passes("a", 100000));
    EXPECT_TRUE(passes("a", 99000));
    EXPECT_FALSE(passes("a", 98000));
    EXPECT_EQ(verdict.excess_milli, 2000u);
    EXPECT_FALSE(passes("a", 1)); /* set back by more than a minute: one millisecond */
    EXPECT_EQ(verdict.excess_milli, 1999u);
}

TEST_F(LimitReq, TimesThatWouldWrapDrainAll)
{
    rule = {UINT32_MAX, UINT32_MAX};
    EXPECT_TRUE(passes("a", 0));
    EXPECT_TRUE(passes("a", 0));
    EXPECT_TRUE(passes("a", UINT64_MAX));
    EXPECT_EQ(verdict.excess_milli, 0u);
}

TEST_F(LimitReq, RefusesMisuseAndChangesNothing)
{
    std::string longest(SLM_TABLE_KEY_BYTES_MAX, 'k');
    EXPECT_EQ(hit("", 0), SLM_E_SIZE);
    EXPECT_EQ(hit(longest + "k", 0), SLM_E_SIZE);
    EXPECT_EQ(slm_limit_req_hit(zone, nullptr, 1, &rule, 0, &verdict), SLM_E_NULL);
    EXPECT_EQ(slm_limit_req_hit(zone, "a", 1, nullptr, 0, &verdict), SLM_E_NULL);
    EXPECT_EQ(slm_limit_req_hit(zone, "a", 1, &rule, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_limit_req_hit(nullptr, "a", 1, &rule, 0, &verdict), SLM_E_NULL);
    rule.rate_milli = 0;
    EXPECT_EQ(hit("a", 0), SLM_E_OPTION);
    EXPECT_EQ(stats().n_entries, 0u);
    rule.rate_milli = 1;
    EXPECT_EQ(hit(longest, 0), SLM_OK);
}

TEST_F(LimitReq, ZoneWithAnotherRootIsRefused)
{
    Zone other;
    EXPECT_EQ(slm_limit_req_hit(other, "a", 1, &rule, 0, &verdict), SLM_E_STATE);
    ASSERT_EQ(slm_zone_lock(other), SLM_OK);
    void *root = slm_journal_calloc(slm_zone_journal(other), 200);
    ASSERT_EQ(slm_zone_set_root_locked(other, root), SLM_OK);
    ASSERT_EQ(slm_zone_unlock(other), SLM_OK);
    EXPECT_EQ(slm_limit_req_init(other), SLM_E_STATE);
    EXPECT_EQ(slm_zone_root_locked(other), root);
    Zone short_journal(SLM_ZONE_BYTES_MIN, SLM_JOURNAL_ENTRIES_MIN);
    EXPECT_EQ(slm_limit_req_init(short_journal), SLM_E_OPTION);
}

TEST_F(LimitReq, FindsItsHeadAgain)
{
    EXPECT_TRUE(passes("a", 0));
    EXPECT_EQ(slm_limit_req_init(zone), SLM_OK);
    EXPECT_TRUE(passes("a", 0));
    EXPECT_EQ(verdict.excess_milli, 1000u);
}

TEST_F(LimitReq, OldestKeyIsEvictedWhenMemoryIsOut)
{
    uint64_t n = fill(1000);
    EXPECT_EQ(stats().n_entries, n - 1);
    EXPECT_FALSE(is_known(key_name(0), 1000));
    EXPECT_TRUE(is_known(key_name(1), 1000)) << "no key was idle, so only one was evicted";
    EXPECT_TRUE(is_known(key_name(n - 1), 1000));
    EXPECT_EQ(zone.check(slm_limit_req_check_locked), 0u);
}

TEST_F(LimitReq, KeyThatWasUsedIsNotTheOldest)
{
    uint64_t n = fill(1000);
    EXPECT_TRUE(passes(key_name(1), 1000));
    EXPECT_TRUE(passes("new", 1000));
    EXPECT_TRUE(is_known(key_name(1), 1000));
    EXPECT_FALSE(is_known(key_name(2), 1000));
    EXPECT_EQ(stats().n_entries, n - 1);
}

TEST_F(LimitReq, EachNewKeyDropsTwoIdleOnes)
{
    for (uint64_t i = 0; i < 10; i++) {
        EXPECT_TRUE(passes(key_name(i), 0));
    }
    EXPECT_TRUE(passes("early", SLM_LIMIT_REQ_IDLE_MS - 1));
    EXPECT_EQ(stats().n_entries, 11u) << "no key was idle long enough";
    EXPECT_TRUE(passes("late", SLM_LIMIT_REQ_IDLE_MS));
    EXPECT_EQ(stats().n_entries, 10u);
    EXPECT_EQ(stats().n_expired, 2u);
    EXPECT_EQ(zone.check(slm_limit_req_check_locked), 0u);
}

TEST_F(LimitReq, KeyWithExcessIsNotIdle)
{
    rule = {1, 5000}; /* drains 60 in a minute */
    EXPECT_TRUE(passes("a", 0));
    EXPECT_TRUE(passes("a", 0));
    EXPECT_TRUE(passes("b", SLM_LIMIT_REQ_IDLE_MS));
    EXPECT_EQ(stats().n_entries, 2u);
}

/* A zone full of short keys has room for any number of long ones, in place of the oldest. */
TEST_F(LimitReq, LongKeysEvictShortOnesUntilTheyFit)
{
    uint64_t n = fill(1000);
    for (uint64_t i = 0; i < 100; i++) {
        std::string key = key_name(i) + std::string(SLM_TABLE_KEY_BYTES_MAX - 20, 'k');
        ASSERT_EQ(hit(key, 1000), SLM_OK) << i;
        ASSERT_TRUE(is_known(key, 1000));
    }
    EXPECT_GE(stats().n_evicted, 100u);
    EXPECT_EQ(stats().n_entries, n + 100 - stats().n_evicted);
    EXPECT_EQ(zone.check(slm_limit_req_check_locked), 0u);
}

/* nginx's words: excess = max(0, excess - rate * ms / 1000 + 1000). */
TEST_F(LimitReq, AgreesWithAPlainAccountOverTwoMappings)
{
    Zone big(1024 * 1024);
    Zone second(&big);
    ASSERT_EQ(slm_limit_req_init(big), SLM_OK);
    std::mt19937_64 random(7);
    std::map<std::string, std::pair<int64_t, uint64_t>> account;
    uint64_t now = 0;
    for (int i = 0; i < 20000; i++) {
        now += random() % 40;
        std::string key = key_name(random() % 100);
        auto [at, is_new] = account.try_emplace(key, 0, now);
        int64_t excess = 0;
        if (!is_new) {
            auto drained = static_cast<int64_t>((now - at->second.second) * 1000 / 1000);
            excess = std::max<int64_t>(0, at->second.first - drained + 1000);
        }
        ASSERT_EQ(slm_limit_req_hit(i % 2 == 0 ? big : second, key.data(), key.size(), &rule, now,
                                    &verdict),
                  SLM_OK);
        ASSERT_EQ(verdict.is_limited, excess > 5000);
        ASSERT_EQ(static_cast<int64_t>(verdict.excess_milli), excess);
        if (!verdict.is_limited) {
            at->second = {excess, now};
        }
    }
    EXPECT_EQ(second.check(slm_limit_req_check_locked), 0u);
}

TEST_F(LimitReq, IsIntactWhereverAWorkerIsKilled)
{
    for (unsigned round = 0; round < 30; round++) {
        Progress progress;
        {
            Child child([&] {
                for (uint64_t i = 0;; i++) {
                    (void)hit(key_name(i * 7919 % 1000), i);
                    progress.step();
                }
            });
            progress.await(50 + round * 13);
        }
        ASSERT_EQ(zone.check(slm_limit_req_check_locked), 0u);
        ASSERT_TRUE(passes("alive", 1000000 * (round + 1)));
    }
    EXPECT_GT(stats().n_evicted, 0u);
}

/* Breaks each by writing one word without the journal. */
TEST_F(LimitReq, CheckReturnsTheNumberOfTheBrokenInvariant)
{
    EXPECT_TRUE(passes("a", 0));
    EXPECT_TRUE(passes("b", 0));
    auto *head = static_cast<slm_keyed *>(slm_zone_root_locked(zone));
    auto *entry = slm_table_oldest_locked(zone, &head->table);
    auto broken_by = [&](auto *word, auto value) {
        auto kept = *word;
        *word = static_cast<decltype(kept)>(value);
        unsigned broken = zone.check(slm_limit_req_check_locked);
        *word = kept;
        return broken;
    };
    EXPECT_EQ(broken_by(&head->magic, 1), 208u);
    EXPECT_EQ(broken_by(&head->table.by_key.n_nodes, 3), 202u);
    EXPECT_EQ(broken_by(&entry->key_at, 8), 204u);
    EXPECT_EQ(zone.check(slm_limit_req_check_locked), 0u);
}

TEST_F(LimitReq, CheckFindsAnEntryOfAnotherShapeAndALeak)
{
    EXPECT_TRUE(passes("a", 0));
    auto *head = static_cast<slm_keyed *>(slm_zone_root_locked(zone));
    const slm_table_shape shape = {sizeof(slm_table_entry), 0, nullptr, nullptr, false};
    slm_table_key key = {};
    ASSERT_EQ(slm_table_key_init(&key, "b", 1), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_NE(slm_table_get_locked(zone, &head->table, &key, &shape, nullptr, nullptr), nullptr);
    EXPECT_EQ(slm_limit_req_check_locked(zone), 209u);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_limit_req_check_locked(zone), 0u);
    ASSERT_NE(slm_journal_alloc(slm_zone_journal(zone), 100), nullptr);
    EXPECT_EQ(slm_limit_req_check_locked(zone), 207u);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_limit_req_check_locked(zone), 0u);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
}

} // namespace
