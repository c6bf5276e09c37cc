/* SPDX-License-Identifier: Apache-2.0 */
/* The slab's oracle: an allocator that breaks one promise of the slab breaks a law. */
#include "harness/adapters/slab_oracle.h"

#include <string>

#include "harness/adapters/slab_views.h"
#include "harness/run/run.h"
#include "gtest/gtest.h"

namespace {

constexpr size_t kSlabPage = 4096;

/* Takes the best fit away from a calloc, so that the object comes from another free run. */
void *CallocWithoutTheBestFit(void *self, size_t n, size_t size_bytes)
{
    void *best = slm_slab_alloc(hrn_slab_of(self), n * size_bytes);
    void *p = hrn_adapter_slab.alloc_zeroed(self, n, size_bytes);
    (void)slm_slab_free(hrn_slab_of(self), best);
    return p;
}

class BestFitLaw : public testing::TestWithParam<size_t> {
  protected:
    BestFitLaw()
    {
        hrn_program_init(&program_);
        program_.head.region_bytes = 400 * kSlabPage;
        program_.head.check_every = 0;
    }
    ~BestFitLaw() override
    {
        hrn_program_fini(&program_);
    }
    void Add(hrn_kind kind, uint32_t id, size_t n_pages = 0)
    {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(kind);
        op.id = id;
        op.size_bytes = n_pages * kSlabPage;
        hrn_program_push(&program_, op);
    }

    hrn_program program_;
};

TEST_P(BestFitLaw, IsBrokenByARunFromALongerFreeRun)
{
    size_t hole = GetParam();
    Add(HRN_ALLOC, 0, hole);
    Add(HRN_ALLOC, 1, 1);
    Add(HRN_ALLOC, 2, hole + 1);
    Add(HRN_ALLOC, 3, 1);
    Add(HRN_FREE, 0);
    Add(HRN_FREE, 2);
    Add(HRN_CALLOC, 4, hole);
    hrn_result result;
    EXPECT_EQ(hrn_run_catch(&hrn_adapter_slab, &program_, &result), HRN_LAW_NONE) << result.text;
    slm_adapter other = hrn_adapter_slab;
    other.alloc_zeroed = CallocWithoutTheBestFit;
    EXPECT_EQ(hrn_run_catch(&other, &program_, &result), HRN_LAW_placement);
    std::string seen = std::to_string(hole) + " pages were cut from a free run of " +
                       std::to_string(hole + 1) + ", though one of " + std::to_string(hole) +
                       " is free";
    EXPECT_EQ(result.text, seen);
    EXPECT_EQ(result.op_idx, 6u);
}

/* The shortest region for which create must not be refused. */
size_t LeastRegion(const slm_adapter_slab_shape &shape)
{
    slm_adapter_env env{};
    env.slab_shape = &shape;
    while (hrn_adapter_slab.checks->create_refused(&env) == nullptr) {
        env.region_bytes += 64;
    }
    return env.region_bytes;
}

TEST(SlabCreateAnswer, TheLeastRegionDependsOnTheReserveToo)
{
    slm_adapter_slab_shape plain{};
    plain.page_bytes = kSlabPage;
    plain.min_object_bytes = 8;
    plain.per_doubling = 1;
    slm_adapter_slab_shape reserved = plain;
    reserved.max_bytes = size_t(64) << 20;
    size_t least = LeastRegion(plain);
    EXPECT_GT(LeastRegion(reserved), least) << "it has metadata for more pages";
    EXPECT_EQ(LeastRegion(plain), least);
}

INSTANTIATE_TEST_SUITE_P(Pages, BestFitLaw, testing::Values(1, 8, 63, 64, 65, 130));

/* A reserve's metadata does not fit in a region that is long enough without a reserve. */
TEST(CreateAnswerLaw, CountsTheReserveOfEachProgram)
{
    for (size_t region_bytes : {size_t{1000}, size_t{20000}}) {
        hrn_program program;
        hrn_program_init(&program);
        program.head.region_bytes = 300000;
        program.head.flags = region_bytes == 20000 ? HRN_HEAD_RESERVE : 0;
        hrn_op op{};
        op.kind = HRN_CREATE;
        op.size_bytes = region_bytes;
        hrn_program_push(&program, op);
        hrn_result result;
        EXPECT_EQ(hrn_run_catch(&hrn_adapter_slab, &program, &result), HRN_LAW_NONE) << result.text;
        hrn_program_fini(&program);
    }
}

/* --- Views --- */

class SlabViews : public testing::Test {
  protected:
    SlabViews()
    {
        hrn_program_init(&program_);
        program_.head.region_bytes = 20 * kSlabPage;
        program_.head.check_every = 1;
    }
    ~SlabViews() override
    {
        hrn_program_fini(&program_);
    }
    void Add(hrn_kind kind, uint32_t id = HRN_NO_ID, size_t size_bytes = 0)
    {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(kind);
        op.id = id;
        op.size_bytes = size_bytes;
        hrn_program_push(&program_, op);
    }
    hrn_law Run(const slm_adapter &adapter)
    {
        return hrn_run_catch(&adapter, &program_, &result_);
    }

    hrn_program program_;
    hrn_result result_{};
};

TEST_F(SlabViews, PagesThatGrowAddsServeRequests)
{
    for (int flags : {+HRN_HEAD_RESERVE, HRN_HEAD_RESERVE | HRN_HEAD_SHARED}) {
        program_.head.flags = static_cast<uint32_t>(flags);
        hrn_program_clear(&program_);
        Add(HRN_ALLOC, 0, 18 * kSlabPage);
        Add(HRN_ALLOC, 1, 4 * kSlabPage);
        Add(HRN_GROW, HRN_NO_ID, 4 * kSlabPage);
        Add(HRN_ALLOC, 2, 4 * kSlabPage);
        EXPECT_EQ(Run(hrn_adapter_slab), HRN_LAW_NONE) << result_.text;
        EXPECT_EQ(result_.n_refused, 1u) << "only the one before the slab grew";
    }
}

TEST_F(SlabViews, WithoutAReserveGrowAddsNoPages)
{
    Add(HRN_ALLOC, 0, 18 * kSlabPage);
    Add(HRN_GROW, HRN_NO_ID, 4 * kSlabPage);
    Add(HRN_ALLOC, 1, 4 * kSlabPage);
    EXPECT_EQ(Run(hrn_adapter_slab), HRN_LAW_NONE) << result_.text;
    EXPECT_EQ(result_.n_refused, 1u);
}

/* 16 pages would fit, but not with their tables. */
TEST_F(SlabViews, LastPageOfAReserveMayHoldTables)
{
    program_.head.flags = HRN_HEAD_RESERVE;
    program_.head.per_doubling = 16;
    program_.head.min_object_bytes = 16;
    program_.head.region_bytes = 36839;
    Add(HRN_GROW, HRN_NO_ID, 32715);
    Add(HRN_GROW, HRN_NO_ID, 78);
    EXPECT_EQ(Run(hrn_adapter_slab), HRN_LAW_NONE) << result_.text;
}

unsigned n_repairs_seen;

size_t NoteRepairs(void *self)
{
    size_t n_pages = hrn_adapter_slab.trim(self);
    n_repairs_seen = hrn_slab_views_of(self)->n_repairs;
    return n_pages;
}

TEST_F(SlabViews, HolderOfALockedSlabDiesAtEachTrim)
{
    slm_adapter adapter = hrn_adapter_slab;
    adapter.trim = NoteRepairs;
    Add(HRN_ALLOC, 0, 100);
    Add(HRN_TRIM);
    for (int flags : {0, +HRN_HEAD_LOCKED, HRN_HEAD_LOCKED | HRN_HEAD_SHARED}) {
        program_.head.flags = static_cast<uint32_t>(flags);
        EXPECT_EQ(Run(adapter), HRN_LAW_NONE) << result_.text;
        EXPECT_EQ(n_repairs_seen, flags == 0 ? 0u : 3u) << "two that failed on purpose, and one";
    }
}

slm_adapter_answer FreeAndKeepTheLock(void *self, void *p, size_t size_bytes)
{
    slm_adapter_answer answer = hrn_adapter_slab.free(self, p, size_bytes);
    (void)slm_lock_lock(hrn_slab_views_of(self)->lock);
    return answer;
}

TEST_F(SlabViews, LockThatACallKeepsBreaksALaw)
{
    slm_adapter adapter = hrn_adapter_slab;
    adapter.free = FreeAndKeepTheLock;
    program_.head.flags = HRN_HEAD_LOCKED;
    Add(HRN_ALLOC, 0, 100);
    Add(HRN_FREE, 0);
    EXPECT_EQ(Run(adapter), HRN_LAW_self_check);
    EXPECT_STREQ(result_.text, "lock: a call has not released it");
    EXPECT_EQ(Run(hrn_adapter_slab), HRN_LAW_NONE) << "the next program has a lock of its own";
}

slm_adapter_answer FreeWithAReport(void *self, void *p, size_t size_bytes)
{
    hrn_slab_views *views = hrn_slab_views_of(self);
    unsigned n_before = views->n_events;
    slm_adapter_answer answer = hrn_adapter_slab.free(self, p, size_bytes);
    (void)slm_slab_free(hrn_slab_of(self), &n_before);
    const slm_slab_event want{SLM_OK, nullptr, "free", 0, p};
    hrn_slab_views_expect_event(views, n_before, &want);
    return answer;
}

TEST_F(SlabViews, ReportOfACallThatSucceededBreaksALaw)
{
    slm_adapter adapter = hrn_adapter_slab;
    adapter.free = FreeWithAReport;
    Add(HRN_ALLOC, 0, 100);
    Add(HRN_FREE, 0);
    EXPECT_EQ(Run(adapter), HRN_LAW_statistics);
    EXPECT_STREQ(result_.text, "1 reports of one call of free");
}

} // namespace
