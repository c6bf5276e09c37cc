/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: a run is cut from the shortest free run that is long enough, at every level of bitmaps. */
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

/* Enough for three levels of bitmaps: 64 * 64 lengths fill two. */
constexpr size_t kPages = 20000;

class BestFit : public testing::Test {
  protected:
    /* Free runs of these lengths, with a used page after each, in this order. */
    void make_free_runs(const std::vector<uint32_t> &lengths)
    {
        uint32_t idx = 0;
        for (uint32_t length : lengths) {
            slab->pages[idx].word = slab_word(SLAB_FREE, 0, length);
            slab->pages[idx + length].word = slab_word(SLAB_RUN, 0, 1);
            idx += length + 1;
        }
        ASSERT_LT(idx, slab->n_pages);
        slab->pages[idx].word = slab_word(SLAB_RUN, 0, slab->n_pages - idx);
        ASSERT_EQ(slm_slab_rebuild_locked(slab), SLM_OK);
        ASSERT_EQ(slm_slab_check_locked(slab), 0u);
    }
    /* Every request gets the shortest length that fits; 0 if there is none. */
    void expect_best(const std::vector<uint32_t> &lengths)
    {
        std::set<uint32_t> sorted(lengths.begin(), lengths.end());
        for (uint32_t n = 1; n <= slab->n_pages; n++) {
            auto best = sorted.lower_bound(n);
            ASSERT_EQ(slm_slab_run_find(slab, n), best == sorted.end() ? 0 : *best) << n;
        }
    }
    /* First page and length of each free run. */
    std::vector<slm_slab_extent> free_runs() const
    {
        std::vector<slm_slab_extent> runs;
        slm_slab_walk_locked(
            slab,
            [](void *data, const slm_slab_extent *extent) {
                if (extent->kind == SLM_SLAB_EXTENT_FREE) {
                    static_cast<std::vector<slm_slab_extent> *>(data)->push_back(*extent);
                }
                return true;
            },
            &runs);
        return runs;
    }

    Slab slab{Geometry{4096, 64, 1, 0}, kPages};
};

TEST_F(BestFit, IsFoundAmongLengthsAtTheEdgesOfBitmapWords)
{
    std::vector<uint32_t> lengths = {1, 2, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 4161};
    make_free_runs(lengths);
    expect_best(lengths);
}

TEST_F(BestFit, IsFoundForEachSingleLength)
{
    for (uint32_t length : {1u, 63u, 64u, 65u, 4095u, 4096u, 4097u, 8191u, 8192u, 19000u}) {
        make_free_runs({length});
        expect_best({length});
    }
}

TEST_F(BestFit, IsFoundAmongRandomLengths)
{
    std::mt19937 random(1);
    for (int round = 0; round < 30; round++) {
        std::vector<uint32_t> lengths;
        for (uint32_t sum = 0;;) {
            uint32_t length = 1 + static_cast<uint32_t>(random() % (1u << random() % 13));
            sum += length + 1;
            if (sum >= kPages) {
                break;
            }
            lengths.push_back(length);
        }
        make_free_runs(lengths);
        expect_best(lengths);
    }
}

/* Whether the run of n_pages at p was cut from the shortest free run of `before` that fits. */
void expect_cut_from_the_best(const Slab &slab, const std::vector<slm_slab_extent> &before,
                              const void *p, size_t n_pages)
{
    size_t best = SIZE_MAX;
    size_t taken = 0;
    for (const slm_slab_extent &run : before) {
        if (run.n_pages >= n_pages && run.n_pages < best) {
            best = run.n_pages;
        }
        if (p != nullptr && run.first_page == slab.page_idx(p)) {
            taken = run.n_pages;
        }
    }
    EXPECT_EQ(p == nullptr, best == SIZE_MAX) << n_pages << " pages";
    if (p != nullptr) {
        EXPECT_EQ(taken, best) << n_pages << " pages";
    }
}

TEST_F(BestFit, IsWhatEachAllocationOfARandomProgramGets)
{
    std::mt19937 random(2);
    std::vector<void *> live;
    for (int i = 0; i < 3000; i++) {
        if (random() % 3 == 0 && !live.empty()) {
            size_t at = random() % live.size();
            ASSERT_EQ(slm_slab_free_locked(slab, live[at]), SLM_OK);
            live[at] = live.back();
            live.pop_back();
            continue;
        }
        size_t n_pages = 1 + random() % (1u << random() % 13);
        std::vector<slm_slab_extent> before = free_runs();
        void *p = slm_slab_alloc_locked(slab, n_pages * 4096);
        expect_cut_from_the_best(slab, before, p, n_pages);
        if (p != nullptr) {
            live.push_back(p);
        }
    }
    EXPECT_EQ(slm_slab_check_locked(slab), 0u);
}

} // namespace
