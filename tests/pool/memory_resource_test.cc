/* SPDX-License-Identifier: Apache-2.0 */
/* Standard containers over a pool. */
#include <cstdint>
#include <deque>
#include <gtest/gtest.h>
#include <list>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/pool/fixture.h"
#include <slabmill/memory_resource.hpp>

using slm_test::Random;
using slm_test::TestPool;

namespace {

/* Makes the same random changes to a container over the pool and to one over the C++ heap. */
template <typename Ours, typename Theirs, typename Change>
void expect_same_after_changes(Ours ours, Change change)
{
    Theirs theirs;
    Random random(7);
    for (int i = 0; i < 5000; i++) {
        size_t key = random.below(512);
        size_t what = random.below(3);
        change(ours, key, what);
        change(theirs, key, what);
    }
    ASSERT_EQ(ours.size(), theirs.size());
    EXPECT_TRUE(std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end()));
}

template <typename Sequence> void change_sequence(Sequence &sequence, size_t key, size_t what)
{
    if (what == 0 && !sequence.empty()) {
        sequence.pop_back();
    } else {
        sequence.push_back(key);
    }
}

template <typename Map> void change_map(Map &map, size_t key, size_t what)
{
    if (what == 0) {
        map.erase(key);
    } else {
        map[key] += key;
    }
}

TEST(PoolResource, SequencesHoldWhatTheyHoldOverTheHeap)
{
    TestPool pool;
    slabmill::pool_resource resource(pool.pool);
    expect_same_after_changes<std::pmr::vector<size_t>, std::vector<size_t>>(
        std::pmr::vector<size_t>(&resource),
        [](auto &c, size_t k, size_t w) { change_sequence(c, k, w); });
    expect_same_after_changes<std::pmr::deque<size_t>, std::deque<size_t>>(
        std::pmr::deque<size_t>(&resource),
        [](auto &c, size_t k, size_t w) { change_sequence(c, k, w); });
    expect_same_after_changes<std::pmr::list<size_t>, std::list<size_t>>(
        std::pmr::list<size_t>(&resource),
        [](auto &c, size_t k, size_t w) { change_sequence(c, k, w); });
}

TEST(PoolResource, MapsHoldWhatTheyHoldOverTheHeap)
{
    TestPool pool;
    slabmill::pool_resource resource(pool.pool);
    auto change = [](auto &c, size_t k, size_t w) { change_map(c, k, w); };
    expect_same_after_changes<std::pmr::map<size_t, size_t>, std::map<size_t, size_t>>(
        std::pmr::map<size_t, size_t>(&resource), change);
    std::pmr::unordered_map<size_t, size_t> ours(&resource);
    std::unordered_map<size_t, size_t> theirs;
    Random random(9);
    for (int i = 0; i < 5000; i++) {
        size_t key = random.below(512);
        size_t what = random.below(3);
        change_map(ours, key, what);
        change_map(theirs, key, what);
    }
    ASSERT_EQ(ours.size(), theirs.size());
    for (const auto &[key, value] : theirs) {
        EXPECT_EQ(ours.at(key), value);
    }
}

TEST(PoolResource, ContainersInContainersUseTheSamePool)
{
    TestPool pool;
    slabmill::pool_resource resource(pool.pool);
    std::pmr::vector<std::pmr::string> lines(&resource);
    for (int i = 0; i < 100; i++) {
        lines.emplace_back(std::string(static_cast<size_t>(i) + 32, 'x'));
        EXPECT_EQ(lines.back().get_allocator().resource(), &resource);
        EXPECT_EQ(slm_pool_owns(pool.pool, lines.back().data()), 1);
    }
}

TEST(PoolResource, MemoryIsAlignedAsAsked)
{
    TestPool pool;
    slabmill::pool_resource resource(pool.pool);
    for (size_t align = 1; align <= SLM_POOL_ALIGN_MAX; align *= 2) {
        for (size_t size : {size_t{1}, size_t{24}, size_t{3000}, size_t{70000}}) {
            void *p = resource.allocate(size, align);
            EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
            pool.claim(p, size, align);
        }
    }
}

TEST(PoolResource, NewestObjectAndLargeBlocksAreFreeAtOnce)
{
    for (unsigned flags : {0u, unsigned{SLM_POOL_PASS_THROUGH}}) {
        TestPool pool(4096, flags);
        slabmill::pool_resource resource(pool.pool);
        for (size_t align : {size_t{8}, size_t{64}, size_t{4096}}) {
            void *small = resource.allocate(100, align);
            resource.deallocate(small, 100, align);
            size_t before = slm_pool_free_bytes(pool.pool);
            struct slm_pool_stats stats = pool.stats();
            for (size_t size : {size_t{0}, size_t{1}, size_t{100}, stats.small_limit_bytes,
                                stats.small_limit_bytes + 1, size_t{100000}}) {
                if (align > SLM_POOL_ALIGN && size <= stats.small_limit_bytes) {
                    continue; /* what aligns a small object stays taken */
                }
                void *p = resource.allocate(size, align);
                resource.deallocate(p, size, align);
                EXPECT_EQ(pool.stats().n_large, stats.n_large) << size << " at " << align;
                if (size <= 100) {
                    EXPECT_EQ(slm_pool_free_bytes(pool.pool), before) << size << " at " << align;
                }
            }
        }
    }
}

TEST(PoolResource, LargeBlockIsReleasedByItsAlignmentToo)
{
    TestPool pool;
    slabmill::pool_resource resource(pool.pool);
    size_t limit = pool.stats().small_limit_bytes;
    for (size_t size : {limit - 65, limit - 64, limit - 63, limit, limit + 1}) {
        size_t n_large = size + 64 > limit ? 1 : 0;
        void *p = resource.allocate(size, 64);
        EXPECT_EQ(pool.stats().n_large, n_large) << size;
        resource.deallocate(p, size, 64);
        EXPECT_EQ(pool.stats().n_large, 0u) << size;
    }
}

TEST(PoolResource, ThrowsBadAllocWhenThePoolHasNoMemory)
{
    TestPool pool;
    slabmill::pool_resource resource(pool.pool);
    std::pmr::vector<char> bytes(&resource);
    bytes.resize(1000, 'x');
    pool.failing.budget_bytes = 0; /* the source refuses everything */
    EXPECT_THROW(bytes.resize(1000000), std::bad_alloc);
    EXPECT_EQ(bytes.size(), 1000u);
    EXPECT_EQ(bytes[999], 'x');
    volatile size_t most = SIZE_MAX; /* gcc warns of the constant */
    EXPECT_THROW((void)resource.allocate(most, 1), std::bad_alloc);
    EXPECT_THROW((void)resource.allocate(1, size_t{SLM_POOL_ALIGN_MAX} * 2), std::bad_alloc);
    slabmill::pool_resource none(nullptr);
    EXPECT_THROW((void)none.allocate(1, 1), std::bad_alloc);
}

TEST(PoolResource, IsEqualToOneOfTheSamePoolOnly)
{
    TestPool one;
    TestPool two;
    slabmill::pool_resource first(one.pool);
    slabmill::pool_resource again(one.pool);
    slabmill::pool_resource other(two.pool);
    EXPECT_TRUE(first.is_equal(again));
    EXPECT_FALSE(first.is_equal(other));
    EXPECT_FALSE(first.is_equal(*std::pmr::new_delete_resource()));
    /* Equal resources hand storage over; others copy. */
    std::pmr::vector<int> from({1, 2, 3}, &first);
    const int *storage = from.data();
    std::pmr::vector<int> to(std::move(from), &again);
    EXPECT_EQ(to.data(), storage);
    std::pmr::vector<int> copied(std::move(to), &other);
    EXPECT_NE(copied.data(), storage);
    EXPECT_EQ(copied, (std::pmr::vector<int>{1, 2, 3}));
}

TEST(PoolResource, GrowthOfAVectorEndsWithTheReset)
{
    TestPool pool;
    slabmill::pool_resource resource(pool.pool);
    for (int round = 0; round < 3; round++) {
        {
            std::pmr::vector<int> numbers(&resource);
            for (int i = 0; i < 100000; i++) {
                numbers.push_back(i);
            }
        }
        EXPECT_EQ(pool.stats().n_large, 0u);
        EXPECT_EQ(pool.reset(), SLM_OK);
    }
    EXPECT_LE(pool.stats().n_blocks, 3u);
}

} // namespace
