/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: AddressSanitizer sees its objects; without it the pool costs and hides nothing. */
#include <vector>

#include "allocator/pool/layout.h"
#include "harness/base/sanitizers.h"
#include "tests/base/visible.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::hidden;
using slm_test::n_visible;
using slm_test::TestPool;

TEST(PoolPoison, IsOnExactlyWhereTheCompilerSaysSo)
{
    EXPECT_EQ(SLM_ASAN, HRN_ASAN);
    EXPECT_EQ(SLM_POOL_GAP, SLM_POISON ? 16u : 0u);
    EXPECT_EQ(TestPool().stats().gap_bytes, SLM_POOL_GAP);
    std::puts(SLM_ASAN ? "AddressSanitizer is on: hidden bytes are poisoned"
                       : "AddressSanitizer is off: every byte stays visible, which is tested");
}

TEST(PoolPoison, ObjectsAreVisibleToTheByteWithAGapAfterEach)
{
    TestPool t;
    for (size_t n = 0; n < 70; n++) {
        auto *p = static_cast<char *>(slm_pool_alloc(t.pool, n));
        EXPECT_EQ(n_visible(p, n), n);
        EXPECT_EQ(n_visible(p + n, 16), hidden(16));
        p = static_cast<char *>(slm_pool_alloc_packed(t.pool, n));
        EXPECT_EQ(n_visible(p, n), n);
        EXPECT_EQ(n_visible(p + n, SLM_POOL_GAP), 0u);
    }
}

TEST(PoolPoison, AlignedObjectsAndTheirPadsToo)
{
    TestPool t;
    for (size_t n = 1; n < 30; n++) {
        auto *p = static_cast<char *>(slm_pool_memalign(t.pool, 128, n));
        EXPECT_EQ(n_visible(p, n), n);
        EXPECT_EQ(n_visible(p + n, 16), hidden(16));
    }
}

TEST(PoolPoison, FreeSpaceIsHiddenFromTheStartAndInEveryBlock)
{
    TestPool t;
    while (t.stats().n_blocks < 4) {
        auto room = static_cast<size_t>(t.pool->high - t.pool->low);
        ASSERT_EQ(n_visible(t.pool->low, room), hidden(room));
        ASSERT_NE(slm_pool_alloc(t.pool, 300), nullptr);
    }
}

TEST(PoolPoison, ResetHidesEveryObject)
{
    TestPool t;
    std::vector<void *> objects;
    for (int i = 0; i < 100; i++) {
        objects.push_back(slm_pool_alloc(t.pool, 100));
        objects.push_back(slm_pool_alloc_packed(t.pool, 100));
    }
    EXPECT_EQ(t.reset(), SLM_OK);
    for (void *p : objects) {
        EXPECT_EQ(n_visible(p, 100), hidden(100));
    }
    objects.clear();
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(n_visible(slm_pool_alloc(t.pool, 100), 100), 100u);
    }
}

/* Blocks from an array of our own, so that the test can read their bytes after destroy. */
struct Arena {
    alignas(16) unsigned char bytes[1 << 16];
    size_t used = 0;
    slm_source source{take, give, this};

    static void *take(void *data, size_t size_bytes, size_t)
    {
        auto *arena = static_cast<Arena *>(data);
        size_t start = arena->used;
        arena->used += (size_bytes + 15) / 16 * 16;
        return arena->used <= sizeof arena->bytes ? arena->bytes + start : nullptr;
    }

    static void give(void *, void *block, size_t size_bytes, size_t)
    {
        memset(block, 0xDD, size_bytes);
    }
};

TEST(PoolPoison, DestroyOpensEveryByteBeforeTheSourceGetsItBack)
{
    static Arena arena;
    slm_pool *pool = nullptr;
    ASSERT_EQ(slm_pool_create(&pool, 4096, &arena.source, 0), SLM_OK);
    for (int i = 0; i < 50; i++) {
        ASSERT_NE(slm_pool_alloc(pool, 200), nullptr);
    }
    void *large = slm_pool_alloc(pool, 5000);
    EXPECT_EQ(slm_pool_free(pool, large), SLM_OK);
    EXPECT_EQ(n_visible(large, 5000), SLM_CHECKS >= 2 ? hidden(5000) : 5000);
    EXPECT_EQ(slm_pool_destroy(pool), SLM_OK);
    EXPECT_EQ(n_visible(arena.bytes, sizeof arena.bytes), sizeof arena.bytes);
}

TEST(PoolPoison, ExtendShowsAndHidesJustTheDifference)
{
    TestPool t;
    auto *p = static_cast<char *>(slm_pool_alloc(t.pool, 10));
    size_t old_bytes = 10;
    for (size_t new_bytes :
         {size_t{13}, size_t{100}, size_t{101}, size_t{57}, size_t{0}, size_t{9}}) {
        ASSERT_EQ(slm_pool_extend(t.pool, p, old_bytes, new_bytes), SLM_OK);
        EXPECT_EQ(n_visible(p, new_bytes), new_bytes);
        EXPECT_EQ(n_visible(p + new_bytes, 110 - new_bytes), hidden(110 - new_bytes));
        old_bytes = new_bytes;
    }
}

TEST(PoolPoison, GiveBackHidesTheObject)
{
    TestPool t;
    void *p = slm_pool_alloc(t.pool, 50);
    void *q = slm_pool_alloc_packed(t.pool, 50);
    EXPECT_EQ(slm_pool_give_back(t.pool, p, 50), SLM_OK);
    EXPECT_EQ(slm_pool_give_back(t.pool, q, 50), SLM_OK);
    EXPECT_EQ(n_visible(p, 50), hidden(50));
    EXPECT_EQ(n_visible(q, 50), hidden(50));
}

TEST(PoolPoison, AReuseListHidesWhatItHolds)
{
    TestPool t;
    struct slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 50), SLM_OK);
    void *p = slm_pool_reuse_get(&list);
    EXPECT_EQ(n_visible(p, 50), 50u);
    EXPECT_EQ(slm_pool_reuse_put(&list, p), SLM_OK);
    EXPECT_EQ(n_visible(p, 50), hidden(50));
    EXPECT_EQ(slm_pool_reuse_get(&list), p);
    EXPECT_EQ(n_visible(p, 50), 50u);
}

#if SLM_ASAN
TEST(PoolPoisonDeathTest, AnOverrunInsideABlockIsReported)
{
    TestPool t;
    auto *p = static_cast<volatile char *>(slm_pool_alloc(t.pool, 13));
    ASSERT_NE(slm_pool_alloc(t.pool, 13), nullptr);
    EXPECT_DEATH(p[13] = 1, "use-after-poison");
}

TEST(PoolPoisonDeathTest, UseAfterResetIsReported)
{
    TestPool t;
    auto *p = static_cast<volatile char *>(slm_pool_alloc_packed(t.pool, 13));
    p[12] = 1;
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_DEATH((void)p[12], "use-after-poison");
}
#endif

} // namespace
