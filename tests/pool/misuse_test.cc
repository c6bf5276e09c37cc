/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: every kind of wrong pointer has its own status, and none changes anything. */
#include <vector>

#include "allocator/pool/layout.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::same;
using slm_test::TestPool;

/* What free returns for p; it must change nothing. */
slm_status free_in_vain(TestPool *t, void *p)
{
    struct slm_pool_stats before = t->stats();
    slm_pool fast = *t->pool;
    slm_status status = slm_pool_free(t->pool, p);
    EXPECT_TRUE(same(before, t->stats()));
    EXPECT_EQ(fast.low, t->pool->low);
    EXPECT_EQ(fast.high, t->pool->high);
    EXPECT_EQ(slm_pool_check(t->pool), 0u);
    return status;
}

slm_status refused(TestPool *t, void *p)
{
    slm_status status = free_in_vain(t, p);
    EXPECT_NE(status, SLM_OK);
    return status;
}

void ignore(void *)
{
}

class PoolMisuse : public testing::TestWithParam<size_t> {
  protected:
    PoolMisuse() : t(GetParam())
    {
        for (int i = 0; i < 40; i++) {
            last_small = t.alloc(50);
            t.nalloc(50);
        }
        large = t.alloc(5000);
        huge = t.alloc(70000);
        EXPECT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 0, nullptr), SLM_OK);
    }

    TestPool t;
    unsigned char *last_small = nullptr;
    unsigned char *large = nullptr;
    unsigned char *huge = nullptr;
};

INSTANTIATE_TEST_SUITE_P(BlockBytes, PoolMisuse, testing::Values(512, 1024, 4096));

TEST_P(PoolMisuse, FreeOfNullIsHarmless)
{
    EXPECT_EQ(slm_pool_free(nullptr, large), SLM_E_NULL);
    EXPECT_EQ(free_in_vain(&t, nullptr), SLM_OK);
}

TEST_P(PoolMisuse, InsideALargeBlockIsInterior)
{
    for (size_t offset : {size_t{1}, size_t{8}, size_t{16}, size_t{2500}, size_t{4999}}) {
        EXPECT_EQ(refused(&t, large + offset), SLM_E_INTERIOR);
        EXPECT_EQ(refused(&t, huge + offset * 14), SLM_E_INTERIOR);
    }
    EXPECT_EQ(refused(&t, huge + 69999), SLM_E_INTERIOR);
}

TEST_P(PoolMisuse, PastTheEndOfALargeBlockIsForeign)
{
    EXPECT_EQ(refused(&t, huge + 70000), SLM_E_FOREIGN);
}

TEST_P(PoolMisuse, HeadersAndRecordsAreMetadata)
{
    EXPECT_EQ(refused(&t, t.pool), SLM_E_METADATA);
    EXPECT_EQ(refused(&t, t.pool->rest), SLM_E_METADATA);
    EXPECT_EQ(refused(&t, slm_pool_first_block(t.pool)), SLM_E_METADATA);
    EXPECT_EQ(refused(&t, slm_pool_first_block(t.pool)->next), SLM_E_METADATA);
    EXPECT_EQ(refused(&t, t.pool->rest->large), SLM_E_METADATA);
    EXPECT_EQ(refused(&t, t.pool->rest->large->buckets), SLM_E_METADATA);
    EXPECT_EQ(refused(&t, t.pool->rest->cleanups), SLM_E_METADATA);
    for (int i = 0; i < 20; i++) {
        t.alloc(5000);
    }
    EXPECT_EQ(refused(&t, t.pool->rest->large->buckets + 1), SLM_E_METADATA);
}

TEST_P(PoolMisuse, PointersIntoSmallObjectsLeaveThemUnchanged)
{
    EXPECT_EQ(refused(&t, last_small), SLM_UNCHANGED);
    EXPECT_EQ(refused(&t, last_small + 13), SLM_UNCHANGED);
    EXPECT_EQ(refused(&t, slm_pool_block_start(t.pool, slm_pool_first_block(t.pool))),
              SLM_UNCHANGED);
}

TEST_P(PoolMisuse, FreeSpaceOfAnyBlockIsForeign)
{
    EXPECT_EQ(refused(&t, t.pool->low), SLM_E_FOREIGN);
    EXPECT_EQ(refused(&t, t.pool->high - 1), SLM_E_FOREIGN);
    slm_pool_block *last = t.pool->rest->last;
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(refused(&t, last_small), SLM_E_FOREIGN);
    EXPECT_EQ(refused(&t, slm_pool_block_start(t.pool, last)), SLM_E_FOREIGN);
}

TEST_P(PoolMisuse, AnotherPoolsObjectsAndTheStackAreForeign)
{
    TestPool other;
    int local = 0;
    EXPECT_EQ(refused(&t, other.alloc(100)), SLM_E_FOREIGN);
    EXPECT_EQ(refused(&t, other.alloc(5000)), SLM_E_FOREIGN);
    EXPECT_EQ(refused(&t, other.pool), SLM_E_FOREIGN);
    EXPECT_EQ(refused(&t, &local), SLM_E_FOREIGN);
    EXPECT_EQ(refused(&t, reinterpret_cast<void *>(uintptr_t{8})), SLM_E_FOREIGN);
    EXPECT_EQ(refused(&t, reinterpret_cast<void *>(UINTPTR_MAX)), SLM_E_FOREIGN);
}

TEST_P(PoolMisuse, ANewPoolOwnsNoPointer)
{
    TestPool fresh;
    EXPECT_EQ(refused(&fresh, large), SLM_E_FOREIGN);
}

TEST_P(PoolMisuse, TheLastSixteenFreedBlocksAreRemembered)
{
    std::vector<unsigned char *> blocks;
    for (size_t i = 0; i < SLM_POOL_N_FREED + 1; i++) {
        blocks.push_back(t.alloc(6000));
    }
    for (unsigned char *p : blocks) {
        EXPECT_EQ(t.free(p, 6000), SLM_OK);
    }
    EXPECT_EQ(refused(&t, blocks[0]), SLM_E_FOREIGN);
    for (size_t i = 1; i < blocks.size(); i++) {
        EXPECT_EQ(refused(&t, blocks[i]), SLM_E_FREED);
        EXPECT_EQ(refused(&t, blocks[i] + 64), SLM_E_FOREIGN);
    }
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(refused(&t, blocks[16]), SLM_E_FOREIGN);
}

TEST_P(PoolMisuse, AnAddressAllocatedAgainCanBeFreedAgain)
{
    for (int i = 0; i < 100; i++) {
        unsigned char *p = t.alloc(6000);
        EXPECT_EQ(t.free(p, 6000), SLM_OK);
        EXPECT_EQ(refused(&t, p), SLM_E_FREED);
    }
}

TEST(PoolFree, NeverMeetsTheRecordOfAHandlerAsALargeBlock)
{
    for (size_t block_bytes : {1u, 5u, 60u, 300u, 400u, 4096u}) {
        TestPool t(block_bytes);
        for (int i = 0; i < 30; i++) {
            ASSERT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 0, nullptr), SLM_OK);
        }
        EXPECT_EQ(t.stats().n_large, 0u) << block_bytes;
    }
}

/* --- Held blocks: SLM_CHECKS >= 2 --- */

size_t n_held(const slm_pool *pool)
{
    const slm_pool_quarantine *quarantine = pool->rest->large->quarantine;
    return quarantine == nullptr ? 0 : quarantine->source.n_held;
}

TEST(PoolHeld, BlocksAreHeldFromLevelTwoOnAndCountAsFree)
{
    TestPool t;
    unsigned char *p = t.alloc(5000);
    size_t live_bytes = t.counting.live_bytes;
    EXPECT_EQ(t.free(p, 5000), SLM_OK);
    EXPECT_EQ(t.stats().n_large, 0u);
    EXPECT_EQ(t.stats().large_bytes, 0u);
    EXPECT_EQ(t.counting.live_bytes, SLM_CHECKS >= 2 ? live_bytes : live_bytes - 5000);
    EXPECT_EQ(t.stats().source_bytes, t.counting.live_bytes);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(t.counting.live_bytes, t.stats().n_blocks * 4096);
}

TEST(PoolHeld, AtMost256KiBAreHeldAndTheOldestAreFreedFirst)
{
    TestPool t;
    size_t size = SLM_POOL_HELD_MAX / 4;
    std::vector<unsigned char *> blocks;
    for (int i = 0; i < 6; i++) {
        blocks.push_back(t.alloc(size));
    }
    for (unsigned char *p : blocks) {
        EXPECT_EQ(t.free(p, size), SLM_OK);
        EXPECT_EQ(slm_pool_check(t.pool), 0u);
    }
    EXPECT_EQ(n_held(t.pool), SLM_CHECKS >= 2 ? 4u : 0u);
    EXPECT_EQ(t.ledger.blocks.holds(blocks[1], size), false);
    EXPECT_EQ(t.ledger.blocks.holds(blocks[2], size), SLM_CHECKS >= 2);
}

TEST(PoolHeld, ABlockAboveTheBudgetIsFreedAtOnce)
{
    TestPool t;
    unsigned char *small = t.alloc(5000);
    unsigned char *p = t.alloc(SLM_POOL_HELD_MAX + 1);
    EXPECT_EQ(t.free(small, 5000), SLM_OK);
    EXPECT_EQ(t.free(p, SLM_POOL_HELD_MAX + 1), SLM_OK);
    EXPECT_FALSE(t.ledger.blocks.holds(p, 1));
    EXPECT_EQ(refused(&t, p), SLM_E_FREED);
}

/* A block is freed above the budget, and allocated again. Its second free decides how long it is
 * held. */
TEST(PoolHeld, ABlockFreedAgainIsHeldAsLongAsAnyOther)
{
    TestPool t;
    const size_t size = 200000;
    unsigned char *first = t.alloc(size);
    EXPECT_EQ(t.free(first, size), SLM_OK);
    unsigned char *second = t.alloc(size);
    EXPECT_EQ(t.free(second, size), SLM_OK); /* above the budget: first is released */
    unsigned char *again = t.alloc(size);
    EXPECT_EQ(t.free(again, size), SLM_OK);
    std::vector<unsigned char *> others;
    for (unsigned i = 3; i <= SLM_POOL_N_FREED; i++) {
        others.push_back(t.alloc(4200));
        EXPECT_EQ(t.free(others.back(), 4200), SLM_OK);
    }
    std::printf("the address came again: %s\n", again == first ? "yes" : "no");
    EXPECT_EQ(t.ledger.blocks.holds(again, size), SLM_CHECKS >= 2);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

TEST(PoolHeld, HeldBlocksAreFreedBeforeAnAllocationIsRefused)
{
    TestPool t;
    std::vector<unsigned char *> blocks;
    for (int i = 0; i < 3; i++) {
        blocks.push_back(t.alloc(5000));
    }
    for (unsigned char *p : blocks) {
        EXPECT_EQ(t.free(p, 5000), SLM_OK);
    }
    t.failing.fail_at = t.failing.n_calls + 1;
    void *p = slm_pool_alloc(t.pool, 5000);
    if (SLM_CHECKS < 2) {
        EXPECT_EQ(p, nullptr);
        return;
    }
    t.claim(p, 5000);
    EXPECT_EQ(n_held(t.pool), 0u);
    EXPECT_EQ(t.failing.n_refused, 1u);
}

TEST_P(PoolMisuse, ASizeThatReachesOverAHandlersRecordIsRefused)
{
    void *argument = nullptr;
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 8, &argument), SLM_OK);
    if (t.stats().gap_bytes != 0) {
        GTEST_SKIP() << "with a sanitizer's gaps the sizes differ";
    }
    EXPECT_EQ(slm_pool_give_back(t.pool, argument, 40), SLM_E_SIZE);
    EXPECT_EQ(slm_pool_extend(t.pool, argument, 40, 16), SLM_E_SIZE);
    EXPECT_EQ(slm_pool_extend(t.pool, argument, 40, 48), SLM_E_SIZE);
    EXPECT_EQ(slm_pool_give_back(t.pool, argument, 8), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

TEST_P(PoolMisuse, FreeOfAHandlersLargeArgumentChangesNothing)
{
    void *argument = nullptr;
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 9000, &argument), SLM_OK);
    EXPECT_EQ(free_in_vain(&t, argument), SLM_UNCHANGED);
    EXPECT_EQ(free_in_vain(&t, static_cast<char *>(argument) + 100), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_owns(t.pool, argument), 1);
    EXPECT_EQ(t.stats().n_large, 3u);
    EXPECT_EQ(slm_pool_free(t.pool, large), SLM_OK);
    EXPECT_EQ(t.stats().n_large, 2u);
}

} // namespace
