/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: heap, guard, counting, failing. */
#include <slabmill/source.h>

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

void *take(const slm_source *source, size_t size_bytes, size_t align_bytes = 16)
{
    return source->alloc(source->data, size_bytes, align_bytes);
}

void give(const slm_source *source, void *block, size_t size_bytes, size_t align_bytes = 16)
{
    source->free(source->data, block, size_bytes, align_bytes);
}

void expect_aligned_and_writable(const slm_source *source)
{
    for (size_t align = 1; align <= 65536; align *= 2) {
        for (size_t size : {size_t{1}, size_t{16}, size_t{4095}, size_t{4097}, size_t{70000}}) {
            void *block = take(source, size, align);
            ASSERT_NE(block, nullptr) << size << " at " << align;
            EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % align, 0u);
            memset(block, 0x5A, size);
            give(source, block, size, align);
        }
    }
}

TEST(SourceHeap, HonoursEveryAlignment)
{
    expect_aligned_and_writable(slm_source_heap());
}

TEST(SourceGuard, HonoursEveryAlignment)
{
    expect_aligned_and_writable(slm_source_guard());
}

TEST(SourceGuard, EndsBlocksAtAPageAsNearAsAlignmentAllows)
{
    auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    for (size_t size : {size_t{1}, size_t{16}, size_t{100}, page, page + 1}) {
        void *block = take(slm_source_guard(), size, 16);
        ASSERT_NE(block, nullptr);
        size_t end = reinterpret_cast<uintptr_t>(block) + size;
        EXPECT_LT((page - end % page) % page, 16u);
        give(slm_source_guard(), block, size, 16);
    }
}

TEST(SourceGuard, RefusesAbsurdSizes)
{
    EXPECT_EQ(take(slm_source_guard(), SIZE_MAX), nullptr);
    EXPECT_EQ(take(slm_source_guard(), SIZE_MAX / 4), nullptr);
}

TEST(SourceGuard, RefusesAbsurdAlignments)
{
    EXPECT_EQ(take(slm_source_guard(), 1, SIZE_MAX / 2 + 1), nullptr);
    EXPECT_EQ(take(slm_source_guard(), 4096, size_t{1} << 62), nullptr);
}

TEST(SourceGuardDeathTest, StopsAWriteBehindABlock)
{
    auto *block = static_cast<volatile char *>(take(slm_source_guard(), 64));
    ASSERT_NE(block, nullptr);
    block[63] = 1;
    EXPECT_DEATH(block[64] = 1, "");
    give(slm_source_guard(), const_cast<char *>(block), 64);
}

TEST(SourceGuardDeathTest, StopsAReadOfAFreedBlockUntil64MoreAreFreed)
{
    auto *block = static_cast<volatile char *>(take(slm_source_guard(), 64));
    ASSERT_NE(block, nullptr);
    give(slm_source_guard(), const_cast<char *>(block), 64);
    for (int i = 0; i < 63; i++) {
        void *other = take(slm_source_guard(), 64);
        ASSERT_NE(other, nullptr);
        EXPECT_NE(other, block);
        give(slm_source_guard(), other, 64);
    }
    EXPECT_DEATH((void)block[0], "");
}

TEST(SourceGuard, ServesThreadsAtOnce)
{
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([t] {
            for (size_t i = 1; i < 300; i++) {
                void *block = take(slm_source_guard(), i * 40);
                ASSERT_NE(block, nullptr);
                memset(block, t, i * 40);
                give(slm_source_guard(), block, i * 40);
            }
        });
    }
    for (auto &thread : threads) {
        thread.join();
    }
}

TEST(SourceCounting, CountsBlocksBytesAndPeak)
{
    slm_source_counting counting;
    slm_source_counting_init(&counting, slm_source_heap());
    void *a = take(&counting.source, 100);
    void *b = take(&counting.source, 50);
    EXPECT_EQ(counting.n_alloc, 2u);
    EXPECT_EQ(counting.live_blocks, 2u);
    EXPECT_EQ(counting.live_bytes, 150u);
    give(&counting.source, a, 100);
    EXPECT_EQ(counting.n_free, 1u);
    EXPECT_EQ(counting.live_bytes, 50u);
    EXPECT_EQ(counting.peak_bytes, 150u);
    give(&counting.source, b, 50);
    EXPECT_EQ(counting.live_blocks, 0u);
    EXPECT_EQ(counting.live_bytes, 0u);
}

TEST(SourceCounting, CountsRefusalsApart)
{
    slm_source_failing failing;
    slm_source_failing_init(&failing, slm_source_heap());
    failing.fail_at = 1;
    slm_source_counting counting;
    slm_source_counting_init(&counting, &failing.source);
    EXPECT_EQ(take(&counting.source, 100), nullptr);
    EXPECT_EQ(counting.n_refused, 1u);
    EXPECT_EQ(counting.n_alloc, 0u);
    EXPECT_EQ(counting.live_bytes, 0u);
}

/* Which of n_calls allocations of size_bytes are refused: one letter each. */
std::string pattern(slm_source_failing *failing, int n_calls, size_t size_bytes)
{
    std::string result;
    for (int i = 0; i < n_calls; i++) {
        void *block = take(&failing->source, size_bytes);
        result += block == nullptr ? 'x' : '.';
        if (block != nullptr) {
            give(&failing->source, block, size_bytes);
        }
    }
    return result;
}

TEST(SourceFailing, RefusesNothingAtFirst)
{
    slm_source_failing failing;
    slm_source_failing_init(&failing, slm_source_heap());
    EXPECT_EQ(pattern(&failing, 5, 100), ".....");
    EXPECT_EQ(failing.n_calls, 5u);
    EXPECT_EQ(failing.n_refused, 0u);
}

TEST(SourceFailing, RefusesTheChosenCallAlone)
{
    slm_source_failing failing;
    slm_source_failing_init(&failing, slm_source_heap());
    failing.fail_at = 3;
    EXPECT_EQ(pattern(&failing, 6, 100), "..x...");
    EXPECT_EQ(failing.n_refused, 1u);
}

TEST(SourceFailing, RefusesARowOfCallsOrAllThatFollow)
{
    slm_source_failing failing;
    slm_source_failing_init(&failing, slm_source_heap());
    failing.fail_at = 2;
    failing.fail_count = 3;
    EXPECT_EQ(pattern(&failing, 7, 100), ".xxx...");
    slm_source_failing_init(&failing, slm_source_heap());
    failing.fail_at = 4;
    failing.fail_count = UINT64_MAX;
    EXPECT_EQ(pattern(&failing, 7, 100), "...xxxx");
}

TEST(SourceFailing, RefusesBlocksAboveItsBudget)
{
    slm_source_failing failing;
    slm_source_failing_init(&failing, slm_source_heap());
    failing.budget_bytes = 100;
    EXPECT_EQ(pattern(&failing, 2, 100), "..");
    EXPECT_EQ(pattern(&failing, 2, 101), "xx");
}

} // namespace
