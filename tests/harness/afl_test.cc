/* SPDX-License-Identifier: Apache-2.0 */
/* The shared object that AFL++ loads, driven as AFL++ does. */
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <vector>

#include "gtest/gtest.h"

namespace {

using Bytes = std::vector<uint8_t>;

constexpr char kLibrary[] = "harness/afl_mutator.so";

class AflMutator : public testing::Test {
  protected:
    void SetUp() override
    {
        setenv("HRN_FUZZ_SHAPE", "24,8,1,63dfd", 1);
        library_ = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
        ASSERT_NE(library_, nullptr) << dlerror();
        init_ = reinterpret_cast<void *(*)(void *, unsigned)>(dlsym(library_, "afl_custom_init"));
        fuzz_ = reinterpret_cast<Fuzz>(dlsym(library_, "afl_custom_fuzz"));
        deinit_ = reinterpret_cast<void (*)(void *)>(dlsym(library_, "afl_custom_deinit"));
        ASSERT_TRUE(init_ != nullptr && fuzz_ != nullptr && deinit_ != nullptr);
    }

    /* The outputs of 500 calls that start with the same program and a second one. */
    std::vector<Bytes> Outputs(unsigned seed)
    {
        Bytes program(24 + 8 * 20, 1);
        Bytes other(24 + 8 * 20, 2);
        std::vector<Bytes> outputs;
        void *data = init_(nullptr, seed);
        for (int i = 0; i < 500; i++) {
            size_t max_bytes = program.size() + static_cast<size_t>(i);
            uint8_t *out = nullptr;
            bool has_other = i % 2 == 0;
            size_t n =
                fuzz_(data, program.data(), program.size(), &out,
                      has_other ? other.data() : nullptr, has_other ? other.size() : 0, max_bytes);
            EXPECT_LE(n, max_bytes);
            outputs.emplace_back(out, out + n);
        }
        deinit_(data);
        return outputs;
    }

    using Fuzz = size_t (*)(void *, uint8_t *, size_t, uint8_t **, uint8_t *, size_t, size_t);
    void *library_ = nullptr;
    void *(*init_)(void *, unsigned) = nullptr;
    Fuzz fuzz_ = nullptr;
    void (*deinit_)(void *) = nullptr;
};

TEST_F(AflMutator, EachSeedGivesItsOwnSequence)
{
    EXPECT_EQ(Outputs(1), Outputs(1));
    EXPECT_NE(Outputs(1), Outputs(2));
}

TEST_F(AflMutator, KeepsRecordsWholeAndMixesTwoInputs)
{
    unsigned n_mixed = 0;
    unsigned n_longer = 0;
    for (const Bytes &output : Outputs(3)) {
        ASSERT_GE(output.size(), 24u);
        EXPECT_EQ((output.size() - 24) % 8, 0u);
        size_t n_ones = 0, n_twos = 0;
        for (size_t at = 24; at < output.size(); at += 8) {
            n_ones += output[at + 7] == 1;
            n_twos += output[at + 7] == 2;
        }
        n_mixed += n_ones > 5 && n_twos > 5;
        n_longer += output.size() > 24 + 8 * 20;
    }
    EXPECT_GT(n_mixed, 20u);
    EXPECT_GT(n_longer, 100u);
}

TEST_F(AflMutator, ReturnsNothingWithoutRoom)
{
    uint8_t byte = 0;
    uint8_t *out = &byte;
    void *data = init_(nullptr, 1);
    EXPECT_EQ(fuzz_(data, &byte, 1, &out, nullptr, 0, 0), 0u);
    deinit_(data);
}

TEST_F(AflMutator, EndsTheProcessWithoutAShape)
{
    EXPECT_EXIT(
        {
            unsetenv("HRN_FUZZ_SHAPE");
            init_(nullptr, 1);
        },
        testing::ExitedWithCode(2), "HRN_FUZZ_SHAPE is not set");
}

} // namespace
