/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: every kind of wrong pointer has its own status, and changes not one byte of the region. */
#include <gtest/gtest.h>

#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr size_t kPages = 48;

class SlabMisuse : public testing::TestWithParam<Geometry> {
  protected:
    SlabMisuse()
    {
        remember();
    }
    /* The region is meant to be as it is now. */
    void remember()
    {
        before = f.slab.region.snapshot();
    }
    /* A free that is right. */
    void give(void *p)
    {
        ASSERT_EQ(slm_slab_free(f.slab, p), SLM_OK);
        remember();
    }
    /* Both forms of free answer so, and nothing at all is written. */
    void expect_refused(const void *p, slm_status status, const char *what)
    {
        void *pointer = const_cast<void *>(p);
        EXPECT_EQ(slm_slab_free(f.slab, pointer), status) << what;
        EXPECT_EQ(slm_slab_free_locked(f.slab, pointer), status) << what;
        EXPECT_EQ(slm_slab_check_pointer_locked(f.slab, pointer), status) << what;
        EXPECT_EQ(slm_slab_usable_bytes(f.slab, pointer), 0u) << what;
        EXPECT_EQ(f.slab.region.first_change(before), kUnchanged) << what;
    }
    /* Every offset inside an object of so many bytes, sparsely where it is long. */
    void expect_interior(unsigned char *object, size_t bytes, const char *what)
    {
        for (size_t at = 1; at < bytes; at = at < 9 ? at + 1 : at * 2) {
            expect_refused(object + at, SLM_E_INTERIOR, what);
        }
        expect_refused(object + bytes - 1, SLM_E_INTERIOR, what);
        expect_refused(object + bytes / 2, SLM_E_INTERIOR, what);
    }
    size_t chunk_bytes(const void *p) const
    {
        return f.slab.locate(p).object_bytes;
    }
    unsigned char *base() const
    {
        return f.slab.region.base();
    }
    Furnished f{GetParam(), kPages};
    std::vector<unsigned char> before;
};

/* --- Outside --- */

TEST_P(SlabMisuse, FreeOfNullIsHarmlessAndNullIsNoObject)
{
    EXPECT_EQ(slm_slab_free(f.slab, nullptr), SLM_OK);
    EXPECT_EQ(slm_slab_free_locked(f.slab, nullptr), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(f.slab, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_slab_usable_bytes(f.slab, nullptr), 0u);
    EXPECT_EQ(f.slab.region.first_change(before), kUnchanged);
}

TEST_P(SlabMisuse, PointersFromElsewhereAreForeign)
{
    std::vector<int> on_heap(100);
    int on_stack = 0;
    expect_refused(&on_stack, SLM_E_FOREIGN, "stack");
    expect_refused(on_heap.data(), SLM_E_FOREIGN, "heap");
    expect_refused(reinterpret_cast<void *>(&slm_slab_free), SLM_E_FOREIGN, "code");
    for (uintptr_t address : {uintptr_t{1}, uintptr_t{8}, uintptr_t{4096}, UINTPTR_MAX,
                              UINTPTR_MAX - 7, UINTPTR_MAX / 2, UINTPTR_MAX / 2 + 1}) {
        expect_refused(reinterpret_cast<void *>(address), SLM_E_FOREIGN, "no address at all");
    }
}

TEST_P(SlabMisuse, AddressesJustOutsideTheRegionAreForeign)
{
    unsigned char *end = base() + f.slab.region.bytes();
    for (unsigned char *p : {base() - 1, base() - 8, base() - 4096, end, end + 1, end + 4096}) {
        expect_refused(p, SLM_E_FOREIGN, "next to the region");
    }
}

/* A region need not be a whole number of pages: the rest after the last page is unused. */
TEST_P(SlabMisuse, AddressesAfterTheLastPageAreForeign)
{
    Region region(f.slab.region.bytes() + 4096 - 8);
    slm_slab_options options = GetParam().options();
    ASSERT_EQ(slm_slab_init(region.base(), region.bytes(), &options), SLM_OK);
    View view = attach(region);
    std::vector<unsigned char> as_new = region.snapshot();
    unsigned char *end = view->memory + (size_t{view->n_pages} << view->shape.page_shift);
    ASSERT_LT(end, region.base() + region.bytes());
    for (unsigned char *p = end; p <= region.base() + region.bytes(); p += 8) {
        ASSERT_EQ(slm_slab_free(view.get(), p), SLM_E_FOREIGN);
    }
    EXPECT_EQ(slm_slab_free(view.get(), end - 1), SLM_E_PAGE_FREE);
    EXPECT_EQ(region.first_change(as_new), kUnchanged);
}

TEST_P(SlabMisuse, AnotherSlabsObjectsAreForeign)
{
    Slab other(GetParam(), 20);
    void *chunk = slm_slab_alloc(other, 8);
    expect_refused(chunk, SLM_E_FOREIGN, "a chunk of another slab");
    expect_refused(other.alloc_pages(other.run_pages()), SLM_E_FOREIGN, "a run of another slab");
    EXPECT_EQ(slm_slab_free(other, chunk), SLM_OK);
}

/* --- Metadata --- */

TEST_P(SlabMisuse, EveryPartOfTheBookkeepingIsMetadata)
{
    slm_slab *slab = f.slab;
    expect_refused(slab->header, SLM_E_METADATA, "header");
    expect_refused(&slab->header->root, SLM_E_METADATA, "root");
    expect_refused(slab->classes, SLM_E_METADATA, "first class");
    expect_refused(slab->classes + slab->shape.n_classes - 1, SLM_E_METADATA, "last class");
    expect_refused(slab->pages, SLM_E_METADATA, "first descriptor");
    expect_refused(slab->pages + slab->n_pages - 1, SLM_E_METADATA, "last descriptor");
    expect_refused(slab->lengths[0], SLM_E_METADATA, "lengths");
    expect_refused(slab->lengths[slab->n_levels - 1], SLM_E_METADATA, "lengths, top");
    expect_refused(slab->bitmaps, SLM_E_METADATA, "first bitmap");
    expect_refused(slab_span_bits(slab, slab->n_pages) - 1, SLM_E_METADATA, "last bitmap");
    expect_refused(slab->memory - 1, SLM_E_METADATA, "last byte before page 0");
}

TEST_P(SlabMisuse, EveryWordBeforePage0IsMetadata)
{
    for (unsigned char *p = base(); p < f.slab.page(0); p += 8) {
        ASSERT_EQ(slm_slab_free(f.slab, p), SLM_E_METADATA) << p - base();
    }
    EXPECT_EQ(f.slab.region.first_change(before), kUnchanged);
}

/* --- Inside objects --- */

TEST_P(SlabMisuse, TheInsideOfAChunkIsInterior)
{
    expect_interior(f.partial, chunk_bytes(f.partial), "chunk in use");
    expect_interior(f.full[5], chunk_bytes(f.full[5]), "chunk of a full span");
    expect_interior(f.freed, chunk_bytes(f.freed), "free chunk");
    expect_interior(f.kept, chunk_bytes(f.kept), "chunk of a kept span");
}

TEST_P(SlabMisuse, TheInsideOfARunIsInterior)
{
    size_t page = f.slab.page_bytes();
    expect_interior(f.run, f.run_pages * page, "run");
    for (size_t i = 1; i < f.run_pages; i++) {
        expect_refused(f.run + i * page, SLM_E_INTERIOR, "a later page of a run");
    }
    expect_refused(f.run + f.run_pages * page - 1, SLM_E_INTERIOR, "a run's last byte");
}

TEST_P(SlabMisuse, LaterPagesOfASpanAreInteriorWhereNoChunkStarts)
{
    size_t n_seen = 0;
    for (unsigned i = 0; i < f.slab->shape.n_classes; i++) {
        const slab_cut *cut = &f.slab->cuts[i];
        if (cut->span_pages == 1 || cut->chunk_bytes <= GetParam().gap_bytes + 1) {
            continue;
        }
        void *p = slm_slab_alloc(f.slab, cut->chunk_bytes - GetParam().gap_bytes);
        ASSERT_NE(p, nullptr);
        remember();
        slm_slab_place place = f.slab.locate(p);
        auto *span = static_cast<unsigned char *>(place.span);
        for (size_t at = f.slab.page_bytes(); at < place.span_pages * f.slab.page_bytes();
             at += f.slab.page_bytes()) {
            if (at % cut->chunk_bytes != 0) {
                expect_refused(span + at, SLM_E_INTERIOR, "a later page of a span");
                n_seen++;
            }
        }
        ASSERT_EQ(slm_slab_free(f.slab, p), SLM_OK);
        slm_slab_trim(f.slab);
    }
    EXPECT_EQ(n_seen > 0, GetParam().per_doubling > 1);
}

TEST_P(SlabMisuse, ASpansTailIsInterior)
{
    size_t n_seen = 0;
    for (unsigned i = 0; i < f.slab->shape.n_classes; i++) {
        const slab_cut *cut = &f.slab->cuts[i];
        size_t span_bytes = cut->span_pages * f.slab.page_bytes();
        if (span_bytes % cut->chunk_bytes == 0 || cut->chunk_bytes < f.slab.page_bytes() / 64) {
            continue;
        }
        void *p = slm_slab_alloc(f.slab, cut->chunk_bytes - GetParam().gap_bytes);
        ASSERT_NE(p, nullptr);
        remember();
        slm_slab_place place = f.slab.locate(p);
        auto *end =
            static_cast<unsigned char *>(place.span) + place.span_pages * f.slab.page_bytes();
        unsigned char *tail = end - (end - static_cast<unsigned char *>(place.span)) %
                                        static_cast<std::ptrdiff_t>(cut->chunk_bytes);
        EXPECT_EQ(f.slab.locate(tail).kind, SLM_SLAB_SPAN_TAIL);
        EXPECT_EQ(f.slab.locate(tail).object_bytes, static_cast<size_t>(end - tail));
        expect_refused(tail, SLM_E_INTERIOR, "start of a tail");
        expect_refused(end - 1, SLM_E_INTERIOR, "end of a tail");
        ASSERT_EQ(slm_slab_free(f.slab, p), SLM_OK);
        slm_slab_trim(f.slab);
        n_seen++;
    }
    EXPECT_EQ(n_seen > 0, GetParam().per_doubling > 1);
}

/* --- One answer --- */

TEST_P(SlabMisuse, LocateCheckPointerAndUsableBytesAgreeOnEveryWord)
{
    size_t n_starts = 0;
    size_t n_inside = 0;
    for (unsigned char *p = f.slab.page(0); p < f.slab.page(kPages); p += 8) {
        slm_slab_place place = f.slab.locate(p);
        bool is_start = place.is_live && place.object == p;
        ASSERT_EQ(slm_slab_check_pointer_locked(f.slab, p) == SLM_OK, is_start);
        ASSERT_EQ(slm_slab_usable_bytes(f.slab, p) > 0, is_start);
        ASSERT_EQ(place.is_live, place.kind == SLM_SLAB_CHUNK_USED || place.kind == SLM_SLAB_RUN);
        n_starts += is_start;
        n_inside += place.is_live && !is_start;
    }
    EXPECT_GT(n_starts, 8u);
    EXPECT_GT(n_inside, 8u);
}

/* --- Free pages --- */

TEST_P(SlabMisuse, EveryPlaceInAFreeRunIsAFreePage)
{
    size_t page = f.slab.page_bytes();
    for (size_t i = 0; i < f.run_pages; i++) {
        expect_refused(f.free_run + i * page, SLM_E_PAGE_FREE, "start of a free page");
        expect_refused(f.free_run + i * page + 8, SLM_E_PAGE_FREE, "inside a free page");
        expect_refused(f.free_run + i * page + page - 1, SLM_E_PAGE_FREE, "end of a free page");
    }
    expect_refused(f.slab.page(kPages) - 8, SLM_E_PAGE_FREE, "the slab's last word");
}

/* --- Freed before --- */

TEST_P(SlabMisuse, AChunkFreedTwiceIsFreedWhileItsSpanLasts)
{
    expect_refused(f.freed, SLM_E_FREED, "span partly used");
    expect_refused(f.kept, SLM_E_FREED, "span empty but kept");
    give(f.full[7]);
    expect_refused(f.full[7], SLM_E_FREED, "span that was full");
}

TEST_P(SlabMisuse, AChunkFreedTwiceIsAFreePageOnceItsSpanIsReleased)
{
    ASSERT_GT(slm_slab_trim(f.slab), 0u);
    remember();
    expect_refused(f.kept, SLM_E_PAGE_FREE, "span given back by trim");
}

TEST_P(SlabMisuse, ARunFreedTwiceIsAFreePage)
{
    expect_refused(f.free_run, SLM_E_PAGE_FREE, "run");
    give(f.run);
    expect_refused(f.run, SLM_E_PAGE_FREE, "run that merged with the next");
    expect_refused(f.free_run, SLM_E_PAGE_FREE, "run that merged with the one before");
}

TEST_P(SlabMisuse, AChunkThatWasNeverAllocatedIsFreed)
{
    slm_slab_place place = f.slab.locate(f.partial);
    auto *span = static_cast<unsigned char *>(place.span);
    size_t n_chunks = place.span_pages * f.slab.page_bytes() / place.object_bytes;
    expect_refused(span + (n_chunks - 1) * place.object_bytes, SLM_E_FREED, "never handed out");
}

TEST_P(SlabMisuse, EverythingIsAFreePageAfterReset)
{
    slm_slab_reset(f.slab);
    remember();
    for (unsigned char *p :
         {f.partial, f.freed, f.full[0], f.run, f.free_run, f.last_run, f.kept}) {
        expect_refused(p, SLM_E_PAGE_FREE, "stale after reset");
    }
}

/* After all that was refused, the objects that are there are freed as ever. */
TEST_P(SlabMisuse, RightFreesStillSucceed)
{
    std::vector<void *> live = {f.partial, f.neighbour, f.run, f.last_run};
    live.insert(live.end(), f.full.begin(), f.full.end());
    for (void *p : live) {
        EXPECT_EQ(slm_slab_free(f.slab, p), SLM_OK);
    }
    slm_slab_trim(f.slab);
    EXPECT_EQ(f.slab.stats().longest_free_run_pages, kPages);
}

/*
 * nginx S10. An address and a bit cannot tell a stale free from a right one; what can be done is to
 * hand an address out again as late as possible. So it is from SLM_CHECKS 2 on, and here said to
 * be not so below.
 */
TEST_P(SlabMisuse, AStaleFreeAfterAnotherAllocationIsCaughtFromChecks2On)
{
    ASSERT_EQ(slm_slab_free(f.slab, f.partial), SLM_OK);
    std::vector<void *> later;
    for (int i = 0; i < 8; i++) {
        later.push_back(slm_slab_alloc(f.slab, f.small_bytes));
        ASSERT_NE(later.back(), nullptr);
    }
    slm_status expected = SLM_CHECKS >= 2 ? SLM_E_FREED : SLM_OK;
    EXPECT_EQ(slm_slab_free(f.slab, f.partial), expected);
    for (size_t i = 0; SLM_CHECKS >= 2 && i < later.size(); i++) {
        EXPECT_EQ(slm_slab_free(f.slab, later[i]), SLM_OK);
    }
    EXPECT_EQ(slm_slab_check(f.slab), 0u);
}

INSTANTIATE_TEST_SUITE_P(Main, SlabMisuse, testing::ValuesIn(main_geometries()), name_of);

} /* namespace */
