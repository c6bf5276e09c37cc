/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of status.h for NULL, kept by every function of pool.h for each of its pointers. */
#include <slabmill/pool.h>

#include <gtest/gtest.h>

#include "tests/pool/fixture.h"

namespace {

using slm_test::TestPool;

void ignore(void *)
{
}

/* The pool has objects of each kind and a handler. Each test leaves it as it was. */
class PoolNull : public testing::Test {
  protected:
    PoolNull()
    {
        object = t.alloc(100);
        t.nalloc(50);
        t.alloc(5000);
        EXPECT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 0, nullptr), SLM_OK);
        before = t.stats();
        free_bytes = slm_pool_free_bytes(t.pool);
    }
    ~PoolNull() override
    {
        slm_pool_stats now = t.stats();
        EXPECT_EQ(now.n_blocks, before.n_blocks);
        EXPECT_EQ(now.n_large, before.n_large);
        EXPECT_EQ(now.n_cleanups, before.n_cleanups);
        EXPECT_EQ(now.source_bytes, before.source_bytes);
        EXPECT_EQ(slm_pool_free_bytes(t.pool), free_bytes);
    }

    TestPool t;
    void *object = nullptr;
    slm_pool_stats before{};
    size_t free_bytes = 0;
};

TEST_F(PoolNull, CallsThatReturnAStatusRefuseANullPool)
{
    void *data = object;
    slm_pool_reuse list;
    EXPECT_EQ(slm_pool_reset(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_set_keep(nullptr, 4096), SLM_E_NULL);
    EXPECT_EQ(slm_pool_trim(nullptr, 0), SLM_E_NULL);
    EXPECT_EQ(slm_pool_free(nullptr, object), SLM_E_NULL);
    EXPECT_EQ(slm_pool_free(nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_extend(nullptr, object, 100, 120), SLM_E_NULL);
    EXPECT_EQ(slm_pool_give_back(nullptr, object, 100), SLM_E_NULL);
    EXPECT_EQ(slm_pool_give_back(nullptr, nullptr, 100), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_add(nullptr, ignore, nullptr, 8, &data), SLM_E_NULL);
    slm_pool_cleanup *cleanup = nullptr;
    slm_pool *child = t.pool;
    ASSERT_EQ(slm_pool_cleanup_reserve(t.pool, &cleanup), SLM_OK);
    free_bytes = slm_pool_free_bytes(t.pool);
    EXPECT_EQ(slm_pool_cleanup_arm(nullptr, cleanup, ignore, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_cancel(nullptr, cleanup), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_reserve(nullptr, &cleanup), SLM_E_NULL);
    EXPECT_EQ(cleanup, nullptr);
    EXPECT_EQ(slm_pool_create_child(&child, nullptr, 4096, nullptr, 0), SLM_E_NULL);
    EXPECT_EQ(child, nullptr);
    EXPECT_EQ(slm_pool_cleanup_close(nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_delete(nullptr, 1, "x"), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_run_file(nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_pool_reuse_init(&list, nullptr, 40), SLM_E_NULL);
    EXPECT_EQ(data, nullptr);
}

TEST_F(PoolNull, OtherCallsAnswerANullPoolWithNullOr0)
{
    for (size_t size : {size_t{0}, size_t{1}, size_t{16}, size_t{5000}, SIZE_MAX}) {
        EXPECT_EQ(slm_pool_alloc(nullptr, size), nullptr) << size;
        EXPECT_EQ(slm_pool_alloc_slow(nullptr, size), nullptr) << size;
        EXPECT_EQ(slm_pool_alloc_packed(nullptr, size), nullptr) << size;
        EXPECT_EQ(slm_pool_alloc_packed_slow(nullptr, size), nullptr) << size;
        EXPECT_EQ(slm_pool_calloc(nullptr, size), nullptr) << size;
        EXPECT_EQ(slm_pool_calloc_array(nullptr, 1, size), nullptr) << size;
        EXPECT_EQ(slm_pool_memalign(nullptr, 8, size), nullptr) << size;
        EXPECT_EQ(slm_pool_memalign(nullptr, 64, size), nullptr) << size;
    }
    va_list none{};
    EXPECT_EQ(slm_pool_memdup(nullptr, object, 4), nullptr);
    EXPECT_EQ(slm_pool_strdup(nullptr, "x"), nullptr);
    EXPECT_EQ(slm_pool_strndup(nullptr, "x", 1), nullptr);
    EXPECT_EQ(slm_pool_printf(nullptr, "%d", 1), nullptr);
    EXPECT_EQ(slm_pool_vprintf(nullptr, "%d", none), nullptr);
    EXPECT_EQ(slm_pool_free_bytes(nullptr), 0u);
    EXPECT_EQ(slm_pool_owns(nullptr, object), 0);
    EXPECT_EQ(slm_pool_check(nullptr), 0u);
}

TEST_F(PoolNull, CallsRefuseOtherNullPointersThatTheyNeed)
{
    EXPECT_EQ(slm_pool_create(nullptr, 4096, nullptr, 0), SLM_E_NULL);
    EXPECT_EQ(slm_pool_create_child(nullptr, t.pool, 4096, nullptr, 0), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_reserve(t.pool, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_arm(t.pool, nullptr, ignore, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_cancel(t.pool, nullptr), SLM_E_NULL);
    slm_pool_cleanup *cleanup = nullptr;
    ASSERT_EQ(slm_pool_cleanup_reserve(t.pool, &cleanup), SLM_OK);
    free_bytes = slm_pool_free_bytes(t.pool);
    EXPECT_EQ(slm_pool_cleanup_arm(t.pool, cleanup, nullptr, nullptr), SLM_E_NULL);
    va_list none{};
    EXPECT_EQ(slm_pool_memdup(t.pool, nullptr, 1), nullptr);
    EXPECT_EQ(slm_pool_strdup(t.pool, nullptr), nullptr);
    EXPECT_EQ(slm_pool_strndup(t.pool, nullptr, 1), nullptr);
    const char *no_format = nullptr;
    EXPECT_EQ(slm_pool_vprintf(t.pool, no_format, none), nullptr);
    EXPECT_EQ(slm_pool_extend(t.pool, nullptr, 100, 120), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_add(t.pool, nullptr, nullptr, 0, nullptr), SLM_E_NULL);
    void *data = object;
    EXPECT_EQ(slm_pool_cleanup_add(t.pool, nullptr, nullptr, 8, &data), SLM_E_NULL);
    EXPECT_EQ(data, nullptr);
    EXPECT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 8, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_delete(t.pool, 1, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_reuse_init(nullptr, t.pool, 40), SLM_E_NULL);
    EXPECT_EQ(slm_pool_reuse_get(nullptr), nullptr);
    EXPECT_EQ(slm_pool_reuse_put(nullptr, object), SLM_E_NULL);
    EXPECT_EQ(slm_pool_reuse_put(nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_owns(t.pool, nullptr), 0);
}

TEST_F(PoolNull, ReleaseOfNullIsNoError)
{
    slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 40), SLM_OK);
    EXPECT_EQ(slm_pool_destroy(nullptr), SLM_OK);
    EXPECT_EQ(slm_pool_free(t.pool, nullptr), SLM_OK);
    EXPECT_EQ(slm_pool_give_back(t.pool, nullptr, 100), SLM_OK);
    EXPECT_EQ(slm_pool_reuse_put(&list, nullptr), SLM_OK);
    EXPECT_EQ(list.n_free, 0u);
    EXPECT_EQ(list.n_live, 0u);
}

TEST_F(PoolNull, StatsOfANullPoolChangeNothing)
{
    slm_pool_stats stats = before;
    slm_pool_get_stats(nullptr, &stats);
    EXPECT_EQ(memcmp(&stats, &before, sizeof stats), 0);
    slm_pool_get_stats(t.pool, nullptr);
}

TEST(PoolNullSource, MeansTheHeap)
{
    slm_pool *pool = nullptr;
    ASSERT_EQ(slm_pool_create(&pool, 4096, nullptr, 0), SLM_OK);
    EXPECT_NE(slm_pool_alloc(pool, 100), nullptr);
    EXPECT_EQ(slm_pool_destroy(pool), SLM_OK);
}

} // namespace
