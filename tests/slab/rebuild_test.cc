/* SPDX-License-Identifier: Apache-2.0 */
/* Page words of heads and bitmaps are enough: the tests overwrite all the rest and rebuild it. */
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

extern "C" {
#include "allocator/slab/view.h"
}

namespace {

class SlabRebuild : public testing::TestWithParam<std::tuple<size_t, unsigned>> {
  protected:
    void SetUp() override
    {
        slm_slab_options options = {};
        options.page_bytes = std::get<0>(GetParam());
        options.per_doubling = std::get<1>(GetParam());
        bytes_ = slm_slab_region_bytes(&options, 100);
        memory_ = std::aligned_alloc(SLM_SLAB_REGION_ALIGN, bytes_);
        ASSERT_EQ(slm_slab_init(memory_, bytes_, &options), SLM_OK);
        ASSERT_EQ(slm_slab_attach(&slab_, memory_, bytes_, nullptr), SLM_OK);
    }
    void TearDown() override
    {
        slm_slab_detach(slab_);
        std::free(memory_);
    }

    /* Fills the slab to about two thirds and frees every other object. */
    void work(int n)
    {
        for (int i = 0; i < n; i++) {
            size_t size = size_t{1} << random_() % 14;
            void *p = slm_slab_alloc(slab_, size + random_() % size);
            if (p != nullptr) {
                live_.push_back(p);
            }
            if (p == nullptr || random_() % 3 == 0) {
                size_t victim = random_() % live_.size();
                ASSERT_EQ(slm_slab_free(slab_, live_[victim]), SLM_OK);
                live_[victim] = live_.back();
                live_.pop_back();
            }
        }
    }

    bool is_head(uint32_t idx)
    {
        unsigned kind = slab_word_kind(slab_->pages[idx].word);
        return kind == SLAB_FREE || kind == SLAB_SPAN || kind == SLAB_RUN;
    }

    /* Everything but the truth becomes garbage: counters, lists, hints, inner words, bits after
     * a span's last chunk, or of no span. */
    void scribble()
    {
        for (uint32_t idx = 0; idx < slab_->n_pages; idx++) {
            slab_page *page = &slab_->pages[idx];
            uint64_t word = is_head(idx) ? page->word : random_();
            std::memset(page, 0xa5, sizeof *page);
            page->word = word;
            if (slab_word_kind(word) == SLAB_SPAN && is_head(idx)) {
                scribble_bits(idx);
            }
        }
        for (unsigned level = 0; level < slab_->n_levels; level++) {
            std::memset(slab_->lengths[level], 0x5a, slab_->length_words[level] * 8);
        }
        for (unsigned i = 0; i < slab_->shape.n_classes; i++) {
            uint64_t n_requests = slab_->classes[i].n_requests;
            uint64_t n_failures = slab_->classes[i].n_failures;
            std::memset(&slab_->classes[i], 0xa5, sizeof slab_->classes[i]);
            slab_->classes[i].reserved = 0;
            slab_->classes[i].n_requests = n_requests;
            slab_->classes[i].n_failures = n_failures;
        }
        slab_->header->n_free_pages = 77777;
        slab_->header->n_kept_pages = 77777;
        slab_->header->n_runs = 77777;
        slab_->header->n_run_pages = 77777;
    }

    void scribble_bits(uint32_t span)
    {
        uint32_t n_chunks = slab_span_chunks(slab_, slab_->pages[span].word);
        if (n_chunks % 64 != 0) {
            slab_span_bits(slab_, span)[n_chunks / 64] &= slm_bits_below(n_chunks % 64);
        }
    }

    size_t count_used()
    {
        size_t n = 0;
        for (unsigned i = 0; i < slab_->shape.n_classes; i++) {
            n += slab_->classes[i].n_used;
        }
        return n + slab_->header->n_runs;
    }

    size_t bytes_ = 0;
    void *memory_ = nullptr;
    slm_slab *slab_ = nullptr;
    std::vector<void *> live_;
    std::mt19937 random_{12345};
};

TEST_P(SlabRebuild, KeepsEveryObjectWithAnyContentsOfTheDerivedParts)
{
    for (int round = 0; round < 20; round++) {
        work(400);
        ASSERT_EQ(slm_slab_check(slab_), 0u);
        uint32_t n_free = slab_->header->n_free_pages;
        uint32_t n_kept = slab_->header->n_kept_pages;
        scribble();
        ASSERT_EQ(slm_slab_rebuild_locked(slab_), SLM_OK);
        ASSERT_EQ(slm_slab_check(slab_), 0u);
        EXPECT_EQ(slab_->header->n_free_pages, n_free);
        EXPECT_EQ(slab_->header->n_kept_pages, n_kept);
        EXPECT_EQ(count_used(), live_.size());
    }
    for (void *p : live_) {
        ASSERT_EQ(slm_slab_free(slab_, p), SLM_OK);
    }
    slm_slab_trim(slab_);
    EXPECT_EQ(slm_slab_run_longest(slab_), slab_->n_pages);
}

TEST_P(SlabRebuild, ReleasesEmptySpansBeyondOnePerClass)
{
    std::vector<void *> objects;
    while (void *p = slm_slab_alloc(slab_, 64)) {
        objects.push_back(p);
    }
    /* As if the owner had died after the bits of many spans and before their pages were freed. */
    for (uint32_t idx = 0; idx < slab_->n_pages; idx++) {
        if (is_head(idx) && idx % 3 != 0) {
            uint32_t n_chunks = slab_span_chunks(slab_, slab_->pages[idx].word);
            std::memset(slab_span_bits(slab_, idx), 0, (n_chunks + 63) / 64 * 8);
        }
    }
    EXPECT_NE(slm_slab_check(slab_), 0u);
    ASSERT_EQ(slm_slab_rebuild_locked(slab_), SLM_OK);
    EXPECT_EQ(slm_slab_check(slab_), 0u);
    EXPECT_EQ(slab_->header->n_free_pages, 65u);
    EXPECT_EQ(slab_->header->n_kept_pages, 1u);
}

TEST_P(SlabRebuild, ClampsDamagedCountsOfRequestsAndFailures)
{
    work(100);
    slab_->classes[0].n_failures = slab_->classes[0].n_requests + 1;
    slab_->header->run_failures = UINT64_MAX;
    slab_->header->peak_used_pages = UINT32_MAX;
    EXPECT_NE(slm_slab_check(slab_), 0u);
    ASSERT_EQ(slm_slab_rebuild_locked(slab_), SLM_OK);
    EXPECT_EQ(slm_slab_check(slab_), 0u);
    EXPECT_LE(slab_->header->run_failures, slab_->header->run_requests);
}

TEST_P(SlabRebuild, RefusesWordsThatContradictEachOtherAndWritesNothing)
{
    work(200);
    const uint64_t wrong[] = {
        slab_word(SLAB_FREE, 0, 0),
        slab_word(SLAB_FREE, 0, 101),
        slab_word(SLAB_SPAN, 255, 1),
        slab_word(SLAB_SPAN, 0, 9),
        slab_word(SLAB_TAIL, 0, 1),
        slab_word(SLAB_RUN, 3, 1),
        slab_word(SLAB_FREE, 0, 1) | 0x10000u,
    };
    for (uint64_t word : wrong) {
        uint64_t right = slab_->pages[0].word;
        slab_->pages[0].word = word;
        std::vector<unsigned char> before(slab_->metadata_bytes);
        std::memcpy(before.data(), memory_, before.size());
        EXPECT_EQ(slm_slab_rebuild_locked(slab_), SLM_E_IMAGE) << std::hex << word;
        EXPECT_EQ(std::memcmp(before.data(), memory_, before.size()), 0);
        slab_->pages[0].word = right;
    }
    EXPECT_EQ(slm_slab_check(slab_), 0u);
}

/* Freeing merges in one store: no death leaves them so. */
TEST_P(SlabRebuild, RefusesFreeRunsSideBySideAndWritesNothing)
{
    uint32_t n_pages = slab_->n_pages;
    slab_->pages[0].word = slab_word(SLAB_FREE, 0, 1);
    slab_->pages[1].word = slab_word(SLAB_FREE, 0, n_pages - 1);
    std::vector<unsigned char> before(slab_->metadata_bytes);
    std::memcpy(before.data(), memory_, before.size());
    EXPECT_EQ(slm_slab_rebuild_locked(slab_), SLM_E_IMAGE);
    EXPECT_EQ(std::memcmp(before.data(), memory_, before.size()), 0);
}

/* The first spare span merges with the free run before it and becomes its tail. Powers of two
 * have spans of one page each. */
TEST(SlabRebuildOfPowersOfTwo, ReleasesTheSpareSpanAfterOneThatMerged)
{
    size_t bytes = slm_slab_region_bytes(nullptr, 10);
    void *memory = std::aligned_alloc(SLM_SLAB_REGION_ALIGN, bytes);
    slm_slab *slab = nullptr;
    ASSERT_EQ(slm_slab_init(memory, bytes, nullptr), SLM_OK);
    ASSERT_EQ(slm_slab_attach(&slab, memory, bytes, nullptr), SLM_OK);
    void *run = nullptr;
    for (uint32_t page = 0; page < 4; page++) {
        size_t size = page == 1 ? 4096 : 2048;
        void *p = slm_slab_alloc(slab, size);
        run = page == 1 ? p : run;
        ASSERT_TRUE(page == 1 || slm_slab_alloc(slab, size) != nullptr);
    }
    ASSERT_EQ(slm_slab_free(slab, run), SLM_OK);
    for (uint32_t span : {0u, 2u, 3u}) {
        slab_span_bits(slab, span)[0] &= ~UINT64_C(3); /* both chunks are free */
    }
    ASSERT_EQ(slm_slab_rebuild_locked(slab), SLM_OK);
    EXPECT_EQ(slm_slab_check_locked(slab), 0u);
    struct slm_slab_stats stats = {};
    slm_slab_get_stats(slab, &stats);
    EXPECT_EQ(stats.n_kept_pages, 1u);
    EXPECT_EQ(stats.longest_free_run_pages, stats.n_pages - 1);
    slm_slab_detach(slab);
    std::free(memory);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SlabRebuild,
                         testing::Combine(testing::Values(4096, 16384, 65536),
                                          testing::Values(1u, 4u, 8u)));

} // namespace
