/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: free of a small object takes as many steps in a pool of 60,000 blocks as in one of few. */
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "tests/pool/fixture.h"

/* Compilers call it in each basic block of the pool. */
static uint64_t n_steps;

extern "C" void __sanitizer_cov_trace_pc(void);
extern "C" void __sanitizer_cov_trace_pc(void)
{
    n_steps++;
}

namespace {

using slm_test::TestPool;

constexpr size_t kBlocks = 60000;
constexpr size_t kBlockBytes = 512;

/* Steps of a free, and of what it adds to the index. A walk of the blocks takes 30,000. */
constexpr uint64_t kStepsForAFree = 64;

class PoolCost : public testing::Test {
  protected:
    PoolCost() : t(kBlockBytes)
    {
    }

    /* An object in a block of its own. The source refuses larger blocks, so that there are many. */
    void *alloc()
    {
        t.failing.budget_bytes = kBlockBytes;
        void *p = slm_pool_alloc(t.pool, t.stats().small_limit_bytes);
        t.failing.budget_bytes = SIZE_MAX;
        return p;
    }

    void free(void *p)
    {
        uint64_t before = n_steps;
        ASSERT_EQ(slm_pool_free(t.pool, p), SLM_UNCHANGED);
        n_free_steps_ += n_steps - before;
        n_freed_++;
    }

    void expect_constant(const char *what)
    {
        printf("%-12s %6.1f steps a free, %zu blocks\n", what,
               static_cast<double>(n_free_steps_) / static_cast<double>(n_freed_),
               t.stats().n_blocks);
        EXPECT_EQ(t.stats().n_blocks, kBlocks);
        EXPECT_GE(n_free_steps_, n_freed_) << "nothing is counted";
        EXPECT_LE(n_free_steps_, kStepsForAFree * n_freed_);
        n_free_steps_ = 0;
        n_freed_ = 0;
    }

    TestPool t;

  private:
    uint64_t n_free_steps_ = 0;
    uint64_t n_freed_ = 0;
};

TEST_F(PoolCost, FreeInAFullPool)
{
    std::vector<void *> objects;
    for (size_t i = 0; i < kBlocks; i++) {
        objects.push_back(alloc());
    }
    for (void *p : objects) {
        free(p);
    }
    expect_constant("full pool");
}

TEST_F(PoolCost, FreeInAPoolThatGrowsMeanwhile)
{
    for (size_t i = 0; i < kBlocks; i++) {
        free(alloc());
    }
    expect_constant("growing pool");
}

TEST_F(PoolCost, FreeAfterEachOfManyResets)
{
    for (size_t i = 0; i < kBlocks; i++) {
        ASSERT_NE(alloc(), nullptr);
    }
    for (size_t i = 0; i < 2000; i++) {
        EXPECT_EQ(slm_pool_reset(t.pool), SLM_OK);
        for (int n = 0; n < 30; n++) {
            free(alloc());
        }
    }
    expect_constant("resets");
}

/* What stays is not walked. */
TEST_F(PoolCost, TrimOfOneBlock)
{
    for (size_t i = 0; i < kBlocks; i++) {
        alloc();
    }
    ASSERT_EQ(t.reset(), SLM_OK);
    for (size_t i = 1; i <= 100; i++) {
        size_t keep_bytes = t.stats().source_bytes - 1;
        uint64_t before = n_steps;
        ASSERT_EQ(slm_pool_trim(t.pool, keep_bytes), SLM_OK);
        EXPECT_GT(n_steps, before) << "nothing is counted";
        EXPECT_LE(n_steps - before, kStepsForAFree);
        EXPECT_EQ(t.stats().n_blocks, kBlocks - i);
    }
}

} // namespace
