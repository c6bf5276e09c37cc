/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: blocks go back to the source after a peak, on request and by a reset. */
#include <vector>

#include "allocator/pool/layout.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::blocks_bytes;
using slm_test::same;
using slm_test::TestPool;

constexpr size_t kBlockBytes = 1024;

class PoolTrim : public testing::Test {
  protected:
    PoolTrim() : t(kBlockBytes)
    {
    }

    /* Small objects of so many bytes together. */
    void load(size_t n_bytes)
    {
        for (size_t n = 0; n < n_bytes; n += 256) {
            t.alloc(256);
        }
    }

    void peak()
    {
        load(kPeakBytes);
    }

    /* The bytes of the longest beginning of the list that is not above keep_bytes. */
    size_t beginning(size_t keep_bytes) const
    {
        slm_pool_stats stats = t.stats();
        stats.n_blocks = 1;
        while (blocks_bytes(stats) <= keep_bytes) {
            stats.n_blocks++;
        }
        stats.n_blocks -= stats.n_blocks > 1 ? 1 : 0;
        return blocks_bytes(stats);
    }

    static constexpr size_t kPeakBytes = size_t{1} << 20;
    TestPool t;
};

TEST_F(PoolTrim, GivesBackAllBlocksButTheFirstAfterAReset)
{
    peak();
    ASSERT_EQ(t.reset(), SLM_OK);
    EXPECT_GE(t.stats().source_bytes, kPeakBytes);
    EXPECT_EQ(slm_pool_trim(t.pool, 0), SLM_OK);
    EXPECT_EQ(t.stats().n_blocks, 1u);
    EXPECT_EQ(t.stats().n_blocks_fresh, 0u);
    EXPECT_EQ(t.counting.live_bytes, kBlockBytes);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    load(100000);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

TEST_F(PoolTrim, KeepsAsManyBlocksAsHaveTheBytesTogether)
{
    for (size_t keep : {size_t{1}, kBlockBytes, 3 * kBlockBytes - 1, 3 * kBlockBytes,
                        3 * kBlockBytes + 1, size_t{100000}, size_t{500000}}) {
        peak();
        ASSERT_EQ(t.reset(), SLM_OK);
        EXPECT_EQ(slm_pool_trim(t.pool, keep), SLM_OK);
        EXPECT_EQ(t.stats().source_bytes, beginning(keep)) << keep;
        EXPECT_EQ(t.counting.live_bytes, beginning(keep)) << keep;
        EXPECT_EQ(slm_pool_check(t.pool), 0u) << keep;
        EXPECT_EQ(slm_pool_trim(t.pool, keep), SLM_UNCHANGED);
    }
}

/* With many checks, a freed large block is the pool's for a while longer. */
TEST_F(PoolTrim, CountsLargeBlocksThatAreHeldAfterTheirFree)
{
    peak();
    ASSERT_EQ(t.reset(), SLM_OK);
    ASSERT_EQ(slm_pool_free(t.pool, t.alloc(5000)), SLM_OK);
    size_t n_blocks = t.stats().n_blocks;
    EXPECT_EQ(slm_pool_trim(t.pool, t.stats().source_bytes - 1), SLM_OK);
    EXPECT_EQ(t.stats().n_blocks, n_blocks - 1);
    EXPECT_EQ(slm_pool_trim(t.pool, t.stats().source_bytes), SLM_UNCHANGED);
}

TEST_F(PoolTrim, ChangesNothingIfThePoolHasNoMore)
{
    load(50000);
    ASSERT_EQ(t.reset(), SLM_OK);
    slm_pool_stats before = t.stats();
    uint64_t n_free = t.counting.n_free;
    EXPECT_EQ(slm_pool_trim(t.pool, before.source_bytes), SLM_UNCHANGED);
    EXPECT_TRUE(same(t.stats(), before));
    EXPECT_EQ(t.counting.n_free, n_free);
}

TEST_F(PoolTrim, KeepsBlocksInUseAndTheirObjects)
{
    peak();
    ASSERT_EQ(t.reset(), SLM_OK);
    std::vector<unsigned char *> objects;
    for (int i = 0; i < 300; i++) {
        objects.push_back(t.alloc(256));
        memset(objects.back(), i, 256);
    }
    size_t n_used = t.stats().n_blocks - t.stats().n_blocks_fresh;
    EXPECT_GT(n_used, 2u);
    EXPECT_EQ(slm_pool_trim(t.pool, 0), SLM_OK);
    EXPECT_EQ(t.stats().n_blocks, n_used);
    EXPECT_EQ(t.stats().n_blocks_fresh, 0u);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    for (size_t i = 0; i < objects.size(); i++) {
        EXPECT_EQ(objects[i][255], static_cast<unsigned char>(i));
        EXPECT_EQ(slm_pool_free(t.pool, objects[i]), SLM_UNCHANGED);
    }
    EXPECT_EQ(slm_pool_trim(t.pool, 0), SLM_UNCHANGED);
    load(100000);
}

/* Large objects have blocks of their own. */
TEST_F(PoolTrim, LeavesLargeObjectsWhereTheyAre)
{
    peak();
    ASSERT_EQ(t.reset(), SLM_OK);
    void *large = t.alloc(100000);
    EXPECT_EQ(slm_pool_trim(t.pool, 0), SLM_OK);
    EXPECT_EQ(t.stats().n_blocks, 1u);
    EXPECT_EQ(t.stats().n_large, 1u);
    EXPECT_EQ(slm_pool_trim(t.pool, 0), SLM_UNCHANGED);
    EXPECT_EQ(t.free(large, 100000), SLM_OK);
}

TEST_F(PoolTrim, CountsLargeObjectsAmongTheBytes)
{
    peak();
    ASSERT_EQ(t.reset(), SLM_OK);
    t.alloc(100000);
    EXPECT_EQ(slm_pool_trim(t.pool, 150000), SLM_OK);
    EXPECT_LE(t.stats().source_bytes, 150000u);
    EXPECT_GT(t.stats().source_bytes, 150000u - 32768u);
    EXPECT_GT(t.stats().n_blocks_fresh, 0u);
}

void trim_all(void *data)
{
    auto *pool = static_cast<slm_pool *>(data);
    EXPECT_EQ(slm_pool_trim(pool, 0), SLM_OK);
}

TEST_F(PoolTrim, MayBeCalledByAHandler)
{
    for (bool by_reset : {true, false}) {
        peak();
        ASSERT_EQ(t.reset(), SLM_OK);
        ASSERT_EQ(slm_pool_cleanup_add(t.pool, trim_all, t.pool, 0, nullptr), SLM_OK);
        if (by_reset) {
            ASSERT_EQ(t.reset(), SLM_OK);
            EXPECT_EQ(t.stats().n_blocks, 1u);
        } else {
            ASSERT_EQ(slm_pool_destroy(t.pool), SLM_OK);
            t.pool = nullptr;
        }
    }
}

TEST_F(PoolTrim, WorksInAPoolWhoseSourceRefusedLargerBlocks)
{
    t.failing.budget_bytes = kBlockBytes;
    load(20 * kBlockBytes);
    t.failing.budget_bytes = SIZE_MAX;
    ASSERT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(slm_pool_trim(t.pool, 7 * kBlockBytes + 5), SLM_OK);
    EXPECT_EQ(t.stats().n_blocks, 7u);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

/* --- At a reset --- */

TEST_F(PoolTrim, ResetKeepsAllBlocksUnlessABoundIsSet)
{
    peak();
    size_t n_blocks = t.stats().n_blocks;
    ASSERT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(t.stats().n_blocks, n_blocks);
    EXPECT_EQ(slm_pool_set_keep(t.pool, 10000), SLM_OK);
    EXPECT_EQ(slm_pool_set_keep(t.pool, 0), SLM_OK);
    ASSERT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(t.stats().n_blocks, n_blocks);
}

TEST_F(PoolTrim, ResetKeepsAtMostTheBoundAfterEachPeak)
{
    constexpr size_t kKeep = 65536;
    EXPECT_EQ(slm_pool_set_keep(t.pool, kKeep), SLM_OK);
    for (int i = 0; i < 3; i++) {
        peak();
        t.alloc(200000);
        ASSERT_EQ(t.reset(), SLM_OK);
        EXPECT_EQ(t.stats().source_bytes, beginning(kKeep));
        EXPECT_EQ(t.counting.live_bytes, beginning(kKeep));
    }
}

TEST_F(PoolTrim, ResetBelowTheBoundAsksTheSourceForNothing)
{
    EXPECT_EQ(slm_pool_set_keep(t.pool, 65536), SLM_OK);
    load(20000);
    ASSERT_EQ(t.reset(), SLM_OK);
    uint64_t n_alloc = t.counting.n_alloc;
    uint64_t n_free = t.counting.n_free;
    for (int i = 0; i < 10; i++) {
        load(20000);
        ASSERT_EQ(t.reset(), SLM_OK);
    }
    EXPECT_EQ(t.counting.n_alloc, n_alloc);
    EXPECT_EQ(t.counting.n_free, n_free);
}

/* --- The count of blocks --- */

/* It forges the count, which whole checks would see. */
#if SLM_CHECKS < 3
TEST_F(PoolTrim, NoBlockIsAddedWhereTheCountHasNoRoom)
{
    slm_pool_rest *rest = t.pool->rest;
    while (slm_pool_free_bytes(t.pool) >= 256) {
        t.alloc(256);
    }
    rest->n_blocks = UINT32_MAX;
    uint64_t n_alloc = t.counting.n_alloc;
    EXPECT_EQ(slm_pool_alloc(t.pool, 256), nullptr);
    EXPECT_EQ(t.counting.n_alloc, n_alloc);
    rest->n_blocks = 1;
    EXPECT_NE(slm_pool_alloc(t.pool, 256), nullptr);
}
#endif

} // namespace
