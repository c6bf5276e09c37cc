/* SPDX-License-Identifier: Apache-2.0 */
/* limit_req's counts, and its move to a zone of another size. */
#include "examples/common/fixture.h"

extern "C" {
#include "examples/limit_req/limit_req.h"
}

namespace {

using namespace example_test;

constexpr slm_limit_req_rule kRule = {1000, 2000}; /* 1 a second, 2 more at once */

/* Whether the request passes; counted. */
bool passes(slm_zone *zone, const std::string &key, uint64_t now_ms)
{
    slm_limit_req_verdict verdict = {};
    EXPECT_EQ(slm_limit_req_hit_counted(zone, key.data(), key.size(), &kRule, now_ms, &verdict),
              SLM_OK);
    return !verdict.is_limited;
}

uint32_t excess(slm_zone *zone, const std::string &key, uint64_t now_ms)
{
    slm_limit_req_verdict verdict = {};
    EXPECT_EQ(slm_limit_req_peek(zone, key.data(), key.size(), &kRule, now_ms, &verdict), SLM_OK);
    return verdict.excess_milli;
}

slm_limit_req_counts counts_of(slm_zone *zone)
{
    slm_limit_req_counts counts = {};
    EXPECT_EQ(slm_limit_req_get_counts(zone, &counts), SLM_OK);
    return counts;
}

std::string key_of(uint64_t number)
{
    return "key " + std::to_string(number);
}

/* Moves as a zone's option does: under the locks of both, to's transaction committed if OK. */
slm_status move(slm_zone *to, slm_zone *from)
{
    EXPECT_EQ(slm_zone_lock(from), SLM_OK);
    EXPECT_EQ(slm_zone_lock(to), SLM_OK);
    slm_status status = slm_limit_req_move(to, from, nullptr);
    slm_status ended = slm_zone_end(to, status);
    EXPECT_EQ(slm_zone_end(from, SLM_OK), SLM_OK);
    return ended;
}

TEST(LimitReqCounts, EachVerdictIsCountedOnce)
{
    Zone zone;
    ASSERT_EQ(slm_limit_req_init(zone), SLM_OK);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(passes(zone, "a", 0), i < 3);
    }
    EXPECT_TRUE(passes(zone, "b", 0));
    slm_limit_req_counts counts = counts_of(zone);
    EXPECT_EQ(counts.n_keys, 2u);
    EXPECT_EQ(counts.n_passed, 4u);
    EXPECT_EQ(counts.n_limited, 5u);
}

TEST(LimitReqCounts, AHitThatIsNotCountedAndARefusedOneChangeNoCount)
{
    Zone zone;
    slm_limit_req_verdict verdict = {};
    slm_limit_req_counts counts = {};
    EXPECT_EQ(slm_limit_req_get_counts(zone, &counts), SLM_E_STATE) << "no head";
    ASSERT_EQ(slm_limit_req_init(zone), SLM_OK);
    EXPECT_EQ(slm_limit_req_hit(zone, "a", 1, &kRule, 0, &verdict), SLM_OK);
    EXPECT_EQ(slm_limit_req_hit_counted(zone, "", 0, &kRule, 0, &verdict), SLM_E_SIZE);
    EXPECT_EQ(slm_limit_req_hit_counted(zone, "a", 1, nullptr, 0, &verdict), SLM_E_NULL);
    EXPECT_EQ(slm_limit_req_hit_counted(zone, "a", 1, &kRule, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_limit_req_get_counts(zone, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_limit_req_get_counts(nullptr, &counts), SLM_E_NULL);
    EXPECT_EQ(counts_of(zone).n_passed + counts_of(zone).n_limited, 0u);
}

/* The count is part of the hit: all answered ones are counted, and at most one that was not. */
TEST(LimitReqCounts, EachHitIsCountedWhereverAWorkerIsKilled)
{
    Zone zone;
    ASSERT_EQ(slm_limit_req_init(zone), SLM_OK);
    uint64_t n_before = 0;
    for (unsigned round = 0; round < 30; round++) {
        Progress progress;
        {
            Child child([&] {
                for (uint64_t i = 0;; i++) {
                    (void)passes(zone, key_of(i % 50), 0);
                    progress.step();
                }
            });
            progress.await(50 + round * 13);
        }
        slm_limit_req_counts counts = counts_of(zone);
        uint64_t n = counts.n_passed + counts.n_limited - n_before;
        EXPECT_GE(n, progress.now());
        EXPECT_LE(n, progress.now() + 1);
        n_before += n;
        ASSERT_EQ(zone.check(slm_limit_req_check_locked), 0u);
    }
    EXPECT_EQ(counts_of(zone).n_passed, 150u);
}

TEST(LimitReqMove, KeepsEachExcessTheOrderOfUseAndTheCounts)
{
    Zone from;
    Zone to(1024 * 1024);
    ASSERT_EQ(slm_limit_req_init(from), SLM_OK);
    for (uint64_t i = 0; i < 300; i++) {
        for (uint64_t n = 0; n <= i % 4; n++) {
            (void)passes(from, key_of(i), 5);
        }
    }
    slm_limit_req_counts before = counts_of(from);
    ASSERT_EQ(move(to, from), SLM_OK);
    EXPECT_EQ(to.check(slm_limit_req_check_locked), 0u);
    slm_limit_req_counts after = counts_of(to);
    EXPECT_EQ(after.n_keys, 300u);
    EXPECT_EQ(after.n_passed, before.n_passed);
    EXPECT_EQ(after.n_limited, before.n_limited);
    EXPECT_EQ(after.n_evicted, 0u);
    for (uint64_t i = 0; i < 300; i++) {
        ASSERT_EQ(excess(to, key_of(i), 5), excess(from, key_of(i), 5)) << i;
        ASSERT_EQ(excess(to, key_of(i), 6), excess(from, key_of(i), 6)) << i;
    }
    /* A minute later, each new key drops two idle ones, the oldest first. */
    EXPECT_TRUE(passes(to, "new", 5 + SLM_LIMIT_REQ_IDLE_MS));
    EXPECT_EQ(excess(to, key_of(3), 5), 3000u);
    EXPECT_EQ(excess(to, key_of(1), 5), 0u);
}

TEST(LimitReqMove, AShorterZoneKeepsTheNewestKeysAndCountsTheOthersAsEvicted)
{
    Zone from(1024 * 1024);
    Zone to(SLM_ZONE_BYTES_MIN);
    ASSERT_EQ(slm_limit_req_init(from), SLM_OK);
    for (uint64_t i = 0; i < 4000; i++) {
        (void)passes(from, key_of(i), 0);
        (void)passes(from, key_of(i), 0);
    }
    ASSERT_EQ(move(to, from), SLM_OK);
    EXPECT_EQ(to.check(slm_limit_req_check_locked), 0u);
    slm_limit_req_counts after = counts_of(to);
    EXPECT_GT(after.n_keys, 50u);
    EXPECT_LT(after.n_keys, 4000u);
    EXPECT_EQ(after.n_keys + after.n_evicted, 4000u);
    EXPECT_EQ(after.n_passed, 8000u);
    for (uint64_t i = 0; i < 4000; i++) {
        ASSERT_EQ(excess(to, key_of(i), 0), i < after.n_evicted ? 0u : 2000u) << i;
    }
}

TEST(LimitReqMove, RefusesAZoneThatIsNotLimitReqs)
{
    Zone from;
    Zone to;
    EXPECT_EQ(move(to, from), SLM_E_STATE);
    EXPECT_EQ(slm_zone_root_locked(to), nullptr);
}

} // namespace
