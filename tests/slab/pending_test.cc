/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: recovery after a death can find the object that was allocated last. */
#include <gtest/gtest.h>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr size_t kPages = 16;

class SlabPending : public testing::TestWithParam<Geometry> {
  protected:
    Slab slab{GetParam(), kPages};
};

TEST_P(SlabPending, IsTheObjectAllocatedLastUntilCleared)
{
    EXPECT_EQ(slm_slab_last_allocation_locked(slab), nullptr);
    void *first = slm_slab_alloc_locked(slab, 40);
    EXPECT_EQ(slm_slab_last_allocation_locked(slab), first);
    void *second = slm_slab_alloc_locked(slab, 3 * GetParam().page_bytes);
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(slm_slab_last_allocation_locked(slab), second);
    slm_slab_clear_last_allocation_locked(slab);
    EXPECT_EQ(slm_slab_last_allocation_locked(slab), nullptr);
    EXPECT_EQ(slm_slab_check_pointer_locked(slab, first), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(slab, second), SLM_OK);
}

TEST_P(SlabPending, IsNothingOnceTheObjectIsFree)
{
    void *p = slm_slab_alloc_locked(slab, 40);
    ASSERT_EQ(slm_slab_free_locked(slab, p), SLM_OK);
    EXPECT_EQ(slm_slab_last_allocation_locked(slab), nullptr);
}

TEST_P(SlabPending, IsNothingWhereNoObjectStarts)
{
    void *p = slm_slab_alloc_locked(slab, 2 * GetParam().page_bytes + 1);
    ASSERT_NE(p, nullptr);
    slab->header->pending += GetParam().page_bytes;
    EXPECT_EQ(slm_slab_last_allocation_locked(slab), nullptr);
}

TEST_P(SlabPending, OutsideThePagesIsClearedByRebuilding)
{
    slab->header->pending = 8;
    EXPECT_EQ(slm_slab_last_allocation_locked(slab), nullptr);
    EXPECT_EQ(slm_slab_check_locked(slab), 12u);
    EXPECT_EQ(slm_slab_rebuild_locked(slab), SLM_OK);
    EXPECT_EQ(slm_slab_check_locked(slab), 0u);
}

/* As an address such an offset would wrap, which UBSan reports. */
TEST_P(SlabPending, IsNothingForOffsetsThatNoRegionHas)
{
    for (uint64_t offset : {UINT64_MAX, UINT64_MAX - 4095, UINT64_C(1) << 63, UINT64_C(8)}) {
        slab->header->pending = offset;
        EXPECT_EQ(slm_slab_last_allocation_locked(slab), nullptr) << offset;
    }
    slm_slab_clear_last_allocation_locked(slab);
}

TEST_P(SlabPending, IsClearedByReset)
{
    ASSERT_NE(slm_slab_alloc_locked(slab, 40), nullptr);
    slm_slab_reset(slab);
    EXPECT_EQ(slab->header->pending, 0u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SlabPending, testing::ValuesIn(main_geometries()), name_of);

} // namespace
