/* SPDX-License-Identifier: Apache-2.0 */
/* LRU list: its contract, misuse, each invariant broken by hand, long runs compared with a
 * std::list. */
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <list>
#include <random>

#include "tests/tree/rbtree_fixture.h"

namespace {

using namespace treetest;

/* Ids from newest to oldest. */
std::vector<uint64_t> ids_of(const Arena &a)
{
    std::vector<uint64_t> found;
    for (auto *n = slm_lru_newest(&a.journal, a.list); n != nullptr;
         n = slm_lru_older(&a.journal, n)) {
        found.push_back(item_of(n)->id);
    }
    return found;
}

/* The same ids, walked from the other end. */
std::vector<uint64_t> ids_backwards(const Arena &a)
{
    std::vector<uint64_t> found;
    for (auto *n = slm_lru_oldest(&a.journal, a.list); n != nullptr;
         n = slm_lru_newer(&a.journal, n)) {
        found.insert(found.begin(), item_of(n)->id);
    }
    return found;
}

class Lru : public testing::Test {
  protected:
    using Ids = std::vector<uint64_t>;

    void fill(size_t n)
    {
        for (size_t i = 0; i < n; i++) {
            a.item(i).id = i;
            ASSERT_EQ(slm_lru_insert(&a.journal, a.list, a.used(i)), SLM_OK);
        }
        ASSERT_EQ(a.check_list(), 0u);
    }
    enum slm_status insert(size_t i)
    {
        return slm_lru_insert(&a.journal, a.list, a.used(i));
    }
    enum slm_status remove(size_t i)
    {
        return slm_lru_remove(&a.journal, a.list, a.used(i));
    }
    enum slm_status touch(size_t i)
    {
        return slm_lru_touch(&a.journal, a.list, a.used(i));
    }
    /* Runs call, which must return `expected` and leave every byte as it was. */
    template <class Call> void refused(enum slm_status expected, Call call)
    {
        std::vector<unsigned char> before = a.image();
        EXPECT_EQ(call(), expected);
        EXPECT_EQ(a.image(), before) << "a refused call changed something";
    }
    void expect(const Ids &ids) const
    {
        EXPECT_EQ(a.check_list(), 0u);
        EXPECT_EQ(ids_of(a), ids);
        EXPECT_EQ(ids_backwards(a), ids);
        EXPECT_EQ(a.list->n_nodes, ids.size());
    }
    static constexpr size_t kItems = 20;
    Arena a{kItems};
};

TEST_F(Lru, AllZeroIsEmpty)
{
    expect({});
    EXPECT_EQ(slm_lru_newest(&a.journal, a.list), nullptr);
    EXPECT_EQ(slm_lru_oldest(&a.journal, a.list), nullptr);
}

TEST_F(Lru, InsertMakesANodeTheNewest)
{
    fill(4);
    expect({3, 2, 1, 0});
}

TEST_F(Lru, InsertOldestMakesANodeTheOldest)
{
    for (size_t i = 0; i < 4; i++) {
        a.item(i).id = i;
        ASSERT_EQ(slm_lru_insert_oldest(&a.journal, a.list, a.used(i)), SLM_OK);
    }
    expect({0, 1, 2, 3});
    a.item(4).id = 4;
    ASSERT_EQ(insert(4), SLM_OK);
    expect({4, 0, 1, 2, 3});
}

TEST_F(Lru, AWalkThatTakesTheNextNodeFirstMayRemoveThisOne)
{
    fill(6);
    Ids walked;
    for (slm_lru_node *n = slm_lru_oldest(&a.journal, a.list), *next; n != nullptr; n = next) {
        next = slm_lru_newer(&a.journal, n);
        walked.push_back(item_of(n)->id);
        if (walked.back() % 2 == 0) {
            ASSERT_EQ(slm_lru_remove(&a.journal, a.list, n), SLM_OK);
        }
    }
    EXPECT_EQ(walked, Ids({0, 1, 2, 3, 4, 5}));
    expect({5, 3, 1});
}

TEST_F(Lru, TouchMakesANodeOfAnyPlaceTheNewest)
{
    fill(4);
    EXPECT_EQ(touch(0), SLM_OK);
    expect({0, 3, 2, 1});
    EXPECT_EQ(touch(2), SLM_OK);
    expect({2, 0, 3, 1});
    EXPECT_EQ(touch(2), SLM_OK);
    expect({2, 0, 3, 1});
}

TEST_F(Lru, TouchOfTheOnlyNodeChangesNothing)
{
    fill(1);
    refused(SLM_OK, [&] { return touch(0); });
}

TEST_F(Lru, RemoveTakesOutANodeOfAnyPlace)
{
    fill(4);
    EXPECT_EQ(remove(0), SLM_OK);
    expect({3, 2, 1});
    EXPECT_EQ(remove(2), SLM_OK);
    expect({3, 1});
    EXPECT_EQ(remove(3), SLM_OK);
    expect({1});
    EXPECT_EQ(remove(1), SLM_OK);
    expect({});
}

TEST_F(Lru, ARemovedNodeIsAllZeroAndNoWordPointsToIt)
{
    const slm_lru_node wiped = {};
    fill(kItems);
    for (size_t i = 0; i < kItems; i++) {
        size_t gone = i * 7 % kItems;
        uint64_t offset = a.offset(a.used(gone));
        ASSERT_EQ(remove(gone), SLM_OK);
        EXPECT_EQ(std::memcmp(a.used(gone), &wiped, sizeof wiped), 0);
        EXPECT_NE(a.list->newest, offset);
        EXPECT_NE(a.list->oldest, offset);
        for (size_t k = 0; k < kItems; k++) {
            EXPECT_NE(a.used(k)->newer, offset);
            EXPECT_NE(a.used(k)->older, offset);
        }
    }
    const slm_lru empty = {};
    EXPECT_EQ(std::memcmp(a.list, &empty, sizeof empty), 0);
}

TEST_F(Lru, EveryCallRefusesNullAndChangesNothing)
{
    fill(3);
    for (auto *call : {slm_lru_insert, slm_lru_insert_oldest, slm_lru_remove, slm_lru_touch}) {
        refused(SLM_E_NULL, [&] { return call(nullptr, a.list, a.used(1)); });
        refused(SLM_E_NULL, [&] { return call(&a.journal, nullptr, a.used(1)); });
        refused(SLM_E_NULL, [&] { return call(&a.journal, a.list, nullptr); });
    }
}

TEST_F(Lru, SecondInsertAndSecondRemoveChangeNothing)
{
    fill(5);
    for (size_t i = 0; i < 5; i++) {
        refused(SLM_E_DUPLICATE, [&] { return insert(i); });
        refused(SLM_E_DUPLICATE,
                [&] { return slm_lru_insert_oldest(&a.journal, a.list, a.used(i)); });
    }
    for (size_t i = 0; i < 5; i++) {
        ASSERT_EQ(remove(i), SLM_OK);
        refused(SLM_E_NOT_MEMBER, [&] { return remove(i); });
        refused(SLM_E_NOT_MEMBER, [&] { return touch(i); });
    }
}

TEST_F(Lru, NodesOfAnotherListAreRefusedAndNothingChanges)
{
    fill(5);
    refused(SLM_E_DUPLICATE, [&] { return slm_lru_insert(&a.journal, a.other_list, a.used(1)); });
    refused(SLM_E_NOT_MEMBER, [&] { return slm_lru_remove(&a.journal, a.other_list, a.used(1)); });
    refused(SLM_E_NOT_MEMBER, [&] { return slm_lru_touch(&a.journal, a.other_list, a.used(1)); });
    ASSERT_EQ(slm_lru_insert(&a.journal, a.other_list, a.used(9)), SLM_OK);
    refused(SLM_E_NOT_MEMBER, [&] { return remove(9); });
    refused(SLM_E_NOT_MEMBER, [&] { return touch(9); });
}

TEST_F(Lru, CopiesOfLinkedNodesAreRefusedAndNothingChanges)
{
    fill(5);
    for (size_t i = 0; i < 5; i++) {
        std::memcpy(a.used(10), a.used(i), sizeof(slm_lru_node));
        refused(SLM_E_DUPLICATE, [&] { return insert(10); });
        refused(SLM_E_NOT_MEMBER, [&] { return remove(10); });
        refused(SLM_E_NOT_MEMBER, [&] { return touch(10); });
    }
}

TEST_F(Lru, ACopyOfTheOnlyNodeIsRefused)
{
    fill(1);
    std::memcpy(a.used(10), a.used(0), sizeof(slm_lru_node));
    refused(SLM_E_NOT_MEMBER, [&] { return remove(10); });
}

/* Unlinking such a node would spread the damage. */
TEST_F(Lru, ANodeThatANeighbourDoesNotPointToIsRefused)
{
    for (int side = 0; side < 2; side++) {
        Arena b(5);
        for (size_t i = 0; i < 5; i++) {
            ASSERT_EQ(slm_lru_insert(&b.journal, b.list, b.used(i)), SLM_OK);
        }
        (side == 0 ? b.used(1)->newer : b.used(3)->older) = b.offset(b.used(4));
        std::vector<unsigned char> before = b.image();
        EXPECT_EQ(slm_lru_remove(&b.journal, b.list, b.used(2)), SLM_E_NOT_MEMBER);
        EXPECT_EQ(slm_lru_touch(&b.journal, b.list, b.used(2)), SLM_E_NOT_MEMBER);
        EXPECT_EQ(b.image(), before);
    }
}

/* --- Compared with a std::list --- */

TEST(LruRandom, AgreesWithAStdListAfterEveryCallOfALongRun)
{
    constexpr size_t kItems = 60;
    constexpr int kSteps = 60000;
    Arena a(kItems);
    std::list<uint64_t> list;
    std::vector<bool> is_in(kItems);
    std::mt19937_64 rng(20240117);
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); step++) {
        size_t i = rng() % kItems;
        a.item(i).id = i;
        switch (rng() % 4) {
        case 3:
            ASSERT_EQ(slm_lru_insert_oldest(&a.journal, a.list, a.used(i)),
                      is_in[i] ? SLM_E_DUPLICATE : SLM_OK);
            if (!is_in[i]) {
                list.push_back(i);
                is_in[i] = true;
            }
            break;
        case 0:
            ASSERT_EQ(slm_lru_insert(&a.journal, a.list, a.used(i)),
                      is_in[i] ? SLM_E_DUPLICATE : SLM_OK);
            if (!is_in[i]) {
                list.push_front(i);
                is_in[i] = true;
            }
            break;
        case 1:
            ASSERT_EQ(slm_lru_remove(&a.journal, a.list, a.used(i)),
                      is_in[i] ? SLM_OK : SLM_E_NOT_MEMBER);
            list.remove(i);
            is_in[i] = false;
            break;
        default:
            ASSERT_EQ(slm_lru_touch(&a.journal, a.list, a.used(i)),
                      is_in[i] ? SLM_OK : SLM_E_NOT_MEMBER);
            if (is_in[i]) {
                list.remove(i);
                list.push_front(i);
            }
        }
        std::vector<uint64_t> expected(list.begin(), list.end());
        ASSERT_EQ(ids_of(a), expected) << "step " << step;
        ASSERT_EQ(ids_backwards(a), expected) << "step " << step;
        ASSERT_EQ(a.check_list(), 0u) << "step " << step;
    }
}

TEST(LruTwoMappings, AListWorksThroughEitherMapping)
{
    constexpr size_t kItems = 50;
    size_t n_bytes = arena_bytes(kItems);
    int fd = memfd_create("list", MFD_CLOEXEC);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(n_bytes)), 0);
    void *first = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *second = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_NE(first, MAP_FAILED);
    ASSERT_NE(second, MAP_FAILED);
    {
        Arena a(first, kItems);
        Arena b(second, kItems);
        for (size_t i = 0; i < kItems; i++) {
            Arena &one = i % 2 == 0 ? a : b;
            one.item(i).id = i;
            ASSERT_EQ(slm_lru_insert(&one.journal, one.list, one.used(i)), SLM_OK);
        }
        ASSERT_EQ(slm_lru_touch(&b.journal, b.list, b.used(7)), SLM_OK);
        ASSERT_EQ(slm_lru_remove(&a.journal, a.list, a.used(9)), SLM_OK);
        EXPECT_EQ(slm_lru_remove(&b.journal, b.list, b.used(9)), SLM_E_NOT_MEMBER);
        EXPECT_EQ(a.check_list(), 0u);
        EXPECT_EQ(b.check_list(), 0u);
        EXPECT_EQ(ids_of(a), ids_of(b));
        EXPECT_EQ(ids_of(a), ids_backwards(b));
        EXPECT_EQ(ids_of(a).front(), 7u);
        EXPECT_EQ(ids_of(a).size(), kItems - 1);
    }
    munmap(first, n_bytes);
    munmap(second, n_bytes);
    close(fd);
}

/* --- Each invariant, broken by hand. rbtree_check_test has I1, the slab's invariant. --- */

struct Breakage {
    const char *name;
    unsigned number;
    std::function<void(Arena &)> apply; /* gets a list of items 9, 8, ..., 0 */
};

void PrintTo(const Breakage &b, std::ostream *out)
{
    *out << b.name;
}

const Breakage kBreakages[] = {
    {"NewestIsOdd", 2, [](Arena &a) { a.list->newest += 1; }},
    {"NewestIsBelowTheRange", 2, [](Arena &a) { a.list->newest = sizeof(Heads) - 8; }},
    {"LinkIsAboveTheRange", 2, [](Arena &a) { a.used(4)->older = a.bytes; }},
    {"NodeEndsAboveTheRange", 2, [](Arena &a) { a.used(4)->older = a.bytes - 16; }},
    {"LinkWraps", 2, [](Arena &a) { a.used(4)->older = UINT64_MAX - 7; }},
    {"LinkIsFarAway", 2, [](Arena &a) { a.used(4)->older = UINT64_C(1) << 60; }},
    {"NewestHasANewer", 3, [](Arena &a) { a.used(9)->newer = a.offset(a.used(3)); }},
    {"NeighboursDisagree", 3, [](Arena &a) { a.used(4)->newer = a.offset(a.used(6)); }},
    {"Cycle", 3, [](Arena &a) { a.used(2)->older = a.offset(a.used(6)); }},
    {"CycleToTheNewest", 3, [](Arena &a) { a.used(0)->older = a.offset(a.used(9)); }},
    {"NodeIsItsOwnNext", 3, [](Arena &a) { a.used(5)->older = a.offset(a.used(5)); }},
    {"LinkSkipsANode", 3, [](Arena &a) { a.used(5)->older = a.offset(a.used(3)); }},
    {"NodeSaysNoList", 4, [](Arena &a) { a.used(0)->list = 0; }},
    {"NodeSaysAnotherList", 4, [](Arena &a) { a.used(5)->list = a.offset(a.other_list) | 1u; }},
    {"OldestIsAnother", 5, [](Arena &a) { a.list->oldest = a.offset(a.used(1)); }},
    {"OldestIsNone", 5, [](Arena &a) { a.list->oldest = 0; }},
    {"NewestIsNone", 5, [](Arena &a) { a.list->newest = 0; }},
    {"ListEndsEarly", 5, [](Arena &a) { a.used(4)->older = 0; }},
    {"OneTooMany", 6, [](Arena &a) { a.list->n_nodes++; }},
    {"OneTooFew", 6, [](Arena &a) { a.list->n_nodes--; }},
    {"WalkEndsWhereTheCountDoesWhateverComesLater", 6,
     [](Arena &a) {
         a.list->n_nodes = 5;
         a.used(0)->list = 0;
     }},
    {"NoneCounted", 6, [](Arena &a) { a.list->n_nodes = 0; }},
    {"MoreThanHaveRoom", 6, [](Arena &a) { a.list->n_nodes = UINT64_MAX; }},
};

class LruCheck : public testing::TestWithParam<Breakage> {};

TEST_P(LruCheck, ReportsExactlyTheNumberAndWritesNothing)
{
    Arena a(20);
    for (size_t i = 0; i < 10; i++) {
        ASSERT_EQ(slm_lru_insert(&a.journal, a.list, a.used(i)), SLM_OK);
    }
    ASSERT_EQ(a.check_list(), 0u);
    GetParam().apply(a);
    std::vector<unsigned char> before = a.image();
    EXPECT_EQ(a.check_list(), GetParam().number);
    EXPECT_EQ(a.image(), before);
}

INSTANTIATE_TEST_SUITE_P(Breakages, LruCheck, testing::ValuesIn(kBreakages),
                         [](const auto &param_info) { return std::string(param_info.param.name); });

} // namespace
