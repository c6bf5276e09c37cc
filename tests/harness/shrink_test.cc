/* SPDX-License-Identifier: Apache-2.0 */
/* The shrinker: it reduces random failing programs to those that a person would write. */
#include "harness/failure/shrink.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "harness/failure/emit.h"
#include "harness/inputs/random.h"
#include "harness/run/run.h"
#include "harness/trace/trace.h"
#include "gtest/gtest.h"

namespace {

/* --- A plain allocator that never frees, and bugs planted into it --- */

struct Bump {
    size_t used_bytes;
    unsigned char *above_100; /* the last object of more than 100 bytes */
    size_t n_above_100;
    alignas(65536) unsigned char bytes[1 << 21];
};

void *BumpCreate(const slm_adapter_env *env)
{
    static Bump bumps[2];
    Bump *bump = &bumps[env->arena];
    bump->used_bytes = 0;
    bump->above_100 = nullptr;
    bump->n_above_100 = 0;
    return bump;
}

void *BumpAlloc(void *self, const slm_adapter_request *rq)
{
    Bump *bump = static_cast<Bump *>(self);
    size_t align = rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED ? rq->align_bytes : 16;
    if (align == 0 || (align & (align - 1)) != 0 || align > 65536 ||
        rq->size_bytes > sizeof bump->bytes) {
        return nullptr;
    }
    size_t at = (bump->used_bytes + align - 1) & ~(align - 1);
    if (at + rq->size_bytes + 1 > sizeof bump->bytes) {
        return nullptr;
    }
    bump->used_bytes = at + rq->size_bytes + 1;
    if (rq->call == SLM_ADAPTER_CALL_ALLOC_ZEROED) {
        std::memset(bump->bytes + at, 0, rq->size_bytes);
    }
    return bump->bytes + at;
}

slm_adapter_answer BumpFree(void *, void *, size_t)
{
    return SLM_ADAPTER_OK;
}

void *BumpResize(void *, void *p, size_t old_bytes, size_t new_bytes)
{
    return new_bytes <= old_bytes ? p : nullptr;
}

/* The third object of more than 100 bytes is the second one again. */
void *AllocOverlapping(void *self, const slm_adapter_request *rq)
{
    Bump *bump = static_cast<Bump *>(self);
    auto *p = static_cast<unsigned char *>(BumpAlloc(self, rq));
    if (p == nullptr || rq->size_bytes <= 100) {
        return p;
    }
    if (++bump->n_above_100 == 3) {
        return bump->above_100;
    }
    bump->above_100 = p;
    return p;
}

/* calloc does not zero the last byte of objects above 1000 bytes. */
void *AllocDirty(void *self, const slm_adapter_request *rq)
{
    auto *p = static_cast<unsigned char *>(BumpAlloc(self, rq));
    if (p != nullptr && rq->call == SLM_ADAPTER_CALL_ALLOC_ZEROED && rq->size_bytes > 1000) {
        p[rq->size_bytes - 1] = 1;
    }
    return p;
}

/* memalign at 64 and above is off by 16. */
void *AllocUnaligned(void *self, const slm_adapter_request *rq)
{
    auto *p = static_cast<unsigned char *>(BumpAlloc(self, rq));
    return p != nullptr && rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED && rq->align_bytes >= 64
               ? p + 16
               : p;
}

/* A resize to less than 10 bytes changes the first one. */
void *ResizeScribbling(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    void *now = BumpResize(self, p, old_bytes, new_bytes);
    if (now != nullptr && new_bytes > 0 && new_bytes < 10) {
        static_cast<unsigned char *>(now)[0] ^= 1;
    }
    return now;
}

/* The adapter's functions for a function that serves every request. */
template <void *(*Serve)(void *, const slm_adapter_request *)>
void SetRequests(slm_adapter *adapter)
{
    adapter->alloc = [](void *self, size_t size_bytes) {
        const slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC, size_bytes, 0};
        return Serve(self, &rq);
    };
    adapter->alloc_zeroed = [](void *self, size_t n, size_t size_bytes) -> void * {
        size_t bytes = 0;
        if (__builtin_mul_overflow(n, size_bytes, &bytes)) {
            return nullptr;
        }
        const slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC_ZEROED, bytes, 0};
        return Serve(self, &rq);
    };
    adapter->alloc_aligned = [](void *self, size_t align_bytes, size_t size_bytes) {
        const slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC_ALIGNED, size_bytes, align_bytes};
        return Serve(self, &rq);
    };
}

/* --- What they must shrink to --- */

struct Planted {
    const char *name;
    hrn_law law;
    const char *smallest; /* the result, without the head */
    slm_adapter adapter;
};

slm_adapter BumpAdapter()
{
    slm_adapter adapter = {};
    adapter.name = "bump";
    adapter.create = BumpCreate;
    adapter.free = BumpFree;
    adapter.resize = BumpResize;
    adapter.align_bytes = 16;
    adapter.align_max_bytes = 65536;
    adapter.align_refuses = true;
    adapter.resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES;
    adapter.memory = SLM_ADAPTER_SYSTEM;
    SetRequests<BumpAlloc>(&adapter);
    return adapter;
}

Planted Overlapping()
{
    slm_adapter adapter = BumpAdapter();
    SetRequests<AllocOverlapping>(&adapter);
    return {"Overlapping", HRN_LAW_overlap,
            "arena 0 alloc 0 101\narena 0 alloc 1 101\narena 0 alloc 2 101\n", adapter};
}

Planted Dirty()
{
    slm_adapter adapter = BumpAdapter();
    SetRequests<AllocDirty>(&adapter);
    return {"Dirty", HRN_LAW_zeroing, "arena 0 calloc 0 1001\n", adapter};
}

Planted Unaligned()
{
    slm_adapter adapter = BumpAdapter();
    SetRequests<AllocUnaligned>(&adapter);
    return {"Unaligned", HRN_LAW_alignment, "arena 0 memalign 0 0 64\n", adapter};
}

Planted Scribbling()
{
    slm_adapter adapter = BumpAdapter();
    adapter.resize = ResizeScribbling;
    return {"Scribbling", HRN_LAW_resize, "arena 0 alloc 0 1\narena 0 resize 0 1\n", adapter};
}

class Shrink : public testing::TestWithParam<Planted> {
  protected:
    void SetUp() override
    {
        hrn_program_init(&program_);
        wanted_ = {&GetParam().adapter, GetParam().law};
    }
    void TearDown() override
    {
        hrn_program_fini(&program_);
        hrn_run_fini();
    }

    bool Breaks(const hrn_program &program)
    {
        return hrn_shrink_breaks_law(&wanted_, &program);
    }

    /* Makes a random program that breaks the law, from this seed or a later one. */
    void Generate(uint64_t seed)
    {
        hrn_gen gen;
        hrn_gen_init(&gen, hrn_can(&GetParam().adapter));
        gen.weight[HRN_BURST] = 0; /* a burst of three would be as small as three allocs */
        do {
            hrn_rng rng;
            hrn_rng_seed(&rng, seed++);
            hrn_gen_head(&rng, &program_.head);
            hrn_program_clear(&program_);
            hrn_gen_program(&gen, &rng, 2000, &program_);
            ASSERT_LT(seed, 1000u) << "the bug is not found";
        } while (!Breaks(program_));
    }

    hrn_shrink Search(size_t runs_max)
    {
        return {hrn_shrink_breaks_law, &wanted_, runs_max, 0, false};
    }

    std::string Text() const
    {
        hrn_trace trace = {};
        trace.program = program_;
        char *text = hrn_trace_print(&trace, nullptr);
        std::string printed(text);
        std::free(text);
        return printed;
    }

    hrn_program program_;
    hrn_shrink_law wanted_;
};

TEST(ShrinkBump, KeepsEveryLawWhenNothingIsPlanted)
{
    const slm_adapter adapter = BumpAdapter();
    for (uint64_t seed = 0; seed < 50; seed++) {
        hrn_gen gen;
        hrn_rng rng;
        hrn_program program;
        hrn_result result;
        hrn_gen_init(&gen, hrn_can(&adapter));
        hrn_rng_seed(&rng, seed);
        hrn_program_init(&program);
        hrn_gen_program(&gen, &rng, 500, &program);
        EXPECT_EQ(hrn_run_catch(&adapter, &program, &result), HRN_LAW_NONE) << result.text;
        EXPECT_GT(result.n_done, 100u);
        hrn_program_fini(&program);
    }
}

TEST_P(Shrink, LeavesTheSmallestProgramAndThePlainHead)
{
    for (uint64_t seed = 0; seed < 300; seed += 100) {
        Generate(seed);
        hrn_shrink search = Search(100000);
        hrn_shrink_program(&search, &program_);
        EXPECT_TRUE(search.is_minimal);
        hrn_program plain;
        hrn_program_init(&plain);
        EXPECT_EQ(std::memcmp(&plain.head, &program_.head, sizeof plain.head), 0);
        hrn_program_fini(&plain);
        std::string text = Text();
        EXPECT_EQ(text.substr(text.find("arena")), GetParam().smallest) << "seed " << seed;
    }
}

TEST_P(Shrink, LeavesNoOperationThatCanBeRemoved)
{
    Generate(7);
    hrn_shrink search = Search(100000);
    hrn_shrink_program(&search, &program_);
    ASSERT_TRUE(Breaks(program_));
    for (size_t i = 0; i < program_.n_ops; i++) {
        hrn_program shorter;
        hrn_program_init(&shorter);
        hrn_program_copy(&shorter, &program_);
        std::memmove(shorter.ops + i, shorter.ops + i + 1,
                     (shorter.n_ops - i - 1) * sizeof *shorter.ops);
        shorter.n_ops--;
        hrn_program_normalize(&shorter);
        EXPECT_FALSE(Breaks(shorter)) << i;
        hrn_program_fini(&shorter);
    }
}

TEST_P(Shrink, IsTheSameEveryTime)
{
    Generate(3);
    hrn_program first;
    hrn_program_init(&first);
    hrn_program_copy(&first, &program_);
    hrn_shrink one = Search(500);
    hrn_shrink_program(&one, &first);
    hrn_shrink two = Search(500);
    hrn_shrink_program(&two, &program_);
    EXPECT_TRUE(hrn_program_equal(&first, &program_));
    EXPECT_EQ(one.n_runs, two.n_runs);
    hrn_program_fini(&first);
}

TEST_P(Shrink, KeepsItsLimitOfRunsAndStillBreaks)
{
    for (size_t runs_max : {0u, 1u, 5u, 20u}) {
        Generate(11);
        size_t n_before = program_.n_ops;
        hrn_shrink search = Search(runs_max);
        hrn_shrink_program(&search, &program_);
        EXPECT_EQ(search.n_runs, runs_max);
        EXPECT_FALSE(search.is_minimal);
        EXPECT_LE(program_.n_ops, n_before);
        EXPECT_TRUE(Breaks(program_));
    }
}

TEST_P(Shrink, CutsAfterTheOperationThatBreaks)
{
    Generate(5);
    hrn_result result;
    ASSERT_EQ(hrn_run_catch(&GetParam().adapter, &program_, &result), GetParam().law);
    hrn_shrink search = Search(64);
    hrn_shrink_cut(&search, &program_);
    EXPECT_LE(program_.n_ops, result.op_idx + 1);
    EXPECT_TRUE(Breaks(program_));
    program_.n_ops--;
    EXPECT_FALSE(Breaks(program_));
}

TEST_P(Shrink, EmittedTestsNameTheLawAndHoldTheProgram)
{
    Generate(0);
    hrn_shrink search = Search(100000);
    hrn_shrink_program(&search, &program_);
    hrn_trace trace = {};
    trace.program = program_;
    const hrn_emit emit = {&trace, "heap", "./the_heap.so", GetParam().law, program_.n_ops - 1,
                           nullptr};
    char *text = hrn_emit_test(&emit);
    std::string test(text);
    std::free(text);
    EXPECT_NE(test.find(GetParam().smallest), std::string::npos) << test;
    EXPECT_NE(test.find("mill_replay_text(\"./the_heap.so\", trace)"), std::string::npos) << test;
    EXPECT_NE(test.find(hrn_law_sentence(GetParam().law)), std::string::npos) << test;
    EXPECT_NE(test.find("TEST(HeapHarness, "), std::string::npos) << test;
}

INSTANTIATE_TEST_SUITE_P(Planted, Shrink,
                         testing::Values(Overlapping(), Dirty(), Unaligned(), Scribbling()),
                         [](const testing::TestParamInfo<Planted> &tested) {
                             return std::string(tested.param.name);
                         });

TEST(Emit, MakesANameFromTheLawsSentenceAndTheOperation)
{
    hrn_trace trace;
    hrn_trace_init(&trace);
    hrn_program_push(&trace.program, hrn_op{HRN_CALLOC, 0, 0, 0, 0, 0, 0, 12});
    hrn_emit emit = {&trace, "my-heap", "my-heap", HRN_LAW_zeroing, 0, nullptr};
    const char *const expected[] = {
        "TEST(MyHeapHarness, CallocsBytesAreAllZeroAtCalloc)\n",
        "TEST(MyHeapHarness, CallocsBytesAreAllZeroAtTheEnd)\n",
        "TEST(MyHeapHarness, ReturnsFromTheEnd)\n",
        "TEST(MyHeapHarness, StaysClean)\n",
    };
    for (int i = 0; i < 4; i++) {
        emit.op_idx = i == 0 ? 0 : 1;
        emit.law = i < 2 ? HRN_LAW_zeroing : HRN_LAW_NONE;
        emit.name = i < 3 ? nullptr : "stays clean";
        char *test = hrn_emit_test(&emit);
        EXPECT_NE(std::string(test).find(expected[i]), std::string::npos) << test;
        std::free(test);
    }
    hrn_trace_fini(&trace);
}

} // namespace
