/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the same programs with every adapter: scripted ones, unusual arenas, and generated ones. */
#include <cstdint>
#include <ostream>
#include <vector>

#include "harness/adapters/adapters.h"
#include "harness/conformance/conformance.h"
#include "harness/inputs/random.h"
#include "harness/run/run.h"
#include "gtest/gtest.h"

/* How GoogleTest names the parameter. */
static void PrintTo(const slm_adapter *adapter, std::ostream *out)
{
    *out << adapter->name;
}

namespace {

class Conformance : public testing::TestWithParam<const slm_adapter *> {
  protected:
    Conformance()
    {
        hrn_program_init(&program_);
        program_.head.check_every = 1;
    }
    ~Conformance() override
    {
        hrn_program_fini(&program_);
    }

    bool Can(hrn_kind kind) const
    {
        return (hrn_can(GetParam()) >> kind & 1u) != 0;
    }

    void Push(hrn_kind kind, size_t size_bytes = 0, uint32_t arena = 0)
    {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(kind);
        op.arena = arena;
        op.size_bytes = size_bytes;
        hrn_ids ids = hrn_op_ids(&op);
        op.id = ids == HRN_IDS_NONE ? HRN_NO_ID : program_.n_ids;
        hrn_program_push(&program_, op);
    }

    void PushOn(hrn_kind kind, uint32_t id, size_t size_bytes = 0, uint8_t aux = 0)
    {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(kind);
        op.id = id;
        op.size_bytes = size_bytes;
        op.aux = aux;
        hrn_program_push(&program_, op);
    }

    void PushAligned(size_t size_bytes, uint32_t align_bytes)
    {
        hrn_op op{};
        op.kind = HRN_MEMALIGN;
        op.id = program_.n_ids;
        op.size_bytes = size_bytes;
        op.align_bytes = align_bytes;
        hrn_program_push(&program_, op);
    }

    void ExpectEveryLawKept()
    {
        enum hrn_law law = hrn_run_catch(GetParam(), &program_, &result_);
        char text[HRN_OP_TEXT_BYTES] = "the end";
        if (result_.op_idx < program_.n_ops) {
            hrn_op_text(&program_.ops[result_.op_idx], text, sizeof text);
        }
        EXPECT_EQ(law, HRN_LAW_NONE) << hrn_law_sentence(law) << "\nseen: " << result_.text
                                     << "\nby operation " << result_.op_idx << ": " << text;
    }

    hrn_program program_;
    hrn_result result_{};
};

TEST_P(Conformance, KeepsEveryClaimThatApplies)
{
    size_t n_applied = 0;
    for (size_t i = 0; i < hrn_claim_count(); i++) {
        const hrn_claim *claim = hrn_claim_at(i);
        if (hrn_claim_applies(claim, GetParam())) {
            n_applied++;
            hrn_claim_make(claim, GetParam(), &program_);
            EXPECT_EQ(hrn_claim_run(claim, GetParam(), &program_, &result_), HRN_LAW_NONE)
                << claim->text << "\nseen: " << result_.text << "\nat operation " << result_.op_idx;
            EXPECT_GT(program_.n_ops, 0u) << claim->name;
        }
    }
    EXPECT_GE(n_applied, 10u);
}

TEST_P(Conformance, EmptyProgramDoesNothing)
{
    ExpectEveryLawKept();
    EXPECT_EQ(result_.n_done, 0u);
}

TEST_P(Conformance, ServesEverySizeUpToAPageAndFreesInOrder)
{
    for (size_t size = 0; size <= 4097; size += size < 130 ? 1 : 97) {
        Push(HRN_ALLOC, size);
        uint32_t id = program_.n_ids - 1;
        Push(HRN_CALLOC, size);
        PushOn(HRN_FREE, id);
        PushOn(HRN_FREE, id + 1);
    }
    ExpectEveryLawKept();
    EXPECT_EQ(result_.n_refused, 0u);
}

TEST_P(Conformance, RefusesSizesThatNoMemoryHas)
{
    for (size_t size :
         {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15, SIZE_MAX - 4096, SIZE_MAX / 2 + 1, SIZE_MAX / 2}) {
        Push(HRN_ALLOC, size);
        Push(HRN_CALLOC, size);
        Push(HRN_NALLOC, size);
        PushAligned(size, 64);
    }
    ExpectEveryLawKept();
    EXPECT_EQ(result_.n_refused, result_.n_kind[HRN_ALLOC] + result_.n_kind[HRN_CALLOC] +
                                     result_.n_kind[HRN_NALLOC] + result_.n_kind[HRN_MEMALIGN]);
}

TEST_P(Conformance, KeepsEveryAlignmentItServes)
{
    for (uint32_t align = 1; align != 0; align *= 2) {
        for (size_t size : {0u, 1u, 8u, 100u, 2048u, 5000u}) {
            PushAligned(size, align);
            PushOn(HRN_FREE, program_.n_ids - 1);
        }
    }
    for (uint32_t align : {0u, 3u, 12u, 24u, 4095u, 65535u}) {
        PushAligned(64, align);
    }
    ExpectEveryLawKept();
}

TEST_P(Conformance, FillsUpDrainsAndServesTheSameAgain)
{
    for (int round = 0; round < 3; round++) {
        for (size_t size : {8u, 64u, 200u, 1000u, 4096u, 9000u}) {
            hrn_op op{};
            op.kind = HRN_BURST;
            op.id = program_.n_ids;
            op.count = HRN_BURST_MAX;
            op.size_bytes = size;
            hrn_program_push(&program_, op);
            PushOn(HRN_DRAIN, HRN_NO_ID, 0, static_cast<uint8_t>(round));
        }
    }
    program_.head.check_every = 2;
    ExpectEveryLawKept();
    EXPECT_GT(result_.n_kind[HRN_FREE], 1000u);
}

TEST_P(Conformance, ResetLeavesNothing)
{
    for (int round = 0; round < 4; round++) {
        for (size_t size = 1; size < 3000; size += 77) {
            Push(HRN_ALLOC, size);
            Push(HRN_CLEANUP, size % 3 == 0 ? size : 0);
        }
        Push(HRN_RESET);
    }
    ExpectEveryLawKept();
    EXPECT_EQ(result_.n_kind[HRN_RESET], Can(HRN_RESET) ? 4u : 0u);
}

TEST_P(Conformance, DistinguishesEveryMisuseAndChangesNothing)
{
    for (size_t i = 0; i < 60; i++) {
        Push(HRN_ALLOC, i % 2 == 0 ? 40 : 5000, i % 3 == 0 ? 1 : 0);
    }
    for (uint8_t misuse = 0; misuse < HRN_MISUSE_COUNT; misuse++) {
        for (uint32_t i = 0; i < 20; i++) {
            PushOn(HRN_MISUSE, 1 + 3 * i, i * 731, misuse);
        }
    }
    EXPECT_GE(program_.n_ops, 60u + 20u * HRN_MISUSE_COUNT);
    ExpectEveryLawKept();
    EXPECT_EQ(result_.n_kind[HRN_MISUSE] > 0, Can(HRN_MISUSE));
}

TEST_P(Conformance, KeepsTwoArenasApart)
{
    for (size_t i = 0; i < 200; i++) {
        Push(HRN_ALLOC, 1 + i * 13 % 700, static_cast<uint32_t>(i % 2));
    }
    Push(HRN_DESTROY, 0, 0);
    Push(HRN_CHECK, 0, 1);
    Push(HRN_ALLOC, 100, 0);
    Push(HRN_CREATE, 0, 1);
    Push(HRN_ALLOC, 100, 1);
    ExpectEveryLawKept();
}

TEST_P(Conformance, MakesArenasOfAnySizeOrReportsWhyNot)
{
    for (size_t size : {1u, 7u, 16u, 100u, 255u, 1001u, 4095u, 4096u, 4097u, 8192u, 12289u, 20480u,
                        65535u, 65536u, 300001u, 1u << 20}) {
        Push(HRN_CREATE, size);
        for (size_t object : {0u, 1u, 24u, 921u, 900u, 4000u, 5000u}) {
            Push(HRN_ALLOC, object);
            Push(HRN_NALLOC, object);
        }
        Push(HRN_DESTROY);
    }
    Push(HRN_CREATE, SIZE_MAX);
    Push(HRN_CREATE, SIZE_MAX / 2);
    Push(HRN_ALLOC, 8);
    ExpectEveryLawKept();
}

TEST_P(Conformance, HandlesEveryRefusalOfItsSource)
{
    for (uint32_t nth = 1; nth <= 40; nth++) {
        hrn_program_clear(&program_);
        program_.head.fault_nth = nth;
        program_.head.fault_count = nth % 3 == 0 ? UINT32_MAX : 1 + nth % 2;
        program_.head.block_bytes = 600;
        for (size_t i = 0; i < 60; i++) {
            Push(HRN_ALLOC, i * 37 % 900);
            Push(HRN_CLEANUP, i % 4 * 300);
            Push(HRN_REUSE_GET);
            if (i == 30) {
                Push(HRN_RESET);
            }
        }
        ExpectEveryLawKept();
    }
}

TEST_P(Conformance, KeepsEveryLawThroughGeneratedPrograms)
{
    hrn_gen gen;
    hrn_gen_init(&gen, hrn_can(GetParam()));
    uint64_t n_done = 0;
    for (uint64_t seed = 1; seed <= 400 && !HasFailure(); seed++) {
        hrn_rng rng;
        hrn_rng_seed(&rng, seed);
        hrn_gen_head(&rng, &program_.head);
        hrn_gen_program(&gen, &rng, 250, &program_);
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        ExpectEveryLawKept();
        n_done += result_.n_done;
    }
    EXPECT_GT(n_done, 100000u);
    const hrn_totals *totals = hrn_run_totals();
    for (unsigned kind = 0; kind < HRN_KIND_COUNT; kind++) {
        if (Can(static_cast<hrn_kind>(kind))) {
            EXPECT_GT(totals->n_kind[kind], 0u) << hrn_kind_word(static_cast<hrn_kind>(kind));
        }
    }
}

TEST_P(Conformance, DoesTheSameForTheSameProgram)
{
    hrn_gen gen;
    hrn_gen_init(&gen, hrn_can(GetParam()));
    for (uint64_t seed = 500; seed < 520; seed++) {
        hrn_rng rng;
        hrn_rng_seed(&rng, seed);
        hrn_gen_head(&rng, &program_.head);
        hrn_gen_program(&gen, &rng, 300, &program_);
        ExpectEveryLawKept();
        hrn_result first = result_;
        ExpectEveryLawKept();
        EXPECT_EQ(first.n_done, result_.n_done);
        EXPECT_EQ(first.n_refused, result_.n_refused);
        EXPECT_EQ(first.peak_live_bytes, result_.peak_live_bytes);
        EXPECT_EQ(first.peak_source_bytes, result_.peak_source_bytes);
    }
}

/* Large objects of a pool, one call of the source each, after an operation that plans refusals. */
uint64_t refused_after_fault(uint8_t in_a_row, unsigned n_objects)
{
    hrn_program program;
    hrn_program_init(&program);
    hrn_op op{};
    op.kind = HRN_FAULT;
    op.id = HRN_NO_ID;
    op.count = 1; /* from the next call on */
    op.aux = in_a_row;
    hrn_program_push(&program, op);
    for (unsigned id = 0; id < n_objects; id++) {
        op = {};
        op.kind = HRN_ALLOC;
        op.id = id;
        op.size_bytes = 100000;
        hrn_program_push(&program, op);
    }
    hrn_result result{};
    EXPECT_EQ(hrn_run_catch(&hrn_adapter_pool, &program, &result), HRN_LAW_NONE);
    hrn_program_fini(&program);
    return result.n_refused;
}

TEST(Fault, RefusesAsManyCallsAsItSaysAnd255MeansAll)
{
    EXPECT_EQ(refused_after_fault(0, 300), 0u);
    EXPECT_EQ(refused_after_fault(2, 300), 2u);
    EXPECT_EQ(refused_after_fault(254, 300), 254u);
    EXPECT_EQ(refused_after_fault(255, 300), 300u);
}

std::vector<const slm_adapter *> AllAdapters()
{
    std::vector<const slm_adapter *> all;
    for (size_t i = 0; hrn_adapter_at(i) != nullptr; i++) {
        all.push_back(hrn_adapter_at(i));
    }
    return all;
}

INSTANTIATE_TEST_SUITE_P(Every, Conformance, testing::ValuesIn(AllAdapters()),
                         [](const testing::TestParamInfo<const slm_adapter *> &adapter) {
                             return adapter.param->name;
                         });

} // namespace
