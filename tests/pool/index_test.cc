/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: what free says of an address does not depend on whether the pool's blocks have an index. */
#include <vector>

#include "allocator/pool/layout.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::Random;
using slm_test::TestPool;

constexpr size_t kNoLimit = SIZE_MAX;

/* Blocks of many sizes: the source refuses some of the larger ones. */
void add_blocks(TestPool *t, Random *random, size_t n_blocks)
{
    while (t->stats().n_blocks < n_blocks) {
        t->failing.budget_bytes = t->stats().block_bytes << random->below(8);
        ASSERT_NE(slm_pool_alloc(t->pool, t->stats().small_limit_bytes), nullptr);
    }
    t->failing.budget_bytes = kNoLimit;
}

/* Addresses in each part of each block, and around it. */
std::vector<unsigned char *> addresses_of(const TestPool &t)
{
    std::vector<unsigned char *> found;
    for (slm_pool_block *block = slm_pool_first_block(t.pool); block != nullptr;
         block = block->next) {
        auto *start = reinterpret_cast<unsigned char *>(block);
        unsigned char *object = slm_pool_block_start(t.pool, block);
        unsigned char *end = slm_pool_block_end(block);
        for (unsigned char *p : {start - 1, start, object - 1, object, object + 100,
                                 start + block->n_bytes / 2, end - 1, end}) {
            found.push_back(p);
        }
    }
    return found;
}

std::vector<slm_status> answers(TestPool *t, const std::vector<unsigned char *> &addresses)
{
    std::vector<slm_status> found;
    for (unsigned char *p : addresses) {
        found.push_back(slm_pool_free(t->pool, p));
        EXPECT_EQ(slm_pool_owns(t->pool, p), found.back() == SLM_UNCHANGED);
    }
    EXPECT_EQ(slm_pool_check(t->pool), 0u);
    return found;
}

/* Of the same addresses: by a walk, then by the index. */
void expect_same_answers(TestPool *t)
{
    std::vector<unsigned char *> addresses = addresses_of(*t);
    t->failing.budget_bytes = 0;
    const slm_pool_index *index = t->pool->rest->index;
    std::vector<slm_status> walked = answers(t, addresses);
    EXPECT_EQ(t->pool->rest->index, index);
    t->failing.budget_bytes = kNoLimit;
    std::vector<slm_status> looked_up = answers(t, addresses);
    EXPECT_NE(t->pool->rest->index, index);
    EXPECT_EQ(walked, looked_up);
    EXPECT_EQ(t->pool->rest->index->last->next, t->pool->rest->fresh);
}

class PoolIndex : public testing::TestWithParam<size_t> {
  protected:
    PoolIndex() : t(GetParam()), random(GetParam())
    {
    }

    TestPool t;
    Random random;
};

INSTANTIATE_TEST_SUITE_P(BlockBytes, PoolIndex, testing::Values(400, 512, 4096, 5008, 100000));

TEST_P(PoolIndex, AnAddressIsWhatItIsWithoutAnIndex)
{
    add_blocks(&t, &random, 100);
    expect_same_answers(&t);
}

TEST_P(PoolIndex, AnIndexThatHasNotGrownLeavesLaterBlocksToAWalk)
{
    add_blocks(&t, &random, 20);
    EXPECT_EQ(slm_pool_free(t.pool, t.pool->low - 1), SLM_UNCHANGED);
    ASSERT_NE(t.pool->rest->index, nullptr);
    add_blocks(&t, &random, 200);
    expect_same_answers(&t);
}

TEST_P(PoolIndex, FreshBlocksAreNotInTheIndex)
{
    add_blocks(&t, &random, 100);
    EXPECT_EQ(t.reset(), SLM_OK);
    while (t.stats().n_blocks_fresh > 50) {
        ASSERT_NE(slm_pool_alloc(t.pool, t.stats().small_limit_bytes), nullptr);
    }
    expect_same_answers(&t);
}

TEST_P(PoolIndex, AResetReleasesTheIndex)
{
    add_blocks(&t, &random, 100);
    size_t blocks_bytes = t.stats().source_bytes;
    EXPECT_EQ(slm_pool_free(t.pool, t.pool->low - 1), SLM_UNCHANGED);
    EXPECT_GT(t.stats().source_bytes, blocks_bytes);
    EXPECT_LE(t.stats().source_bytes, blocks_bytes + 100 * 32 + sizeof(slm_pool_index));
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(t.stats().source_bytes, blocks_bytes);
    EXPECT_EQ(t.counting.live_bytes, blocks_bytes);
}

TEST_P(PoolIndex, TheIndexItselfIsMetadata)
{
    add_blocks(&t, &random, 100);
    EXPECT_EQ(slm_pool_free(t.pool, t.pool->low - 1), SLM_UNCHANGED);
    slm_pool_index *index = t.pool->rest->index;
    EXPECT_EQ(slm_pool_free(t.pool, index), SLM_E_METADATA);
    EXPECT_EQ(slm_pool_free(t.pool, &index->slots[index->n_slots - 1]), SLM_E_METADATA);
    EXPECT_EQ(slm_pool_free(t.pool, &index->slots[index->n_slots]), SLM_E_FOREIGN);
}

TEST(PoolIndexed, APoolOfFewBlocksTakesNoMemoryForFree)
{
    TestPool t;
    unsigned char *object = t.alloc(100);
    while (t.stats().n_blocks < SLM_POOL_N_WALKED) {
        t.alloc(2000);
    }
    uint64_t n_calls = t.failing.n_calls;
    EXPECT_EQ(slm_pool_free(t.pool, object), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_free(t.pool, &t), SLM_E_FOREIGN);
    EXPECT_EQ(t.failing.n_calls, n_calls);
}

TEST(PoolIndexed, HeldBlocksStayHeldWhereTheIndexIsRefused)
{
    TestPool t;
    unsigned char *large = t.alloc(5000);
    while (t.stats().n_blocks <= SLM_POOL_N_WALKED) {
        t.alloc(2000);
    }
    EXPECT_EQ(t.free(large, 5000), SLM_OK);
    t.failing.budget_bytes = 0;
    EXPECT_EQ(slm_pool_free(t.pool, t.pool->low - 1), SLM_UNCHANGED);
    EXPECT_EQ(t.pool->rest->index, nullptr);
    EXPECT_EQ(t.ledger.blocks.holds(large, 5000), SLM_POOL_HOLDS);
    t.failing.budget_bytes = kNoLimit;
}

} // namespace
