/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black tree: each invariant is broken by hand. The check reports exactly its number, writes
 * nothing, and returns even on memory full of random words. */
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "tests/tree/rbtree_fixture.h"
#include <slabmill/slab.h>

namespace {

using namespace treetest;

/* Keys 0, 1, ... inserted in order make a tree whose right side is red and deep. */
constexpr size_t kNodes = 40;

struct Scene {
    Scene() : a(kNodes + 10)
    {
        for (size_t i = 0; i < kNodes; i++) {
            a.item(i).id = i;
            EXPECT_EQ(a.insert(i, i), SLM_OK);
        }
        EXPECT_EQ(a.check(), 0u);
    }
    slm_rbtree_node &root() const
    {
        return *a.at(a.tree->root);
    }
    slm_rbtree_node &left(const slm_rbtree_node &node) const
    {
        return *a.at(node.left);
    }
    slm_rbtree_node &right(const slm_rbtree_node &node) const
    {
        return *a.at(node.right);
    }
    template <class Is> slm_rbtree_node &first(Is is) const
    {
        slm_rbtree_node *n = slm_rbtree_first(&a.journal, a.tree);
        while (n != nullptr && !is(*n)) {
            n = slm_rbtree_next(&a.journal, n);
        }
        if (n == nullptr) {
            std::abort(); /* the tree lacks what a breakage needs */
        }
        return *n;
    }
    slm_rbtree_node &red_leaf() const
    {
        return first([](auto &n) { return rbtree_is_red(&n) && n.left == 0 && n.right == 0; });
    }
    slm_rbtree_node &black_leaf() const
    {
        return first([](auto &n) { return !rbtree_is_red(&n) && n.left == 0 && n.right == 0; });
    }
    slm_rbtree_node &black_inner() const
    {
        return first([](auto &n) {
            return !rbtree_is_red(&n) && n.left != 0 && n.right != 0 && n.parent != 0;
        });
    }
    slm_rbtree_node &red_inner() const
    {
        return first([](auto &n) { return rbtree_is_red(&n) && n.left != 0; });
    }
    uint64_t of(const slm_rbtree_node &node) const
    {
        return a.offset(&node);
    }
    slm_rbtree_node &stranger() const
    {
        return *a.node(kNodes + 1);
    }
    Arena a;
};

struct Breakage {
    const char *name;
    unsigned number;
    std::function<void(Scene &)> apply;
};

void PrintTo(const Breakage &b, std::ostream *out)
{
    *out << b.name;
}

const Breakage kBreakages[] = {
    {"RootIsOdd", 2, [](Scene &s) { s.a.tree->root += 4; }},
    {"RootIsTheTreeItself", 2, [](Scene &s) { s.a.tree->root = s.a.offset(s.a.tree); }},
    {"LeftIsBelowTheRange", 2, [](Scene &s) { s.root().left = sizeof(Heads) - 8; }},
    {"RightIsAboveTheRange", 2, [](Scene &s) { s.root().right = s.a.bytes; }},
    {"NodeEndsAboveTheRange", 2, [](Scene &s) { s.root().right = s.a.bytes - 24; }},
    {"LeafsLinkIsFarAway", 2, [](Scene &s) { s.red_leaf().left = UINT64_C(1) << 50; }},
    {"LeafsLinkWraps", 2, [](Scene &s) { s.red_leaf().right = UINT64_MAX - 7; }},
    {"RootHasAParent", 3, [](Scene &s) { s.root().parent = s.of(s.stranger()); }},
    {"ParentIsAnother", 3, [](Scene &s) { s.black_leaf().parent = s.of(s.root()); }},
    {"ParentIsNone", 3, [](Scene &s) { s.red_leaf().parent = RBTREE_RED; }},
    {"ParentHasAnotherBit", 3, [](Scene &s) { s.red_leaf().parent |= 2u; }},
    {"CycleToTheRoot", 3, [](Scene &s) { s.red_leaf().left = s.of(s.root()); }},
    {"CycleToTheParent", 3, [](Scene &s) { s.red_leaf().right = rbtree_parent(&s.red_leaf()); }},
    {"NodeIsItsOwnChild", 3, [](Scene &s) { s.red_leaf().left = s.of(s.red_leaf()); }},
    {"NodeIsItsOwnChildAndParent", 3,
     [](Scene &s) {
         slm_rbtree_node &leaf = s.black_leaf();
         leaf.left = s.of(leaf);
         leaf.parent = s.of(leaf);
     }},
    {"TwoParentsShareAChild", 3, [](Scene &s) { s.black_leaf().left = s.of(s.red_leaf()); }},
    {"LinkLeadsToANodeThatIsInNoTree", 3, [](Scene &s) { s.root().left = s.of(s.stranger()); }},
    {"OneNodeIsBothChildren", 4, [](Scene &s) { s.black_inner().left = s.black_inner().right; }},
    {"NodeSaysNoTree", 5, [](Scene &s) { s.red_leaf().tree = 0; }},
    {"NodeSaysAnotherTree", 5,
     [](Scene &s) { s.black_inner().tree = rbtree_tag(&s.a.journal, s.a.other_tree); }},
    {"RootIsRed", 6, [](Scene &s) { s.root().parent |= RBTREE_RED; }},
    {"RedBelowRed", 6, [](Scene &s) { s.left(s.red_inner()).parent |= RBTREE_RED; }},
    {"BlackLeafTurnedRed", 7,
     [](Scene &s) {
         s.first([&](auto &n) {
              return !rbtree_is_red(&n) && n.left == 0 && n.right == 0 &&
                     !rbtree_is_red(s.a.at(rbtree_parent(&n)));
          }).parent |= RBTREE_RED;
     }},
    {"RedNodeTurnedBlack", 7, [](Scene &s) { s.red_inner().parent &= ~RBTREE_RED; }},
    {"BlackLeafCutOff", 7,
     [](Scene &s) {
         slm_rbtree_node &above = *s.a.at(rbtree_parent(&s.black_leaf()));
         above.left = 0;
         s.a.tree->n_nodes--;
     }},
    {"OneTooMany", 8, [](Scene &s) { s.a.tree->n_nodes++; }},
    {"OneTooFew", 8, [](Scene &s) { s.a.tree->n_nodes--; }},
    {"NoneCounted", 8, [](Scene &s) { s.a.tree->n_nodes = 0; }},
    {"MoreThanHaveRoom", 8, [](Scene &s) { s.a.tree->n_nodes = UINT64_MAX; }},
    {"WalkEndsWhereTheCountDoesWhateverComesLater", 8,
     [](Scene &s) {
         s.a.tree->n_nodes = 5;
         slm_rbtree_last(&s.a.journal, s.a.tree)->tree = 0;
     }},
    {"RootLost", 8, [](Scene &s) { s.a.tree->root = 0; }},
    {"RedLeafCutOff", 8, [](Scene &s) { s.a.at(rbtree_parent(&s.red_leaf()))->right = 0; }},
    {"KeyOfTheFirstRaised", 9, [](Scene &s) { s.a.item(0).key = 2; }},
    {"KeyOfTheLastLowered", 9, [](Scene &s) { s.a.item(kNodes - 1).key = 3; }},
    {"KeyOfTheRootRaised", 9, [](Scene &s) { item_of(&s.root())->key = 1000; }},
};

class RbtreeCheck : public testing::TestWithParam<Breakage> {};

TEST_P(RbtreeCheck, ReportsExactlyTheNumberAndWritesNothing)
{
    Scene scene;
    GetParam().apply(scene);
    std::vector<unsigned char> before = scene.a.image();
    EXPECT_EQ(scene.a.check(), GetParam().number);
    EXPECT_EQ(scene.a.image(), before);
}

INSTANTIATE_TEST_SUITE_P(Breakages, RbtreeCheck, testing::ValuesIn(kBreakages),
                         [](const auto &param_info) { return std::string(param_info.param.name); });

TEST(RbtreeCheckOrder, IsNotCheckedWithoutAFunction)
{
    Scene scene;
    scene.a.item(0).key = 2;
    EXPECT_EQ(
        slm_rbtree_check(&scene.a.journal, scene.a.tree, nullptr, sizeof(Heads), scene.a.bytes),
        0u);
}

TEST(RbtreeCheckRange, WithoutRoomHoldsOnlyAnEmptyTree)
{
    Scene scene;
    slm_rbtree empty = {};
    for (uint64_t high : {uint64_t{0}, sizeof(Heads), sizeof(Heads) + 8}) {
        EXPECT_EQ(slm_rbtree_check(&scene.a.journal, &empty, nullptr, sizeof(Heads), high), 0u);
        EXPECT_EQ(slm_rbtree_check(&scene.a.journal, scene.a.tree, nullptr, sizeof(Heads), high),
                  8u);
    }
}

/* A chain to one side, all black: deeper than any path of a sound tree. */
TEST(RbtreeCheckDepth, AChainOfBlackNodesOfAnyLengthIsReported)
{
    constexpr size_t kLong = 5000;
    Arena a(kLong);
    for (size_t i = 0; i < kLong; i++) {
        *a.node(i) = {0, i + 1 < kLong ? a.offset(a.node(i + 1)) : 0,
                      i == 0 ? 0 : a.offset(a.node(i - 1)), rbtree_tag(&a.journal, a.tree)};
    }
    a.tree->root = a.offset(a.node(0));
    a.tree->n_nodes = kLong;
    EXPECT_EQ(a.check(), 7u);
}

/* As deep as the walk's stack: alternately black and red. */
TEST(RbtreeCheckDepth, AChainOfTheGreatestHeightFitsTheWalk)
{
    constexpr size_t kLong = RBTREE_HEIGHT_MAX + 10;
    Arena a(2 * kLong);
    uint64_t tag = rbtree_tag(&a.journal, a.tree);
    for (size_t i = 0; i < kLong; i++) {
        uint64_t above = i == 0 ? 0 : a.offset(a.node(i - 1));
        /* Each node has a right child that the walk visits later. */
        uint64_t later = a.offset(a.node(kLong + i));
        *a.node(i) = {i + 1 < kLong ? a.offset(a.node(i + 1)) : 0, later, above | i % 2, tag};
        *a.node(kLong + i) = {0, 0, a.offset(a.node(i)), tag};
    }
    a.tree->root = a.offset(a.node(0));
    a.tree->n_nodes = 2 * kLong;
    EXPECT_EQ(a.check(), 7u);
}

/* The range is all that the check may read. It ends at a page that cannot be read. */
TEST(RbtreeCheckHostile, RandomWordsAreCheckedWithoutLeavingTheRange)
{
    constexpr size_t kItems = 12;
    auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void *map = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(map, MAP_FAILED);
    ASSERT_EQ(mprotect(static_cast<unsigned char *>(map) + page, page, PROT_NONE), 0);
    Arena a(static_cast<unsigned char *>(map) + page - arena_bytes(kItems), kItems);
    std::mt19937_64 rng(7);
    unsigned n_answers[10] = {};
    for (int round = 0; round < 20000; round++) {
        std::memset(a.base, 0, a.bytes);
        for (size_t i = 0; i < kItems; i++) {
            ASSERT_EQ(a.insert(i, rng() % 8), SLM_OK);
        }
        for (uint64_t n = 1 + rng() % 4; n > 0; n--) {
            size_t word = rng() % (a.bytes / 8);
            uint64_t value = rng() % 3 == 0 ? rng() : rng() % (a.bytes + 64);
            std::memcpy(a.base + 8 * word, &value, sizeof value);
        }
        std::vector<unsigned char> before = a.image();
        unsigned number = a.check();
        ASSERT_LE(number, 9u);
        n_answers[number]++;
        ASSERT_LE(a.check_list(), 6u);
        ASSERT_EQ(a.image(), before);
    }
    for (unsigned number : {0u, 2u, 3u, 5u, 8u, 9u}) {
        EXPECT_GT(n_answers[number], 0u) << "never answered: " << number;
    }
    munmap(map, 2 * page);
}

/* --- In a slab, with a log --- */

class RbtreeInSlab : public testing::Test {
  protected:
    void SetUp() override
    {
        bytes = slm_slab_region_bytes(nullptr, 32);
        region = static_cast<unsigned char *>(std::aligned_alloc(SLM_SLAB_REGION_ALIGN, bytes));
        ASSERT_EQ(slm_slab_init(region, bytes, nullptr), SLM_OK);
        slm_slab_view view = {};
        view.exclusive = true; /* sanitizers see which memory is no live object */
        ASSERT_EQ(slm_slab_attach(&slab, region, bytes, &view), SLM_OK);
        log.resize(slm_journal_log_bytes(kEntries) / sizeof(uint64_t) + 1);
        ASSERT_EQ(slm_journal_init(log.data(), kEntries), SLM_OK);
        ASSERT_EQ(
            slm_journal_attach(&journal, log.data(), log.size() * sizeof(uint64_t), region, slab),
            SLM_OK);
        tree = static_cast<slm_rbtree *>(slm_journal_calloc(&journal, sizeof *tree));
        list = static_cast<slm_lru *>(slm_journal_calloc(&journal, sizeof *list));
        for (uint64_t key = 0; key < 30; key++) {
            items.push_back(add(key));
        }
        EXPECT_EQ(slm_journal_commit(&journal), SLM_OK);
        ASSERT_EQ(check(), 0u);
        ASSERT_EQ(check_list(), 0u);
    }
    void TearDown() override
    {
        slm_journal_detach(&journal);
        slm_slab_detach(slab);
        std::free(region);
    }
    Item *add(uint64_t key)
    {
        auto *item = static_cast<Item *>(slm_journal_calloc(&journal, sizeof(Item)));
        item->key = key;
        EXPECT_EQ(slm_rbtree_insert(&journal, tree, &item->node, order_items), SLM_OK);
        EXPECT_EQ(slm_lru_insert(&journal, list, &item->used), SLM_OK);
        return item;
    }
    unsigned check() const
    {
        return slm_rbtree_check(&journal, tree, order_items, 8, bytes);
    }
    unsigned check_list() const
    {
        return slm_lru_check(&journal, list, 8, bytes);
    }
    std::vector<uint64_t> keys() const
    {
        std::vector<uint64_t> found;
        for (auto *n = slm_rbtree_first(&journal, tree); n != nullptr;
             n = slm_rbtree_next(&journal, n)) {
            found.push_back(item_of(n)->key);
        }
        return found;
    }
    static constexpr unsigned kEntries = 4000;
    size_t bytes = 0;
    unsigned char *region = nullptr;
    slm_slab *slab = nullptr;
    std::vector<uint64_t> log;
    slm_journal journal = {};
    slm_rbtree *tree = nullptr;
    slm_lru *list = nullptr;
    std::vector<Item *> items;
};

TEST_F(RbtreeInSlab, UncommittedChangesOfTreesAndListsAreUndone)
{
    std::vector<uint64_t> before = keys();
    slm_lru_node *oldest = slm_lru_oldest(&journal, list);
    add(100);
    ASSERT_EQ(slm_rbtree_remove(&journal, tree, &items[3]->node), SLM_OK);
    ASSERT_EQ(slm_lru_remove(&journal, list, &items[3]->used), SLM_OK);
    ASSERT_EQ(slm_lru_touch(&journal, list, oldest), SLM_OK);
    ASSERT_EQ(slm_journal_free(&journal, items[3]), SLM_OK);
    EXPECT_NE(keys(), before);
    slm_journal_abort(&journal);
    EXPECT_EQ(keys(), before);
    EXPECT_EQ(slm_lru_oldest(&journal, list), oldest);
    EXPECT_EQ(check(), 0u);
    EXPECT_EQ(check_list(), 0u);
}

TEST_F(RbtreeInSlab, CommittedChangesStay)
{
    ASSERT_EQ(slm_rbtree_remove(&journal, tree, &items[3]->node), SLM_OK);
    ASSERT_EQ(slm_lru_remove(&journal, list, &items[3]->used), SLM_OK);
    ASSERT_EQ(slm_journal_free(&journal, items[3]), SLM_OK);
    EXPECT_EQ(slm_journal_commit(&journal), SLM_OK);
    slm_journal_abort(&journal);
    EXPECT_EQ(keys().size(), 29u);
    EXPECT_EQ(check(), 0u);
    EXPECT_EQ(check_list(), 0u);
}

TEST_F(RbtreeInSlab, ANodeInAFreedObjectIsFoundWithoutAnAccess)
{
    ASSERT_EQ(slm_slab_free(slab, items[3]), SLM_OK);
    EXPECT_EQ(check(), 2u);
    EXPECT_EQ(check_list(), 2u);
}

TEST_F(RbtreeInSlab, ANodeThatReachesPastItsObjectIsFound)
{
    auto *p = static_cast<unsigned char *>(slm_journal_alloc(&journal, 64));
    auto *last = slm_rbtree_last(&journal, tree);
    ASSERT_EQ(last->right, 0u);
    last->right = slm_journal_offset(&journal, p + 40);
    EXPECT_EQ(check(), 2u);
    slm_lru_oldest(&journal, list)->older = slm_journal_offset(&journal, p + 48);
    EXPECT_EQ(check_list(), 2u);
}

TEST_F(RbtreeInSlab, ANodeInTheSlabsOwnTablesIsFound)
{
    slm_rbtree_last(&journal, tree)->right = 64;
    EXPECT_EQ(check(), 2u);
    slm_lru_oldest(&journal, list)->older = 64;
    EXPECT_EQ(check_list(), 2u);
}

TEST_F(RbtreeInSlab, ADamagedSlabIsInvariantOneOfBothChecks)
{
    for (size_t i = 0; i < 64; i++) {
        region[i] ^= 0xff;
    }
    EXPECT_EQ(check(), 1u);
    EXPECT_EQ(check_list(), 1u);
}

} // namespace
