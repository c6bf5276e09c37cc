/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs of more than 4 GiB: no offset, length or count is cut to 32 bits. Only metadata and a few
 * words of objects are touched; the rest of the mapping stays a hole. */
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kBytes = 6 * kGiB;

/* Addresses for kBytes, and a slab in the first first_bytes of them that may fill them all. */
class SlabLarge : public testing::TestWithParam<size_t> {
  protected:
    void SetUp() override
    {
        if (SIZE_MAX < kBytes) {
            printf("NOT RUN: 32-bit addresses\n");
            GTEST_SKIP() << "32-bit addresses";
        }
        void *at = mmap(nullptr, static_cast<size_t>(kBytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        must(at != MAP_FAILED, "mmap");
        base = static_cast<unsigned char *>(at);
        make(kBytes);
    }
    void TearDown() override
    {
        slab.reset();
        if (base != nullptr) {
            munmap(base, static_cast<size_t>(kBytes));
        }
    }
    /* Formats the first first_bytes; the slab may grow to all. */
    void make(uint64_t first_bytes)
    {
        slm_slab_options options = {};
        options.page_bytes = GetParam();
        options.min_object_bytes = 64;
        options.max_bytes = static_cast<size_t>(kBytes);
        slm_slab *view = nullptr;
        slab.reset();
        must(slm_slab_init(base, first_bytes, &options) == SLM_OK, "init");
        must(slm_slab_attach(&view, base, first_bytes, nullptr) == SLM_OK, "attach");
        slab.reset(view);
    }
    unsigned char *alloc(uint64_t bytes) const
    {
        void *p = slm_slab_alloc(slab.get(), static_cast<size_t>(bytes));
        must(p != nullptr, "alloc");
        return static_cast<unsigned char *>(p);
    }
    slm_status judge(const void *p) const
    {
        return slm_slab_check_pointer_locked(slab.get(), p);
    }
    void expect_sound() const
    {
        EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    }
    /* Two chunks that are 4 GiB apart, and a run between them. */
    void furnish()
    {
        low = alloc(kChunkBytes);
        ASSERT_EQ(low, slab->memory);
        struct slm_slab_class_stats stats = {};
        auto class_idx = static_cast<unsigned>(slm_slab_class_of(slab.get(), kChunkBytes));
        ASSERT_EQ(slm_slab_get_class_stats(slab.get(), class_idx, &stats), SLM_OK);
        uint64_t span_bytes = stats.span_pages * GetParam();
        between = alloc(4 * kGiB - span_bytes);
        for (size_t i = 1; i < stats.n_chunks; i++) {
            (void)alloc(kChunkBytes);
        }
        high = alloc(kChunkBytes);
        ASSERT_EQ(high, low + 4 * kGiB);
    }

    static constexpr size_t kChunkBytes = 256;
    unsigned char *base = nullptr;
    View slab;
    unsigned char *low = nullptr;
    unsigned char *between = nullptr;
    unsigned char *high = nullptr;
};

TEST_P(SlabLarge, ChunksFourGibApartAreTwoObjects)
{
    furnish();
    EXPECT_EQ(judge(low), SLM_OK);
    EXPECT_EQ(judge(high), SLM_OK);
    EXPECT_EQ(slm_slab_last_allocation_locked(slab.get()), high);
    EXPECT_EQ(slm_slab_free(slab.get(), high), SLM_OK);
    EXPECT_EQ(judge(low), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab.get(), high), SLM_E_FREED);
    EXPECT_EQ(slm_slab_free(slab.get(), high + 8), SLM_E_INTERIOR);
    expect_sound();
    EXPECT_EQ(alloc(kChunkBytes), high);
    EXPECT_EQ(slm_slab_free(slab.get(), low), SLM_OK);
    EXPECT_EQ(judge(high), SLM_OK);
    expect_sound();
}

TEST_P(SlabLarge, RunsFourGibApartAreTwoObjects)
{
    std::vector<unsigned char *> runs;
    for (uint64_t i = 0; i < 5; i++) {
        runs.push_back(alloc(kGiB));
        ASSERT_EQ(runs[i], slab->memory + i * kGiB);
    }
    EXPECT_EQ(slm_slab_free(slab.get(), runs[4]), SLM_OK);
    EXPECT_EQ(judge(runs[0]), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab.get(), runs[4]), SLM_E_PAGE_FREE);
    EXPECT_EQ(slm_slab_usable_bytes(slab.get(), runs[4]), 0u);
    expect_sound();
    EXPECT_EQ(alloc(kGiB), runs[4]);
    EXPECT_EQ(slm_slab_free(slab.get(), runs[0]), SLM_OK);
    EXPECT_EQ(judge(runs[4]), SLM_OK);
    expect_sound();
}

TEST_P(SlabLarge, AnAddressFourGibIntoARunIsNotItsStart)
{
    unsigned char *run = alloc(5 * kGiB);
    EXPECT_EQ(slm_slab_usable_bytes(slab.get(), run), 5 * kGiB);
    for (uint64_t at : {uint64_t{1}, 4 * kGiB - 1, 4 * kGiB, 4 * kGiB + 8, 5 * kGiB - 1}) {
        EXPECT_EQ(judge(run + at), SLM_E_INTERIOR) << at;
        EXPECT_EQ(slm_slab_free(slab.get(), run + at), SLM_E_INTERIOR) << at;
        EXPECT_EQ(slm_slab_usable_bytes(slab.get(), run + at), 0u) << at;
        slm_slab_place place;
        slm_slab_locate(slab.get(), run + at, &place);
        EXPECT_EQ(place.kind, SLM_SLAB_RUN);
        EXPECT_EQ(place.object, run);
        EXPECT_EQ(place.object_bytes, 5 * kGiB);
    }
    EXPECT_EQ(judge(run + 5 * kGiB), SLM_E_PAGE_FREE);
    EXPECT_EQ(slm_slab_free(slab.get(), run), SLM_OK);
    expect_sound();
}

TEST_P(SlabLarge, LengthsAboveFourGibAreServedWhole)
{
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab.get(), &stats);
    uint64_t page_bytes = stats.page_bytes;
    EXPECT_EQ(slm_slab_alloc(slab.get(), stats.n_pages * page_bytes + 1), nullptr);
    for (uint64_t bytes : {4 * kGiB, 4 * kGiB + 1, 4 * kGiB + page_bytes, 5 * kGiB + 1}) {
        unsigned char *run = alloc(bytes);
        uint64_t rest = bytes % page_bytes;
        EXPECT_EQ(slm_slab_usable_bytes(slab.get(), run),
                  bytes + (rest == 0 ? 0 : page_bytes - rest));
        EXPECT_EQ(slm_slab_alloc(slab.get(), 2 * kGiB), nullptr) << "less than that is left";
        ASSERT_EQ(slm_slab_free(slab.get(), run), SLM_OK);
    }
    EXPECT_NE(slm_slab_alloc(slab.get(), stats.n_pages * page_bytes), nullptr);
    expect_sound();
}

TEST_P(SlabLarge, OffsetsAndTheRootHoldAddressesAboveFourGib)
{
    furnish();
    uint64_t offset = slm_slab_offset(slab.get(), high);
    EXPECT_GT(offset, 4 * kGiB);
    EXPECT_EQ(slm_slab_pointer(slab.get(), offset), high);
    ASSERT_EQ(slm_slab_set_root(slab.get(), high), SLM_OK);
    EXPECT_EQ(slm_slab_root(slab.get()), high);
    EXPECT_EQ(slm_slab_set_root(slab.get(), base + kBytes), SLM_E_FOREIGN);
    EXPECT_EQ(judge(base + kBytes), SLM_E_FOREIGN);
    expect_sound();
}

TEST_P(SlabLarge, OffsetsPastTheRegionAreDamage)
{
    furnish();
    uint64_t past = slm_slab_offset(slab.get(), low) + 8 * kGiB;
    slab->header->root = slab_root_seal(past);
    EXPECT_EQ(slm_slab_root(slab.get()), nullptr);
    EXPECT_EQ(slm_slab_check(slab.get()), 12u);
    slab->header->root = 0;
    slab->header->pending = past;
    EXPECT_EQ(slm_slab_last_allocation_locked(slab.get()), nullptr);
    EXPECT_EQ(slm_slab_check(slab.get()), 12u);
}

TEST_P(SlabLarge, CallocZeroesAboveFourGib)
{
    furnish();
    memset(high, 0x5a, kChunkBytes);
    *low = 0x77;
    ASSERT_EQ(slm_slab_free(slab.get(), high), SLM_OK);
    auto *again = static_cast<unsigned char *>(slm_slab_calloc(slab.get(), kChunkBytes));
    ASSERT_EQ(again, high);
    for (size_t i = 0; i < kChunkBytes; i++) {
        ASSERT_EQ(again[i], 0) << i;
    }
    EXPECT_EQ(*low, 0x77);
}

TEST_P(SlabLarge, ARebuildFindsTheSameObjects)
{
    furnish();
    ASSERT_EQ(slm_slab_rebuild_locked(slab.get()), SLM_OK);
    expect_sound();
    for (unsigned char *p : {low, between, high}) {
        EXPECT_EQ(judge(p), SLM_OK);
    }
    EXPECT_EQ(judge(high + kChunkBytes), SLM_E_FREED) << "a free chunk of the same span";
    EXPECT_EQ(judge(between + 4 * kGiB), SLM_E_PAGE_FREE);
    uint64_t n_pages = 0;
    slm_slab_walk_locked(
        slab.get(),
        [](void *data, const slm_slab_extent *extent) {
            *static_cast<uint64_t *>(data) += extent->n_pages;
            return true;
        },
        &n_pages);
    EXPECT_EQ(n_pages, slab->n_pages);
}

TEST_P(SlabLarge, GrowsPastFourGib)
{
    make(3 * kGiB);
    unsigned char *first = alloc(2 * kGiB);
    EXPECT_EQ(slm_slab_alloc(slab.get(), 2 * kGiB), nullptr);
    EXPECT_GT(slm_slab_grow_locked(slab.get(), kBytes), 3 * kGiB / GetParam());
    EXPECT_GT(slm_slab_used_bytes(slab.get()), kBytes - 2 * GetParam());
    unsigned char *second = alloc(3 * kGiB);
    EXPECT_EQ(second, first + 2 * kGiB);
    EXPECT_EQ(judge(second + 2 * kGiB), SLM_E_INTERIOR);
    unsigned char *chunk = alloc(kChunkBytes);
    EXPECT_GT(chunk, base + 4 * kGiB);
    EXPECT_EQ(slm_slab_free(slab.get(), second), SLM_OK);
    EXPECT_EQ(judge(chunk), SLM_OK);
    expect_sound();
}

INSTANTIATE_TEST_SUITE_P(PageBytes, SlabLarge, testing::Values(4096, 65536),
                         testing::PrintToStringParamName());

} // namespace
