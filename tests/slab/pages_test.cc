/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: where pages come from and go to: best fit, merging, kept spans, borrowing, short spans. */
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr size_t kPages = 64;

class SlabPages : public testing::TestWithParam<Geometry> {
  protected:
    /* Makes free runs of the given lengths, each followed by a live run; returns where they are. */
    std::vector<unsigned char *> lay_out(const std::vector<size_t> &lengths)
    {
        std::vector<unsigned char *> runs;
        for (size_t length : lengths) {
            runs.push_back(slab.alloc_pages(length));
            must(slab.alloc_pages(unit) != nullptr, "a run between");
        }
        take_the_rest();
        return runs;
    }
    void take_the_rest()
    {
        size_t rest = slab.stats().longest_free_run_pages;
        must(rest == 0 || (rest >= unit && slab.alloc_pages(rest) != nullptr), "the rest");
    }
    void give(void *p)
    {
        ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
        ASSERT_EQ(slm_slab_check(slab), 0u);
    }
    /* Allocates all chunks of the class, and then of every smaller one. */
    std::vector<void *> fill_with(unsigned class_idx)
    {
        std::vector<void *> chunks = fill_class(class_idx);
        for (unsigned i = slab->shape.n_classes; i-- > first_class;) {
            fill_class(i);
        }
        return chunks;
    }
    std::vector<void *> fill_class(unsigned class_idx)
    {
        std::vector<void *> chunks;
        while (void *p = slm_slab_alloc(slab, object_bytes(class_idx))) {
            chunks.push_back(p);
        }
        return chunks;
    }
    /* Fills a chunk up. */
    size_t object_bytes(unsigned class_idx) const
    {
        return slab->cuts[class_idx].chunk_bytes - GetParam().gap_bytes;
    }
    void expect_one_free_run()
    {
        slm_slab_trim(slab);
        EXPECT_EQ(slab.stats().n_free_pages, kPages);
        EXPECT_EQ(slab.stats().longest_free_run_pages, kPages);
        EXPECT_EQ(slm_slab_check(slab), 0u);
    }
    Slab slab{GetParam(), kPages};
    /* The smallest class whose chunks hold more than a gap. */
    unsigned first_class = static_cast<unsigned>(slm_slab_class_of(slab, 0));
    size_t unit = slab.run_pages() + 2; /* a run long enough to be split */
};

/* --- Runs --- */

TEST_P(SlabPages, RunsComeFromTheShortestFreeRunThatFits)
{
    std::vector<unsigned char *> runs = lay_out({unit + 2, unit, unit + 4});
    for (unsigned char *run : runs) {
        give(run);
    }
    EXPECT_EQ(slab.stats().longest_free_run_pages, unit + 4);
    EXPECT_EQ(slab.alloc_pages(unit), runs[1]);
    EXPECT_EQ(slab.alloc_pages(unit), runs[0]);
    EXPECT_EQ(slab.alloc_pages(unit + 4), runs[2]);
    EXPECT_EQ(slab.alloc_pages(unit), nullptr);
    EXPECT_EQ(slab.stats().n_free_pages, 2u);
}

TEST_P(SlabPages, RunsAreRoundedUpToWholePagesAndCounted)
{
    size_t largest = slab->largest_chunk_bytes;
    for (size_t over :
         {size_t{1}, slab.page_bytes() / 2, slab.page_bytes(), slab.page_bytes() + 1}) {
        size_t bytes = largest + over;
        size_t n_pages = (bytes + slab.page_bytes() - 1) / slab.page_bytes();
        void *p = slm_slab_alloc(slab, bytes - GetParam().gap_bytes);
        ASSERT_NE(p, nullptr);
        EXPECT_EQ(slab.stats().n_runs, 1u);
        EXPECT_EQ(slab.stats().n_run_pages, n_pages);
        EXPECT_EQ(slab.locate(p).kind, SLM_SLAB_RUN);
        EXPECT_EQ(slab.locate(p).object_bytes, n_pages * slab.page_bytes());
        give(p);
        EXPECT_EQ(slab.stats().n_free_pages, kPages);
    }
    EXPECT_EQ(slab.stats().run_requests, 4u);
    EXPECT_EQ(slab.stats().run_failures, 0u);
}

TEST_P(SlabPages, NeighboursMergeInAnyOrderOfFrees)
{
    std::vector<int> order = {0, 1, 2};
    do {
        slm_slab_reset(slab);
        slab.alloc_pages(unit);
        std::vector<unsigned char *> three;
        for (size_t length : {unit, unit + 1, unit + 2}) {
            three.push_back(slab.alloc_pages(length));
        }
        slab.alloc_pages(unit);
        take_the_rest();
        for (int which : order) {
            give(three[static_cast<size_t>(which)]);
        }
        EXPECT_EQ(slab.stats().longest_free_run_pages, 3 * unit + 3);
        for (size_t at = 0; at < (3 * unit + 3) * slab.page_bytes(); at += 1000) {
            slm_slab_place place = slab.locate(three[0] + at);
            ASSERT_EQ(place.kind, SLM_SLAB_FREE_PAGE);
            ASSERT_EQ(place.object, three[0]);
            ASSERT_EQ(place.span_pages, 3 * unit + 3);
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

/* One page each: neighbours that are head and tail at once. */
TEST_P(SlabPages, SinglePagesMergeInAnyOrderOfFrees)
{
    size_t page_class_bytes = slab.page_bytes() / 2 + 1;
    std::vector<int> order = {0, 1, 2};
    do {
        slm_slab_reset(slab);
        std::vector<void *> all;
        while (void *p = slm_slab_memalign(slab, 4096, page_class_bytes)) {
            all.push_back(p);
        }
        ASSERT_GE(all.size(), kPages / 2);
        for (size_t i = 0; i + 6 < all.size(); i += 7) {
            for (int which : order) {
                give(all[i + 1 + static_cast<size_t>(which)]);
            }
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_P(SlabPages, EverythingFreedInAnyOrderIsOneRunAgain)
{
    std::mt19937 random(3);
    for (int round = 0; round < 6; round++) {
        std::vector<void *> all;
        while (slab.stats().n_free_pages > 0) {
            void *p = slm_slab_alloc(slab, random() % (slab.page_bytes() * unit));
            if (p == nullptr) {
                p = slm_slab_alloc(slab, slab.page_bytes() / 4);
            }
            ASSERT_NE(p, nullptr);
            all.push_back(p);
        }
        if (round == 1) {
            std::reverse(all.begin(), all.end());
        } else if (round > 1) {
            std::shuffle(all.begin(), all.end(), random);
        }
        for (void *p : all) {
            ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
        }
        expect_one_free_run();
    }
}

/* --- Kept spans --- */

TEST_P(SlabPages, AClassKeepsOneEmptySpanAtMost)
{
    for (unsigned i = first_class; i < slab->shape.n_classes; i += 3) {
        std::vector<void *> chunks;
        while (slab->cuts[i].chunk_bytes >= slab.page_bytes() / 64 &&
               slab.class_stats(i).n_spans < 3) {
            chunks.push_back(slm_slab_alloc(slab, object_bytes(i)));
            ASSERT_NE(chunks.back(), nullptr);
        }
        size_t kept_before = slab.stats().n_kept_pages;
        for (void *p : chunks) {
            ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
        }
        if (!chunks.empty()) {
            EXPECT_EQ(slab.class_stats(i).n_spans, 1u);
            EXPECT_EQ(slab.stats().n_kept_pages, kept_before + slab->cuts[i].span_pages);
        }
        slm_slab_trim(slab);
        EXPECT_EQ(slab.class_stats(i).n_spans, 0u);
    }
    expect_one_free_run();
}

TEST_P(SlabPages, AKeptSpanServesItsClassAgainWithoutTouchingThePages)
{
    size_t size = slab.page_bytes() / 4 - GetParam().gap_bytes;
    void *first = slm_slab_alloc(slab, size);
    give(first);
    size_t n_free = slab.stats().n_free_pages;
    for (int i = 0; i < 20; i++) {
        void *p = slm_slab_alloc(slab, size);
        EXPECT_EQ(slab.locate(p).span, slab.locate(first).span);
        EXPECT_EQ(slab.stats().n_kept_pages, 0u);
        give(p);
        EXPECT_EQ(slab.stats().n_free_pages, n_free);
    }
    EXPECT_EQ(slab.class_stats(slab.locate(first).class_idx).n_spans, 1u);
}

TEST_P(SlabPages, KeptSpansAreReleasedBeforeARunIsRefused)
{
    for (unsigned i = first_class; i < slab->shape.n_classes && slab.stats().n_free_pages > 0;
         i++) {
        if (void *p = slm_slab_alloc(slab, object_bytes(i))) {
            give(p);
        }
    }
    EXPECT_GT(slab.stats().n_kept_pages, 1u);
    EXPECT_NE(slab.alloc_pages(kPages), nullptr);
    EXPECT_EQ(slab.stats().n_kept_pages, 0u);
    EXPECT_EQ(slab.stats().run_failures, 0u);
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

TEST_P(SlabPages, ARequestForMoreThanAllPagesReleasesNoKeptSpan)
{
    give(slm_slab_alloc(slab, slab.page_bytes() / 2 - GetParam().gap_bytes));
    size_t n_kept = slab.stats().n_kept_pages;
    ASSERT_GT(n_kept, 0u);
    for (size_t extra : {1 - std::min<size_t>(GetParam().gap_bytes, 1), size_t{1}}) {
        EXPECT_EQ(slm_slab_alloc(slab, kPages * slab.page_bytes() + extra), nullptr);
    }
    EXPECT_EQ(slab.stats().run_failures, 2u);
    EXPECT_EQ(slab.stats().n_kept_pages, n_kept);
}

TEST_P(SlabPages, KeptSpansAreReleasedBeforeAChunkIsRefused)
{
    size_t small = slab.page_bytes() / 64 - GetParam().gap_bytes;
    give(slm_slab_alloc(slab, slab.page_bytes() / 2 - GetParam().gap_bytes));
    size_t n_kept = slab.stats().n_kept_pages;
    slab.alloc_pages(kPages - n_kept);
    ASSERT_EQ(slab.stats().n_free_pages, 0u);
    void *p = slm_slab_alloc(slab, small);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(slab.locate(p).class_idx, static_cast<unsigned>(slm_slab_class_of(slab, small)));
    EXPECT_EQ(slab.stats().n_kept_pages, 0u);
}

TEST_P(SlabPages, AKeptSpanServesAfterAllOthersOfItsClass)
{
    size_t bytes = slab.page_bytes() / 4 - GetParam().gap_bytes;
    auto span_of = [&](void *p) { return slab.locate(p).span; };
    void *first = slm_slab_alloc(slab, bytes);
    void *alone = slm_slab_alloc(slab, bytes);
    while (span_of(alone) == span_of(first)) {
        alone = slm_slab_alloc(slab, bytes);
    }
    void *kept_span = span_of(alone);
    give(alone);
    size_t n_kept = slab.stats().n_kept_pages;
    ASSERT_GT(n_kept, 0u);
    EXPECT_EQ(slm_slab_check(slab), 0u);
    give(first);
    EXPECT_EQ(slm_slab_check(slab), 0u);
    EXPECT_EQ(slm_slab_alloc(slab, bytes), first);
    EXPECT_EQ(slab.stats().n_kept_pages, n_kept);
    EXPECT_EQ(span_of(slm_slab_alloc(slab, bytes)), kept_span);
    EXPECT_EQ(slab.stats().n_kept_pages, 0u);
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

/* --- Short spans --- */

TEST_P(SlabPages, ASpanOfTheFewestPagesServesWhereNoPreferredOneFits)
{
    size_t n_tested = 0;
    for (unsigned i = first_class; i < slab->shape.n_classes; i++) {
        const slab_cut *cut = &slab->cuts[i];
        for (size_t left = cut->min_pages; left < cut->span_pages; left++) {
            slm_slab_reset(slab);
            ASSERT_NE(slab.alloc_pages(kPages - left), nullptr);
            void *p = slm_slab_alloc(slab, object_bytes(i));
            ASSERT_NE(p, nullptr) << cut->chunk_bytes << " in " << left << " pages";
            EXPECT_EQ(slab.locate(p).span_pages, cut->min_pages);
            EXPECT_EQ(slab.class_stats(i).n_chunks,
                      cut->min_pages * slab.page_bytes() / cut->chunk_bytes);
            EXPECT_EQ(slm_slab_check(slab), 0u);
            n_tested++;
        }
    }
    EXPECT_EQ(n_tested > 0, GetParam().per_doubling > 1);
}

TEST_P(SlabPages, AClassIsRefusedWhenFewerPagesAreLeftThanHoldOneChunk)
{
    for (unsigned i = first_class; i < slab->shape.n_classes; i++) {
        size_t left = slab->cuts[i].min_pages - 1;
        slm_slab_reset(slab);
        ASSERT_NE(slab.alloc_pages(kPages - left), nullptr);
        EXPECT_EQ(slm_slab_alloc(slab, object_bytes(i)), nullptr);
        EXPECT_GE(slab.class_stats(i).n_failures, 1u);
    }
}

/* --- Borrowing --- */

size_t promised_align(size_t bytes)
{
    return std::min<size_t>(bytes & (~bytes + 1), 16);
}

TEST_P(SlabPages, OnlyAClassBelowTwiceTheSizeLendsAndOnlyWithPagesOut)
{
    unsigned step = SLM_CHECKS >= 3 ? 5 : 1;
    unsigned n_lenders = 0;
    for (unsigned from = first_class + 1; from < slab->shape.n_classes; from += step) {
        size_t lent_bytes = slab->cuts[from].chunk_bytes;
        if (lent_bytes < slab.page_bytes() / 32) {
            continue;
        }
        slm_slab_reset(slab);
        void *lent = fill_with(from).back();
        ASSERT_EQ(slm_slab_free(slab, lent), SLM_OK);
        if (slab.stats().n_kept_pages != 0) {
            continue; /* it was alone in its span: pages are not out */
        }
        n_lenders++;
        for (unsigned i = first_class; i < from; i++) {
            size_t chunk = slab->cuts[i].chunk_bytes;
            struct slm_slab_class_stats before = slab.class_stats(i);
            bool lends = lent_bytes < 2 * chunk && lent_bytes % promised_align(chunk) == 0;
            void *p = slm_slab_alloc(slab, object_bytes(i));
            ASSERT_EQ(p, lends ? lent : nullptr) << chunk << " from " << lent_bytes;
            EXPECT_EQ(slab.class_stats(i).n_requests, before.n_requests + 1);
            EXPECT_EQ(slab.class_stats(i).n_failures, before.n_failures + !lends);
            EXPECT_EQ(slab.class_stats(i).n_used, before.n_used);
            if (p != nullptr) {
                ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
            }
        }
    }
    EXPECT_GE(n_lenders, 1u);
}

TEST_P(SlabPages, NothingIsBorrowedWhilePagesAreLeft)
{
    for (unsigned i = first_class; i + 1 < slab->shape.n_classes; i++) {
        slm_slab_reset(slab);
        ASSERT_NE(slm_slab_alloc(slab, object_bytes(i + 1)), nullptr);
        EXPECT_EQ(slab.locate(slm_slab_alloc(slab, object_bytes(i))).class_idx, i);
    }
}

/* 64 words of lengths 0..4095: their level ends after the last of them. */
TEST(SlabRunFind, ARequestLongerThanEveryRunInTheLastWordIsRefused)
{
    Slab slab({4096, 8, 1, 0}, 4095);
    ASSERT_EQ(slab->length_words[0], 64u);
    unsigned char *all = slab.alloc_pages(4095);
    ASSERT_NE(all, nullptr);
    EXPECT_EQ(slm_slab_free(slab, all), SLM_OK);
    ASSERT_NE(slab.alloc_pages(1), nullptr);
    EXPECT_EQ(slm_slab_run_find(slab, 4094), 4094u);
    EXPECT_EQ(slm_slab_run_find(slab, 4095), 0u);
    EXPECT_EQ(slab.alloc_pages(4095), nullptr);
    ASSERT_NE(slab.alloc_pages(64), nullptr);
    EXPECT_EQ(slab.alloc_pages(4094), nullptr);
}

TEST(SlabRunFind, NothingIsLongerThanTheSlab)
{
    for (size_t n_pages : {size_t{10}, size_t{63}, size_t{64}, size_t{140}}) {
        Slab slab({4096, 8, 1, 0}, n_pages);
        auto n = slab->n_pages;
        EXPECT_EQ(slm_slab_run_find(slab, n), n);
        for (uint32_t more : {n + 1, n + 64, 64 * n, UINT32_MAX}) {
            EXPECT_EQ(slm_slab_run_find(slab, more), 0u) << more << " of " << n;
        }
    }
}

TEST(SlabBorrow, PowersOfTwoNeverDo)
{
    Slab slab({4096, 8, 1, 0}, kPages);
    std::vector<void *> halves;
    while (void *p = slm_slab_alloc(slab, 2048)) {
        halves.push_back(p);
    }
    ASSERT_EQ(halves.size(), 2 * kPages);
    ASSERT_EQ(slm_slab_free(slab, halves[1]), SLM_OK);
    EXPECT_EQ(slm_slab_alloc(slab, 1024), nullptr);
    EXPECT_EQ(slm_slab_alloc(slab, 1025), halves[1]);
}

/* --- The peak --- */

TEST_P(SlabPages, PeakIsTheMostPagesEverUsedWithoutKeptOnes)
{
    EXPECT_EQ(slab.stats().peak_used_pages, 0u);
    void *chunk = slm_slab_alloc(slab, slab.page_bytes() / 2 - GetParam().gap_bytes);
    size_t span = slab.locate(chunk).span_pages;
    EXPECT_EQ(slab.stats().peak_used_pages, span);
    give(chunk);
    give(slab.alloc_pages(unit));
    EXPECT_EQ(slab.stats().peak_used_pages, std::max(span, unit)) << "the kept span counted";
    chunk = slm_slab_alloc(slab, slab.page_bytes() / 2 - GetParam().gap_bytes);
    void *run = slab.alloc_pages(unit);
    EXPECT_EQ(slab.stats().peak_used_pages, span + unit);
    give(run);
    give(chunk);
    EXPECT_EQ(slab.alloc_pages(kPages + 1), nullptr);
    EXPECT_EQ(slab.stats().peak_used_pages, span + unit) << "a refusal counted";
    give(slab.alloc_pages(kPages));
    EXPECT_EQ(slab.stats().peak_used_pages, kPages);
}

INSTANTIATE_TEST_SUITE_P(Main, SlabPages, testing::ValuesIn(main_geometries()), name_of);

} /* namespace */
