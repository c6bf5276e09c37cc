/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: a region that becomes longer in place. */
#include <gtest/gtest.h>

#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr size_t kPages = 24;
constexpr size_t kMorePages = 100;

/* A region of memory for kMorePages, of which the slab has kPages at first. */
class SlabGrow : public testing::TestWithParam<Geometry> {
  protected:
    SlabGrow() : options(GetParam().options("grows")), region(full_bytes())
    {
        options.max_bytes = region.bytes();
        first_bytes = slm_slab_region_bytes(&options, kPages);
        must(slm_slab_init(region.base(), first_bytes, &options) == SLM_OK, "init");
        slab = open(region, first_bytes);
    }
    size_t full_bytes() const
    {
        return slm_slab_region_bytes(&options, kMorePages);
    }
    static View open(const Region &region, size_t n_bytes)
    {
        slm_slab *slab = nullptr;
        must(slm_slab_attach(&slab, region.base(), n_bytes, nullptr) == SLM_OK, "attach");
        return View(slab);
    }
    size_t n_pages(slm_slab *view) const
    {
        struct slm_slab_stats stats;
        slm_slab_get_stats(view, &stats);
        return stats.n_pages;
    }
    size_t page_bytes() const
    {
        return GetParam().page_bytes;
    }
    /* Fills all there is with single pages. */
    std::vector<void *> take_all(slm_slab *view) const
    {
        std::vector<void *> taken;
        while (void *p = slm_slab_alloc(view, page_bytes() - GetParam().gap_bytes)) {
            taken.push_back(p);
        }
        return taken;
    }

    slm_slab_options options;
    Region region;
    size_t first_bytes = 0;
    View slab;
};

TEST_P(SlabGrow, BeginsWithThePagesOfItsFirstSize)
{
    EXPECT_EQ(n_pages(slab.get()), kPages);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    EXPECT_EQ(slm_slab_used_bytes(slab.get()) + 0, first_bytes);
}

TEST_P(SlabGrow, ServesFromNewPagesAndKeepsWhatItHad)
{
    auto *object = static_cast<unsigned char *>(slm_slab_alloc(slab.get(), 100));
    ASSERT_NE(object, nullptr);
    std::memset(object, 0x5a, 100);
    size_t before = take_all(slab.get()).size();
    size_t now = slm_slab_grow_locked(slab.get(), region.bytes());
    EXPECT_GE(now, kMorePages - 1);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    EXPECT_GT(take_all(slab.get()).size() + before, kPages);
    EXPECT_EQ(slm_slab_check_pointer_locked(slab.get(), object), SLM_OK);
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(object[i], 0x5a);
    }
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
}

TEST_P(SlabGrow, MergesTheNewPagesWithAFreeRunBeforeThem)
{
    size_t now = slm_slab_grow_locked(slab.get(), region.bytes());
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab.get(), &stats);
    EXPECT_EQ(stats.longest_free_run_pages, now);
}

TEST_P(SlabGrow, ServesARunLongerThanItsFirstSize)
{
    slm_slab_grow_locked(slab.get(), region.bytes());
    void *run = slm_slab_alloc(slab.get(), first_bytes + page_bytes());
    EXPECT_NE(run, nullptr);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
}

TEST_P(SlabGrow, ByLessThanAPageChangesNothing)
{
    std::vector<unsigned char> before = region.snapshot();
    EXPECT_EQ(slm_slab_grow_locked(slab.get(), first_bytes + page_bytes() - 1), kPages);
    EXPECT_EQ(slm_slab_grow_locked(slab.get(), 1), kPages);
    EXPECT_EQ(region.first_change(before), kUnchanged);
}

TEST_P(SlabGrow, EndsAtMaxBytes)
{
    size_t most = slm_slab_grow_locked(slab.get(), SIZE_MAX);
    EXPECT_EQ(slm_slab_grow_locked(slab.get(), region.bytes()), most);
    EXPECT_LE(slm_slab_used_bytes(slab.get()), region.bytes());
}

TEST_P(SlabGrow, PageByPageEndsLikeAllAtOnce)
{
    for (size_t bytes = first_bytes; bytes <= region.bytes(); bytes += page_bytes()) {
        slm_slab_grow_locked(slab.get(), bytes);
        ASSERT_EQ(slm_slab_check(slab.get()), 0u) << bytes;
    }
    size_t one_by_one = slm_slab_grow_locked(slab.get(), region.bytes());
    EXPECT_EQ(take_all(slab.get()).size(), one_by_one);
}

TEST_P(SlabGrow, IsSeenByAnotherViewWhenItRefreshes)
{
    Region twin = region.twin();
    View other = open(twin, region.bytes());
    slm_slab_grow_locked(slab.get(), region.bytes());
    EXPECT_EQ(n_pages(other.get()), kPages);
    EXPECT_EQ(slm_slab_check(other.get()), 1u) << "its count of pages is not the region's";
    EXPECT_EQ(slm_slab_refresh_locked(other.get()), SLM_OK);
    EXPECT_EQ(n_pages(other.get()), n_pages(slab.get()));
    EXPECT_EQ(slm_slab_check(other.get()), 0u);
}

TEST_P(SlabGrow, IsAttachedOnlyWhereAllOfItIsMapped)
{
    slm_slab_grow_locked(slab.get(), region.bytes());
    slm_slab *out = nullptr;
    EXPECT_EQ(slm_slab_attach(&out, region.base(), first_bytes, nullptr), SLM_E_SIZE);
    EXPECT_EQ(slm_slab_attach(&out, region.base(), region.bytes(), nullptr), SLM_OK);
    slm_slab_detach(out);
}

/* Memory for a view, during whose allocation another view grows the slab. */
struct GrowingSource {
    slm_slab *slab;
    size_t region_bytes;

    static void *alloc(void *data, size_t size_bytes, size_t align_bytes)
    {
        auto *self = static_cast<GrowingSource *>(data);
        slm_slab_grow_locked(self->slab, self->region_bytes);
        const slm_source *heap = slm_source_heap();
        return heap->alloc(heap->data, size_bytes, align_bytes);
    }
};

TEST_P(SlabGrow, DuringAnAttachNeverGivesTheViewMoreThanItsRegion)
{
    GrowingSource growing = {slab.get(), region.bytes()};
    slm_source source = *slm_source_heap();
    source.alloc = GrowingSource::alloc;
    source.data = &growing;
    slm_slab_view view = {};
    view.source = &source;
    Region twin = region.twin();
    slm_slab *out = nullptr;
    ASSERT_EQ(slm_slab_attach(&out, twin.base(), first_bytes, &view), SLM_OK);
    View other(out);
    EXPECT_GT(n_pages(slab.get()), kPages);
    EXPECT_EQ(n_pages(other.get()), kPages);
    EXPECT_EQ(slm_slab_refresh_locked(other.get()), SLM_OK);
    EXPECT_EQ(slm_slab_check(other.get()), 0u);
}

TEST_P(SlabGrow, ADamagedCountOfPagesIsReported)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        slab->header->n_pages ^= uint64_t{1} << bit;
        EXPECT_EQ(slm_slab_check(slab.get()), 1u) << bit;
        EXPECT_EQ(slm_slab_refresh_locked(slab.get()), SLM_E_IMAGE) << bit;
        slm_slab *out = nullptr;
        EXPECT_EQ(slm_slab_attach(&out, region.base(), region.bytes(), nullptr), SLM_E_IMAGE);
        slab->header->n_pages ^= uint64_t{1} << bit;
    }
}

TEST_P(SlabGrow, RebuildingFinishesGrowthCutOffAfterTheCountWasStored)
{
    size_t n_first = n_pages(slab.get());
    std::vector<void *> taken = take_all(slab.get());
    ASSERT_EQ(slm_slab_free(slab.get(), taken[0]), SLM_OK);
    slm_slab_grow_locked(slab.get(), region.bytes());
    struct slm_slab_stats before;
    slm_slab_get_stats(slab.get(), &before);
    /* As it is before the new pages are freed. */
    slab->pages[n_first].word =
        slab_word(SLAB_NEW, 0, static_cast<uint32_t>(before.n_pages - n_first));
    EXPECT_NE(slm_slab_check(slab.get()), 0u);
    ASSERT_EQ(slm_slab_rebuild_locked(slab.get()), SLM_OK);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab.get(), &stats);
    EXPECT_EQ(stats.n_free_pages, before.n_free_pages);
    EXPECT_EQ(stats.longest_free_run_pages, before.n_pages - n_first);
    EXPECT_EQ(stats.peak_used_pages, before.peak_used_pages) << "pages counted that were not used";
}

TEST_P(SlabGrow, RebuildingRefusesNewPagesPastTheSlabsEnd)
{
    for (uint32_t n : {0u, slab->n_pages + 1, UINT32_MAX}) {
        slab->pages[0].word = slab_word(SLAB_NEW, 0, n);
        EXPECT_EQ(slm_slab_rebuild_locked(slab.get()), SLM_E_IMAGE) << n;
    }
    slab->pages[0].word = slab_word(SLAB_NEW, 1, slab->n_pages);
    EXPECT_EQ(slm_slab_rebuild_locked(slab.get()), SLM_E_IMAGE);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SlabGrow, testing::ValuesIn(main_geometries()), name_of);

} // namespace
