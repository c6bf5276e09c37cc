/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black tree: every order of insertion and removal of a few keys, checked after each call. */
#include <gtest/gtest.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <numeric>
#include <set>

#include "tests/tree/rbtree_fixture.h"

namespace {

using namespace treetest;

constexpr size_t kInserted = 8;
constexpr size_t kDeleted = 7;
constexpr size_t kFactorials[] = {1, 1, 2, 6, 24, 120, 720, 5040, 40320};

using Image = std::vector<unsigned char>;

/* Item i has key and id i. */
void insert_checked(Arena &a, size_t i, size_t n_before)
{
    a.item(i).id = i;
    ASSERT_EQ(a.insert(i, i), SLM_OK);
    ASSERT_EQ(a.check(), 0u);
    ASSERT_EQ(a.tree->n_nodes, n_before + 1);
}

/* The trees that all orders of inserting n keys make. Items are found by key, so trees of one shape
 * are equal byte for byte. */
std::set<Image> insert_in_all_orders(size_t n, size_t *n_orders)
{
    std::set<Image> shapes;
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    *n_orders = 0;
    do {
        Arena a(n);
        for (size_t i = 0; i < n; i++) {
            insert_checked(a, order[i], i);
        }
        std::vector<uint64_t> ids = a.ids();
        EXPECT_EQ(ids.size(), n);
        EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
        EXPECT_EQ(ids, a.ids_backwards());
        shapes.insert(a.image());
        ++*n_orders;
    } while (std::next_permutation(order.begin(), order.end()) && !testing::Test::HasFailure());
    return shapes;
}

TEST(RbtreeExhaustive, EveryOrderOfInsertingUpToEightKeysIsSound)
{
    for (size_t n = 1; n <= kInserted; n++) {
        size_t n_orders;
        size_t n_shapes = insert_in_all_orders(n, &n_orders).size();
        std::printf("%zu keys: %zu orders of insertion make %zu trees\n", n, n_orders, n_shapes);
        EXPECT_EQ(n_orders, kFactorials[n]);
    }
}

/* Removes the remaining keys in every order. Returns the number of orders. */
uint64_t delete_in_all_orders(Arena &a, size_t n, unsigned left)
{
    if (left == 0) {
        EXPECT_EQ(a.tree->root, 0u);
        return 1;
    }
    uint64_t n_orders = 0;
    Image before = a.image();
    for (size_t i = 0; i < n && !testing::Test::HasFailure(); i++) {
        if ((left >> i & 1u) == 0) {
            continue;
        }
        const slm_rbtree_node wiped = {};
        EXPECT_EQ(a.remove(i), SLM_OK);
        EXPECT_EQ(a.check(), 0u);
        EXPECT_EQ(std::memcmp(a.node(i), &wiped, sizeof wiped), 0);
        EXPECT_EQ(a.remove(i), SLM_E_NOT_MEMBER);
        n_orders += delete_in_all_orders(a, n, left & ~(1u << i));
        a.restore(before);
    }
    return n_orders;
}

/* A removal depends on the tree alone: one tree of each shape covers all orders that made it. */
TEST(RbtreeExhaustive, EveryOrderOfRemovingUpToSevenKeysIsSound)
{
    for (size_t n = 1; n <= kDeleted; n++) {
        size_t n_inserted;
        std::set<Image> shapes = insert_in_all_orders(n, &n_inserted);
        uint64_t n_orders = 0;
        for (const Image &shape : shapes) {
            Arena a(n);
            a.restore(shape);
            n_orders += delete_in_all_orders(a, n, (1u << n) - 1);
        }
        std::printf("%zu keys: %zu trees, %" PRIu64 " orders of deletion\n", n, shapes.size(),
                    n_orders);
        EXPECT_EQ(n_orders, shapes.size() * kFactorials[n]);
    }
}

/* All words of n letters out of three. */
TEST(RbtreeExhaustive, EqualKeysStayInAnyOrderOfTheirInsertion)
{
    constexpr size_t kLetters = 3;
    constexpr size_t kLength = 8;
    size_t n_words = 0;
    for (size_t word = 0; word < 6561 && !HasFailure(); word++) {
        Arena a(kLength);
        std::vector<std::pair<uint64_t, uint64_t>> expected;
        size_t rest = word;
        for (size_t i = 0; i < kLength; i++, rest /= kLetters) {
            a.item(i).id = i;
            ASSERT_EQ(a.insert(i, rest % kLetters), SLM_OK);
            ASSERT_EQ(a.check(), 0u);
            expected.emplace_back(rest % kLetters, i);
        }
        std::sort(expected.begin(), expected.end());
        std::vector<uint64_t> ids = a.ids();
        ASSERT_EQ(ids.size(), kLength);
        for (size_t i = 0; i < kLength; i++) {
            EXPECT_EQ(ids[i], expected[i].second);
        }
        n_words++;
    }
    std::printf("%zu sequences of %zu keys out of %zu\n", n_words, kLength, kLetters);
    EXPECT_EQ(n_words, 6561u);
}

} // namespace
