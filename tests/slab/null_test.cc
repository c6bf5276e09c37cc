/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of status.h for NULL, kept by every function of slab.h for each of its pointers. */
#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

bool visit_all(void *data, const slm_slab_extent *)
{
    ++*static_cast<int *>(data);
    return true;
}

void count_report(void *data, const slm_slab_event *)
{
    ++*static_cast<int *>(data);
}

/* A slab with one object. No test changes its region or its report hook's count. */
class SlabNull : public testing::Test {
  protected:
    SlabNull() : region(1 << 18)
    {
        EXPECT_EQ(slm_slab_init(region.base(), region.bytes(), nullptr), SLM_OK);
        slm_slab_view view{};
        view.report = count_report;
        view.report_data = &n_reports;
        EXPECT_EQ(slm_slab_attach(&slab, region.base(), region.bytes(), &view), SLM_OK);
        object = slm_slab_alloc(slab, 100);
        before = region.snapshot();
    }
    ~SlabNull() override
    {
        EXPECT_EQ(region.first_change(before), kUnchanged);
        EXPECT_EQ(n_reports, 0);
        slm_slab_detach(slab);
    }

    Region region;
    slm_slab *slab = nullptr;
    void *object = nullptr;
    int n_reports = 0;
    std::vector<unsigned char> before;
};

TEST_F(SlabNull, CallsThatReturnAStatusRefuseANullSlab)
{
    slm_slab_class_stats stats{};
    EXPECT_EQ(slm_slab_free(nullptr, object), SLM_E_NULL);
    EXPECT_EQ(slm_slab_free(nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_free_locked(nullptr, object), SLM_E_NULL);
    EXPECT_EQ(slm_slab_free_locked(nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_check_pointer_locked(nullptr, object), SLM_E_NULL);
    EXPECT_EQ(slm_slab_refresh_locked(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_set_root(nullptr, object), SLM_E_NULL);
    EXPECT_EQ(slm_slab_get_class_stats(nullptr, 0, &stats), SLM_E_NULL);
    EXPECT_EQ(slm_slab_get_class_stats_locked(nullptr, 0, &stats), SLM_E_NULL);
    EXPECT_EQ(stats.chunk_bytes, 0u);
    EXPECT_EQ(slm_slab_rebuild_locked(nullptr), SLM_E_NULL);
}

TEST_F(SlabNull, AllocationFromANullSlabIsNull)
{
    for (size_t size : {size_t{0}, size_t{1}, size_t{5000}, SIZE_MAX}) {
        EXPECT_EQ(slm_slab_alloc(nullptr, size), nullptr) << size;
        EXPECT_EQ(slm_slab_alloc_locked(nullptr, size), nullptr) << size;
        EXPECT_EQ(slm_slab_calloc(nullptr, size), nullptr) << size;
        EXPECT_EQ(slm_slab_calloc_locked(nullptr, size), nullptr) << size;
        for (size_t align : {size_t{3}, size_t{8}, size_t{4096}}) {
            EXPECT_EQ(slm_slab_memalign(nullptr, align, size), nullptr) << size;
            EXPECT_EQ(slm_slab_memalign_locked(nullptr, align, size), nullptr) << size;
        }
    }
}

TEST_F(SlabNull, OtherCallsAnswerANullSlabWithNull0Minus1OrFalse)
{
    EXPECT_FALSE(slm_slab_has_options(nullptr, nullptr));
    EXPECT_EQ(slm_slab_last_allocation_locked(nullptr), nullptr);
    EXPECT_EQ(slm_slab_usable_bytes(nullptr, object), 0u);
    EXPECT_EQ(slm_slab_grow_locked(nullptr, 1 << 20), 0u);
    EXPECT_EQ(slm_slab_used_bytes(nullptr), 0u);
    EXPECT_EQ(slm_slab_trim(nullptr), 0u);
    EXPECT_EQ(slm_slab_root(nullptr), nullptr);
    EXPECT_EQ(slm_slab_name(nullptr), nullptr);
    EXPECT_EQ(slm_slab_offset(nullptr, object), 0u);
    EXPECT_EQ(slm_slab_pointer(nullptr, 4096), nullptr);
    EXPECT_EQ(slm_slab_class_of(nullptr, 8), -1);
    EXPECT_EQ(slm_slab_check(nullptr), 0u);
    EXPECT_EQ(slm_slab_check_locked(nullptr), 0u);
}

TEST_F(SlabNull, VoidCallsOnANullSlabChangeNothing)
{
    slm_slab_stats stats{};
    slm_slab_place place{};
    slm_slab_part parts[SLM_SLAB_METADATA_PARTS] = {{1, 2}, {3, 4}};
    int n_visits = 0;
    slm_slab_detach(nullptr);
    slm_slab_reset(nullptr);
    slm_slab_reset_locked(nullptr);
    slm_slab_clear_last_allocation_locked(nullptr);
    slm_slab_get_stats(nullptr, &stats);
    slm_slab_get_stats_locked(nullptr, &stats);
    slm_slab_locate(nullptr, object, &place);
    slm_slab_walk_locked(nullptr, visit_all, &n_visits);
    slm_slab_metadata_parts(nullptr, parts);
    EXPECT_EQ(stats.page_bytes, 0u);
    EXPECT_EQ(place.object, nullptr);
    EXPECT_EQ(n_visits, 0);
    EXPECT_EQ(parts[0].offset, 1u);
    EXPECT_EQ(parts[1].n_bytes, 4u);
}

TEST_F(SlabNull, CallsRefuseOtherNullPointersThatTheyNeed)
{
    slm_slab *out = slab;
    EXPECT_EQ(slm_slab_init(nullptr, region.bytes(), nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_attach(nullptr, region.base(), region.bytes(), nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_attach(&out, nullptr, region.bytes(), nullptr), SLM_E_NULL);
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(slm_slab_get_class_stats(slab, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_get_class_stats_locked(slab, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_check_pointer_locked(slab, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_usable_bytes(slab, nullptr), 0u);
    slm_slab_get_stats(slab, nullptr);
    slm_slab_get_stats_locked(slab, nullptr);
    slm_slab_locate(slab, object, nullptr);
    slm_slab_walk_locked(slab, nullptr, nullptr);
    slm_slab_metadata_parts(slab, nullptr);
}

TEST_F(SlabNull, AViewWithHalfOfALockIsAWrongOption)
{
    slm_slab *out = slab;
    slm_slab_view half{};
    half.lock = [](void *) {};
    EXPECT_EQ(slm_slab_attach(&out, region.base(), region.bytes(), &half), SLM_E_OPTION);
    EXPECT_EQ(out, nullptr);
}

TEST_F(SlabNull, FreeOfNullIsNoErrorAndIsNotReported)
{
    EXPECT_EQ(slm_slab_free(slab, nullptr), SLM_OK);
    EXPECT_EQ(slm_slab_free_locked(slab, nullptr), SLM_OK);
}

TEST_F(SlabNull, PointersThatMayBeNullMeanWhatTheHeaderSays)
{
    slm_slab_place place;
    slm_slab_locate(slab, nullptr, &place);
    EXPECT_EQ(place.kind, SLM_SLAB_OUTSIDE);
    EXPECT_EQ(slm_slab_offset(slab, nullptr), 0u);
    EXPECT_EQ(slm_slab_pointer(slab, 0), nullptr);
    EXPECT_EQ(slm_slab_set_root(slab, nullptr), SLM_OK);
    EXPECT_EQ(slm_slab_root(slab), nullptr);
    EXPECT_TRUE(slm_slab_has_options(slab, nullptr));
    EXPECT_NE(slm_slab_region_bytes(nullptr, 10), 0u);
}

} // namespace
