/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: what pool.h promises of create, allocation, resizing, reset and statistics. */
#include <vector>

#include "allocator/base/config.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::Random;
using slm_test::same;
using slm_test::TestPool;

/* --- Create, destroy --- */

TEST(PoolCreate, RefusesBadArgumentsAndSetsThePoolToNull)
{
    auto *pool = reinterpret_cast<slm_pool *>(16);
    EXPECT_EQ(slm_pool_create(nullptr, 4096, nullptr, 0), SLM_E_NULL);
    EXPECT_EQ(slm_pool_create(&pool, 0, nullptr, 0), SLM_E_SIZE);
    EXPECT_EQ(pool, nullptr);
    EXPECT_EQ(slm_pool_create(&pool, SIZE_MAX / 4 + 1, nullptr, 0), SLM_E_SIZE);
    EXPECT_EQ(slm_pool_create(&pool, SIZE_MAX, nullptr, 0), SLM_E_SIZE);
    EXPECT_EQ(slm_pool_create(&pool, 4096, nullptr, 2), SLM_E_OPTION);
    EXPECT_EQ(pool, nullptr);
}

TEST(PoolCreate, PassesTheSourcesRefusalOn)
{
    slm_source_failing failing;
    slm_source_failing_init(&failing, slm_source_heap());
    failing.fail_at = 1;
    auto *pool = reinterpret_cast<slm_pool *>(16);
    EXPECT_EQ(slm_pool_create(&pool, 4096, &failing.source, 0), SLM_E_NOMEM);
    EXPECT_EQ(pool, nullptr);
}

TEST(PoolCreate, TakesOneBlockOfTheRoundedSize)
{
    TestPool t(1001);
    EXPECT_EQ(t.stats().block_bytes, 1008u);
    EXPECT_EQ(t.stats().n_blocks, 1u);
    EXPECT_EQ(t.counting.n_alloc, 1u);
    EXPECT_EQ(t.counting.live_bytes, 1008u);
}

TEST(PoolCreate, UsesTheHeapWithoutASource)
{
    slm_pool *pool = nullptr;
    ASSERT_EQ(slm_pool_create(&pool, 4096, nullptr, 0), SLM_OK);
    EXPECT_NE(slm_pool_alloc(pool, 100), nullptr);
    EXPECT_EQ(slm_pool_destroy(pool), SLM_OK);
}

TEST(PoolCreate, MakesEveryBlockSizeServeItsSmallLimit)
{
    for (size_t block_bytes = 1; block_bytes < 9000; block_bytes += 1 + block_bytes / 20) {
        TestPool t(block_bytes);
        size_t limit = t.stats().small_limit_bytes;
        EXPECT_GE(limit, 16u);
        EXPECT_LE(limit, 4095u);
        for (int i = 0; i < 3; i++) {
            t.alloc(limit);
            t.nalloc(limit);
        }
        EXPECT_EQ(t.stats().n_large, 0u) << block_bytes;
        t.alloc(limit + 1);
        t.nalloc(limit + 1);
        EXPECT_EQ(t.stats().n_large, 2u) << block_bytes;
    }
}

TEST(PoolCreate, MakesTheFirstBlockServeTheSmallLimitToo)
{
    for (size_t block_bytes = 1; block_bytes < 9000; block_bytes += 100) {
        TestPool t(block_bytes);
        t.alloc(t.stats().small_limit_bytes);
        EXPECT_EQ(t.stats().n_blocks, 1u) << block_bytes;
    }
}

/* --- Growth --- */

/* The sizes of a pool's first six blocks. */
std::vector<size_t> block_sizes(TestPool *t)
{
    std::vector<size_t> sizes;
    size_t live_bytes = 0;
    while (sizes.size() < 6) {
        if (t->counting.live_bytes != live_bytes) {
            sizes.push_back(t->counting.live_bytes - live_bytes);
            live_bytes = t->counting.live_bytes;
        }
        t->alloc(100);
    }
    EXPECT_EQ(t->stats().n_blocks, 6u);
    EXPECT_EQ(slm_pool_check(t->pool), 0u);
    return sizes;
}

TEST(PoolGrowth, EachBlockIsTwiceTheOneBeforeUpTo32KiB)
{
    TestPool usual(4096);
    EXPECT_EQ(block_sizes(&usual), (std::vector<size_t>{4096, 8192, 16384, 32768, 32768, 32768}));
    TestPool odd(5000);
    EXPECT_EQ(block_sizes(&odd), (std::vector<size_t>{5008, 10016, 20032, 20032, 20032, 20032}));
    TestPool small(512);
    EXPECT_EQ(block_sizes(&small), (std::vector<size_t>{512, 1024, 2048, 4096, 8192, 16384}));
}

TEST(PoolGrowth, BlocksAboveHalfOfThatStayAsTheyAre)
{
    for (size_t block_bytes : {size_t{16400}, size_t{32768}, size_t{65536}}) {
        TestPool t(block_bytes);
        EXPECT_EQ(block_sizes(&t), std::vector<size_t>(6, block_bytes));
    }
}

TEST(PoolGrowth, ASourceWithoutTheLargerBlockGivesOneOfTheFirstSize)
{
    TestPool t(4096);
    t.failing.budget_bytes = 8192;
    EXPECT_EQ(block_sizes(&t), (std::vector<size_t>{4096, 8192, 4096, 8192, 4096, 8192}));
    EXPECT_EQ(t.failing.n_refused, 2u);
    TestPool equal(4096);
    equal.failing.budget_bytes = 4096;
    EXPECT_EQ(block_sizes(&equal), std::vector<size_t>(6, 4096));
}

/* --- Allocation --- */

TEST(PoolAlloc, GivesDisjointAlignedObjectsInsideTheBlocks)
{
    for (size_t block_bytes : {size_t{1}, size_t{300}, size_t{512}, size_t{4096}, size_t{20000}}) {
        TestPool t(block_bytes);
        Random random(block_bytes);
        for (int i = 0; i < 4000; i++) {
            size_t n = random.below(random.below(10) == 0 ? 6000 : 200);
            random.below(2) == 0 ? t.alloc(n) : t.nalloc(n);
        }
        EXPECT_EQ(slm_pool_check(t.pool), 0u);
    }
}

TEST(PoolAlloc, GivesSizeZeroAnAddressThatNoOtherObjectHas)
{
    TestPool t;
    for (int i = 0; i < 2000; i++) {
        t.alloc(0);
        t.nalloc(0);
    }
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

TEST(PoolAlloc, RefusesSizesAboveTheLimitAndChangesNothing)
{
    TestPool t;
    t.alloc(5000);
    struct slm_pool_stats before = t.stats();
    uint64_t n_calls = t.failing.n_calls;
    for (size_t n :
         {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 16, SIZE_MAX - 31, SIZE_MAX / 2, SIZE_MAX / 2 + 1}) {
        EXPECT_EQ(slm_pool_alloc(t.pool, n), nullptr) << n;
        EXPECT_EQ(slm_pool_alloc_packed(t.pool, n), nullptr) << n;
        EXPECT_EQ(slm_pool_calloc(t.pool, n), nullptr) << n;
        EXPECT_EQ(slm_pool_memalign(t.pool, 64, n), nullptr) << n;
    }
    EXPECT_EQ(t.failing.n_calls, n_calls);
    EXPECT_TRUE(same(before, t.stats()));
}

TEST(PoolAlloc, PassesTheSourcesRefusalOnAndChangesNothing)
{
    TestPool t;
    t.failing.fail_at = 2;
    t.failing.fail_count = UINT64_MAX;
    size_t n_served = 0;
    while (slm_pool_alloc(t.pool, 100) != nullptr) {
        n_served++;
    }
    EXPECT_GT(n_served, 20u);
    struct slm_pool_stats before = t.stats();
    EXPECT_EQ(slm_pool_alloc(t.pool, 100), nullptr);
    EXPECT_EQ(slm_pool_alloc_packed(t.pool, 3000), nullptr);
    EXPECT_EQ(slm_pool_alloc(t.pool, 5000), nullptr);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    EXPECT_TRUE(same(before, t.stats()));
    t.failing.fail_at = 0;
    t.alloc(100);
    t.alloc(5000);
}

TEST(PoolAllocPacked, PacksWithNoByteBetween)
{
    if (SLM_POISON) {
        std::puts("a sanitizer wants gaps between packed objects: only their order is tested");
    }
    TestPool t;
    unsigned char *newer = t.nalloc(7);
    for (size_t n = 1; n < 40; n++) {
        unsigned char *p = t.nalloc(n);
        EXPECT_LT(p, newer);
        EXPECT_TRUE(SLM_POISON || p + n == newer);
        newer = p;
    }
}

TEST(PoolCalloc, ZeroesMemoryThatWasUsedBefore)
{
    TestPool t;
    for (int round = 0; round < 2; round++) {
        for (size_t n : {size_t{1}, size_t{100}, size_t{3000}, size_t{5000}}) {
            auto *p = static_cast<unsigned char *>(slm_pool_calloc(t.pool, n));
            ASSERT_NE(p, nullptr);
            for (size_t i = 0; i < n; i++) {
                ASSERT_EQ(p[i], 0) << i;
            }
            t.claim(p, n, SLM_POOL_ALIGN);
        }
        EXPECT_EQ(t.reset(), SLM_OK);
    }
}

TEST(PoolCallocArray, ZeroesTheProduct)
{
    TestPool t;
    for (int round = 0; round < 2; round++) {
        auto *p = static_cast<unsigned char *>(slm_pool_calloc_array(t.pool, 30, 9));
        ASSERT_NE(p, nullptr);
        for (size_t i = 0; i < 270; i++) {
            ASSERT_EQ(p[i], 0);
        }
        t.claim(p, 270, SLM_POOL_ALIGN);
        EXPECT_EQ(t.reset(), SLM_OK);
    }
}

TEST(PoolMemalign, HonoursEveryPowerOfTwo)
{
    TestPool t;
    Random random(5);
    for (int i = 0; i < 300; i++) {
        for (size_t align = 1; align <= SLM_POOL_ALIGN_MAX; align *= 2) {
            size_t n = random.below(i % 30 == 0 ? 9000 : 60);
            t.claim(slm_pool_memalign(t.pool, align, n), n, align);
        }
    }
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

TEST(PoolMemalign, RefusesEveryOtherAlignment)
{
    TestPool t;
    struct slm_pool_stats before = t.stats();
    for (size_t align :
         {size_t{0}, size_t{3}, size_t{24}, size_t{65535}, size_t{131072}, SIZE_MAX}) {
        EXPECT_EQ(slm_pool_memalign(t.pool, align, 8), nullptr) << align;
    }
    EXPECT_TRUE(same(before, t.stats()));
}

TEST(PoolMemalign, MakesALargeBlockAboveTheSmallLimit)
{
    TestPool t;
    size_t limit = t.stats().small_limit_bytes;
    t.claim(slm_pool_memalign(t.pool, 64, limit - 64), limit - 64, 64);
    EXPECT_EQ(t.stats().n_large, 0u);
    void *p = t.claim(slm_pool_memalign(t.pool, 64, limit - 63), limit - 63, 64);
    EXPECT_EQ(t.stats().n_large, 1u);
    EXPECT_EQ(t.free(p, limit - 63), SLM_OK);
    p = slm_pool_memalign(t.pool, 65536, 0);
    EXPECT_EQ(t.stats().n_large, 1u);
    EXPECT_EQ(t.stats().large_bytes, 0u);
    EXPECT_EQ(slm_pool_free(t.pool, p), SLM_OK);
}

/* --- Large blocks --- */

TEST(PoolFree, ReleasesLargeBlocksInAnyOrder)
{
    TestPool t;
    Random random(9);
    struct {
        void *p;
        size_t n;
    } slots[200] = {};
    for (int i = 0; i < 6000; i++) {
        auto &slot = slots[random.below(200)];
        if (slot.p != nullptr) {
            EXPECT_EQ(t.free(slot.p, slot.n), SLM_OK);
            slot.p = nullptr;
        } else {
            slot.n = 5000 + random.below(200);
            slot.p = t.alloc(slot.n);
        }
    }
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    for (auto &slot : slots) {
        EXPECT_EQ(slot.p == nullptr ? SLM_OK : t.free(slot.p, slot.n), SLM_OK);
    }
    EXPECT_EQ(t.stats().n_large, 0u);
    EXPECT_EQ(t.stats().large_bytes, 0u);
}

TEST(PoolFree, LeavesSmallObjectsUnchanged)
{
    TestPool t;
    void *aligned = t.alloc(100);
    void *packed = t.nalloc(100);
    struct slm_pool_stats before = t.stats();
    EXPECT_EQ(slm_pool_free(t.pool, aligned), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_free(t.pool, packed), SLM_UNCHANGED);
    EXPECT_TRUE(same(before, t.stats()));
    t.alloc(100);
    t.nalloc(100);
}

/* --- Resizing --- */

TEST(PoolExtend, GrowsAndShrinksTheNewestAlignedObject)
{
    TestPool t;
    auto *p = static_cast<unsigned char *>(slm_pool_alloc(t.pool, 10));
    memset(p, 1, 10);
    EXPECT_EQ(slm_pool_extend(t.pool, p, 10, 100), SLM_OK);
    EXPECT_EQ(p[9], 1);
    memset(p, 2, 100);
    EXPECT_EQ(slm_pool_extend(t.pool, p, 100, 20), SLM_OK);
    EXPECT_EQ(p[19], 2);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    t.claim(p, 20);
    EXPECT_LT(t.alloc(10), p + 100);
}

TEST(PoolExtend, LeavesAnObjectThatIsNotTheNewestOrDoesNotFitUnchanged)
{
    TestPool t;
    void *old = t.alloc(10);
    void *p = t.alloc(10);
    void *packed = t.nalloc(16);
    void *large = t.alloc(5000);
    struct slm_pool_stats before = t.stats();
    EXPECT_EQ(slm_pool_extend(t.pool, old, 10, 20), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_extend(t.pool, packed, 16, 20), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_extend(t.pool, large, 5000, 20), SLM_UNCHANGED);
    size_t limit = t.stats().small_limit_bytes;
    EXPECT_EQ(slm_pool_extend(t.pool, p, 10, limit), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_extend(t.pool, p, 10, limit + 1), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_extend(t.pool, p, 10, SIZE_MAX), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_extend(t.pool, p, SIZE_MAX, 20), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    EXPECT_TRUE(same(before, t.stats()));
}

TEST(PoolExtend, LeavesAnObjectUnchangedAboveTheSmallLimit)
{
    TestPool t(20000);
    void *p = slm_pool_alloc(t.pool, 10);
    size_t limit = t.stats().small_limit_bytes;
    EXPECT_EQ(slm_pool_extend(t.pool, p, 10, limit + 1), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_extend(t.pool, p, 10, limit), SLM_OK);
    t.claim(p, limit);
}

TEST(PoolExtend, RefusesNull)
{
    TestPool t;
    EXPECT_EQ(slm_pool_extend(nullptr, &t, 1, 2), SLM_E_NULL);
    EXPECT_EQ(slm_pool_extend(t.pool, nullptr, 1, 2), SLM_E_NULL);
}

TEST(PoolGiveBack, ReleasesTheNewestOfEitherEnd)
{
    TestPool t;
    for (size_t n : {size_t{0}, size_t{1}, size_t{16}, size_t{33}}) {
        void *p = slm_pool_alloc(t.pool, n);
        EXPECT_EQ(slm_pool_give_back(t.pool, p, n), SLM_OK);
        EXPECT_EQ(slm_pool_alloc(t.pool, n), p);
        void *q = slm_pool_alloc_packed(t.pool, n);
        EXPECT_EQ(slm_pool_give_back(t.pool, q, n), SLM_OK);
        EXPECT_EQ(slm_pool_alloc_packed(t.pool, n), q);
        EXPECT_EQ(slm_pool_check(t.pool), 0u);
    }
}

TEST(PoolGiveBack, ReleasesAStackOfObjectsNewestFirst)
{
    TestPool t;
    std::vector<void *> aligned;
    std::vector<void *> packed;
    for (int i = 0; i < 20; i++) {
        aligned.push_back(slm_pool_alloc(t.pool, 24));
        packed.push_back(slm_pool_alloc_packed(t.pool, 5));
    }
    for (size_t i = 20; i-- > 0;) {
        EXPECT_EQ(slm_pool_give_back(t.pool, aligned[i], 24), SLM_OK);
        EXPECT_EQ(slm_pool_give_back(t.pool, packed[i], 5), SLM_OK);
    }
    EXPECT_EQ(slm_pool_alloc(t.pool, 24), aligned[0]);
    EXPECT_EQ(slm_pool_alloc_packed(t.pool, 5), packed[0]);
}

TEST(PoolGiveBack, LeavesEveryOtherObjectUnchanged)
{
    TestPool t;
    void *old_packed = t.nalloc(16);
    void *old = t.alloc(16);
    void *p = t.alloc(16);
    t.nalloc(16);
    void *large = t.alloc(5000);
    (void)t.alloc(16);
    EXPECT_EQ(slm_pool_give_back(t.pool, old, 16), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, p, 16), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, old_packed, 16), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, large, 5000), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, &t, 16), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, nullptr, 16), SLM_OK);
    EXPECT_EQ(slm_pool_give_back(nullptr, p, 16), SLM_E_NULL);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

TEST(PoolGiveBack, LeavesAPackedSizePastTheBlocksEndUnchanged)
{
    TestPool t;
    void *p = slm_pool_alloc_packed(t.pool, 16);
    EXPECT_EQ(slm_pool_give_back(t.pool, p, 3000), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, p, SIZE_MAX), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

/* --- Reset --- */

/* Makes requests of every kind; returns the number of blocks at the end. */
size_t load(TestPool *t, uint64_t seed)
{
    Random random(seed);
    for (int i = 0; i < 3000; i++) {
        size_t n = random.below(400);
        switch (random.below(5)) {
        case 0:
            t->nalloc(n);
            break;
        case 1:
            t->claim(slm_pool_memalign(t->pool, 64, n), n, 64);
            break;
        case 2:
            t->alloc(n * n / 10);
            break;
        default:
            t->alloc(n);
        }
    }
    return t->stats().n_blocks;
}

TEST(PoolReset, MakesTheSameRequestsFitTheSameBlocks)
{
    for (size_t block_bytes : {size_t{1}, size_t{128}, size_t{512}, size_t{4096}, size_t{9000}}) {
        TestPool t(block_bytes);
        size_t n_blocks = load(&t, block_bytes);
        for (int round = 0; round < 3; round++) {
            EXPECT_EQ(t.reset(), SLM_OK);
            EXPECT_EQ(load(&t, block_bytes), n_blocks) << block_bytes;
        }
    }
}

TEST(PoolReset, KeepsTheBlocksAndReleasesEverythingElse)
{
    TestPool t;
    load(&t, 1);
    struct slm_pool_stats loaded = t.stats();
    EXPECT_GT(loaded.n_large, 8u);
    EXPECT_EQ(t.reset(), SLM_OK);
    struct slm_pool_stats empty = t.stats();
    EXPECT_EQ(empty.n_blocks, loaded.n_blocks);
    EXPECT_EQ(empty.n_blocks_fresh, loaded.n_blocks - 1);
    EXPECT_EQ(empty.n_large, 0u);
    EXPECT_EQ(empty.large_bytes, 0u);
    EXPECT_EQ(empty.n_large_peak, loaded.n_large_peak);
    EXPECT_EQ(empty.n_records, 0u);
    EXPECT_EQ(empty.record_bytes, 0u);
    EXPECT_EQ(empty.source_bytes, slm_test::blocks_bytes(empty));
    EXPECT_EQ(t.counting.live_bytes, empty.source_bytes);
}

/* --- Observation --- */

TEST(PoolStats, CountLargeBlocksExactly)
{
    TestPool t;
    void *a = t.alloc(5000);
    void *b = t.alloc(7000);
    EXPECT_EQ(t.stats().n_large, 2u);
    EXPECT_EQ(t.stats().large_bytes, 12000u);
    EXPECT_EQ(t.free(a, 5000), SLM_OK);
    EXPECT_EQ(t.stats().n_large, 1u);
    EXPECT_EQ(t.stats().large_bytes, 7000u);
    EXPECT_EQ(t.stats().n_large_peak, 2u);
    EXPECT_EQ(t.stats().source_bytes, t.counting.live_bytes);
    EXPECT_EQ(t.free(b, 7000), SLM_OK);
    EXPECT_EQ(t.stats().n_large_peak, 2u);
    EXPECT_EQ(t.stats().source_bytes, t.counting.live_bytes);
}

TEST(PoolOwns, DistinguishesLiveMemoryFromEverythingElse)
{
    TestPool t;
    TestPool other;
    unsigned char *small = t.alloc(100);
    unsigned char *packed = t.nalloc(100);
    unsigned char *large = t.alloc(5000);
    EXPECT_TRUE(slm_pool_owns(t.pool, small));
    EXPECT_TRUE(slm_pool_owns(t.pool, small + 99));
    EXPECT_TRUE(slm_pool_owns(t.pool, packed + 99));
    EXPECT_TRUE(slm_pool_owns(t.pool, large));
    EXPECT_TRUE(slm_pool_owns(t.pool, large + 4999));
    EXPECT_FALSE(slm_pool_owns(t.pool, large + 5000));
    EXPECT_FALSE(slm_pool_owns(t.pool, packed - 200));
    EXPECT_FALSE(slm_pool_owns(t.pool, other.alloc(100)));
    EXPECT_FALSE(slm_pool_owns(t.pool, t.pool));
    EXPECT_FALSE(slm_pool_owns(t.pool, nullptr));
    EXPECT_EQ(slm_pool_free(t.pool, large), SLM_OK);
    EXPECT_FALSE(slm_pool_owns(t.pool, large));
    EXPECT_TRUE(t.objects.remove(large, 5000));
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_FALSE(slm_pool_owns(t.pool, small));
}

} // namespace
