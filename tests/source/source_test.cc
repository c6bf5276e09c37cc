/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: heap, guard, counting, failing, quarantine. */
#include <slabmill/source.h>

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "allocator/base/config.h"

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

TEST(SourceGuard, RefusesSizesAboveItsLimit)
{
    EXPECT_EQ(take(slm_source_guard(), SIZE_MAX), nullptr);
    EXPECT_EQ(take(slm_source_guard(), SIZE_MAX / 4), nullptr);
}

TEST(SourceGuard, RefusesAlignmentsAboveItsLimit)
{
    EXPECT_EQ(take(slm_source_guard(), 1, SIZE_MAX / 2 + 1), nullptr);
    EXPECT_EQ(take(slm_source_guard(), 4096, size_t{1} << 62), nullptr);
}

TEST(SourceGuardDeathTest, StopsAWritePastTheEndOfABlock)
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

/* A quarantine over failing over the heap; `returned` has the blocks that were freed to it, in
 * order. */
class SourceQuarantine : public testing::Test {
  protected:
    static constexpr size_t kBlocks = 3;
    static constexpr size_t kBytes = 1000;

    SourceQuarantine()
    {
        slm_source_failing_init(&failing, &log);
        slm_source_quarantine_init(&quarantine, &failing.source, held, kBlocks, kBytes);
    }

    ~SourceQuarantine() override
    {
        slm_source_quarantine_release(&quarantine);
    }

    struct Returned {
        void *block;
        size_t size_bytes;
        size_t align_bytes;
        bool operator==(const Returned &other) const
        {
            return block == other.block && size_bytes == other.size_bytes &&
                   align_bytes == other.align_bytes;
        }
    };

    static void *log_alloc(void *, size_t size_bytes, size_t align_bytes)
    {
        return take(slm_source_heap(), size_bytes, align_bytes);
    }

    static void log_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
    {
        static_cast<SourceQuarantine *>(data)->returned.push_back({block, size_bytes, align_bytes});
        memset(block, 0xDD, size_bytes);
        give(slm_source_heap(), block, size_bytes, align_bytes);
    }

    /* Takes blocks of these sizes and frees them in the same order. */
    std::vector<void *> take_and_free(const std::vector<size_t> &sizes)
    {
        std::vector<void *> blocks;
        for (size_t size : sizes) {
            blocks.push_back(take(&quarantine.source, size));
        }
        for (size_t i = 0; i < sizes.size(); i++) {
            give(&quarantine.source, blocks[i], sizes[i]);
        }
        return blocks;
    }

    slm_source log{log_alloc, log_free, this};
    slm_source_failing failing;
    slm_source_held held[kBlocks];
    slm_source_quarantine quarantine;
    std::vector<Returned> returned;
};

TEST_F(SourceQuarantine, HonoursEveryAlignment)
{
    expect_aligned_and_writable(&quarantine.source);
}

TEST_F(SourceQuarantine, HoldsMaxBlocksAndFreesTheOldestFirst)
{
    std::vector<void *> blocks = take_and_free({10, 20, 30, 40, 50});
    std::vector<Returned> expected = {{blocks[0], 10, 16}, {blocks[1], 20, 16}};
    EXPECT_EQ(returned, expected);
    EXPECT_EQ(quarantine.n_held, 3u);
    EXPECT_EQ(quarantine.held_bytes, 120u);
}

TEST_F(SourceQuarantine, HoldsMaxBytesAndFreesTheOldestFirst)
{
    std::vector<void *> blocks = take_and_free({500, 400, 101});
    std::vector<Returned> expected = {{blocks[0], 500, 16}};
    EXPECT_EQ(returned, expected);
    EXPECT_EQ(quarantine.held_bytes, 501u);
    take_and_free({499});
    EXPECT_EQ(returned, expected);
    EXPECT_EQ(quarantine.held_bytes, kBytes);
}

TEST_F(SourceQuarantine, ABlockAboveMaxBytesIsFreedAfterAllHeldOnes)
{
    std::vector<void *> blocks = take_and_free({500, 1001});
    std::vector<Returned> expected = {{blocks[0], 500, 16}, {blocks[1], 1001, 16}};
    EXPECT_EQ(returned, expected);
    EXPECT_EQ(quarantine.n_held, 0u);
}

TEST_F(SourceQuarantine, ReturnsBlocksWithTheirOwnSizeAndAlignment)
{
    void *a = take(&quarantine.source, 100, 4096);
    void *b = take(&quarantine.source, 200, 64);
    give(&quarantine.source, b, 200, 64);
    give(&quarantine.source, a, 100, 4096);
    slm_source_quarantine_release(&quarantine);
    std::vector<Returned> expected = {{b, 200, 64}, {a, 100, 4096}};
    EXPECT_EQ(returned, expected);
    EXPECT_EQ(quarantine.n_held, 0u);
    EXPECT_EQ(quarantine.held_bytes, 0u);
}

TEST_F(SourceQuarantine, NeverAllocatesAHeldAddress)
{
    void *freed = take_and_free({100})[0];
    std::vector<void *> blocks;
    for (int i = 0; i < 100; i++) {
        blocks.push_back(take(&quarantine.source, 100));
        EXPECT_NE(blocks.back(), freed);
    }
    for (void *block : blocks) {
        give(&failing.source, block, 100);
    }
    EXPECT_EQ(quarantine.n_held, 1u);
}

TEST_F(SourceQuarantine, FreesEveryBlockWhenTheSourceRefusesAndAsksAgain)
{
    take_and_free({10, 20});
    failing.fail_at = failing.n_calls + 1;
    void *block = take(&quarantine.source, 30);
    EXPECT_NE(block, nullptr);
    EXPECT_EQ(failing.n_refused, 1u);
    EXPECT_EQ(returned.size(), 2u);
    EXPECT_EQ(quarantine.n_held, 0u);
    give(&quarantine.source, block, 30);
}

TEST_F(SourceQuarantine, PassesARefusalOnWhenNothingIsHeldOrItDoesNotHelp)
{
    failing.fail_at = 1;
    failing.fail_count = 1;
    EXPECT_EQ(take(&quarantine.source, 10), nullptr);
    EXPECT_EQ(failing.n_calls, 1u);
    take_and_free({10, 20});
    failing.fail_at = failing.n_calls + 1;
    failing.fail_count = UINT64_MAX;
    EXPECT_EQ(take(&quarantine.source, 10), nullptr);
    EXPECT_EQ(returned.size(), 2u);
    EXPECT_EQ(failing.n_refused, 3u);
}

TEST_F(SourceQuarantine, WithoutARingFreesEveryBlockAtOnce)
{
    slm_source_quarantine none;
    slm_source_quarantine_init(&none, &log, nullptr, 0, SIZE_MAX);
    void *block = take(&none.source, 10);
    give(&none.source, block, 10);
    EXPECT_EQ(returned.size(), 1u);
    slm_source_quarantine_release(&none);
    EXPECT_EQ(none.n_held, 0u);
}

#if SLM_ASAN
TEST_F(SourceQuarantine, AddressSanitizerReportsTheUseOfAHeldBlock)
{
    auto *block = static_cast<volatile char *>(take_and_free({100})[0]);
    EXPECT_DEATH((void)block[99], "use-after-poison");
}
#endif

} // namespace
