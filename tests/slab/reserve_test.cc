/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: what the tables for pages that may be added later hold does not matter, and stays. */
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr size_t kPages = 24;
constexpr size_t kMorePages = 100;

/* Words that a read past the last page would believe. */
const uint64_t kBelievable[] = {
    slab_word(SLAB_FREE, 0, 1),      slab_word(SLAB_FREE, 0, 2),
    slab_word(SLAB_TAIL, 0, 1),      slab_word(SLAB_TAIL, 0, 2),
    slab_word(SLAB_TAIL, 0, kPages), slab_word(SLAB_SPAN, 0, 1),
    slab_word(SLAB_BODY, 0, 1),      slab_word(SLAB_RUN, 0, 1),
    slab_word(SLAB_NEW, 0, 1),       UINT64_MAX,
    UINT64_C(0xa5a5a5a5a5a5a5a5),
};

/* A slab that may grow, in a region whose metadata held one word everywhere. */
class Reserve {
  public:
    Reserve(const Geometry &geometry, uint64_t word)
        : options_(geometry.options()), region_(slm_slab_region_bytes(&options_, kMorePages)),
          word_(word)
    {
        options_.max_bytes = region_.bytes();
        size_t first_bytes = slm_slab_region_bytes(&options_, kPages);
        auto *words = reinterpret_cast<uint64_t *>(region_.base());
        for (size_t i = 0; i < first_bytes / sizeof(uint64_t); i++) {
            words[i] = word;
        }
        must(slm_slab_init(region_.base(), first_bytes, &options_) == SLM_OK, "init");
        slm_slab *view = nullptr;
        must(slm_slab_attach(&view, region_.base(), first_bytes, nullptr) == SLM_OK, "attach");
        view_.reset(view);
    }

    slm_slab *slab() const
    {
        return view_.get();
    }
    size_t bytes() const
    {
        return region_.bytes();
    }
    /* Whether the tables of pages that are not there hold what they held. */
    bool is_untouched() const
    {
        const slm_slab *s = view_.get();
        const auto *pages = reinterpret_cast<const uint64_t *>(s->pages + s->n_pages);
        const auto *end_of_pages =
            reinterpret_cast<const uint64_t *>(s->pages + s->shape.max_pages);
        const uint64_t *bits = s->bitmaps + size_t{s->n_pages} * s->words_per_page;
        const uint64_t *end_of_bits = s->bitmaps + size_t{s->shape.max_pages} * s->words_per_page;
        return holds_only_the_word(pages, end_of_pages) && holds_only_the_word(bits, end_of_bits);
    }

  private:
    bool holds_only_the_word(const uint64_t *from, const uint64_t *end) const
    {
        while (from < end && *from == word_) {
            from++;
        }
        return from == end;
    }

    slm_slab_options options_;
    Region region_;
    uint64_t word_;
    View view_;
};

/* What a random program sees: an offset or a status for each call. */
std::vector<uint64_t> run_program(slm_slab *slab, unsigned n_calls)
{
    std::mt19937 random(7);
    std::vector<void *> live;
    std::vector<uint64_t> seen;
    size_t page_bytes = size_t{1} << slab->shape.page_shift;
    for (unsigned i = 0; i < n_calls; i++) {
        unsigned what = random() % 8;
        if (what < 3 && !live.empty()) {
            size_t at = random() % live.size();
            seen.push_back(slm_slab_free(slab, live[at]));
            live[at] = live.back();
            live.pop_back();
        } else if (what == 3 && i % 16 == 0) {
            seen.push_back(slm_slab_trim(slab));
        } else {
            size_t bytes = what < 6 ? 1 + random() % page_bytes : page_bytes * (1 + random() % 9);
            void *p = slm_slab_alloc(slab, bytes);
            seen.push_back(slm_slab_offset(slab, p));
            if (p != nullptr) {
                live.push_back(p);
            }
        }
        seen.push_back(slm_slab_check(slab));
    }
    seen.push_back(slm_slab_rebuild_locked(slab));
    seen.push_back(slm_slab_check(slab));
    return seen;
}

class SlabReserve : public testing::TestWithParam<Geometry> {};

TEST_P(SlabReserve, NeitherChangesWhatAProgramSeesNorIsWritten)
{
    Reserve empty(GetParam(), 0);
    std::vector<uint64_t> expected = run_program(empty.slab(), 300);
    for (uint64_t word : kBelievable) {
        Reserve reserve(GetParam(), word);
        EXPECT_EQ(run_program(reserve.slab(), 300), expected) << std::hex << word;
        EXPECT_EQ(slm_slab_reset(reserve.slab()), SLM_OK);
        EXPECT_EQ(slm_slab_check(reserve.slab()), 0u);
        EXPECT_TRUE(reserve.is_untouched()) << std::hex << word;
    }
}

TEST_P(SlabReserve, IsFormattedByGrowth)
{
    std::vector<uint64_t> expected;
    for (uint64_t word : {uint64_t{0}, kBelievable[0], kBelievable[4], kBelievable[9]}) {
        Reserve reserve(GetParam(), word);
        (void)run_program(reserve.slab(), 60);
        EXPECT_GE(slm_slab_grow_locked(reserve.slab(), reserve.bytes()), kMorePages - 1);
        ASSERT_EQ(slm_slab_check(reserve.slab()), 0u) << std::hex << word;
        std::vector<uint64_t> seen = run_program(reserve.slab(), 200);
        expected = expected.empty() ? seen : expected;
        EXPECT_EQ(seen, expected) << std::hex << word;
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SlabReserve, testing::ValuesIn(main_geometries()), name_of);

} // namespace
