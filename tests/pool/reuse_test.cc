/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: the reuse list of objects of one size. */
#include <vector>

#include "tests/pool/fixture.h"

namespace {

using slm_test::TestPool;

TEST(PoolReuse, RefusesBadArguments)
{
    TestPool t;
    struct slm_pool_reuse list;
    size_t most = t.stats().small_limit_bytes - 16;
    EXPECT_EQ(slm_pool_reuse_init(nullptr, t.pool, 8), SLM_E_NULL);
    EXPECT_EQ(slm_pool_reuse_init(&list, nullptr, 8), SLM_E_NULL);
    EXPECT_EQ(slm_pool_reuse_init(&list, t.pool, 0), SLM_E_SIZE);
    EXPECT_EQ(slm_pool_reuse_init(&list, t.pool, most + 1), SLM_E_SIZE);
    EXPECT_EQ(slm_pool_reuse_init(&list, t.pool, SIZE_MAX), SLM_E_SIZE);
    EXPECT_EQ(slm_pool_reuse_init(&list, t.pool, most), SLM_OK);
    t.claim(slm_pool_reuse_get(&list), most, SLM_POOL_ALIGN);
    EXPECT_EQ(t.stats().n_large, 0u);
}

TEST(PoolReuse, ReusesObjectsBeforeItAllocatesNewOnes)
{
    TestPool t;
    struct slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 40), SLM_OK);
    std::vector<void *> objects;
    for (int i = 0; i < 100; i++) {
        objects.push_back(t.claim(slm_pool_reuse_get(&list), 40, SLM_POOL_ALIGN));
    }
    EXPECT_EQ(list.n_live, 100u);
    size_t n_blocks = t.stats().n_blocks;
    for (int round = 0; round < 50; round++) {
        for (void *p : objects) {
            EXPECT_TRUE(t.objects.remove(p, 40));
            ASSERT_EQ(slm_pool_reuse_put(&list, p), SLM_OK);
        }
        EXPECT_EQ(list.n_free, 100u);
        for (void *&p : objects) {
            p = t.claim(slm_pool_reuse_get(&list), 40, SLM_POOL_ALIGN);
        }
    }
    EXPECT_EQ(list.n_free, 0u);
    EXPECT_EQ(list.n_live, 100u);
    EXPECT_EQ(t.stats().n_blocks, n_blocks);
}

TEST(PoolReuse, RefusesPointersToNoLiveObjectOfTheListAndChangesNothing)
{
    TestPool t;
    struct slm_pool_reuse list;
    struct slm_pool_reuse other;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 40), SLM_OK);
    ASSERT_EQ(slm_pool_reuse_init(&other, t.pool, 40), SLM_OK);
    auto *p = static_cast<unsigned char *>(slm_pool_reuse_get(&list));
    memset(p, 0, 40);
    EXPECT_EQ(slm_pool_reuse_put(&other, p), SLM_E_FOREIGN);
    EXPECT_EQ(slm_pool_reuse_put(&list, p + 1), SLM_E_FOREIGN);
    EXPECT_EQ(slm_pool_reuse_put(&list, p + 16), SLM_E_FOREIGN);
    EXPECT_EQ(slm_pool_reuse_put(&list, nullptr), SLM_OK);
    EXPECT_EQ(slm_pool_reuse_put(nullptr, p), SLM_E_NULL);
    EXPECT_EQ(list.n_live, 1u);
    EXPECT_EQ(other.n_free, 0u);
    EXPECT_EQ(slm_pool_reuse_put(&list, p), SLM_OK);
    EXPECT_EQ(slm_pool_reuse_put(&list, p), SLM_E_FREED);
    EXPECT_EQ(slm_pool_reuse_put(&other, p), SLM_E_FOREIGN);
    EXPECT_EQ(list.n_free, 1u);
    EXPECT_EQ(list.n_live, 0u);
}

TEST(PoolReuse, RefusesACopyOfALiveObject)
{
    TestPool t;
    struct slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 40), SLM_OK);
    auto *p = static_cast<unsigned char *>(slm_pool_reuse_get(&list));
    memset(p, 0, 40);
    auto *copy = static_cast<unsigned char *>(slm_pool_alloc(t.pool, 56));
    memcpy(copy, p - 16, 56);
    EXPECT_EQ(slm_pool_reuse_put(&list, copy + 16), SLM_E_FOREIGN);
    EXPECT_EQ(list.n_free, 0u);
}

TEST(PoolReuse, ReturnsNullWhenThePoolIsOutOfMemoryAndWorksAgainLater)
{
    TestPool t;
    struct slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 500), SLM_OK);
    t.failing.fail_at = 2;
    t.failing.fail_count = UINT64_MAX;
    std::vector<void *> objects;
    while (void *p = slm_pool_reuse_get(&list)) {
        objects.push_back(p);
    }
    EXPECT_EQ(list.n_live, objects.size());
    ASSERT_FALSE(objects.empty());
    EXPECT_EQ(slm_pool_reuse_put(&list, objects[0]), SLM_OK);
    EXPECT_EQ(slm_pool_reuse_get(&list), objects[0]);
    EXPECT_EQ(slm_pool_reuse_get(&list), nullptr);
}

TEST(PoolReuse, StartsEmptyAgainAfterAResetAndInit)
{
    TestPool t;
    struct slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 40), SLM_OK);
    EXPECT_EQ(slm_pool_reuse_put(&list, slm_pool_reuse_get(&list)), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 40), SLM_OK);
    EXPECT_EQ(list.n_free, 0u);
    t.claim(slm_pool_reuse_get(&list), 40);
}

} // namespace
