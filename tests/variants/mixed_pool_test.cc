/* SPDX-License-Identifier: Apache-2.0 */
/* A program and a library built with other sanitizers or checks: the library's build decides. */
#include <slabmill/pool.h>

#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <sanitizer/asan_interface.h>

namespace {

/* Set by the BUILD file: how the library was compiled, not this file. */
constexpr bool kLibraryHasAsan = LIBRARY_HAS_ASAN != 0;
constexpr int kLibraryLevel = LIBRARY_LEVEL;
constexpr size_t kGapBytes = kLibraryHasAsan ? 16 : 0;

class MixedPool : public testing::Test {
  protected:
    MixedPool()
    {
        EXPECT_EQ(slm_pool_create(&pool_, 4096, nullptr, 0), SLM_OK);
    }

    ~MixedPool() override
    {
        EXPECT_EQ(slm_pool_check(pool_), 0u);
        EXPECT_EQ(slm_pool_destroy(pool_), SLM_OK);
    }

    unsigned char *alloc(size_t n)
    {
        auto *p = static_cast<unsigned char *>(slm_pool_alloc(pool_, n));
        memset(p, 0x5A, n);
        return p;
    }

    unsigned char *nalloc(size_t n)
    {
        auto *p = static_cast<unsigned char *>(slm_pool_alloc_packed(pool_, n));
        memset(p, 0x5A, n);
        return p;
    }

    slm_pool *pool_ = nullptr;
};

TEST_F(MixedPool, StatisticsNameTheGapOfTheLibrary)
{
    struct slm_pool_stats stats;
    slm_pool_get_stats(pool_, &stats);
    EXPECT_EQ(stats.gap_bytes, kGapBytes);
}

TEST_F(MixedPool, ObjectsAreAsFarApartAsTheLibraryPutsThem)
{
    unsigned char *a = alloc(48);
    unsigned char *b = alloc(48);
    EXPECT_EQ(b - a, static_cast<ptrdiff_t>(48 + kGapBytes));
    unsigned char *c = nalloc(48);
    unsigned char *d = nalloc(48);
    EXPECT_EQ(c - d, static_cast<ptrdiff_t>(48 + kGapBytes));
}

/* The library finds the newest object by the size that it would have taken itself. */
TEST_F(MixedPool, TheNewestObjectCanBeResizedAndReleased)
{
    for (size_t n = 0; n < 200; n++) {
        unsigned char *p = alloc(n);
        ASSERT_EQ(slm_pool_extend(pool_, p, n, n + 100), SLM_OK) << n;
        memset(p, 0x5A, n + 100);
        ASSERT_EQ(slm_pool_give_back(pool_, p, n + 100), SLM_OK) << n;
        unsigned char *q = nalloc(n);
        ASSERT_EQ(slm_pool_give_back(pool_, q, n), SLM_OK) << n;
    }
}

TEST_F(MixedPool, ALibraryWithAsanHidesAllButObjectsAndAnotherHidesNothing)
{
    nalloc(8); /* it ends the block, and the heap's own red zone comes next */
    for (size_t n : {size_t{1}, size_t{13}, size_t{100}}) {
        for (const unsigned char *p : {alloc(n), nalloc(n)}) {
            for (size_t i = 0; i < n; i++) {
                EXPECT_FALSE(__asan_address_is_poisoned(p + i)) << i;
            }
            EXPECT_EQ(__asan_address_is_poisoned(p + n) != 0, kLibraryHasAsan);
        }
    }
    EXPECT_EQ(__asan_address_is_poisoned(pool_->low) != 0, kLibraryHasAsan);
}

/* The header is wrong in a way that no allocation meets. */
TEST_F(MixedPool, ALibraryOfLevelThreeChecksAfterEveryAllocationAndAnotherAfterNone)
{
    size_t sound = pool_->inline_limit_bytes;
    auto break_and_alloc = [&] {
        pool_->inline_limit_bytes = sound == 0 ? 1 : sound - 1;
        (void)slm_pool_alloc(pool_, 100);
    };
    auto break_and_nalloc = [&] {
        pool_->inline_limit_bytes = sound == 0 ? 1 : sound - 1;
        (void)slm_pool_alloc_packed(pool_, 100);
    };
    if (kLibraryLevel >= 3) {
        EXPECT_DEATH(break_and_alloc(), "slm_pool_alloc_slow: number 1");
        EXPECT_DEATH(break_and_nalloc(), "slm_pool_alloc_packed_slow: number 1");
    } else {
        break_and_alloc();
        break_and_nalloc();
    }
    pool_->inline_limit_bytes = sound;
}

TEST_F(MixedPool, ObjectsOfARandomLoadDoNotOverlap)
{
    unsigned char *objects[600];
    for (size_t i = 0; i < 600; i++) {
        size_t n = i * 37 % 500;
        objects[i] = static_cast<unsigned char *>(i % 2 == 0 ? slm_pool_alloc(pool_, n)
                                                             : slm_pool_alloc_packed(pool_, n));
        memset(objects[i], static_cast<int>(i & 0xff), n);
    }
    for (size_t i = 0; i < 600; i++) {
        for (size_t at = 0; at < i * 37 % 500; at++) {
            ASSERT_EQ(objects[i][at], i & 0xff);
        }
    }
    EXPECT_EQ(slm_pool_reset(pool_), SLM_OK);
}

} // namespace
