/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: pools that end with another one. */
#include <string>

#include "tests/pool/fixture.h"

namespace {

using slm_test::end_pools;
using slm_test::Ender;
using slm_test::TestPool;

std::string order;

void note(void *data)
{
    order += static_cast<const char *>(data);
}

char child_name[] = "c";
char parent_name[] = "p";

slm_pool *child_of(slm_pool *parent)
{
    slm_pool *child = nullptr;
    EXPECT_EQ(slm_pool_create_child(&child, parent, 1024, nullptr, 0), SLM_OK);
    EXPECT_EQ(slm_pool_cleanup_add(child, note, child_name, 0, nullptr), SLM_OK);
    EXPECT_NE(slm_pool_alloc(child, 3000), nullptr);
    return child;
}

TEST(PoolChild, EndsWithTheParentInTheOrderOfTheParentsHandlers)
{
    TestPool t;
    order.clear();
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, note, parent_name, 0, nullptr), SLM_OK);
    child_of(t.pool);
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, note, parent_name, 0, nullptr), SLM_OK);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    EXPECT_EQ(slm_pool_destroy(t.pool), SLM_OK);
    t.pool = nullptr;
    EXPECT_EQ(order, "pcp");
}

TEST(PoolChild, EndsWithAResetOfTheParent)
{
    TestPool t;
    order.clear();
    child_of(t.pool);
    child_of(t.pool);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "cc");
    child_of(t.pool);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "ccc");
}

TEST(PoolChild, DestroyedEarlyIsNotDestroyedAgain)
{
    TestPool t;
    order.clear();
    slm_pool *child = child_of(t.pool);
    EXPECT_EQ(t.stats().n_cleanups, 1u);
    EXPECT_EQ(slm_pool_destroy(child), SLM_OK);
    EXPECT_EQ(t.stats().n_cleanups, 0u);
    EXPECT_EQ(order, "c");
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    EXPECT_EQ(slm_pool_destroy(t.pool), SLM_OK);
    t.pool = nullptr;
    EXPECT_EQ(order, "c");
}

TEST(PoolChild, ThatEndsEarlyLeavesItsRecordToTheNext)
{
    TestPool t;
    slm_pool *first = child_of(t.pool);
    slm_pool *second = child_of(t.pool);
    size_t free_bytes = slm_pool_free_bytes(t.pool);
    size_t source_bytes = t.stats().source_bytes;
    for (int i = 0; i < 1000; i++) {
        ASSERT_EQ(slm_pool_destroy(i % 2 == 0 ? first : second), SLM_OK);
        (i % 2 == 0 ? first : second) = child_of(t.pool);
    }
    EXPECT_EQ(slm_pool_free_bytes(t.pool), free_bytes);
    EXPECT_EQ(t.stats().source_bytes, source_bytes);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    EXPECT_EQ(t.reset(), SLM_OK);
}

TEST(PoolChild, GrandchildrenEndFirst)
{
    TestPool t;
    order.clear();
    slm_pool *child = child_of(t.pool);
    slm_pool *grandchild = child_of(child);
    char grandchild_name[] = "g";
    ASSERT_EQ(slm_pool_cleanup_add(grandchild, note, grandchild_name, 0, nullptr), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "gcc");
}

void destroy_pool(void *pool)
{
    EXPECT_EQ(slm_pool_destroy(static_cast<slm_pool *>(pool)), SLM_OK);
}

TEST(PoolChild, MayBeDestroyedByAHandlerOfTheParent)
{
    TestPool t;
    order.clear();
    slm_pool *child = child_of(t.pool);
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, destroy_pool, child, 0, nullptr), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "c");
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

TEST(PoolChild, HandlerCannotEndAPoolThatWouldEndItsOwn)
{
    TestPool t;
    order.clear();
    slm_pool *child = child_of(t.pool);
    slm_pool *grandchild = child_of(child);
    for (bool is_reset : {true, false}) {
        Ender ender = {t.pool, child, SLM_OK, SLM_OK};
        ASSERT_EQ(slm_pool_cleanup_add(grandchild, end_pools, &ender, 0, nullptr), SLM_OK);
        EXPECT_EQ(is_reset ? slm_pool_reset(grandchild) : slm_pool_destroy(grandchild), SLM_OK);
        EXPECT_EQ(ender.reset, SLM_E_BUSY);
        EXPECT_EQ(ender.destroyed, SLM_E_BUSY);
    }
    EXPECT_EQ(order, "c"); /* the grandchild's, which its reset ran */
    EXPECT_EQ(slm_pool_check(child), 0u);
    EXPECT_EQ(slm_pool_reset(child), SLM_OK); /* nothing is left busy */
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "cc");
}

TEST(PoolChild, HandlerOfOneChildMayEndAnother)
{
    TestPool t;
    order.clear();
    slm_pool *one = child_of(t.pool);
    slm_pool *other = child_of(t.pool);
    Ender ender = {other, other, SLM_E_BUSY, SLM_E_BUSY};
    ASSERT_EQ(slm_pool_cleanup_add(one, end_pools, &ender, 0, nullptr), SLM_OK);
    ASSERT_EQ(slm_pool_reset(one), SLM_OK);
    EXPECT_EQ(ender.reset, SLM_OK);
    EXPECT_EQ(ender.destroyed, SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "cc");
}

TEST(PoolChild, CreateThatFailsLeavesTheParentAsItWas)
{
    TestPool t;
    slm_pool *child = t.pool;
    size_t free_bytes = slm_pool_free_bytes(t.pool);
    EXPECT_EQ(slm_pool_create_child(&child, t.pool, 0, nullptr, 0), SLM_E_SIZE);
    EXPECT_EQ(child, nullptr);
    EXPECT_EQ(slm_pool_create_child(&child, t.pool, 1024, nullptr, 0x8000), SLM_E_OPTION);
    EXPECT_EQ(t.stats().n_cleanups, 0u);
    EXPECT_EQ(slm_pool_free_bytes(t.pool), free_bytes);
    child_of(t.pool);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    EXPECT_EQ(t.reset(), SLM_OK);
}

TEST(PoolChild, ThatTheSourceRefusesLeavesNothing)
{
    for (unsigned flags : {0u, unsigned{SLM_POOL_PASS_THROUGH}}) {
        slm_status status = SLM_E_NOMEM;
        for (uint64_t nth = 1; status != SLM_OK; nth++) {
            TestPool t(4096, flags);
            uint64_t live_bytes = t.counting.live_bytes;
            t.failing.fail_at = t.failing.n_calls + nth;
            t.failing.fail_count = 1;
            slm_pool *child = t.pool;
            status = slm_pool_create_child(&child, t.pool, 1024, nullptr, 0);
            if (status != SLM_OK) {
                EXPECT_EQ(status, SLM_E_NOMEM);
                EXPECT_EQ(child, nullptr);
                EXPECT_EQ(t.counting.live_bytes, live_bytes) << nth;
                EXPECT_EQ(t.stats().n_records, 0u) << nth;
            }
            EXPECT_EQ(t.stats().n_cleanups, status == SLM_OK ? 1u : 0u);
            EXPECT_EQ(t.reset(), SLM_OK);
        }
    }
}

} // namespace
