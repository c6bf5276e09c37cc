/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: a view for looking only shows what other views do, and changes no byte. */
#include <gtest/gtest.h>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

class SlabReadOnly : public testing::TestWithParam<Geometry> {
  protected:
    SlabReadOnly() : options(GetParam().options("looked at")), region(bytes_for(130))
    {
        options.max_bytes = region.bytes();
        first_bytes = bytes_for(48);
        must(slm_slab_init(region.base(), first_bytes, &options) == SLM_OK, "init");
        slm_slab_view view = reports.view();
        slab = open(nullptr);
        view.read_only = true;
        look = open(&view);
        chunk = slm_slab_alloc(slab.get(), 24);
        run = slm_slab_alloc(slab.get(), slab->largest_chunk_bytes + 1);
        must(chunk != nullptr && run != nullptr, "alloc");
        must(slm_slab_set_root(slab.get(), chunk) == SLM_OK, "root");
        before = region.snapshot();
    }
    size_t bytes_for(size_t n_pages) const
    {
        return slm_slab_region_bytes(&options, n_pages);
    }
    View open(const slm_slab_view *view) const
    {
        slm_slab *out = nullptr;
        must(slm_slab_attach(&out, region.base(), first_bytes, view) == SLM_OK, "attach");
        return View(out);
    }

    slm_slab_options options;
    Region region;
    size_t first_bytes = 0;
    Reports reports;
    View slab;
    View look;
    void *chunk = nullptr;
    void *run = nullptr;
    std::vector<unsigned char> before;
};

TEST_P(SlabReadOnly, NoCallChangesAByte)
{
    region.protect(PROT_READ); /* a store would end the test */
    for (size_t bytes : {size_t{0}, size_t{24}, slab->largest_chunk_bytes + 1, SIZE_MAX}) {
        EXPECT_EQ(slm_slab_alloc(look.get(), bytes), nullptr);
        EXPECT_EQ(slm_slab_alloc_locked(look.get(), bytes), nullptr);
        EXPECT_EQ(slm_slab_calloc(look.get(), bytes), nullptr);
        EXPECT_EQ(slm_slab_calloc_locked(look.get(), bytes), nullptr);
        EXPECT_EQ(slm_slab_memalign(look.get(), 64, bytes), nullptr);
        EXPECT_EQ(slm_slab_memalign_locked(look.get(), 4096, bytes), nullptr);
    }
    for (void *p : {chunk, run}) {
        EXPECT_EQ(slm_slab_free(look.get(), p), SLM_E_READ_ONLY);
        EXPECT_EQ(slm_slab_free_locked(look.get(), p), SLM_E_READ_ONLY);
        EXPECT_EQ(slm_slab_set_root(look.get(), p), SLM_E_READ_ONLY);
    }
    EXPECT_EQ(slm_slab_set_root(look.get(), nullptr), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_reset(look.get()), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_reset_locked(look.get()), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_rebuild_locked(look.get()), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_trim(look.get()), 0u);
    EXPECT_EQ(slm_slab_grow_locked(look.get(), region.bytes()), 48u);
    slm_slab_clear_last_allocation_locked(look.get());
    region.protect(PROT_READ | PROT_WRITE);
    EXPECT_EQ(region.first_change(before), kUnchanged);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    EXPECT_EQ(slm_slab_last_allocation_locked(slab.get()), run);
}

TEST_P(SlabReadOnly, MisuseIsReportedAsMisuseAndNullIsNoError)
{
    EXPECT_EQ(slm_slab_free(look.get(), nullptr), SLM_OK);
    EXPECT_EQ(slm_slab_free(look.get(), static_cast<char *>(chunk) + 8), SLM_E_INTERIOR);
    EXPECT_EQ(slm_slab_free(look.get(), this), SLM_E_FOREIGN);
    EXPECT_EQ(slm_slab_set_root(look.get(), this), SLM_E_FOREIGN);
}

TEST_P(SlabReadOnly, RefusalsAreReportedAsWhatTheyAre)
{
    EXPECT_EQ(slm_slab_alloc(look.get(), 24), nullptr);
    EXPECT_EQ(slm_slab_free(look.get(), chunk), SLM_E_READ_ONLY);
    ASSERT_EQ(reports.events.size(), 2u);
    EXPECT_EQ(reports.events[0].status, SLM_E_READ_ONLY);
    EXPECT_EQ(reports.events[1].status, SLM_E_READ_ONLY);
}

TEST_P(SlabReadOnly, ItShowsWhatAnotherViewDoes)
{
    struct slm_slab_stats stats;
    EXPECT_EQ(slm_slab_root(look.get()), chunk);
    EXPECT_EQ(slm_slab_check_pointer_locked(look.get(), run), SLM_OK);
    EXPECT_GT(slm_slab_usable_bytes(look.get(), run), slab->largest_chunk_bytes);
    EXPECT_EQ(slm_slab_free(slab.get(), run), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(look.get(), run), SLM_E_PAGE_FREE);
    EXPECT_EQ(slm_slab_grow_locked(slab.get(), region.bytes()), 130u);
    EXPECT_EQ(slm_slab_refresh_locked(look.get()), SLM_OK);
    slm_slab_get_stats(look.get(), &stats);
    EXPECT_EQ(stats.n_pages, 130u);
    EXPECT_EQ(stats.n_runs, 0u);
    EXPECT_EQ(slm_slab_check(look.get()), 0u);
}

INSTANTIATE_TEST_SUITE_P(Slabs, SlabReadOnly, testing::ValuesIn(main_geometries()), name_of);

} // namespace
