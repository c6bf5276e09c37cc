/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: statistics under a random load, compared with an account that the test keeps itself. */
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr size_t kPages = 24;
constexpr int kSteps = SLM_CHECKS >= 3 ? 600 : 2000;

/* What the test itself knows: requests it made, objects it holds, contents it wrote. */
class Account {
  public:
    struct Object {
        unsigned char *p;
        size_t size_bytes;
        unsigned char filling;
    };
    struct Counts {
        uint64_t n_requests = 0;
        uint64_t n_failures = 0;
    };

    explicit Account(const Slab &slab) : slab_(slab)
    {
        for (unsigned i = 0; i < slab.stats().n_classes; i++) {
            chunks_.push_back(slab.class_stats(i).chunk_bytes);
        }
        classes_.resize(chunks_.size());
    }

    void asked(size_t align, size_t size, void *p, unsigned char filling)
    {
        Counts *counts = counts_of(align, size);
        counts->n_requests++;
        counts->n_failures += p == nullptr;
        if (p != nullptr) {
            std::memset(p, filling, size);
            live_.push_back({static_cast<unsigned char *>(p), size, filling});
        }
    }
    /* Takes out a random object, whose contents must still be there. */
    Object take(size_t random)
    {
        std::swap(live_[random % live_.size()], live_.back());
        Object object = live_.back();
        live_.pop_back();
        EXPECT_TRUE(std::all_of(object.p, object.p + object.size_bytes,
                                [&](unsigned char byte) { return byte == object.filling; }));
        return object;
    }
    bool is_empty() const
    {
        return live_.empty();
    }
    void forget_all()
    {
        live_.clear();
    }
    void expect_exact();

  private:
    struct Found {
        std::vector<size_t> n_spans, n_chunks, n_used;
        size_t n_free = 0, n_kept = 0, n_runs = 0, n_run_pages = 0, longest = 0;
    };

    /* The smallest class that holds the size at that alignment; none: a run. */
    Counts *counts_of(size_t align, size_t size)
    {
        size_t bytes = std::max<size_t>(size, 1) + slab_->shape.gap_bytes;
        for (size_t i = 0; i < chunks_.size() && size <= chunks_.back(); i++) {
            if (chunks_[i] >= bytes && chunks_[i] % align == 0) {
                return &classes_[i];
            }
        }
        return &runs_;
    }
    std::map<void *, size_t> objects_by_span() const;
    Found walk() const;
    void expect_classes(const Found &found) const;

    const Slab &slab_;
    std::vector<size_t> chunks_;
    std::vector<Counts> classes_;
    Counts runs_;
    std::vector<Object> live_;
    size_t peak_ = 0;
};

std::map<void *, size_t> Account::objects_by_span() const
{
    std::map<void *, size_t> n_objects;
    for (const Object &object : live_) {
        slm_slab_place place = slab_.locate(object.p);
        EXPECT_EQ(place.object, object.p);
        EXPECT_GE(place.object_bytes, object.size_bytes + slab_->shape.gap_bytes);
        EXPECT_TRUE(place.kind == SLM_SLAB_CHUNK_USED || place.kind == SLM_SLAB_RUN);
        n_objects[place.span]++;
    }
    return n_objects;
}

/* Page by page, with nothing taken from the slab's counters. */
Account::Found Account::walk() const
{
    Found found;
    std::map<void *, size_t> n_objects = objects_by_span();
    found.n_spans.resize(chunks_.size());
    found.n_chunks.resize(chunks_.size());
    found.n_used.resize(chunks_.size());
    for (size_t idx = 0; idx < kPages;) {
        slm_slab_place place = slab_.locate(slab_.page(idx));
        if (place.kind == SLM_SLAB_FREE_PAGE) {
            found.n_free += place.span_pages;
            found.longest = std::max(found.longest, place.span_pages);
        } else if (place.kind == SLM_SLAB_RUN) {
            EXPECT_EQ(n_objects[place.span], 1u);
            found.n_runs++;
            found.n_run_pages += place.span_pages;
        } else {
            unsigned i = place.class_idx;
            found.n_spans[i]++;
            found.n_chunks[i] += place.span_pages * slab_.page_bytes() / chunks_[i];
            found.n_used[i] += n_objects[place.span];
            found.n_kept += n_objects[place.span] == 0 ? place.span_pages : 0;
        }
        idx += place.span_pages;
    }
    return found;
}

void Account::expect_classes(const Found &found) const
{
    for (unsigned i = 0; i < chunks_.size(); i++) {
        struct slm_slab_class_stats stats = slab_.class_stats(i);
        ASSERT_EQ(stats.n_spans, found.n_spans[i]) << "class " << i;
        ASSERT_EQ(stats.n_chunks, found.n_chunks[i]) << "class " << i;
        ASSERT_EQ(stats.n_used, found.n_used[i]) << "class " << i;
        ASSERT_EQ(stats.n_requests, classes_[i].n_requests) << "class " << i;
        ASSERT_EQ(stats.n_failures, classes_[i].n_failures) << "class " << i;
    }
}

void Account::expect_exact()
{
    Found found = walk();
    struct slm_slab_stats stats = slab_.stats();
    peak_ = std::max(peak_, kPages - found.n_free - found.n_kept);
    ASSERT_EQ(stats.n_free_pages, found.n_free);
    ASSERT_EQ(stats.n_kept_pages, found.n_kept);
    ASSERT_EQ(stats.longest_free_run_pages, found.longest);
    ASSERT_EQ(stats.n_runs, found.n_runs);
    ASSERT_EQ(stats.n_run_pages, found.n_run_pages);
    ASSERT_EQ(stats.run_requests, runs_.n_requests);
    ASSERT_EQ(stats.run_failures, runs_.n_failures);
    ASSERT_EQ(stats.peak_used_pages, peak_);
    expect_classes(found);
}

class SlabStats : public testing::TestWithParam<Geometry> {
  protected:
    void allocate()
    {
        size_t most = slab.page_bytes() * (random() % 8 == 0 ? 12 : 2);
        size_t size = random() % (most >> random() % 12);
        size_t align = random() % 4 == 0 ? size_t{1} << random() % 13 : 1;
        void *p = nullptr;
        switch (align == 1 ? random() % 2 : 2) {
        case 0:
            p = slm_slab_alloc(slab, size);
            break;
        case 1:
            p = slm_slab_calloc(slab, size);
            break;
        default:
            p = slm_slab_memalign(slab, align, size);
            break;
        }
        account.asked(align, size, p, static_cast<unsigned char>(random()));
    }
    /* Phases in which the slab fills up, and others in which it empties. */
    void step(int n)
    {
        bool fills = n / 300 % 2 == 0;
        auto dice = static_cast<unsigned>(random() % 100);
        if (dice == 0) {
            slm_slab_trim(slab);
        } else if (dice == 1 && n % 1000 > 900) {
            slm_slab_reset(slab);
            account.forget_all();
        } else if (dice < (fills ? 70u : 30u) || account.is_empty()) {
            allocate();
        } else {
            void *p = account.take(random()).p;
            ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
            ASSERT_NE(slm_slab_free(slab, p), SLM_OK);
        }
    }
    Slab slab{GetParam(), kPages};
    Account account{slab};
    std::mt19937 random{11};
};

TEST_P(SlabStats, AreExactAfterEveryCall)
{
    for (int n = 0; n < kSteps && !HasFailure(); n++) {
        step(n);
        account.expect_exact();
        ASSERT_EQ(slm_slab_check(slab), 0u) << "after step " << n;
    }
    EXPECT_GT(slab.stats().run_failures, 0u) << "the load never filled the slab";
    while (!account.is_empty()) {
        ASSERT_EQ(slm_slab_free(slab, account.take(0).p), SLM_OK);
    }
    account.expect_exact();
    slm_slab_trim(slab);
    EXPECT_EQ(slab.stats().longest_free_run_pages, kPages);
}

INSTANTIATE_TEST_SUITE_P(Main, SlabStats, testing::ValuesIn(main_geometries()), name_of);

/* Without the bound this reads a level's word 63 of 2. */
TEST(SlabStats, AreSafeOnABitForAWordThatDoesNotExist)
{
    Slab slab({4096, 8, 1, 0}, 90);
    ASSERT_EQ(slab->n_levels, 2u);
    ASSERT_EQ(slab->length_words[0], 2u);
    slab->lengths[1][0] = UINT64_C(1) << 63;
    slab->lengths[0][63] = 1; /* where chunks have their bits */
    EXPECT_EQ(slab.stats().longest_free_run_pages, 0u);
}

} /* namespace */
