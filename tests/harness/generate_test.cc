/* SPDX-License-Identifier: Apache-2.0 */
/* The generator: it is repeatable, stays within bounds, makes every kind, and finds bugs. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "harness/broken/broken.h"
#include "harness/inputs/generate.h"
#include "harness/inputs/mutate.h"
#include "harness/run/run.h"
#include "tests/harness/shapes.h"
#include "gtest/gtest.h"

namespace {

using Bytes = std::vector<uint8_t>;

/* Set before the mutator reads it. */
const int is_set = setenv("HRN_FUZZ_GENERATE", "42", 1);

Bytes Made(const hrn_shape &shape, uint64_t seed, uint64_t number, size_t max_bytes)
{
    Bytes bytes(max_bytes + 1, 0xA5);
    size_t n = hrn_generate(&shape, seed, number, bytes.data(), max_bytes);
    EXPECT_LE(n, max_bytes);
    EXPECT_EQ(bytes[max_bytes], 0xA5) << "written past the end";
    bytes.resize(n);
    return bytes;
}

std::vector<hrn_shape> AllShapes()
{
    std::vector<hrn_shape> shapes = slm_test::RecordShapes();
    shapes.push_back(slm_test::kText);
    return shapes;
}

class Generator : public testing::TestWithParam<hrn_shape> {};

TEST_P(Generator, EachSeedMakesItsOwnInputs)
{
    std::set<Bytes> inputs;
    for (uint64_t number = 0; number < 100; number++) {
        Bytes input = Made(GetParam(), 1, number, 4096);
        EXPECT_EQ(input, Made(GetParam(), 1, number, 4096));
        inputs.insert(input);
        inputs.insert(Made(GetParam(), 2, number, 4096));
    }
    EXPECT_GT(inputs.size(), 150u); /* of 200; short ones may be equal */
}

TEST_P(Generator, StaysWithinAnyBounds)
{
    std::set<size_t> lengths;
    for (size_t max_bytes = 0; max_bytes < 3000; max_bytes += 7) {
        for (uint64_t number = 0; number < 5; number++) {
            lengths.insert(Made(GetParam(), max_bytes, number, max_bytes).size());
        }
    }
    EXPECT_GT(lengths.size(), 15u);
}

INSTANTIATE_TEST_SUITE_P(OfEveryShape, Generator, testing::ValuesIn(AllShapes()));

TEST(GeneratedPrograms, RunEveryKindThatTheAdapterSupports)
{
    for (size_t i = 0; hrn_adapter_at(i) != nullptr; i++) {
        const slm_adapter *adapter = hrn_adapter_at(i);
        const hrn_shape shape = {HRN_HEAD_BYTES, HRN_RECORD_BYTES, true, hrn_can(adapter)};
        uint64_t n_kind[HRN_KIND_COUNT] = {};
        hrn_program program;
        hrn_program_init(&program);
        for (uint64_t number = 0; number < 300; number++) {
            Bytes bytes = Made(shape, 4, number, 2048);
            hrn_program_decode(&program, bytes.data(), bytes.size());
            hrn_result result;
            ASSERT_EQ(hrn_run_catch(adapter, &program, &result), HRN_LAW_NONE) << result.text;
            for (unsigned kind = 0; kind < HRN_KIND_COUNT; kind++) {
                n_kind[kind] += result.n_kind[kind];
            }
        }
        hrn_program_fini(&program);
        for (unsigned kind = 0; kind < HRN_KIND_COUNT; kind++) {
            EXPECT_EQ(n_kind[kind] > 0, (hrn_can(adapter) >> kind & 1u) != 0)
                << adapter->name << ": " << hrn_kind_word(static_cast<hrn_kind>(kind));
        }
    }
}

/* The number of inputs until the bug is caught, or 0. */
uint64_t InputsUntilCaught(const slm_adapter *adapter)
{
    const hrn_shape shape = {HRN_HEAD_BYTES, HRN_RECORD_BYTES, true, hrn_can(adapter)};
    hrn_program program;
    hrn_program_init(&program);
    uint64_t n = 0;
    hrn_law law = HRN_LAW_NONE;
    while (law == HRN_LAW_NONE && n < 2000) {
        Bytes bytes = Made(shape, 5, n++, 4096);
        hrn_program_decode(&program, bytes.data(), bytes.size());
        law = hrn_run_catch(adapter, &program, nullptr);
    }
    hrn_program_fini(&program);
    return law == HRN_LAW_NONE ? 0 : n;
}

TEST(GeneratedPrograms, FindPlantedBugsOfArithmeticAndLifeCycles)
{
    for (hrn_bug bug :
         {HRN_BUG_short_by_one, HRN_BUG_page_edge, HRN_BUG_huge_wrap, HRN_BUG_memalign_ignored,
          HRN_BUG_half_merge, HRN_BUG_reset_partial, HRN_BUG_create_stale, HRN_BUG_double_free,
          HRN_BUG_leak_on_refusal, HRN_BUG_reuse_double_put, HRN_BUG_count_saturates}) {
        const slm_adapter *adapter = hrn_broken_adapter(bug);
        uint64_t n = InputsUntilCaught(adapter);
        std::printf("%-26s caught by input %llu\n", adapter->name,
                    static_cast<unsigned long long>(n));
        EXPECT_GT(n, 0u) << adapter->name << ": " << hrn_broken_sentence(bug);
    }
}

TEST(GeneratedText, IsValidInOneOfThreeCases)
{
    unsigned n_whole = 0;
    for (uint64_t number = 0; number < 300; number++) {
        Bytes text = Made(slm_test::kText, 6, number, 4096);
        ASSERT_FALSE(text.empty());
        n_whole += text.back() == '\n';
    }
    EXPECT_GT(n_whole, 80u);
    EXPECT_LT(n_whole, 300u);
}

TEST(Engine, GetsTheSeedsInputsForAnyInput)
{
    ASSERT_EQ(is_set, 0);
    const hrn_shape shape = slm_test::RecordShapes()[0];
    hrn_shape_set(&shape);
    for (uint64_t number = 0; number < 20; number++) {
        Bytes bytes(4096, static_cast<uint8_t>(number));
        bytes.resize(LLVMFuzzerCustomMutator(bytes.data(), number, bytes.size(), 77));
        EXPECT_EQ(bytes, Made(shape, 42, number, 4096));
    }
    const Bytes parent(200, 1);
    Bytes out(200);
    EXPECT_EQ(LLVMFuzzerCustomCrossOver(parent.data(), 200, parent.data(), 200, out.data(), 200, 1),
              0u);
}

} // namespace
