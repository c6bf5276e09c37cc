/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: a view that has not seen a growth refuses every call, and changes nothing. */
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr size_t kPages = 48;
constexpr size_t kMorePages = 130;

/* A slab with an object of each kind, its last pages free; `slab` has grown it, `stale` has not
 * seen that. What was added is not accessible at the second view's addresses. */
class SlabStale : public testing::TestWithParam<Geometry> {
  protected:
    SlabStale() : options(GetParam().options("stale")), region(full_bytes()), twin(region.twin())
    {
        options.max_bytes = region.bytes();
        first_bytes = slm_slab_region_bytes(&options, kPages);
        must(slm_slab_init(region.base(), first_bytes, &options) == SLM_OK, "init");
        slab = open(region, nullptr);
        slm_slab_view view = reports.view();
        stale = open(twin, &view);
        furnish();
        must(slm_slab_grow_locked(slab.get(), region.bytes()) > kPages, "grow");
        set_protection_of_new_part(PROT_NONE);
        before = region.snapshot();
        reports.events.clear();
    }

    size_t full_bytes() const
    {
        return slm_slab_region_bytes(&options, kMorePages);
    }
    View open(const Region &where, const slm_slab_view *view) const
    {
        slm_slab *out = nullptr;
        must(slm_slab_attach(&out, where.base(), first_bytes, view) == SLM_OK, "attach");
        return View(out);
    }
    void set_protection_of_new_part(int protection) const
    {
        must(mprotect(twin.base() + first_bytes, twin.bytes() - first_bytes, protection) == 0,
             "mprotect");
    }

    void furnish()
    {
        run_bytes = stale->largest_chunk_bytes + 1;
        chunk = must_alloc(24);
        freed = must_alloc(24);
        run = must_alloc(run_bytes);
        must(slm_slab_free(slab.get(), freed) == SLM_OK, "free");
        slm_slab_set_root(slab.get(), chunk);
    }
    void *must_alloc(size_t bytes) const
    {
        void *p = slm_slab_alloc(slab.get(), bytes);
        must(p != nullptr, "alloc");
        return p;
    }
    /* The same object at the stale view's addresses. */
    void *seen(const void *p) const
    {
        return twin.base() + (static_cast<const unsigned char *>(p) - region.base());
    }
    void *first_new_page() const
    {
        return slab->memory + (size_t{stale->n_pages} << stale->shape.page_shift);
    }

    struct Call {
        const char *name;
        std::function<bool(slm_slab *)> is_refused; /* makes the call */
    };
    std::vector<Call> calls_that_allocate() const
    {
        std::vector<Call> calls;
        for (size_t bytes : {size_t{0}, size_t{24}, size_t{2000}, run_bytes, SIZE_MAX}) {
            calls.push_back({"alloc", [bytes](slm_slab *s) { return !slm_slab_alloc(s, bytes); }});
            calls.push_back({"alloc_locked",
                             [bytes](slm_slab *s) { return !slm_slab_alloc_locked(s, bytes); }});
            calls.push_back(
                {"calloc", [bytes](slm_slab *s) { return !slm_slab_calloc(s, bytes); }});
            calls.push_back({"calloc_locked",
                             [bytes](slm_slab *s) { return !slm_slab_calloc_locked(s, bytes); }});
            calls.push_back(
                {"memalign", [bytes](slm_slab *s) { return !slm_slab_memalign(s, 64, bytes); }});
            calls.push_back({"memalign_locked", [bytes](slm_slab *s) {
                                 return !slm_slab_memalign_locked(s, 4096, bytes);
                             }});
        }
        return calls;
    }
    std::vector<Call> calls_with_a_pointer(void *p, slm_status expected) const
    {
        return {
            {"free", [=](slm_slab *s) { return slm_slab_free(s, p) == expected; }},
            {"free_locked", [=](slm_slab *s) { return slm_slab_free_locked(s, p) == expected; }},
            {"check_pointer_locked",
             [=](slm_slab *s) { return slm_slab_check_pointer_locked(s, p) == expected; }},
            {"usable_bytes", [=](slm_slab *s) { return slm_slab_usable_bytes(s, p) == 0; }},
            {"locate",
             [=](slm_slab *s) {
                 slm_slab_place place;
                 slm_slab_locate(s, p, &place);
                 return place.kind == SLM_SLAB_OUTSIDE && !place.is_live;
             }},
        };
    }
    std::vector<Call> calls_on_the_whole(slm_status expected) const
    {
        return {
            {"reset", [=](slm_slab *s) { return slm_slab_reset(s) == expected; }},
            {"reset_locked", [=](slm_slab *s) { return slm_slab_reset_locked(s) == expected; }},
            {"rebuild_locked", [=](slm_slab *s) { return slm_slab_rebuild_locked(s) == expected; }},
            {"check", [](slm_slab *s) { return slm_slab_check(s) == 1; }},
            {"check_locked", [](slm_slab *s) { return slm_slab_check_locked(s) == 1; }},
            {"trim", [](slm_slab *s) { return slm_slab_trim(s) == 0; }},
            {"last_allocation_locked",
             [](slm_slab *s) { return slm_slab_last_allocation_locked(s) == nullptr; }},
            {"grow_locked by nothing",
             [this](slm_slab *s) { return slm_slab_grow_locked(s, first_bytes) == kPages; }},
        };
    }
    /* What the stale view's calls get pointers to. */
    std::vector<void *> pointers() const
    {
        auto *last = static_cast<unsigned char *>(seen(first_new_page())) - 1;
        return {seen(chunk), seen(freed), seen(run), seen(first_new_page()), last, twin.base()};
    }
    void expect_refused(const std::vector<Call> &calls)
    {
        for (const Call &call : calls) {
            EXPECT_TRUE(call.is_refused(stale.get())) << call.name;
            ASSERT_EQ(std::memcmp(region.base(), before.data(), slab->metadata_bytes), 0)
                << call.name << " changed the region";
        }
    }

    slm_slab_options options;
    Region region;
    Region twin;
    size_t first_bytes = 0;
    Reports reports;
    View slab;
    View stale;
    std::vector<unsigned char> before; /* the region, when the growth was done */
    size_t run_bytes = 0;
    void *chunk = nullptr;
    void *freed = nullptr;
    void *run = nullptr;
};

TEST_P(SlabStale, EveryCallRefusesAndChangesNothing)
{
    expect_refused(calls_that_allocate());
    for (void *p : pointers()) {
        expect_refused(calls_with_a_pointer(p, SLM_E_STATE));
    }
    expect_refused(calls_on_the_whole(SLM_E_STATE));
    EXPECT_EQ(region.first_change(before), kUnchanged);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
}

TEST_P(SlabStale, FreeOfNullIsNoErrorAndCheckPointerOfNullIsOne)
{
    EXPECT_EQ(slm_slab_free_locked(stale.get(), nullptr), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(stale.get(), nullptr), SLM_E_NULL);
}

TEST_P(SlabStale, WalkVisitsNothingAndStatisticsCountNothing)
{
    unsigned n_visits = 0;
    slm_slab_walk_locked(
        stale.get(),
        [](void *data, const slm_slab_extent *) {
            ++*static_cast<unsigned *>(data);
            return true;
        },
        &n_visits);
    EXPECT_EQ(n_visits, 0u);
    struct slm_slab_stats stats;
    slm_slab_get_stats(stale.get(), &stats);
    EXPECT_EQ(stats.n_pages, kPages);
    EXPECT_EQ(stats.page_bytes, GetParam().page_bytes);
    EXPECT_EQ(stats.metadata_bytes, slab->metadata_bytes);
    EXPECT_EQ(stats.n_free_pages + stats.n_kept_pages + stats.n_runs + stats.n_run_pages, 0u);
    EXPECT_EQ(stats.longest_free_run_pages + stats.peak_used_pages, 0u);
}

TEST_P(SlabStale, RefusalsAreReportedAsWhatTheyAre)
{
    EXPECT_EQ(slm_slab_alloc(stale.get(), 24), nullptr);
    EXPECT_EQ(slm_slab_free(stale.get(), seen(chunk)), SLM_E_STATE);
    ASSERT_EQ(reports.events.size(), 2u);
    EXPECT_EQ(reports.events[0].status, SLM_E_STATE);
    EXPECT_EQ(reports.events[1].status, SLM_E_STATE);
    EXPECT_EQ(reports.lock.depth, 0);
}

TEST_P(SlabStale, EveryCallWorksOnceItHasRefreshed)
{
    set_protection_of_new_part(PROT_READ | PROT_WRITE);
    ASSERT_EQ(slm_slab_refresh_locked(stale.get()), SLM_OK);
    EXPECT_EQ(slm_slab_check(stale.get()), 0u);
    EXPECT_EQ(slm_slab_check_pointer_locked(stale.get(), seen(chunk)), SLM_OK);
    EXPECT_EQ(slm_slab_free(stale.get(), seen(run)), SLM_OK);
    EXPECT_NE(slm_slab_calloc(stale.get(), first_bytes), nullptr) << "longer than what it knew";
    EXPECT_EQ(slm_slab_rebuild_locked(stale.get()), SLM_OK);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    EXPECT_EQ(slm_slab_reset(stale.get()), SLM_OK);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
}

TEST_P(SlabStale, NeverGetsMemoryOutsideTheRegionThatItWasAttachedTo)
{
    for (int i = 0; i < 1000; i++) {
        auto *p = static_cast<unsigned char *>(slm_slab_alloc_locked(stale.get(), run_bytes));
        ASSERT_TRUE(p == nullptr || p + run_bytes <= twin.base() + first_bytes);
    }
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
}

TEST_P(SlabStale, ItsFreeOfTheLastPageItKnowsLeavesASlabThatCanBeRebuilt)
{
    void *last = nullptr;
    while (void *p = slm_slab_alloc(slab.get(), run_bytes)) {
        bool is_known = p < first_new_page();
        last = is_known && p > last ? p : last;
    }
    ASSERT_NE(last, nullptr);
    EXPECT_EQ(slm_slab_free_locked(stale.get(), seen(last)), SLM_E_STATE);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    EXPECT_EQ(slm_slab_rebuild_locked(slab.get()), SLM_OK);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
}

TEST_P(SlabStale, ARootInNewPagesReadsAsNullUntilItRefreshes)
{
    void *object = first_new_page();
    EXPECT_EQ(slm_slab_root(stale.get()), seen(chunk));
    ASSERT_EQ(slm_slab_set_root(slab.get(), object), SLM_OK);
    EXPECT_EQ(slm_slab_root(stale.get()), nullptr);
    EXPECT_EQ(slm_slab_set_root(stale.get(), seen(object)), SLM_E_FOREIGN);
    ASSERT_EQ(slm_slab_refresh_locked(stale.get()), SLM_OK);
    EXPECT_EQ(slm_slab_root(stale.get()), seen(object));
}

TEST_P(SlabStale, ADamagedCountOfPagesIsRefusedAsAnImage)
{
    struct slm_slab_stats stats;
    for (unsigned bit = 0; bit < 32; bit++) {
        stale->header->n_pages = slab_pages_seal(kPages) ^ uint64_t { 1 } << bit;
        std::memcpy(before.data(), region.base(), slab->metadata_bytes);
        expect_refused(calls_that_allocate());
        expect_refused(calls_with_a_pointer(seen(chunk), SLM_E_IMAGE));
        expect_refused(calls_on_the_whole(SLM_E_IMAGE));
        slm_slab_get_stats(stale.get(), &stats);
        EXPECT_NE(stats.peak_used_pages, 0u) << "damaged regions have statistics too";
    }
}

/* --- Growth through the stale view --- */

TEST_P(SlabStale, GrowthOfItsOwnFirstAdoptsWhatIsThereAlready)
{
    set_protection_of_new_part(PROT_READ | PROT_WRITE);
    Region twin_of_half = region.twin();
    size_t half = first_bytes + 20 * GetParam().page_bytes;
    must(slm_slab_init(region.base(), first_bytes, &options) == SLM_OK, "init");
    slab = open(region, nullptr);
    stale = open(twin_of_half, nullptr);
    ASSERT_EQ(slm_slab_grow_locked(slab.get(), half), kPages + 20);
    std::vector<void *> objects;
    while (void *p = slm_slab_alloc(slab.get(), run_bytes)) {
        objects.push_back(p);
    }
    EXPECT_EQ(slm_slab_grow_locked(stale.get(), half - 1), kPages) << "not all is mapped";
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    size_t n_pages = slm_slab_grow_locked(stale.get(), region.bytes());
    EXPECT_GE(n_pages, kMorePages - 1);
    EXPECT_EQ(slm_slab_check(stale.get()), 0u);
    EXPECT_EQ(slm_slab_alloc(slab.get(), 24), nullptr) << "now the other view is stale";
    ASSERT_EQ(slm_slab_refresh_locked(slab.get()), SLM_OK);
    for (void *p : objects) {
        EXPECT_EQ(slm_slab_free(slab.get(), p), SLM_OK);
    }
    EXPECT_EQ(slm_slab_check(stale.get()), 0u);
}

TEST_P(SlabStale, GrowthToWhatIsThereAlreadyOnlyAdoptsIt)
{
    EXPECT_EQ(slm_slab_grow_locked(stale.get(), region.bytes()), slab->n_pages);
    EXPECT_EQ(region.first_change(before), kUnchanged);
    EXPECT_EQ(slm_slab_check(stale.get()), 0u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SlabStale, testing::ValuesIn(main_geometries()), name_of);

} // namespace
