/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of rbtree.h and lru.h with NULL in each of its pointers: the rule of status.h. */
#include <gtest/gtest.h>

#include "tests/tree/rbtree_fixture.h"

using namespace treetest;

namespace {

/* Two items in the tree and in the list; a third one in neither. */
class TreeNull : public testing::Test {
  protected:
    void SetUp() override
    {
        for (size_t i = 0; i < 2; i++) {
            ASSERT_EQ(a.insert(i, i), SLM_OK);
            ASSERT_EQ(slm_lru_insert(&a.journal, a.list, a.used(i)), SLM_OK);
        }
        before = a.image();
    }
    void TearDown() override
    {
        EXPECT_EQ(a.image(), before);
    }

    Arena a{3};
    std::vector<unsigned char> before;
};

extern "C" {
int compare_without_key(const void *key, const slm_rbtree_node *)
{
    return key == nullptr ? 0 : 1;
}
}

TEST_F(TreeNull, InsertAndRemoveReturnTheStatusForNull)
{
    EXPECT_EQ(slm_rbtree_insert(nullptr, a.tree, a.node(2), order_items), SLM_E_NULL);
    EXPECT_EQ(slm_rbtree_insert(&a.journal, nullptr, a.node(2), order_items), SLM_E_NULL);
    EXPECT_EQ(slm_rbtree_insert(&a.journal, a.tree, nullptr, order_items), SLM_E_NULL);
    EXPECT_EQ(slm_rbtree_insert(&a.journal, a.tree, a.node(2), nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_rbtree_remove(nullptr, a.tree, a.node(0)), SLM_E_NULL);
    EXPECT_EQ(slm_rbtree_remove(&a.journal, nullptr, a.node(0)), SLM_E_NULL);
    EXPECT_EQ(slm_rbtree_remove(&a.journal, a.tree, nullptr), SLM_E_NULL);
}

TEST_F(TreeNull, TheHalvesOfInsertRefuseNullAndChangeNothing)
{
    EXPECT_EQ(slm_rbtree_insert_check(nullptr, a.tree, a.node(2)), SLM_E_NULL);
    EXPECT_EQ(slm_rbtree_insert_check(&a.journal, nullptr, a.node(2)), SLM_E_NULL);
    EXPECT_EQ(slm_rbtree_insert_check(&a.journal, a.tree, nullptr), SLM_E_NULL);
    slm_word *link = &a.node(0)->left;
    slm_rbtree_insert_link(nullptr, a.tree, a.node(2), a.node(0), link, order_items);
    slm_rbtree_insert_link(&a.journal, nullptr, a.node(2), a.node(0), link, order_items);
    slm_rbtree_insert_link(&a.journal, a.tree, nullptr, a.node(0), link, order_items);
    slm_rbtree_insert_link(&a.journal, a.tree, a.node(2), a.node(0), nullptr, order_items);
}

TEST_F(TreeNull, SearchesFindNothingWithoutJournalTreeOrCompare)
{
    uint64_t key = 0;
    for (auto *search : {slm_rbtree_find, slm_rbtree_lower_bound}) {
        EXPECT_EQ(search(nullptr, a.tree, &key, compare_item), nullptr);
        EXPECT_EQ(search(&a.journal, nullptr, &key, compare_item), nullptr);
        EXPECT_EQ(search(&a.journal, a.tree, &key, nullptr), nullptr);
        EXPECT_EQ(search(&a.journal, a.tree, &key, compare_item), a.node(0));
    }
}

TEST_F(TreeNull, AKeyOfNullIsPassedToCompare)
{
    EXPECT_EQ(slm_rbtree_find(&a.journal, a.tree, nullptr, compare_without_key), a.node(0));
    EXPECT_EQ(slm_rbtree_lower_bound(&a.journal, a.tree, nullptr, compare_without_key), a.node(0));
}

TEST_F(TreeNull, StepsLeadNowhereWithoutJournalTreeOrNode)
{
    for (auto *end : {slm_rbtree_first, slm_rbtree_last}) {
        EXPECT_EQ(end(nullptr, a.tree), nullptr);
        EXPECT_EQ(end(&a.journal, nullptr), nullptr);
    }
    for (auto *step : {slm_rbtree_next, slm_rbtree_prev}) {
        EXPECT_EQ(step(nullptr, a.node(0)), nullptr);
        EXPECT_EQ(step(&a.journal, nullptr), nullptr);
    }
    EXPECT_EQ(slm_rbtree_check(nullptr, a.tree, order_items, 0, 0), 0u);
    EXPECT_EQ(slm_rbtree_check(&a.journal, nullptr, order_items, 0, 0), 0u);
    EXPECT_EQ(slm_rbtree_check(&a.journal, a.tree, nullptr, sizeof(Heads), a.bytes), 0u);
    EXPECT_NE(slm_rbtree_check(&a.journal, a.tree, nullptr, 0, 0), 0u);
}

TEST_F(TreeNull, ListCallsReturnTheStatusForNull)
{
    for (auto *call : {slm_lru_insert, slm_lru_insert_oldest, slm_lru_remove, slm_lru_touch}) {
        EXPECT_EQ(call(nullptr, a.list, a.used(0)), SLM_E_NULL);
        EXPECT_EQ(call(&a.journal, nullptr, a.used(0)), SLM_E_NULL);
        EXPECT_EQ(call(&a.journal, a.list, nullptr), SLM_E_NULL);
    }
}

TEST_F(TreeNull, ListStepsLeadNowhereWithoutJournalListOrNode)
{
    for (auto *end : {slm_lru_newest, slm_lru_oldest}) {
        EXPECT_EQ(end(nullptr, a.list), nullptr);
        EXPECT_EQ(end(&a.journal, nullptr), nullptr);
    }
    for (auto *step : {slm_lru_newer, slm_lru_older}) {
        EXPECT_EQ(step(nullptr, a.used(0)), nullptr);
        EXPECT_EQ(step(&a.journal, nullptr), nullptr);
    }
    EXPECT_EQ(slm_lru_check(nullptr, a.list, 0, 0), 0u);
    EXPECT_EQ(slm_lru_check(&a.journal, nullptr, 0, 0), 0u);
    EXPECT_NE(slm_lru_check(&a.journal, a.list, 0, 0), 0u);
}

} // namespace
