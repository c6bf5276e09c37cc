/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on words, at its edges. */
#include "allocator/base/bits.h"

#include <gtest/gtest.h>

namespace {

TEST(Bits, PowersOfTwoHaveOneBit)
{
    EXPECT_FALSE(slm_is_pow2(0));
    for (unsigned bit = 0; bit < 64; bit++) {
        size_t power = size_t{1} << bit;
        EXPECT_TRUE(slm_is_pow2(power));
        EXPECT_EQ(slm_is_pow2(power | 1), bit == 0);
        EXPECT_EQ(slm_bit_lowest(power), bit);
        EXPECT_EQ(slm_bit_highest(power), bit);
        EXPECT_EQ(slm_bit_highest(power | 1), bit);
    }
}

TEST(Bits, RoundingUpKeepsMultiples)
{
    EXPECT_EQ(slm_align_up(0, 16), 0u);
    EXPECT_EQ(slm_align_up(16, 16), 16u);
    EXPECT_EQ(slm_align_up(17, 16), 32u);
    EXPECT_EQ(slm_align_up(SIZE_MAX - 14, 16), 0u) << "it wraps, as it says";
    EXPECT_EQ(slm_div_up(0, 7), 0u);
    EXPECT_EQ(slm_div_up(7, 7), 1u);
    EXPECT_EQ(slm_div_up(8, 7), 2u);
}

TEST(Bits, BitsBelowAreAsManyAsAskedFor)
{
    for (unsigned n = 0; n <= 64; n++) {
        uint64_t below = slm_bits_below(n);
        EXPECT_EQ(slm_bit_count(below), n);
        EXPECT_EQ(below & (below + 1), 0u) << "all of them at the bottom";
    }
}

} // namespace
