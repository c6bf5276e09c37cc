/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: AddressSanitizer sees the objects of an exclusive view; without it nothing is hidden. */
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "harness/base/sanitizers.h"
#include "tests/base/visible.h"
#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;
using slm_test::hidden;
using slm_test::n_visible;

constexpr size_t kPages = 64;

class SlabPoison : public testing::TestWithParam<Geometry> {
  protected:
    static const slm_slab_view *exclusive()
    {
        static slm_slab_view view = {};
        view.exclusive = true;
        return &view;
    }
    char *alloc(size_t size)
    {
        auto *p = static_cast<char *>(slm_slab_alloc(slab, size));
        must(p != nullptr, "alloc");
        return p;
    }
    size_t all_bytes() const
    {
        return kPages * slab.page_bytes();
    }
    Slab slab{GetParam(), kPages, exclusive()};
};

TEST(SlabPoisonBuild, IsOnExactlyWhereTheCompilerSaysSo)
{
    EXPECT_EQ(SLM_ASAN, HRN_ASAN);
    EXPECT_EQ(SLM_POISON, SLM_ASAN || SLM_VALGRIND);
    std::puts(SLM_ASAN ? "AddressSanitizer is on: hidden bytes are poisoned"
                       : "AddressSanitizer is off: every byte stays visible, which is tested");
}

TEST_P(SlabPoison, FreePagesAreHiddenFromTheStart)
{
    EXPECT_EQ(n_visible(slab.page(0), all_bytes()), hidden(all_bytes()));
}

TEST_P(SlabPoison, TheBookkeepingIsNeverHidden)
{
    alloc(10);
    EXPECT_EQ(n_visible(slab.region.base(), slab->metadata_bytes), slab->metadata_bytes);
}

/* With a gap at every size; without, at those that leave something of their chunk. */
TEST_P(SlabPoison, ObjectsAreVisibleToTheByteAndNothingAfterThem)
{
    for (size_t size = 0; size < 700; size++) {
        char *p = alloc(size);
        size_t object_bytes = slab.locate(p).object_bytes;
        EXPECT_EQ(n_visible(p, size), size);
        EXPECT_EQ(n_visible(p + size, object_bytes - size), hidden(object_bytes - size)) << size;
        EXPECT_GE(object_bytes - size, GetParam().gap_bytes);
        ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
    }
}

TEST_P(SlabPoison, NeighboursAreSeparatedByTheGap)
{
    size_t size = 64 - GetParam().gap_bytes;
    std::vector<char *> all;
    for (int i = 0; i < 20; i++) {
        all.push_back(alloc(size));
    }
    for (char *p : all) {
        EXPECT_EQ(n_visible(p, size), size);
        EXPECT_EQ(n_visible(p + size, GetParam().gap_bytes), hidden(GetParam().gap_bytes));
    }
}

TEST_P(SlabPoison, RunsAreVisibleToTheByteAndNothingAfterThem)
{
    size_t run_bytes = slab.run_pages() * slab.page_bytes();
    for (size_t less : {GetParam().gap_bytes, size_t{17}, size_t{1000}}) {
        char *p = alloc(run_bytes - less);
        ASSERT_EQ(slab.locate(p).kind, SLM_SLAB_RUN);
        EXPECT_EQ(n_visible(p, run_bytes - less), run_bytes - less);
        EXPECT_EQ(n_visible(p + run_bytes - less, less), hidden(less));
        EXPECT_EQ(n_visible(p + run_bytes, 100), hidden(100));
        ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
        EXPECT_EQ(n_visible(p, run_bytes), hidden(run_bytes));
    }
}

TEST_P(SlabPoison, EveryFormOfAllocationShowsItsObject)
{
    char *all[] = {static_cast<char *>(slm_slab_alloc_locked(slab, 50)),
                   static_cast<char *>(slm_slab_calloc(slab, 50)),
                   static_cast<char *>(slm_slab_calloc_locked(slab, 50)),
                   static_cast<char *>(slm_slab_memalign(slab, 128, 50)),
                   static_cast<char *>(slm_slab_memalign_locked(slab, 4096, 50))};
    for (char *p : all) {
        EXPECT_EQ(n_visible(p, 50), 50u);
        EXPECT_EQ(n_visible(p + 50, 6), hidden(6));
    }
}

TEST_P(SlabPoison, FreedObjectsAreHidden)
{
    char *a = alloc(100);
    char *b = alloc(100);
    ASSERT_EQ(slm_slab_free(slab, a), SLM_OK);
    EXPECT_EQ(n_visible(a, 100), hidden(100));
    EXPECT_EQ(n_visible(b, 100), 100u) << "its neighbour";
    ASSERT_EQ(slm_slab_free_locked(slab, b), SLM_OK);
    EXPECT_EQ(n_visible(b, 100), hidden(100));
    slm_slab_trim(slab);
    EXPECT_EQ(n_visible(slab.page(0), all_bytes()), hidden(all_bytes()));
}

TEST_P(SlabPoison, RefusedFreesHideNothing)
{
    char *p = alloc(100);
    EXPECT_EQ(slm_slab_free(slab, p + 8), SLM_E_INTERIOR);
    EXPECT_EQ(n_visible(p, 100), 100u);
}

TEST_P(SlabPoison, UsableBytesShowsAllItCounts)
{
    for (size_t size : {size_t{1}, size_t{41}, slab.page_bytes() / 2 + 3, 9 * slab.page_bytes()}) {
        char *p = alloc(size);
        std::memset(p, 7, size);
        size_t usable = slm_slab_usable_bytes(slab, p);
        EXPECT_EQ(n_visible(p, usable), usable);
        EXPECT_EQ(n_visible(p + usable, GetParam().gap_bytes), hidden(GetParam().gap_bytes));
        EXPECT_EQ(p[size - 1], 7);
        ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
        EXPECT_EQ(n_visible(p, usable), hidden(usable));
    }
}

TEST_P(SlabPoison, ResetHidesEverything)
{
    for (size_t size : {size_t{10}, size_t{500}, 9 * slab.page_bytes()}) {
        alloc(size);
    }
    slm_slab_reset(slab);
    EXPECT_EQ(n_visible(slab.page(0), all_bytes()), hidden(all_bytes()));
    EXPECT_EQ(n_visible(alloc(33), 33), 33u);
}

TEST_P(SlabPoison, DetachOpensTheRegionAgain)
{
    Slab shared(GetParam(), kPages);
    {
        View view = attach(shared.region, exclusive());
        EXPECT_EQ(n_visible(shared.page(0), all_bytes()), hidden(all_bytes()));
        slm_slab_alloc(view.get(), 100);
    }
    EXPECT_EQ(n_visible(shared.page(0), all_bytes()), all_bytes());
}

TEST_P(SlabPoison, AttachShowsLiveObjectsAndHidesTheRest)
{
    Slab shared(GetParam(), kPages);
    size_t run_bytes = shared.run_pages() * shared.page_bytes();
    auto *chunk = static_cast<char *>(slm_slab_alloc(shared, 100));
    auto *freed = static_cast<char *>(slm_slab_alloc(shared, 100));
    auto *run = static_cast<char *>(slm_slab_alloc(shared, run_bytes - GetParam().gap_bytes));
    std::memset(chunk, 3, 100);
    ASSERT_EQ(slm_slab_free(shared, freed), SLM_OK);
    size_t usable = slm_slab_usable_bytes(shared, chunk);
    View view = attach(shared.region, exclusive());
    EXPECT_EQ(n_visible(chunk, usable), usable);
    EXPECT_EQ(n_visible(chunk + usable, GetParam().gap_bytes), hidden(GetParam().gap_bytes));
    EXPECT_EQ(n_visible(freed, 100), hidden(100));
    EXPECT_EQ(n_visible(run, run_bytes), run_bytes - (SLM_ASAN ? GetParam().gap_bytes : 0));
    EXPECT_EQ(n_visible(run + run_bytes, 100), hidden(100));
    EXPECT_EQ(chunk[99], 3) << "contents kept";
    EXPECT_EQ(slm_slab_free(view.get(), chunk), SLM_OK);
    EXPECT_EQ(n_visible(chunk, usable), hidden(usable));
}

/* Attach trusts no page's word; the check reports a wrong one. */
TEST_P(SlabPoison, PagesAfterAWrongWordStayHiddenAfterAttach)
{
    Slab other(GetParam(), kPages);
    void *first = other.alloc_pages(other.run_pages());
    void *second = other.alloc_pages(other.run_pages());
    other->pages[other.page_idx(second)].word = UINT64_MAX;
    View view = attach(other.region, exclusive());
    EXPECT_EQ(n_visible(first, 100), 100u);
    EXPECT_EQ(n_visible(second, 100), hidden(100));
    EXPECT_EQ(slm_slab_check(view.get()), 2u);
}

TEST_P(SlabPoison, PagesAddedByGrowthAreHiddenUntilTheyAreUsed)
{
    slm_slab_options options = GetParam().options();
    Region region(slm_slab_region_bytes(&options, 2 * kPages));
    options.max_bytes = region.bytes();
    size_t first_bytes = slm_slab_region_bytes(&options, kPages);
    ASSERT_EQ(slm_slab_init(region.base(), first_bytes, &options), SLM_OK);
    slm_slab *grown = nullptr;
    ASSERT_EQ(slm_slab_attach(&grown, region.base(), first_bytes, exclusive()), SLM_OK);
    View view(grown);
    unsigned char *new_page = grown->memory + (kPages << grown->shape.page_shift);
    EXPECT_EQ(n_visible(new_page, 100), 100u);
    ASSERT_GT(slm_slab_grow_locked(grown, region.bytes()), kPages);
    EXPECT_EQ(slm_slab_refresh_locked(grown), SLM_OK) << "there is nothing new";
    EXPECT_EQ(n_visible(new_page, 100), hidden(100));
    size_t all_pages = (kPages + 1) << grown->shape.page_shift;
    EXPECT_EQ(n_visible(slm_slab_alloc(grown, all_pages), all_pages), all_pages);
}

TEST_P(SlabPoison, ViewsThatShareTheRegionHideNothing)
{
    Slab shared(GetParam(), kPages);
    slm_slab_view not_exclusive = {};
    View second = attach(shared.region, &not_exclusive);
    void *p = slm_slab_alloc(second.get(), 10);
    slm_slab_usable_bytes(second.get(), p);
    EXPECT_EQ(n_visible(shared.page(0), all_bytes()), all_bytes());
    EXPECT_EQ(slm_slab_free(second.get(), p), SLM_OK);
    slm_slab_reset(second.get());
    EXPECT_EQ(n_visible(shared.page(0), all_bytes()), all_bytes());
}

INSTANTIATE_TEST_SUITE_P(Some, SlabPoison,
                         testing::Values(Geometry{4096, 8, 1, 0}, Geometry{4096, 8, 1, 16},
                                         Geometry{4096, 8, 8, 0}, Geometry{4096, 8, 8, 16},
                                         Geometry{4096, 16, 16, 8}, Geometry{4096, 64, 2, 1},
                                         Geometry{16384, 32, 4, 16}, Geometry{65536, 8, 8, 16}),
                         name_of);

} /* namespace */
