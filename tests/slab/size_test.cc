/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: every size and alignment that can be asked for. */
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

class SlabAlloc : public testing::TestWithParam<Geometry> {
  protected:
    SlabAlloc() : slab(GetParam(), 40)
    {
    }
    /* Sizes around all that matters: class edges, page edges, all small ones. */
    std::vector<size_t> sizes() const
    {
        std::vector<size_t> sizes;
        for (size_t size = 0; size <= 300; size += SLM_CHECKS >= 3 ? 5 : 1) {
            sizes.push_back(size);
        }
        for (unsigned i = 0; i < slab.stats().n_classes; i++) {
            around(slab->cuts[i].chunk_bytes - GetParam().gap_bytes, &sizes);
        }
        for (size_t n_pages = 1; n_pages <= 4; n_pages++) {
            around(n_pages * slab.page_bytes() - GetParam().gap_bytes, &sizes);
        }
        return sizes;
    }
    static void around(size_t size, std::vector<size_t> *sizes)
    {
        for (size_t s = size - 2; s != size + 3; s++) {
            if (s < SIZE_MAX / 2) {
                sizes->push_back(s);
            }
        }
    }
    /* What slab.h promises of an object's address. */
    size_t promised_align(size_t size) const
    {
        size_t bytes = std::max<size_t>(size, 1) + GetParam().gap_bytes;
        int class_idx = slm_slab_class_of(slab, size);
        if (class_idx < 0) {
            return SLM_SLAB_ALIGN_MAX;
        }
        if (GetParam().per_doubling == 1) {
            return std::min<size_t>(slab->cuts[class_idx].chunk_bytes, SLM_SLAB_ALIGN_MAX);
        }
        return std::max(std::min<size_t>(bytes & -bytes, 16), GetParam().min_object_bytes);
    }
    Slab slab;
};

bool is_multiple(const void *p, size_t align)
{
    return reinterpret_cast<uintptr_t>(p) % align == 0;
}

TEST_P(SlabAlloc, EverySizeIsServedAlignedUsableAndFreedAgain)
{
    for (size_t size : sizes()) {
        void *a = slm_slab_alloc(slab, size);
        void *b = slm_slab_alloc(slab, size);
        ASSERT_NE(a, nullptr) << size;
        ASSERT_NE(b, nullptr) << size;
        EXPECT_TRUE(is_multiple(a, promised_align(size)) && is_multiple(b, promised_align(size)))
            << size;
        size_t usable = slm_slab_usable_bytes(slab, a);
        EXPECT_GE(usable, size);
        EXPECT_GE(usable, 1u);
        EXPECT_EQ(usable, slab.locate(a).object_bytes - GetParam().gap_bytes);
        std::memset(a, 0xaa, usable);
        std::memset(b, 0xbb, slm_slab_usable_bytes(slab, b));
        EXPECT_EQ(static_cast<unsigned char *>(a)[usable - 1], 0xaa) << "overlap at " << size;
        EXPECT_EQ(slm_slab_free(slab, a), SLM_OK);
        EXPECT_EQ(slm_slab_free(slab, b), SLM_OK);
    }
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

/* The promise holds for a chunk of another class, too, when pages are out. */
TEST_P(SlabAlloc, BorrowedChunksAreAlignedAsPromised)
{
    unsigned step = SLM_CHECKS >= 3 ? 3 : 1;
    auto from = static_cast<unsigned>(slm_slab_class_of(slab, 0)) + 1;
    for (; from < slab->shape.n_classes && slab->cuts[from].chunk_bytes <= 512; from += step) {
        size_t lent_bytes = slab->cuts[from].chunk_bytes - GetParam().gap_bytes;
        std::vector<void *> lent;
        slm_slab_reset(slab);
        ASSERT_NE(slab.alloc_pages(39), nullptr); /* leaves one page: a short fill */
        while (void *p = slm_slab_alloc(slab, lent_bytes)) {
            lent.push_back(p);
        }
        for (size_t i = 0; i < lent.size(); i += 2) {
            ASSERT_EQ(slm_slab_free(slab, lent[i]), SLM_OK);
        }
        for (size_t size = 0; size < lent_bytes; size++) {
            void *p = slm_slab_alloc(slab, size);
            ASSERT_TRUE(is_multiple(p, promised_align(size))) << size << " from " << lent_bytes;
            if (p != nullptr) {
                ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
            }
        }
    }
}

TEST_P(SlabAlloc, SizeZeroCountsAsOneByte)
{
    void *a = slm_slab_alloc(slab, 0);
    void *b = slm_slab_calloc(slab, 0);
    void *c = slm_slab_memalign(slab, 16, 0);
    ASSERT_TRUE(a != nullptr && b != nullptr && c != nullptr);
    EXPECT_TRUE(a != b && b != c && a != c);
    EXPECT_GE(slm_slab_usable_bytes(slab, a), 1u);
    EXPECT_EQ(slm_slab_class_of(slab, 0), slm_slab_class_of(slab, 1));
    EXPECT_EQ(slm_slab_free(slab, a), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, b), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, c), SLM_OK);
}

TEST_P(SlabAlloc, SizesThatPassTheRegionOrWrapAreRefusedCountedAndHarmless)
{
    std::vector<size_t> sizes = {slab.region.bytes(),
                                 slab.region.bytes() + 1,
                                 SIZE_MAX / 2,
                                 SIZE_MAX / 2 + 1,
                                 SIZE_MAX - slab.page_bytes(),
                                 40 * slab.page_bytes() - GetParam().gap_bytes + 1};
    for (size_t below = 0; below <= 70; below++) {
        sizes.push_back(SIZE_MAX - below);
        sizes.push_back(SIZE_MAX - slab.page_bytes() + below);
    }
    for (unsigned shift = 32; shift < 64; shift++) {
        sizes.push_back(size_t{1} << shift);
        sizes.push_back((size_t{1} << shift) + slab.page_bytes());
    }
    for (size_t size : sizes) {
        EXPECT_EQ(slm_slab_alloc(slab, size), nullptr) << size;
        EXPECT_EQ(slm_slab_calloc(slab, size), nullptr) << size;
        EXPECT_EQ(slm_slab_memalign(slab, 4096, size), nullptr) << size;
    }
    EXPECT_EQ(slab.stats().run_requests, 3 * sizes.size());
    EXPECT_EQ(slab.stats().run_failures, 3 * sizes.size());
    EXPECT_EQ(slab.stats().n_free_pages, 40u);
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

TEST_P(SlabAlloc, TheWholeSlabIsOneObjectAtMost)
{
    unsigned char *all = slab.alloc_pages(40);
    ASSERT_EQ(all, slab.page(0));
    EXPECT_EQ(slm_slab_usable_bytes(slab, all), 40 * slab.page_bytes() - GetParam().gap_bytes);
    EXPECT_EQ(slm_slab_alloc(slab, 1), nullptr);
    EXPECT_EQ(slm_slab_free(slab, all), SLM_OK);
}

TEST_P(SlabAlloc, CallocZeroesWhatWasUsedBefore)
{
    for (size_t size : {size_t{1}, size_t{100}, slab.page_bytes() / 2, 3 * slab.page_bytes()}) {
        for (bool locked : {false, true}) {
            void *dirty = slm_slab_alloc(slab, size);
            ASSERT_NE(dirty, nullptr);
            std::memset(slab.page(0), 0xee, 40 * slab.page_bytes());
            auto *p = static_cast<unsigned char *>(locked ? slm_slab_calloc_locked(slab, size)
                                                          : slm_slab_calloc(slab, size));
            ASSERT_NE(p, nullptr);
            EXPECT_TRUE(std::all_of(p, p + size, [](unsigned char byte) { return byte == 0; }));
            EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
            EXPECT_EQ(slm_slab_free(slab, dirty), SLM_OK);
        }
    }
}

TEST_P(SlabAlloc, MemalignServesEveryPowerOfTwoForEverySize)
{
    for (size_t align = 1; align <= SLM_SLAB_ALIGN_MAX; align *= 2) {
        for (size_t size : sizes()) {
            void *a = slm_slab_memalign(slab, align, size);
            void *b = slm_slab_memalign_locked(slab, align, size);
            ASSERT_TRUE(a != nullptr && b != nullptr) << align << ", " << size;
            EXPECT_TRUE(is_multiple(a, align) && is_multiple(b, align)) << align << ", " << size;
            EXPECT_GE(slm_slab_usable_bytes(slab, a), size);
            EXPECT_EQ(slm_slab_free(slab, a), SLM_OK);
            EXPECT_EQ(slm_slab_free(slab, b), SLM_OK);
        }
    }
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

TEST_P(SlabAlloc, MemalignRefusesAnyOtherAlignmentAndChangesNothing)
{
    std::vector<unsigned char> before = slab.region.snapshot();
    for (size_t align : {size_t{0}, size_t{3}, size_t{12}, size_t{4095}, size_t{4097}, size_t{8192},
                         size_t{1} << 63, SIZE_MAX}) {
        EXPECT_EQ(slm_slab_memalign(slab, align, 8), nullptr);
        EXPECT_EQ(slm_slab_memalign_locked(slab, align, 8), nullptr);
    }
    EXPECT_EQ(slab.region.first_change(before), kUnchanged);
}

/* In a slab large enough for the longest spans that there are. */
TEST(SlabSpans, NoneHasMoreChunksThanItsCounterHolds)
{
    for (const Geometry &geometry : every_geometry()) {
        Slab slab(geometry, 17 * SLAB_SPAN_PAGES_MAX);
        for (unsigned i = 0; i < slab->shape.n_classes; i++) {
            const slab_cut *cut = &slab->cuts[i];
            for (uint32_t n_pages : {cut->min_pages, cut->span_pages}) {
                uint32_t n_chunks = slab_span_chunks(slab, slab_word(SLAB_SPAN, i, n_pages));
                EXPECT_GE(n_chunks, 1u) << spell(geometry) << " class " << i;
                EXPECT_LE(n_chunks, UINT16_MAX) << spell(geometry) << " class " << i;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Every, SlabAlloc, testing::ValuesIn(every_affordable_geometry()), name_of);

} /* namespace */
