/* SPDX-License-Identifier: Apache-2.0 */
/* The harness's model of memory: map, contents, source, regions. */
#include "harness/run/model.h"

#include <cstring>
#include <set>
#include <vector>

#include "harness/adapters/adapters.h"
#include "harness/inputs/random.h"
#include "harness/run/state.h"
#include "gtest/gtest.h"

namespace {

constexpr unsigned char kJunk = 0xA5;

class MapTest : public testing::Test {
  protected:
    ~MapTest() override
    {
        hrn_map_fini(&map_);
    }

    static const void *At(uintptr_t address)
    {
        return reinterpret_cast<const void *>(address);
    }

    hrn_map map_{};
};

TEST_F(MapTest, TakesAndGivesSingleBytes)
{
    EXPECT_FALSE(hrn_map_taken(&map_, At(0x10000)));
    EXPECT_TRUE(hrn_map_take(&map_, At(0x10000), 1));
    EXPECT_TRUE(hrn_map_taken(&map_, At(0x10000)));
    EXPECT_FALSE(hrn_map_taken(&map_, At(0x10001)));
    hrn_map_give(&map_, At(0x10000), 1);
    EXPECT_FALSE(hrn_map_taken(&map_, At(0x10000)));
    EXPECT_EQ(map_.n, 0u);
}

TEST_F(MapTest, RefusesAnySharedByteAndAllowsNeighbours)
{
    ASSERT_TRUE(hrn_map_take(&map_, At(0x10064), 200));
    EXPECT_TRUE(hrn_map_take(&map_, At(0x10063), 1));
    EXPECT_TRUE(hrn_map_take(&map_, At(0x10064 + 200), 1));
    EXPECT_FALSE(hrn_map_take(&map_, At(0x10064 + 199), 1));
}

TEST_F(MapTest, TreatsWholePagesAndPartsAlike)
{
    ASSERT_TRUE(hrn_map_take(&map_, At(0x20800), 3 * 4096)); /* parts of two pages, two whole */
    EXPECT_TRUE(hrn_map_taken(&map_, At(0x20800)));
    EXPECT_TRUE(hrn_map_taken(&map_, At(0x22000)));
    EXPECT_TRUE(hrn_map_taken(&map_, At(0x237ff)));
    EXPECT_FALSE(hrn_map_taken(&map_, At(0x207ff)));
    EXPECT_FALSE(hrn_map_taken(&map_, At(0x23800)));
    EXPECT_FALSE(hrn_map_take(&map_, At(0x21500), 1)) << "inside a whole page";
}

TEST_F(MapTest, RefusesAWholePageOverAPart)
{
    ASSERT_TRUE(hrn_map_take(&map_, At(0x30fff), 1));
    EXPECT_FALSE(hrn_map_take(&map_, At(0x30000), 4096));
}

TEST_F(MapTest, AgreesWithASetOfBytesOnRandomRanges)
{
    struct Range {
        uintptr_t start;
        size_t n;
    };
    hrn_rng rng;
    hrn_rng_seed(&rng, 7);
    std::vector<Range> ranges;
    std::set<uintptr_t> bytes;
    for (int i = 0; i < 4000; i++) {
        if (!ranges.empty() && hrn_rng_below(&rng, 2) == 0) {
            size_t k = hrn_rng_below(&rng, static_cast<uint32_t>(ranges.size()));
            hrn_map_give(&map_, At(ranges[k].start), ranges[k].n);
            for (size_t b = 0; b < ranges[k].n; b++) {
                bytes.erase(ranges[k].start + b);
            }
            ranges[k] = ranges.back();
            ranges.pop_back();
            continue;
        }
        Range range{0x100000 + hrn_rng_below(&rng, 1u << 20),
                    1 + hrn_rng_below(&rng, hrn_rng_below(&rng, 10) == 0 ? 9000 : 100)};
        auto next = bytes.lower_bound(range.start);
        if (next != bytes.end() && *next < range.start + range.n) {
            EXPECT_TRUE(hrn_map_taken(&map_, At(*next)));
            /* A refusal would make the map unusable; the tests above cover it with single bytes. */
            continue;
        }
        ASSERT_TRUE(hrn_map_take(&map_, At(range.start), range.n));
        for (size_t b = 0; b < range.n; b++) {
            bytes.insert(range.start + b);
        }
        ranges.push_back(range);
    }
    for (uintptr_t at = 0x100000; at < 0x100000 + (1u << 20) + 9000; at += 13) {
        ASSERT_EQ(hrn_map_taken(&map_, At(at)), bytes.count(at) == 1) << at;
    }
}

class ContentsTest : public testing::Test {
  protected:
    ContentsTest()
    {
        hrn_model_begin(&model_, 4, 99);
    }
    ~ContentsTest() override
    {
        hrn_model_fini(&model_);
    }

    hrn_model model_{};
};

TEST_F(ContentsTest, AreRecognisedAtEverySize)
{
    std::vector<unsigned char> memory(5000);
    for (size_t n = 0; n < 600; n++) {
        hrn_contents_fill(&model_, 3, memory.data(), n);
        EXPECT_EQ(hrn_contents_wrong(&model_, 3, memory.data(), n, n), SIZE_MAX) << n;
    }
}

TEST_F(ContentsTest, ShowAChangeOfTheFirstOrLastByteAtEverySize)
{
    std::vector<unsigned char> memory(5000);
    for (size_t n = 1; n < 600; n++) {
        hrn_contents_fill(&model_, 1, memory.data(), n);
        memory[0] ^= 1;
        EXPECT_EQ(hrn_contents_wrong(&model_, 1, memory.data(), n, n), 0u) << n;
        memory[0] ^= 1;
        memory[n - 1] ^= 0x80;
        EXPECT_EQ(hrn_contents_wrong(&model_, 1, memory.data(), n, n), n - 1) << n;
    }
}

TEST_F(ContentsTest, ShowAChangeOfAny61ConsecutiveBytes)
{
    std::vector<unsigned char> memory(4096);
    for (size_t at = 0; at + 61 <= memory.size(); at += 17) {
        hrn_contents_fill(&model_, 2, memory.data(), memory.size());
        std::memset(memory.data() + at, 0, 61);
        EXPECT_NE(hrn_contents_wrong(&model_, 2, memory.data(), memory.size(), memory.size()),
                  SIZE_MAX);
    }
}

TEST_F(ContentsTest, DifferByObjectAndBySeed)
{
    unsigned char memory[64];
    hrn_contents_fill(&model_, 1, memory, sizeof memory);
    EXPECT_NE(hrn_contents_wrong(&model_, 2, memory, sizeof memory, sizeof memory), SIZE_MAX);
    model_.seed++;
    EXPECT_NE(hrn_contents_wrong(&model_, 1, memory, sizeof memory, sizeof memory), SIZE_MAX);
}

TEST_F(ContentsTest, AreRecognisedInAPrefixOfAnObjectThatShrank)
{
    unsigned char memory[300];
    for (size_t kept = 0; kept <= sizeof memory; kept++) {
        hrn_contents_fill(&model_, 1, memory, sizeof memory);
        std::memset(memory + kept, 0, sizeof memory - kept);
        EXPECT_EQ(hrn_contents_wrong(&model_, 1, memory, sizeof memory, kept), SIZE_MAX) << kept;
    }
}

TEST_F(ContentsTest, HaveNoZeroByteWhereTheyAreStamped)
{
    unsigned char memory[16];
    for (uint32_t id = 0; id < 1000; id++) {
        hrn_contents_fill(&model_, id, memory, sizeof memory);
        EXPECT_EQ(std::memchr(memory, 0, sizeof memory), nullptr);
    }
}

TEST(Zeroing, FindsTheOnlyByteThatIsNotZero)
{
    std::vector<unsigned char> memory(9000, 0);
    EXPECT_EQ(hrn_contents_not_zero(memory.data(), memory.size()), SIZE_MAX);
    for (size_t at : {0u, 1u, 4095u, 4096u, 8999u}) {
        memory[at] = 1;
        EXPECT_EQ(hrn_contents_not_zero(memory.data(), memory.size()), at);
        EXPECT_EQ(hrn_contents_not_zero(memory.data(), at), SIZE_MAX);
        memory[at] = 0;
    }
}

class SourceTest : public testing::Test {
  protected:
    SourceTest()
    {
        hrn_source_init(&source_, &total_, kJunk);
    }
    ~SourceTest() override
    {
        hrn_source_drop(&source_);
    }

    void *Alloc(size_t n, size_t align = 16)
    {
        return source_.source.alloc(&source_, n, align);
    }

    hrn_source_total total_{};
    hrn_source source_{};
};

TEST_F(SourceTest, HonoursAlignmentAndCountsLiveBlocks)
{
    for (size_t align = 1; align <= 65536; align *= 2) {
        void *p = Alloc(100, align);
        ASSERT_NE(p, nullptr);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
        EXPECT_EQ(source_.live_bytes, 100u);
        source_.source.free(&source_, p, 100, align);
        EXPECT_EQ(source_.live_blocks, 0u);
    }
}

TEST_F(SourceTest, RefusesThePlannedCallsAndNoOthers)
{
    source_.fail_at = 3;
    source_.fail_count = 2;
    for (int call = 1; call <= 6; call++) {
        EXPECT_EQ(Alloc(8) == nullptr, call == 3 || call == 4) << call;
    }
    EXPECT_EQ(source_.n_refused, 2u);
}

TEST_F(SourceTest, RefusesRequestsAboveItsBudget)
{
    EXPECT_EQ(Alloc(HRN_SOURCE_BLOCK_MAX + 1), nullptr);
    EXPECT_EQ(Alloc(SIZE_MAX), nullptr);
    size_t n = 0;
    while (Alloc(HRN_SOURCE_BLOCK_MAX) != nullptr) {
        n++;
    }
    EXPECT_EQ(n, HRN_SOURCE_TOTAL_MAX / HRN_SOURCE_BLOCK_MAX);
}

TEST(Junk, IsNeverASmallNumberAndDiffersFromSeedToSeed)
{
    std::set<unsigned> seen;
    for (uint32_t seed = 0; seed < 1000; seed++) {
        EXPECT_GE(hrn_junk(seed), 0x80);
        seen.insert(hrn_junk(seed));
    }
    EXPECT_EQ(seen.size(), 128u);
}

TEST(Region, EndsInMarkedBytesThatShowAWrite)
{
    hrn_region region{};
    ASSERT_TRUE(hrn_region_open(&region, 10000, kJunk));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(region.base) % 4096, 0u);
    EXPECT_EQ(hrn_region_fence_broken(&region), SIZE_MAX);
    hrn_region_close(&region); /* makes the hidden bytes accessible again */
    region.base = region.map + region.map_bytes - 4096 - 12288;
    region.base[10007] ^= 1;
    EXPECT_EQ(hrn_region_fence_broken(&region), 7u);
    hrn_region_fini(&region);
}

TEST(RegionDeathTest, IsFollowedByAnInaccessiblePage)
{
    hrn_region region{};
    ASSERT_TRUE(hrn_region_open(&region, 8192, kJunk));
    EXPECT_DEATH(*static_cast<volatile unsigned char *>(region.base + 8192) = 1, "");
    EXPECT_DEATH(*static_cast<volatile unsigned char *>(region.base - 1) = 1, "");
    hrn_region_fini(&region);
}

TEST(Region, IsFilledWithJunkEachTime)
{
    hrn_region region{};
    ASSERT_TRUE(hrn_region_open(&region, 4096, kJunk));
    std::memset(region.base, 0, 4096);
    hrn_region_close(&region);
    ASSERT_TRUE(hrn_region_open(&region, 4096, kJunk));
    EXPECT_NE(region.base[0], 0);
    EXPECT_NE(region.base[4095], 0);
    EXPECT_FALSE(hrn_region_open(&region, HRN_REGION_ALLOC_MAX + 1, kJunk));
    hrn_region_fini(&region);
}

TEST(Region, HoldsOnlyJunkAfterAnyUseOfTheOneBefore)
{
    hrn_region region{};
    unsigned n_opened = 0;
    for (size_t pages : {16u, 2u, 8u, 16u, 1u, 30u, 4u, 30u}) {
        unsigned char junk = hrn_junk(n_opened++ / 3); /* three regions hold the same */
        ASSERT_TRUE(hrn_region_open(&region, pages * 4096 - 100, junk));
        hrn_region_track(&region);
        for (size_t i = 0; i < region.bytes; i++) {
            ASSERT_EQ(region.base[i], junk) << "byte " << i << " of " << pages << " pages";
        }
        std::memset(region.base, 1, region.bytes / 2);
        hrn_region_use(&region, region.base + region.bytes / 2);
        hrn_region_close(&region);
    }
    hrn_region_fini(&region);
}

size_t n_creations;

void *CreateCounted(const slm_adapter_env *env)
{
    n_creations++;
    return hrn_adapter_slab.create(env);
}

/* 50 allocations of one object on a slab whose source refuses its first n_refusals calls. */
hrn_result RunRefused(uint32_t n_refusals)
{
    slm_adapter adapter = hrn_adapter_slab;
    hrn_program program;
    hrn_result result;
    adapter.create = CreateCounted;
    n_creations = 0;
    hrn_program_init(&program);
    program.head.fault_nth = 1;
    program.head.fault_count = n_refusals;
    for (uint32_t id = 0; id < 50; id++) {
        hrn_op op{};
        op.kind = HRN_ALLOC;
        op.id = id;
        op.size_bytes = 100;
        hrn_program_push(&program, op);
    }
    EXPECT_EQ(hrn_run_catch(&adapter, &program, &result), HRN_LAW_NONE) << result.text;
    hrn_program_fini(&program);
    return result;
}

TEST(RefusedArena, IsMadeByTheOperationWhereThePlanEnds)
{
    for (uint32_t n : {0u, 1u, 3u, 4u, 5u, 30u}) {
        EXPECT_EQ(RunRefused(n).n_kind[HRN_ALLOC], 50u - n) << n << " refusals";
        EXPECT_EQ(n_creations, n < 4 ? n + 1 : 5u) << n << " refusals";
    }
}

TEST(RefusedArena, IsNotTriedAtEachOperationWhenAllIsRefused)
{
    EXPECT_EQ(RunRefused(UINT32_MAX).n_done, 0u);
    EXPECT_EQ(n_creations, 4u);
}

TEST(MapOfBytes, KeepsHugeRangesApartAndFindsGapsBetweenThem)
{
    hrn_map map{};
    const uintptr_t base = static_cast<uintptr_t>(1) << 40;
    const size_t huge = static_cast<size_t>(1) << 32;
    auto at = [](uintptr_t address) { return reinterpret_cast<void *>(address); };
    ASSERT_TRUE(hrn_map_take(&map, at(base), 100));
    ASSERT_TRUE(hrn_map_take(&map, at(base + 4096), huge));
    ASSERT_TRUE(hrn_map_take(&map, at(base + 4096 + huge + 5000), 10));
    EXPECT_EQ(map.n, 2u) << "pages for a huge range";
    EXPECT_FALSE(hrn_map_take(&map, at(base + 99), huge)) << "a page is taken";
    EXPECT_FALSE(hrn_map_take(&map, at(base + huge), huge)) << "a huge range is taken";
    EXPECT_FALSE(hrn_map_take(&map, at(base + 4096 + huge - 1), 1));
    EXPECT_TRUE(hrn_map_taken(&map, at(base + huge / 2)));
    EXPECT_FALSE(hrn_map_taken(&map, at(base + 4096 + huge)));
    uintptr_t gap_at = 0;
    EXPECT_EQ(hrn_map_gap(&map, base, base + 2 * huge, 4000, &gap_at), 5000u);
    EXPECT_EQ(gap_at, base + 4096 + huge);
    EXPECT_EQ(hrn_map_gap(&map, base, base + 4096 + huge + 5000, SIZE_MAX, &gap_at), 5000u);
    EXPECT_EQ(hrn_map_gap(&map, base, base + 4096 + huge, SIZE_MAX, &gap_at), 3996u);
    hrn_map_give(&map, at(base + 4096), huge);
    EXPECT_FALSE(hrn_map_taken(&map, at(base + huge / 2)));
    EXPECT_EQ(hrn_map_gap(&map, base, base + 4096 + huge + 5000, SIZE_MAX, &gap_at),
              4096 + huge + 5000 - 100);
    hrn_map_fini(&map);
}

} // namespace
