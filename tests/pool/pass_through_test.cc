/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: the flag that makes every object a block of the source. */
#include "allocator/pool/layout.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::same;
using slm_test::TestPool;

void ignore(void *)
{
}

TEST(PoolPassThrough, EachObjectIsABlockOfTheSourceOfItsExactSize)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    for (size_t n : {size_t{1}, size_t{16}, size_t{100}, size_t{4000}, size_t{5000}}) {
        unsigned char *p = t.alloc(n);
        EXPECT_TRUE(t.ledger.blocks.remove(p, n));
        EXPECT_TRUE(t.ledger.blocks.add(p, n));
        p = t.nalloc(n);
        EXPECT_TRUE(t.ledger.blocks.holds(p, n));
        EXPECT_FALSE(t.ledger.blocks.holds(p, n + 1));
        t.claim(slm_pool_memalign(t.pool, 512, n), n, 512);
        t.claim(slm_pool_calloc(t.pool, n), n, 16);
    }
    EXPECT_EQ(t.stats().n_blocks, 1u);
}

TEST(PoolPassThrough, SizeZeroHasAnAddressOfItsOwn)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    for (int i = 0; i < 50; i++) {
        t.alloc(0);
        t.nalloc(0);
    }
}

TEST(PoolPassThrough, DistinguishesSmallFromLargeLikeAnyPool)
{
    TestPool plain;
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    size_t limit = t.stats().small_limit_bytes;
    EXPECT_EQ(limit, plain.stats().small_limit_bytes);
    void *small = t.alloc(limit);
    void *aligned = t.claim(slm_pool_memalign(t.pool, 64, limit), limit, 64);
    void *large = t.alloc(limit + 1);
    EXPECT_EQ(t.stats().n_large, 2u);
    EXPECT_EQ(t.stats().large_bytes, 2 * limit + 1);
    EXPECT_EQ(t.free(small, limit), SLM_UNCHANGED);
    EXPECT_EQ(t.free(aligned, limit), SLM_OK);
    EXPECT_EQ(t.free(large, limit + 1), SLM_OK);
    EXPECT_EQ(t.stats().n_large, 0u);
    EXPECT_TRUE(slm_pool_owns(t.pool, small));
}

/* A handler's record has a block of its own here, and a record in the table. */
TEST(PoolPassThrough, OwnsEveryByteOfObjectsAndNoneOfItsRecords)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    unsigned char *object = t.alloc(100);
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 0, nullptr), SLM_OK);
    auto *record = reinterpret_cast<unsigned char *>(t.pool->rest->cleanups);
    for (size_t at : {size_t{0}, size_t{1}, sizeof(slm_pool_cleanup) - 1}) {
        EXPECT_TRUE(slm_pool_owns(t.pool, object + at));
        EXPECT_FALSE(slm_pool_owns(t.pool, record + at)) << at;
        EXPECT_EQ(slm_pool_free(t.pool, record + at), SLM_E_METADATA) << at;
    }
}

TEST(PoolPassThrough, ResetReleasesEveryObject)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    for (size_t n = 0; n < 500; n++) {
        t.alloc(n * 20);
    }
    EXPECT_GT(t.counting.live_blocks, 500u);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(t.counting.live_blocks, 1u);
    t.alloc(10);
}

TEST(PoolPassThrough, ExtendChangesNothingAndGiveBackReleasesTheNewestOnly)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    void *a = t.alloc(100);
    void *b = t.alloc(100);
    void *large = t.alloc(5000);
    struct slm_pool_stats before = t.stats();
    EXPECT_EQ(slm_pool_extend(t.pool, b, 100, 110), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, a, 100), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, large, 5000), SLM_UNCHANGED);
    EXPECT_TRUE(same(before, t.stats()));
    EXPECT_EQ(slm_pool_give_back(t.pool, b, 100), SLM_OK);
    EXPECT_EQ(t.stats().source_bytes, before.source_bytes - 100);
    EXPECT_EQ(slm_pool_give_back(t.pool, b, 100), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_give_back(t.pool, a, 100), SLM_UNCHANGED);
}

TEST(PoolPassThrough, EachKindOfMisuseHasItsOwnStatus)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    unsigned char *small = t.alloc(100);
    unsigned char *large = t.alloc(5000);
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 0, nullptr), SLM_OK);
    struct slm_pool_stats before = t.stats();
    EXPECT_EQ(slm_pool_free(t.pool, small + 50), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_free(t.pool, large + 50), SLM_E_INTERIOR);
    EXPECT_EQ(slm_pool_free(t.pool, t.pool), SLM_E_METADATA);
    EXPECT_EQ(slm_pool_free(t.pool, reinterpret_cast<unsigned char *>(t.pool) + 2000),
              SLM_E_FOREIGN);
    EXPECT_EQ(slm_pool_free(t.pool, &t), SLM_E_FOREIGN);
    EXPECT_TRUE(same(before, t.stats()));
    EXPECT_EQ(t.free(large, 5000), SLM_OK);
    EXPECT_EQ(slm_pool_free(t.pool, large), SLM_E_FREED);
}

TEST(PoolPassThrough, GiveBackBeforeTheFirstObjectChangesNothing)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    int elsewhere = 0;
    EXPECT_EQ(slm_pool_give_back(t.pool, &elsewhere, sizeof elsewhere), SLM_UNCHANGED);
    t.alloc(10);
}

/* It has a block of its own there, which a free must not release. */
TEST(PoolPassThrough, TheRecordOfAHandlerIsMetadata)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    bool ran = false;
    auto run = [](void *data) { *static_cast<bool *>(data) = true; };
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, run, &ran, 0, nullptr), SLM_OK);
    EXPECT_EQ(slm_pool_free(t.pool, t.pool->rest->cleanups), SLM_E_METADATA);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_TRUE(ran);
}

TEST(PoolPassThrough, ReuseListsWork)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    struct slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 100), SLM_OK);
    void *p = slm_pool_reuse_get(&list);
    EXPECT_EQ(slm_pool_reuse_put(&list, p), SLM_OK);
    EXPECT_EQ(slm_pool_reuse_put(&list, p), SLM_E_FREED);
    EXPECT_EQ(slm_pool_reuse_get(&list), p);
}

TEST(PoolPassThrough, WorksOverGuardPages)
{
    slm_pool *pool = nullptr;
    ASSERT_EQ(slm_pool_create(&pool, 4096, slm_source_guard(), SLM_POOL_PASS_THROUGH), SLM_OK);
    for (size_t n = 1; n < 6000; n += 500) {
        memset(slm_pool_alloc(pool, n), 1, n);
    }
    EXPECT_EQ(slm_pool_check(pool), 0u);
    EXPECT_EQ(slm_pool_destroy(pool), SLM_OK);
}

TEST(PoolPassThroughDeathTest, GuardPagesCatchAnOverrunOfASmallObject)
{
    slm_pool *pool = nullptr;
    ASSERT_EQ(slm_pool_create(&pool, 4096, slm_source_guard(), SLM_POOL_PASS_THROUGH), SLM_OK);
    auto *p = static_cast<volatile unsigned char *>(slm_pool_alloc(pool, 48));
    p[47] = 1;
    EXPECT_DEATH(p[48] = 1, "");
    EXPECT_EQ(slm_pool_destroy(pool), SLM_OK);
}

/* The argument and the record of the handler have a block each. */
TEST(PoolPassThrough, AFileHandlerRefusedAtAnyCallOfTheSourceLeavesNothing)
{
    TestPool t(4096, SLM_POOL_PASS_THROUGH);
    t.alloc(5000);
    struct slm_pool_stats before = t.stats();
    uint64_t n_refusals = 0;
    for (slm_status status = SLM_E_NOMEM; status != SLM_OK; n_refusals++) {
        ASSERT_LT(n_refusals, 10u);
        t.failing.fail_at = t.failing.n_calls + n_refusals + 1;
        status = slm_pool_cleanup_delete(t.pool, 1 << 20, "/no/such/file");
        if (status != SLM_OK) {
            EXPECT_EQ(status, SLM_E_NOMEM);
            EXPECT_TRUE(same(before, t.stats()));
        }
    }
    EXPECT_GE(n_refusals, 3u);
}

/* Found by //fuzz:pool_vs_slow_fuzz: corpus/.../regress/newest_behind_a_refused_handler. */
TEST(PoolPassThrough, ARefusedHandlerKeepsTheNewestObjectTheNewest)
{
    for (unsigned nth_refused = 1; nth_refused <= 2; nth_refused++) {
        TestPool t(4096, SLM_POOL_PASS_THROUGH);
        unsigned char *older = t.alloc(8);
        unsigned char *newest = t.alloc(8);
        void *data = nullptr;
        t.failing.fail_at = t.failing.n_calls + nth_refused;
        EXPECT_EQ(slm_pool_cleanup_add(
                      t.pool, [](void *) {}, nullptr, 256, &data),
                  SLM_E_NOMEM);
        EXPECT_EQ(slm_pool_give_back(t.pool, older, 8), SLM_UNCHANGED);
        EXPECT_EQ(slm_pool_give_back(t.pool, newest, 8), SLM_OK);
    }
}

} // namespace
