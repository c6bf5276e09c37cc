/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black tree: its contract, misuse, and long runs compared with a std::multimap. */
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/tree/rbtree_fixture.h"

namespace {

using namespace treetest;

/* --- Searching --- */

class Rbtree : public testing::Test {
  protected:
    /* Inserts keys 0, 10, 20, ..., from the middle outwards. */
    void fill(size_t n)
    {
        for (size_t i = 0; i < n; i++) {
            size_t at = (i * 7 + n / 2) % n;
            a.item(at).id = at;
            ASSERT_EQ(a.insert(at, at * 10), SLM_OK);
        }
        ASSERT_EQ(a.check(), 0u);
    }
    Item *find(uint64_t key) const
    {
        return item_of(slm_rbtree_find(&a.journal, a.tree, &key, compare_item));
    }
    Item *lower_bound(uint64_t key) const
    {
        return item_of(slm_rbtree_lower_bound(&a.journal, a.tree, &key, compare_item));
    }
    /* Runs call, which must return `expected` and leave every byte as it was. */
    template <class Call> void refused(enum slm_status expected, Call call)
    {
        std::vector<unsigned char> before = a.image();
        EXPECT_EQ(call(), expected);
        EXPECT_EQ(a.image(), before) << "a refused call changed something";
    }
    static constexpr size_t kNodes = 50; /* not a multiple of 7 */
    Arena a{kNodes + 10};
};

TEST_F(Rbtree, AllZeroIsEmpty)
{
    EXPECT_EQ(a.check(), 0u);
    EXPECT_EQ(slm_rbtree_first(&a.journal, a.tree), nullptr);
    EXPECT_EQ(slm_rbtree_last(&a.journal, a.tree), nullptr);
    EXPECT_EQ(find(1), nullptr);
    EXPECT_EQ(lower_bound(0), nullptr);
}

TEST_F(Rbtree, FindReturnsTheKeyAndOnlyTheKey)
{
    fill(kNodes);
    for (uint64_t key = 0; key < kNodes * 10 + 20; key++) {
        Item *expected = key % 10 == 0 && key / 10 < kNodes ? &a.item(key / 10) : nullptr;
        ASSERT_EQ(find(key), expected) << key;
    }
}

TEST_F(Rbtree, LowerBoundReturnsTheFirstNodeNotBeforeTheKey)
{
    fill(kNodes);
    for (uint64_t key = 0; key < kNodes * 10 + 20; key++) {
        size_t at = (key + 9) / 10;
        ASSERT_EQ(lower_bound(key), at < kNodes ? &a.item(at) : nullptr) << key;
    }
}

TEST_F(Rbtree, FindReturnsTheFirstOfEqualKeysAndNextTheOthers)
{
    for (size_t i = 0; i < 30; i++) {
        a.item(i).id = i;
        ASSERT_EQ(a.insert(i, i % 3), SLM_OK);
    }
    Item *item = find(1);
    for (uint64_t id = 1; id < 30; id += 3) {
        ASSERT_NE(item, nullptr);
        EXPECT_EQ(item->id, id);
        item = item_of(slm_rbtree_next(&a.journal, &item->node));
    }
    EXPECT_EQ(item->key, 2u);
}

TEST_F(Rbtree, NextAndPrevVisitAllNodesInOrderAndEndInNull)
{
    fill(kNodes);
    std::vector<uint64_t> ids = a.ids();
    ASSERT_EQ(ids.size(), kNodes);
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    EXPECT_EQ(ids, a.ids_backwards());
    EXPECT_EQ(slm_rbtree_next(&a.journal, a.node(kNodes - 1)), nullptr);
    EXPECT_EQ(slm_rbtree_prev(&a.journal, a.node(0)), nullptr);
}

/* --- R1: misuse --- */

TEST_F(Rbtree, R1InsertRefusesNullAndChangesNothing)
{
    fill(5);
    refused(SLM_E_NULL, [&] { return slm_rbtree_insert(nullptr, a.tree, a.node(9), order_items); });
    refused(SLM_E_NULL,
            [&] { return slm_rbtree_insert(&a.journal, nullptr, a.node(9), order_items); });
    refused(SLM_E_NULL,
            [&] { return slm_rbtree_insert(&a.journal, a.tree, nullptr, order_items); });
    refused(SLM_E_NULL, [&] { return slm_rbtree_insert(&a.journal, a.tree, a.node(9), nullptr); });
}

TEST_F(Rbtree, R1RemoveRefusesNullAndChangesNothing)
{
    fill(5);
    refused(SLM_E_NULL, [&] { return slm_rbtree_remove(nullptr, a.tree, a.node(1)); });
    refused(SLM_E_NULL, [&] { return slm_rbtree_remove(&a.journal, nullptr, a.node(1)); });
    refused(SLM_E_NULL, [&] { return slm_rbtree_remove(&a.journal, a.tree, nullptr); });
}

TEST_F(Rbtree, R1ASecondInsertOfAnyNodeChangesNothing)
{
    fill(kNodes);
    for (size_t i = 0; i < kNodes; i++) {
        refused(SLM_E_DUPLICATE, [&] { return a.insert(i, i * 10); });
    }
}

TEST_F(Rbtree, R1InsertRefusesANodeOfAnotherTree)
{
    fill(kNodes);
    refused(SLM_E_DUPLICATE,
            [&] { return slm_rbtree_insert(&a.journal, a.other_tree, a.node(3), order_items); });
}

TEST_F(Rbtree, R1ASecondRemoveOfAnyNodeChangesNothing)
{
    fill(kNodes);
    for (size_t i = 0; i < kNodes; i++) {
        ASSERT_EQ(a.remove(i), SLM_OK);
        refused(SLM_E_NOT_MEMBER, [&] { return a.remove(i); });
        ASSERT_EQ(a.check(), 0u);
    }
}

TEST_F(Rbtree, R1RemoveRefusesEveryNodeOfAnotherTree)
{
    fill(20);
    for (size_t i = 20; i < kNodes; i++) {
        a.item(i).key = i;
        ASSERT_EQ(slm_rbtree_insert(&a.journal, a.other_tree, a.node(i), order_items), SLM_OK);
    }
    for (size_t i = 0; i < kNodes; i++) {
        slm_rbtree *wrong = i < 20 ? a.other_tree : a.tree;
        refused(SLM_E_NOT_MEMBER, [&] { return slm_rbtree_remove(&a.journal, wrong, a.node(i)); });
    }
    EXPECT_EQ(a.check(), 0u);
}

TEST_F(Rbtree, R1RemoveRefusesANodeThatNeverWasInATree)
{
    refused(SLM_E_NOT_MEMBER, [&] { return a.remove(1); });
    fill(5);
    refused(SLM_E_NOT_MEMBER, [&] { return a.remove(9); });
}

TEST_F(Rbtree, CopiesOfLinkedNodesAndTheRootAreRefused)
{
    fill(kNodes);
    for (size_t i = 0; i < kNodes; i++) {
        Item *copy = &a.item(kNodes + 1);
        std::memcpy(copy, &a.item(i), sizeof *copy);
        refused(SLM_E_NOT_MEMBER, [&] { return a.remove(kNodes + 1); });
        refused(SLM_E_DUPLICATE, [&] { return a.insert(kNodes + 1, i * 10); });
    }
    EXPECT_EQ(a.check(), 0u);
}

TEST_F(Rbtree, CopiesMadeBeforeTheirOriginalWentAreRefused)
{
    fill(kNodes);
    for (size_t i = 0; i < kNodes; i++) {
        Item *copy = &a.item(kNodes + 1);
        std::memcpy(copy, &a.item(i), sizeof *copy);
        ASSERT_EQ(a.remove(i), SLM_OK);
        refused(SLM_E_NOT_MEMBER, [&] { return a.remove(kNodes + 1); });
        ASSERT_EQ(a.insert(i, i * 10), SLM_OK);
    }
}

/* --- R2: nothing points to a removed node --- */

TEST_F(Rbtree, R2ARemovedNodeIsAllZeroAndNoWordPointsToIt)
{
    fill(kNodes);
    const slm_rbtree_node wiped = {};
    for (size_t i = 0; i < kNodes; i++) {
        slm_rbtree_node *gone = a.at(a.tree->root); /* always the root: nginx's case */
        uint64_t offset = a.offset(gone);
        ASSERT_EQ(slm_rbtree_remove(&a.journal, a.tree, gone), SLM_OK);
        EXPECT_EQ(std::memcmp(gone, &wiped, sizeof wiped), 0);
        EXPECT_NE(a.tree->root, offset);
        for (size_t k = 0; k < kNodes; k++) {
            EXPECT_NE(a.node(k)->left, offset);
            EXPECT_NE(a.node(k)->right, offset);
            EXPECT_NE(a.node(k)->parent & ~RBTREE_RED, offset);
        }
    }
    EXPECT_EQ(a.tree->root, 0u);
    EXPECT_EQ(a.tree->n_nodes, 0u);
}

TEST_F(Rbtree, R2AChangeOfOneTreeWritesNothingOfAnother)
{
    fill(20);
    slm_rbtree before = *a.tree;
    std::vector<slm_rbtree_node> nodes;
    for (size_t i = 0; i < 20; i++) {
        nodes.push_back(*a.node(i));
    }
    for (size_t i = 20; i < 40; i++) {
        ASSERT_EQ(slm_rbtree_insert(&a.journal, a.other_tree, a.node(i), order_items), SLM_OK);
    }
    for (size_t i = 20; i < 40; i++) {
        ASSERT_EQ(slm_rbtree_remove(&a.journal, a.other_tree, a.node(i)), SLM_OK);
    }
    EXPECT_EQ(std::memcmp(a.tree, &before, sizeof before), 0);
    for (size_t i = 0; i < 20; i++) {
        EXPECT_EQ(std::memcmp(a.node(i), &nodes[i], sizeof nodes[i]), 0);
    }
}

TEST_F(Rbtree, ARemovedNodeMayBeInsertedIntoAnotherTree)
{
    fill(kNodes);
    for (size_t i = 0; i < kNodes; i++) {
        ASSERT_EQ(a.remove(i), SLM_OK);
        ASSERT_EQ(slm_rbtree_insert(&a.journal, a.other_tree, a.node(i), order_items), SLM_OK);
    }
    EXPECT_EQ(a.check(), 0u);
    EXPECT_EQ(a.tree->n_nodes, 0u);
    EXPECT_EQ(a.other_tree->n_nodes, kNodes);
}

TEST_F(Rbtree, ATreeAtTheBaseItselfKnowsItsNodes)
{
    alignas(8) unsigned char memory[sizeof(slm_rbtree) + 2 * sizeof(Item)] = {};
    auto *tree = reinterpret_cast<slm_rbtree *>(memory);
    auto *items = reinterpret_cast<Item *>(memory + sizeof *tree);
    slm_journal off = {};
    off.base = memory;
    ASSERT_EQ(slm_rbtree_insert(&off, tree, &items[0].node, order_items), SLM_OK);
    EXPECT_EQ(slm_rbtree_insert(&off, tree, &items[0].node, order_items), SLM_E_DUPLICATE);
    EXPECT_EQ(slm_rbtree_check(&off, tree, order_items, sizeof *tree, sizeof memory), 0u);
    EXPECT_EQ(slm_rbtree_remove(&off, tree, &items[0].node), SLM_OK);
}

/* --- Compared with a std::multimap --- */

struct Oracle {
    explicit Oracle(size_t n, uint64_t seed) : a(n), where(n), rng(seed)
    {
        for (size_t i = 0; i < n; i++) {
            a.item(i).id = i;
            where[i] = map.end();
        }
    }
    std::vector<uint64_t> ids() const
    {
        std::vector<uint64_t> found;
        for (const auto &entry : map) {
            found.push_back(entry.second);
        }
        return found;
    }
    void step(uint64_t n_keys, uint64_t insert_percent)
    {
        size_t i = rng() % where.size();
        if (where[i] != map.end()) {
            if (rng() % 100 >= insert_percent) {
                map.erase(where[i]);
                where[i] = map.end();
                ASSERT_EQ(a.remove(i), SLM_OK);
            } else {
                ASSERT_EQ(slm_rbtree_insert(&a.journal, a.tree, a.node(i), order_items),
                          SLM_E_DUPLICATE);
            }
        } else if (rng() % 100 < insert_percent) {
            uint64_t key = rng() % n_keys;
            where[i] = map.emplace(key, i); /* after its equals, in the map too */
            ASSERT_EQ(a.insert(i, key), SLM_OK);
        } else {
            ASSERT_EQ(a.remove(i), SLM_E_NOT_MEMBER);
        }
    }
    /* Checks a key's place and the two next to it. */
    void look(uint64_t key)
    {
        auto at = map.lower_bound(key);
        slm_rbtree_node *node = slm_rbtree_lower_bound(&a.journal, a.tree, &key, compare_item);
        ASSERT_EQ(node == nullptr, at == map.end());
        if (node == nullptr) {
            return;
        }
        ASSERT_EQ(item_of(node)->id, at->second);
        slm_rbtree_node *found = slm_rbtree_find(&a.journal, a.tree, &key, compare_item);
        ASSERT_EQ(found, at->first == key ? node : nullptr);
        slm_rbtree_node *before = slm_rbtree_prev(&a.journal, node);
        ASSERT_EQ(before == nullptr, at == map.begin());
        if (before != nullptr) {
            ASSERT_EQ(item_of(before)->id, std::prev(at)->second);
        }
    }
    Arena a;
    std::multimap<uint64_t, size_t> map;
    std::vector<std::multimap<uint64_t, size_t>::iterator> where;
    std::mt19937_64 rng;
};

struct Run {
    const char *name;
    size_t n_items;
    uint64_t n_keys; /* few, so many keys are equal */
};

class RbtreeRandom : public testing::TestWithParam<Run> {};

TEST_P(RbtreeRandom, AgreesWithAMultimapAfterEveryCallOfALongRun)
{
    constexpr int kSteps = 60000;
    Oracle oracle(GetParam().n_items, 20240117);
    for (int i = 0; i < kSteps && !HasFailure(); i++) {
        oracle.step(GetParam().n_keys, i / 5000 % 2 == 0 ? 70 : 30);
        oracle.look(oracle.rng() % GetParam().n_keys);
        ASSERT_EQ(oracle.a.tree->n_nodes, oracle.map.size());
        if (i % 64 == 0) {
            ASSERT_EQ(oracle.a.check(), 0u) << "step " << i;
            ASSERT_EQ(oracle.a.ids(), oracle.ids()) << "step " << i;
            ASSERT_EQ(oracle.a.ids_backwards(), oracle.ids()) << "step " << i;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Runs, RbtreeRandom,
                         testing::Values(Run{"FewKeys", 100, 7}, Run{"ManyKeys", 1000, 1u << 30},
                                         Run{"SmallTree", 12, 30}),
                         [](const auto &param_info) { return std::string(param_info.param.name); });

/* --- Two mappings --- */

class TwoMappings : public testing::Test {
  protected:
    static constexpr size_t kItems = 500;
    void SetUp() override
    {
        fd = memfd_create("tree", MFD_CLOEXEC);
        ASSERT_GE(fd, 0);
        ASSERT_EQ(ftruncate(fd, static_cast<off_t>(n_bytes)), 0);
        for (void *&map : maps) {
            map = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            ASSERT_NE(map, MAP_FAILED);
        }
        ASSERT_NE(maps[0], maps[1]);
    }
    void TearDown() override
    {
        for (void *map : maps) {
            munmap(map, n_bytes);
        }
        close(fd);
    }
    size_t n_bytes = arena_bytes(kItems);
    int fd = -1;
    void *maps[2] = {MAP_FAILED, MAP_FAILED};
};

TEST_F(TwoMappings, ATreeWorksThroughEitherMapping)
{
    Arena a(maps[0], kItems);
    Arena b(maps[1], kItems);
    for (size_t i = 0; i < kItems; i++) {
        Arena &one = i % 3 == 0 ? b : a;
        one.item(i).id = i;
        ASSERT_EQ(one.insert(i, i * 263 % kItems), SLM_OK);
    }
    EXPECT_EQ(a.check(), 0u);
    EXPECT_EQ(b.check(), 0u);
    EXPECT_EQ(a.ids(), b.ids());
    EXPECT_EQ(a.ids(), b.ids_backwards());
    for (size_t i = 0; i < kItems; i += 2) {
        Arena &one = i % 4 == 0 ? b : a;
        Arena &two = i % 4 == 0 ? a : b;
        ASSERT_EQ(one.remove(i), SLM_OK);
        ASSERT_EQ(two.remove(i), SLM_E_NOT_MEMBER);
    }
    EXPECT_EQ(a.check(), 0u);
    EXPECT_EQ(b.check(), 0u);
    EXPECT_EQ(a.ids(), b.ids());
    EXPECT_EQ(a.ids().size(), kItems / 2);
}

/* --- One comparison for insert and find --- */

const void *key_of_item(const slm_rbtree_node *node)
{
    return &item_of(node)->key;
}

SLM_RBTREE_ORDER(order_by_compare, key_of_item, compare_item)

TEST(RbtreeOrder, OfTheSearchesComparisonIsTheOrderThatIsWrittenByHand)
{
    constexpr size_t kItems = 200;
    Arena a(kItems);
    Arena b(kItems);
    for (size_t i = 0; i < kItems; i++) {
        a.item(i).id = b.item(i).id = i;
        ASSERT_EQ(a.insert(i, i * 7919 % 61), SLM_OK);
        b.item(i).key = i * 7919 % 61;
        ASSERT_EQ(slm_rbtree_insert(&b.journal, b.tree, b.node(i), order_by_compare), SLM_OK);
    }
    EXPECT_EQ(a.ids(), b.ids());
    EXPECT_EQ(slm_rbtree_check(&a.journal, a.tree, order_by_compare, sizeof(Heads), a.bytes), 0u);
    a.item(3).key += 1000;
    EXPECT_NE(slm_rbtree_check(&a.journal, a.tree, order_by_compare, sizeof(Heads), a.bytes), 0u);
}

} // namespace
