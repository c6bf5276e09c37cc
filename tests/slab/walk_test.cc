/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: walks over all pages, of sound regions and of regions with any contents. */
#include <gtest/gtest.h>

#include <sys/mman.h>

#include <cstring>
#include <random>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

std::vector<slm_slab_extent> walk(slm_slab *slab, size_t most = SIZE_MAX)
{
    struct Found {
        std::vector<slm_slab_extent> extents;
        size_t most;
    } found = {{}, most};
    slm_slab_walk_locked(
        slab,
        [](void *data, const slm_slab_extent *extent) {
            auto *all = static_cast<Found *>(data);
            all->extents.push_back(*extent);
            return all->extents.size() < all->most;
        },
        &found);
    return found.extents;
}

/* Without gaps from page 0 to the last. */
void expect_whole(slm_slab *slab, const std::vector<slm_slab_extent> &extents)
{
    size_t next = 0;
    for (const slm_slab_extent &extent : extents) {
        EXPECT_EQ(extent.first_page, next);
        EXPECT_GT(extent.n_pages, 0u);
        EXPECT_LE(extent.n_used, extent.n_chunks);
        next = extent.first_page + extent.n_pages;
    }
    EXPECT_EQ(next, slab->n_pages);
}

class SlabWalk : public testing::TestWithParam<Geometry> {};

TEST_P(SlabWalk, AddsUpToTheStatistics)
{
    Furnished f(GetParam(), 200);
    std::vector<slm_slab_extent> extents = walk(f.slab);
    expect_whole(f.slab, extents);
    struct slm_slab_stats sums = {};
    std::vector<struct slm_slab_class_stats> classes(f.slab.stats().n_classes);
    for (const slm_slab_extent &extent : extents) {
        EXPECT_NE(extent.kind, SLM_SLAB_EXTENT_DAMAGED);
        if (extent.kind == SLM_SLAB_EXTENT_SPAN) {
            classes[extent.class_idx].n_spans++;
            classes[extent.class_idx].n_chunks += extent.n_chunks;
            classes[extent.class_idx].n_used += extent.n_used;
        }
        sums.n_free_pages += extent.kind == SLM_SLAB_EXTENT_FREE ? extent.n_pages : 0;
        sums.n_run_pages += extent.kind == SLM_SLAB_EXTENT_RUN ? extent.n_pages : 0;
        sums.n_runs += extent.kind == SLM_SLAB_EXTENT_RUN;
    }
    EXPECT_EQ(sums.n_free_pages, f.slab.stats().n_free_pages);
    EXPECT_EQ(sums.n_run_pages, f.slab.stats().n_run_pages);
    EXPECT_EQ(sums.n_runs, f.slab.stats().n_runs);
    for (unsigned i = 0; i < classes.size(); i++) {
        EXPECT_EQ(classes[i].n_spans, f.slab.class_stats(i).n_spans) << i;
        EXPECT_EQ(classes[i].n_chunks, f.slab.class_stats(i).n_chunks) << i;
        EXPECT_EQ(classes[i].n_used, f.slab.class_stats(i).n_used) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Main, SlabWalk, testing::ValuesIn(main_geometries()), name_of);

TEST(SlabWalk, EndsWhenItsVisitorReturnsFalse)
{
    Furnished f({4096, 8, 1, 0}, 90);
    EXPECT_EQ(walk(f.slab, 2).size(), 2u);
}

TEST(SlabWalk, ContinuesAtTheNextHeadAfterDamage)
{
    Furnished f({4096, 8, 1, 0}, 90);
    size_t damaged = f.slab.page_idx(f.run);
    f.slab->pages[damaged].word = 0;
    std::vector<slm_slab_extent> extents = walk(f.slab);
    expect_whole(f.slab, extents);
    size_t n_damaged = 0;
    for (const slm_slab_extent &extent : extents) {
        if (extent.kind == SLM_SLAB_EXTENT_DAMAGED) {
            n_damaged++;
            EXPECT_EQ(extent.first_page, damaged);
            EXPECT_EQ(extent.n_pages, f.run_pages);
        }
    }
    EXPECT_EQ(n_damaged, 1u);
}

/* The region is exactly its metadata and pages, and a page without access follows: a read outside a
 * table, or a write, ends the test. */
TEST(SlabWalk, AndStatisticsAreSafeOnTablesWithAnyContents)
{
    Furnished f({4096, 8, 8, 16}, 90);
    Region twin = f.slab.region.twin();
    View reader = attach(twin);
    twin.protect(PROT_READ);
    std::mt19937_64 random(1);
    auto *tables = reinterpret_cast<uint64_t *>(f.slab->classes);
    size_t n_words = (f.slab->metadata_bytes - sizeof(slab_header)) / sizeof *tables;
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < n_words; i++) {
            uint64_t word = random();
            /* Some that look like heads. */
            tables[i] = word % 3 == 0 ? slab_word(SLAB_SPAN, word >> 8 & 63, word >> 16 & 3) : word;
        }
        expect_whole(reader.get(), walk(reader.get()));
        struct slm_slab_stats stats;
        slm_slab_get_stats(reader.get(), &stats);
        EXPECT_LE(stats.longest_free_run_pages, SLM_WORD_BITS * reader->length_words[0]);
    }
}

TEST(SlabParts, AreAllThatACopyNeedsToBeChecked)
{
    for (bool grows : {false, true}) {
        slm_slab_options options = {4096, 8, 8, 0, "parts", grows ? size_t{64} << 20 : 0};
        Region region(2 << 20);
        Region copy(2 << 20);
        ASSERT_EQ(slm_slab_init(region.base(), region.bytes(), &options), SLM_OK);
        View view = attach(region);
        while (slm_slab_alloc(view.get(), 100) != nullptr) {
        }
        slm_slab_part parts[SLM_SLAB_METADATA_PARTS];
        slm_slab_metadata_parts(view.get(), parts);
        size_t n_bytes = 0;
        for (const slm_slab_part &part : parts) {
            std::memcpy(copy.base() + part.offset, region.base() + part.offset, part.n_bytes);
            n_bytes += part.n_bytes;
        }
        View copied = attach(copy);
        EXPECT_EQ(slm_slab_check(copied.get()), 0u);
        EXPECT_LT(n_bytes, grows ? view->metadata_bytes / 4 : view->metadata_bytes + 1);
    }
}

} /* namespace */
