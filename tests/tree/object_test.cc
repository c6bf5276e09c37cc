/* SPDX-License-Identifier: Apache-2.0 */
/* SLM_OBJECT in C++: the object of a node, and its type. tests/install/smoke.c uses it in C. */
#include <gtest/gtest.h>

#include <type_traits>

#include "tests/tree/rbtree_fixture.h"

using namespace treetest;

namespace {

TEST(Object, OfAnyMemberIsTheObjectThatTheMemberIsIn)
{
    Item items[3] = {};
    for (Item &item : items) {
        EXPECT_EQ(SLM_OBJECT(&item.node, Item, node), &item);
        EXPECT_EQ(SLM_OBJECT(&item.used, Item, used), &item);
        EXPECT_EQ(SLM_OBJECT(&item.key, Item, key), &item);
    }
}

TEST(Object, OfNullIsNull)
{
    slm_lru_node *none = nullptr;
    const slm_lru_node *const_none = nullptr;
    EXPECT_EQ(SLM_OBJECT(none, Item, used), nullptr);
    EXPECT_EQ(SLM_OBJECT(const_none, Item, used), nullptr);
    EXPECT_EQ(SLM_OBJECT(nullptr, Item, used), nullptr);
}

TEST(Object, IsConstInCxxIfTheNodeIs)
{
    Item item = {};
    const slm_rbtree_node *node = &item.node;
    static_assert(std::is_same<decltype(SLM_OBJECT(node, Item, node)), const Item *>::value, "");
    static_assert(std::is_same<decltype(SLM_OBJECT(&item.node, Item, node)), Item *>::value, "");
    EXPECT_EQ(SLM_OBJECT(node, Item, node), &item);
}

TEST(Object, EvaluatesTheNodeOnce)
{
    Arena a(3);
    for (size_t i = 0; i < 3; i++) {
        ASSERT_EQ(slm_lru_insert(&a.journal, a.list, a.used(i)), SLM_OK);
    }
    int n_calls = 0;
    auto newest = [&] {
        n_calls++;
        return slm_lru_newest(&a.journal, a.list);
    };
    EXPECT_EQ(SLM_OBJECT(newest(), Item, used), &a.item(2));
    EXPECT_EQ(n_calls, 1);
}

} // namespace
