/* SPDX-License-Identifier: Apache-2.0 */
/* From SLM_CHECKS 2 on: what is freed is filled with junk, and nothing else is. */
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr unsigned char kJunk = 0xfd;

bool all_are(const unsigned char *p, size_t n_bytes, unsigned char byte)
{
    return std::all_of(p, p + n_bytes, [=](unsigned char found) { return found == byte; });
}

class SlabJunk : public testing::Test {
  protected:
    unsigned char *make(size_t size_bytes, int value)
    {
        auto *p = static_cast<unsigned char *>(slm_slab_alloc(slab, size_bytes));
        EXPECT_NE(p, nullptr);
        memset(p, value, slm_slab_usable_bytes(slab, p));
        return p;
    }

    Slab memory{Geometry{4096, 8, 8, 0}, 64};
    slm_slab *slab = memory;
};

TEST_F(SlabJunk, FillsAFreedChunkAndNoOther)
{
    std::vector<unsigned char *> chunks;
    for (int i = 0; i < 40; i++) {
        chunks.push_back(make(96, i));
    }
    const size_t n_bytes = slm_slab_usable_bytes(slab, chunks[0]);
    for (size_t i = 0; i < chunks.size(); i += 3) {
        EXPECT_EQ(slm_slab_free(slab, chunks[i]), SLM_OK);
    }
    for (size_t i = 0; i < chunks.size(); i++) {
        auto value = i % 3 == 0 ? kJunk : static_cast<unsigned char>(i);
        EXPECT_TRUE(all_are(chunks[i], n_bytes, value)) << i;
    }
}

TEST_F(SlabJunk, FillsTheLastChunkOfASpanThatIsKeptAndOfOneThatIsNot)
{
    std::vector<unsigned char *> chunks;
    for (int i = 0; i < 2 * 32; i++) {
        chunks.push_back(make(128, 1));
    }
    for (unsigned char *p : chunks) {
        EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    }
    for (unsigned char *p : chunks) {
        EXPECT_TRUE(all_are(p, 128, kJunk));
    }
}

TEST_F(SlabJunk, FillsARunAndOfALargeOneTheFirst64KiB)
{
    unsigned char *run = make(5 * 4096, 1);
    unsigned char *large = make(20 * 4096, 2);
    unsigned char *after = make(5 * 4096, 3);
    EXPECT_EQ(slm_slab_free(slab, run), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, large), SLM_OK);
    EXPECT_TRUE(all_are(run, 5 * 4096, kJunk));
    EXPECT_TRUE(all_are(large, 65536, kJunk));
    EXPECT_TRUE(all_are(large + 65536, 4 * 4096, 2));
    EXPECT_TRUE(all_are(after, 5 * 4096, 3));
}

TEST_F(SlabJunk, IsNotWrittenByAReleaseThatIsRefused)
{
    unsigned char *chunk = make(100, 1);
    unsigned char *freed = make(100, 2);
    ASSERT_EQ(slm_slab_free(slab, freed), SLM_OK);
    memset(freed, 3, 100);
    EXPECT_EQ(slm_slab_free(slab, chunk + 8), SLM_E_INTERIOR);
    EXPECT_EQ(slm_slab_free(slab, freed), SLM_E_FREED);
    EXPECT_TRUE(all_are(chunk, 100, 1));
    EXPECT_TRUE(all_are(freed, 100, 3));
}

TEST_F(SlabJunk, IsNotWhatCallocReturns)
{
    unsigned char *chunk = make(100, 1);
    ASSERT_EQ(slm_slab_free(slab, chunk), SLM_OK);
    for (int i = 0; i < 64; i++) {
        auto *p = static_cast<unsigned char *>(slm_slab_calloc(slab, 100));
        ASSERT_NE(p, nullptr);
        EXPECT_TRUE(all_are(p, 100, 0));
    }
}

} // namespace
