/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: each defect known of nginx's slab, replayed: the test fails if it were ours, too. */
#include <gtest/gtest.h>

#include <sys/mman.h>

#include <cstring>
#include <set>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

/* nginx's own shape: pages of 4 KiB, powers of two from 8 bytes. */
constexpr Geometry kNginx = {4096, 8, 1, 0};

class SlabNginx : public testing::TestWithParam<Geometry> {
  protected:
    unsigned char *alloc(size_t size)
    {
        return static_cast<unsigned char *>(slm_slab_alloc(slab, size));
    }
    Slab slab{GetParam(), 64};
};

/*
 * S1: the bitmap of a page with small chunks was in the page and could be freed; the next
 * allocation was the bitmap. Here the test frees every address of the page: no address is allocated
 * twice, and writes to every chunk reach no bitmap.
 */
TEST_P(SlabNginx, S1NoAddressOfAPageFreesItsBitmap)
{
    unsigned char *p = alloc(8);
    slm_slab_place place = slab.locate(p);
    auto *span = static_cast<unsigned char *>(place.span);
    size_t span_bytes = place.span_pages * slab.page_bytes();
    for (size_t at = 0; at < span_bytes; at++) {
        if (span + at != p) {
            ASSERT_NE(slm_slab_free(slab, span + at), SLM_OK) << at;
        }
    }
    std::set<unsigned char *> chunks = {p};
    while (slab.class_stats(place.class_idx).n_used < span_bytes / place.object_bytes) {
        unsigned char *chunk = alloc(8);
        ASSERT_TRUE(chunks.insert(chunk).second) << "handed out twice";
        ASSERT_EQ(slab.locate(chunk).span, span);
    }
    for (unsigned char *chunk : chunks) {
        std::memset(chunk, 0, slm_slab_usable_bytes(slab, chunk));
    }
    EXPECT_EQ(slm_slab_check(slab), 0u);
    EXPECT_NE(slab.locate(alloc(8)).span, span) << "writing zeros made live chunks free";
}

/* S1 as it was met: a run freed twice, the second time when its page served chunks. */
TEST_P(SlabNginx, S1StaleFreeOfARunCannotCorruptThePageThatServesChunksNow)
{
    unsigned char *big = slab.alloc_pages(slab.run_pages());
    ASSERT_EQ(slm_slab_free(slab, big), SLM_OK);
    std::set<unsigned char *> live;
    for (int i = 0; i < 40; i++) {
        live.insert(alloc(8));
    }
    slm_status status = slm_slab_free(slab, big);
    EXPECT_EQ(status == SLM_OK, live.count(big) == 1) << "accepted, though no chunk starts there";
    live.erase(big);
    for (int i = 0; i < 100; i++) {
        ASSERT_TRUE(live.insert(alloc(8)).second) << "handed out twice";
    }
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

/* S2a: free(end of the region) was accepted over memory full of 0xa5. */
TEST_P(SlabNginx, S2TheEndOfTheRegionIsForeignWithAnyContents)
{
    size_t least = Slab::needed(GetParam(), 1);
    for (size_t bytes = least; bytes < least + 3 * slab.page_bytes(); bytes += 1000) {
        Region region(bytes);
        std::memset(region.base(), 0xa5, bytes);
        slm_slab_options options = GetParam().options();
        ASSERT_EQ(slm_slab_init(region.base(), bytes, &options), SLM_OK);
        View view = attach(region);
        std::vector<unsigned char> before = region.snapshot();
        unsigned char *pages_end = view->memory + (size_t{view->n_pages} << view->shape.page_shift);
        EXPECT_EQ(slm_slab_free(view.get(), region.base() + bytes), SLM_E_FOREIGN) << bytes;
        EXPECT_EQ(slm_slab_free(view.get(), pages_end), SLM_E_FOREIGN) << bytes;
        EXPECT_EQ(region.first_change(before), kUnchanged);
    }
}

/*
 * S2b: with some sizes the table of descriptors ended where page 0 began, and the descriptor after
 * the last, which free(end) read, was user data. Here user data that looks like any descriptor
 * makes no difference, at any size.
 */
TEST_P(SlabNginx, S2UserDataIsNeverReadAsADescriptor)
{
    size_t least = Slab::needed(GetParam(), 2);
    for (size_t bytes = least; bytes < least + 64 * 4096; bytes += 4096) {
        Region region(bytes);
        slm_slab_options options = GetParam().options();
        ASSERT_EQ(slm_slab_init(region.base(), bytes, &options), SLM_OK);
        View view = attach(region);
        size_t n_pages = view->n_pages;
        unsigned char *end = view->memory + (n_pages << view->shape.page_shift);
        ASSERT_EQ(slm_slab_alloc(view.get(), n_pages * slab.page_bytes() - GetParam().gap_bytes),
                  view->memory);
        for (uint64_t fake : {slab_word(SLAB_RUN, 0, 1), slab_word(SLAB_SPAN, 0, 1)}) {
            for (unsigned char *at = view->memory; at < view->memory + 256; at += 8) {
                std::memcpy(at, &fake, 8);
            }
            ASSERT_EQ(slm_slab_free(view.get(), end), SLM_E_FOREIGN) << bytes;
            ASSERT_EQ(slm_slab_check(view.get()), 0u);
        }
        ASSERT_EQ(slm_slab_alloc(view.get(), 1), nullptr) << "a page outside was handed out";
    }
}

/* S3: a tiny zone made a size wrap, and init wiped 2^52 descriptors. */
TEST_P(SlabNginx, S3NoSizeOfRegionMakesInitWriteOutsideIt)
{
    size_t most = Slab::needed(GetParam(), 2) + 8;
    slm_slab_options options = GetParam().options();
    Region region(most + 4096);
    std::vector<unsigned char> clean(region.bytes(), 0xc3);
    for (size_t bytes = 0; bytes <= most; bytes += bytes < 1500 ? 1 : 331) {
        std::memcpy(region.base(), clean.data(), clean.size());
        slm_status status = slm_slab_init(region.base(), bytes, &options);
        EXPECT_EQ(status, bytes < Slab::needed(GetParam(), 1) ? SLM_E_SIZE : SLM_OK) << bytes;
        size_t written = status == SLM_OK ? bytes : 0;
        size_t n_behind = region.bytes() - written;
        ASSERT_EQ(std::memcmp(region.base() + written, clean.data(), n_behind), 0) << bytes;
    }
}

/* S4: a zone that ended inside the slot of a descriptor was written past its end: here the next
 * byte is in a page without access. */
TEST_P(SlabNginx, S4NothingIsWrittenPastTheEndOfTheRegion)
{
    size_t most = Slab::needed(GetParam(), 3);
    slm_slab_options options = GetParam().options();
    for (size_t bytes = 4096; bytes <= most; bytes += 4096) {
        Region region(bytes);
        slm_status status = slm_slab_init(region.base(), bytes, &options);
        EXPECT_EQ(status, bytes < Slab::needed(GetParam(), 1) ? SLM_E_SIZE : SLM_OK);
        if (status == SLM_OK) {
            View view = attach(region);
            while (void *p = slm_slab_calloc(view.get(), slab.page_bytes() / 2)) {
                std::memset(p, 1, slm_slab_usable_bytes(view.get(), p));
            }
            EXPECT_EQ(slm_slab_check(view.get()), 0u);
        }
    }
}

/* S5: sizes lived in globals that a second init changed while the first slab used them. */
TEST_P(SlabNginx, S5InitAgainAndOtherSlabsDoNotDisturbThisOne)
{
    unsigned char *p = alloc(100);
    for (const Geometry &other : {Geometry{65536, 64, 16, 64}, kNginx, Geometry{16384, 16, 4, 0}}) {
        Slab another(other, 20);
        Slab again(other, 20);
        void *q = slm_slab_alloc(another, 100);
        unsigned char *r = alloc(100);
        EXPECT_EQ(slm_slab_free(another, q), SLM_OK);
        EXPECT_EQ(slm_slab_free(slab, r), SLM_OK);
        EXPECT_EQ(slm_slab_check(another), 0u);
        EXPECT_EQ(slm_slab_check(slab), 0u);
    }
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    slm_slab_options options = GetParam().options("tested");
    slm_slab_reset(slab);
    std::vector<unsigned char> fresh = Slab(GetParam(), 64).region.snapshot();
    ASSERT_EQ(slm_slab_init(slab.region.base(), slab.region.bytes(), &options), SLM_OK);
    EXPECT_EQ(std::memcmp(slab.region.base(), fresh.data(), slab->metadata_bytes), 0);
}

/*
 * S6, a lock holder killed at any instruction, needs processes and the zones' recovery: it is
 * tested with those. That page words and bitmaps alone rebuild all the rest is in
 * slab_rebuild_test.
 */

/*
 * S7: a single small chunk pins a page for every other size. Here, with classes closer than powers
 * of two, such pages serve smaller neighbours. That is all: objects do not move, so
 * larger requests find no page.
 */
TEST_P(SlabNginx, S7PinnedPagesServeSmallerNeighboursWherePowersOfTwoRefuse)
{
    size_t size = 64;
    std::vector<unsigned char *> all;
    slab.alloc_pages(56);
    while (unsigned char *p = alloc(size)) {
        all.push_back(p);
    }
    size_t chunk = slab.locate(all[0]).object_bytes;
    std::set<void *> pinned;
    for (unsigned char *p : all) {
        if (!pinned.insert(slab.locate(p).span).second) {
            ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
        }
    }
    size_t smaller_chunk = slab->cuts[slab.locate(all[0]).class_idx - 1].chunk_bytes;
    bool lends = chunk < 2 * smaller_chunk;
    EXPECT_EQ(lends, GetParam().per_doubling > 1);
    size_t odd_bytes = smaller_chunk - GetParam().gap_bytes - 1; /* any alignment will do */
    EXPECT_EQ(alloc(odd_bytes) != nullptr, lends);
    EXPECT_EQ(alloc(2 * size), nullptr);
    EXPECT_EQ(slab.alloc_pages(slab.run_pages()), nullptr);
}

/*
 * S8: a failing request for pages walked over every free run with the lock held. Here it reads
 * the bitmaps of lengths and no page's descriptor: the test takes access from those.
 */
TEST(SlabNginxLarge, S8ARefusedRequestReadsNoFreeRun)
{
    Slab slab(kNginx, 8000);
    std::vector<void *> pages;
    while (void *p = slm_slab_alloc(slab, 4096)) {
        pages.push_back(p);
    }
    ASSERT_EQ(pages.size(), 8000u);
    for (size_t i = 0; i < pages.size(); i += 2) {
        ASSERT_EQ(slm_slab_free(slab, pages[i]), SLM_OK);
    }
    auto first = slm_align_up(reinterpret_cast<uintptr_t>(slab->pages), 4096);
    auto end = reinterpret_cast<uintptr_t>(slab->pages + 8000) & ~uintptr_t{4095};
    ASSERT_GT(end - first, 180000u) << "most descriptors";
    auto *descriptors = reinterpret_cast<void *>(first);
    must(mprotect(descriptors, end - first, PROT_NONE) == 0, "mprotect");
    EXPECT_EQ(slm_slab_run_find(slab, 2), 0u);
    for (int i = 0; SLM_CHECKS < 3 && i < 100; i++) { /* the whole check reads them all */
        EXPECT_EQ(slm_slab_alloc(slab, 8192), nullptr);
    }
    must(mprotect(descriptors, end - first, PROT_READ | PROT_WRITE) == 0, "mprotect");
    EXPECT_NE(slm_slab_alloc(slab, 4096), nullptr);
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

/* S9: requests above half a page were counted nowhere. */
TEST_P(SlabNginx, S9LargeRequestsAndTheirFailuresAreCounted)
{
    for (int i = 0; i < 50; i++) {
        EXPECT_EQ(alloc(65 * slab.page_bytes()), nullptr);
    }
    EXPECT_NE(slab.alloc_pages(slab.run_pages()), nullptr);
    EXPECT_EQ(slab.stats().run_requests, 51u);
    EXPECT_EQ(slab.stats().run_failures, 50u);
    EXPECT_EQ(slab.stats().n_runs, 1u);
}

/* S10: a stale free after reuse gave one chunk to two. It is detected from SLM_CHECKS 2 on. Below,
 * an address and a bit cannot show it, and the test expects that. */
TEST_P(SlabNginx, S10AStaleFreeAfterAnotherAllocationIsCaughtFromChecks2On)
{
    unsigned char *a = alloc(40);
    unsigned char *holder = alloc(40);
    ASSERT_EQ(slm_slab_free(slab, a), SLM_OK);
    unsigned char *b = alloc(40);
    EXPECT_EQ(a == b, SLM_CHECKS < 2);
    EXPECT_EQ(slm_slab_free(slab, a), SLM_CHECKS >= 2 ? SLM_E_FREED : SLM_OK);
    unsigned char *c = alloc(40);
    EXPECT_EQ(b == c, SLM_CHECKS < 2);
    EXPECT_NE(holder, c);
}

/* S11: pages of 128 KiB and more overflowed a field of four bits. */
TEST(SlabNginxOptions, S11PagesAbove64KAreRefused)
{
    Region region(1 << 20);
    for (unsigned shift = 17; shift < 64; shift++) {
        slm_slab_options options = {size_t{1} << shift, 8, 1, 0, nullptr, 0};
        EXPECT_EQ(slm_slab_init(region.base(), region.bytes(), &options), SLM_E_OPTION);
    }
}

TEST_P(SlabNginx, S11EveryClassOfEveryPageSizeIsFreedIntoItsOwnCounters)
{
    for (unsigned i = 0; i < slab->shape.n_classes; i++) {
        if (slab->cuts[i].chunk_bytes <= GetParam().gap_bytes) {
            continue;
        }
        unsigned char *p = alloc(slab->cuts[i].chunk_bytes - GetParam().gap_bytes);
        ASSERT_EQ(slab.class_stats(i).n_used, 1u);
        ASSERT_EQ(slm_slab_free(slab, p), SLM_OK);
        ASSERT_EQ(slab.class_stats(i).n_used, 0u);
        slm_slab_trim(slab);
        ASSERT_EQ(slm_slab_check(slab), 0u);
    }
}

/* S12: one full page on a class's list made the whole list be dropped. Here a full span leaves the
 * list with its last chunk, wherever in the list it is, and all others stay. */
TEST_P(SlabNginx, S12FullSpansLeaveTheListAndTheOthersStay)
{
    size_t size = slab.page_bytes() / 8 - GetParam().gap_bytes;
    std::vector<unsigned char *> all;
    for (int i = 0; i < 60; i++) {
        all.push_back(alloc(size));
    }
    for (size_t i = 0; i < all.size(); i += 4) { /* every span has free chunks, then none */
        ASSERT_EQ(slm_slab_free(slab, all[i]), SLM_OK);
    }
    size_t n_spans = slab.class_stats(slab.locate(all[1]).class_idx).n_spans;
    size_t n_chunks = slab.class_stats(slab.locate(all[1]).class_idx).n_chunks;
    size_t n_used = slab.class_stats(slab.locate(all[1]).class_idx).n_used;
    for (; n_used < n_chunks; n_used++) {
        ASSERT_NE(alloc(size), nullptr);
        ASSERT_EQ(slm_slab_check(slab), 0u);
    }
    EXPECT_EQ(slab.class_stats(slab.locate(all[1]).class_idx).n_spans, n_spans);
}

/* S13: messages were written, and memory was zeroed, with the lock held. */
TEST_P(SlabNginx, S13TheHookRunsWithoutTheLock)
{
    Reports reports;
    slm_slab_view with_hook = reports.view();
    View view = attach(slab.region, &with_hook);
    EXPECT_EQ(slm_slab_alloc(view.get(), SIZE_MAX), nullptr);
    EXPECT_EQ(slm_slab_free(view.get(), &reports), SLM_E_FOREIGN);
    ASSERT_EQ(reports.events.size(), 2u);
    EXPECT_EQ(reports.events[0].lock_depth + reports.events[1].lock_depth, 0);
}

/* Looks, each time the lock is released, for a zero among bytes that were all not 0. */
struct Watch {
    unsigned char *bytes;
    size_t n_bytes;
    bool saw_zero;

    static void look(void *data)
    {
        auto *watch = static_cast<Watch *>(data);
        watch->saw_zero |= std::memchr(watch->bytes, 0, watch->n_bytes) != nullptr;
    }
};

TEST_P(SlabNginx, S13CallocZeroesWithoutTheLock)
{
    size_t size = slab.page_bytes() / 4 - GetParam().gap_bytes;
    Watch watch = {slab.page(0), 64 * slab.page_bytes(), false};
    slm_slab_view watched = {};
    watched.lock = [](void *) {};
    watched.unlock = Watch::look;
    watched.lock_data = &watch;
    View view = attach(slab.region, &watched);
    for (size_t bytes : {size, size, 3 * slab.page_bytes()}) {
        std::memset(watch.bytes, 0x99, watch.n_bytes);
        auto *p = static_cast<unsigned char *>(slm_slab_calloc(view.get(), bytes));
        ASSERT_NE(p, nullptr);
        EXPECT_EQ(p[0] + p[bytes - 1], 0);
        EXPECT_FALSE(watch.saw_zero) << "zeroed under the lock";
    }
    slm_slab_trim(view.get());
    EXPECT_TRUE(watch.saw_zero) << "the watch does not see";
}

/* S14: free returned nothing. */
TEST_P(SlabNginx, S14FreeReturnsWhatHappened)
{
    unsigned char *p = alloc(40);
    EXPECT_EQ(slm_slab_free(slab, p + 1), SLM_E_INTERIOR);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_E_FREED);
}

/* S15: neither the smallest object, nor the base's alignment, nor the end were checked. */
TEST(SlabNginxOptions, S15SmallestObjectBaseAndEndAreChecked)
{
    Region region(1 << 20);
    for (unsigned shift = 0; shift < 64; shift++) {
        slm_slab_options options = {4096, size_t{1} << shift, 1, 0, nullptr, 0};
        slm_status expected = shift >= 3 && shift <= 6 ? SLM_OK : SLM_E_OPTION;
        EXPECT_EQ(slm_slab_init(region.base(), region.bytes(), &options), expected) << shift;
    }
    for (size_t shift = 1; shift < 4096; shift++) {
        ASSERT_EQ(slm_slab_init(region.base() + shift, 1 << 19, nullptr), SLM_E_ALIGN);
    }
    EXPECT_EQ(slm_slab_init(region.base(), SIZE_MAX, nullptr), SLM_E_SIZE);
}

/* S16: the run that a fresh zone starts with had no link at its tail. */
TEST_P(SlabNginx, S16TheFirstRunIsMarkedAtItsTail)
{
    EXPECT_EQ(slab->pages[0].word, slab_word(SLAB_FREE, 0, 64));
    EXPECT_EQ(slab->pages[63].word, slab_word(SLAB_TAIL, 0, 64));
    EXPECT_EQ(slm_slab_free(slab, slab.page(63)), SLM_E_PAGE_FREE);
    unsigned char *all_but_one = slab.alloc_pages(63);
    EXPECT_EQ(slab->pages[63].word, slab_word(SLAB_FREE, 0, 1));
    EXPECT_EQ(slm_slab_free(slab, all_but_one), SLM_OK);
    EXPECT_EQ(slab->pages[63].word, slab_word(SLAB_TAIL, 0, 64));
}

INSTANTIATE_TEST_SUITE_P(Main, SlabNginx, testing::ValuesIn(main_geometries()), name_of);

} /* namespace */
