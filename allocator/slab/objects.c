/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: allocation and release of any object, without the lock. The room's design comes first. */
#include <slabmill/slab.h>

#include "allocator/base/poison.h"
#include "allocator/slab/chunk.h"
#include "allocator/slab/place.h"
#include "allocator/slab/view.h"

/*
 * The region (image.h) is metadata, then pages. It has no pointer in it, so each process maps it
 * where it likes. All metadata is away from the pages of users: an overrun of an object cannot
 * reach it, and no free takes it for an object. What never changes is sealed by a checksum. A
 * process works through a view (view.h) of its own, whose tables attach recomputes from the
 * options, so a hostile image cannot invent a class or an offset.
 *
 * Truth is one 64-bit word per head page (kind, class, length), and one bit per chunk of a span.
 * Page 0 is a head, and a head's length leads to the next. One store changes the truth, after
 * everything that it makes reachable is written: a run is carved while a walk still steps over it,
 * a release and its merge with both neighbours is one word, an allocation is one bit. Lists,
 * counters, tail and body marks and bitmaps of lengths are derived. After a death rebuild.c makes
 * them again from the truth. Before each such store header->pending has the object's offset, so
 * that recovery can free it.
 *
 * Runs of pages (run.c). Each length has a list of its free runs, and a bit in a bitmap with
 * summary levels. So best fit is exact and O(levels), at most 6, and an allocation of pages fails
 * only if no run is long enough.
 *
 * Classes and spans (classes.c, span.c). A class cuts equal chunks from spans of 1 to 16 pages: as
 * many pages as keep the loss at the end below 1/64. A class keeps one empty span, so that one
 * object that comes and goes does not carve a page each time; kept spans go back before anything is
 * refused. When pages are out, a larger class below twice the size may serve the request.
 *
 * Misuse (place.h). One function says what an address is, and what a free of it would answer: for
 * free, check_pointer, locate, usable_bytes and recovery alike. From SLM_CHECKS 2 on a span reuses
 * a freed chunk as late as it can.
 *
 * Calls (calls.c, chunk.h). Allocation and release of a chunk are one function each, without a stack
 * frame: if anything is unusual, it has changed nothing, and calls the general function of this
 * file. So every case is judged here, and the fast paths only recognise the frequent one. A view with
 * a shared_lock takes it there; gate.c waits for it, and repairs what a dead holder left.
 *
 * format.c makes regions and views, layout.c knows where the parts are, grow.c adds pages, root.c
 * and stats.c answer users. The invariants I1 to I12 are at the top of check.c.
 */

static bool class_aligns(const struct slm_slab *slab, unsigned class_idx, size_t align_bytes)
{
    return (slab->cuts[class_idx].chunk_bytes & (align_bytes - 1)) == 0;
}

/* Of the classes from class_idx on with chunks below the limit. */
static SLM_NOINLINE void *borrow_from(struct slm_slab *slab, unsigned class_idx, uint32_t limit,
                                      size_t align_bytes)
{
    for (unsigned i = class_idx; i < slab->shape.n_classes; i++) {
        if (slab->cuts[i].chunk_bytes >= limit) {
            break;
        }
        bool may_have = slab->classes[i].partial != SLAB_NIL && class_aligns(slab, i, align_bytes);
        void *p = may_have ? slm_slab_chunk_alloc_partial(slab, i) : NULL;
        if (p != NULL) {
            return p;
        }
    }
    return NULL;
}

/* When pages are out: a free chunk of a larger class, of less than twice the size. In a zone that
 * evicts nearly always none has one: it is looked for without a call. */
static void *borrow_chunk(struct slm_slab *slab, unsigned class_idx, size_t align_bytes)
{
    unsigned n_classes = slab->shape.n_classes;
    uint32_t limit = 2 * slab->cuts[class_idx].chunk_bytes;
    for (unsigned i = class_idx + 1; i < n_classes && slab->cuts[i].chunk_bytes < limit; i++) {
        if (slab->cuts[i].stored->partial != SLAB_NIL) {
            return borrow_from(slab, i, limit, align_bytes);
        }
    }
    return NULL;
}

/* The alignment that slab.h promises for an object of so many bytes, gap included. Its own class
 * has it; a larger class may not. */
static size_t promised_align(size_t bytes, size_t align_bytes)
{
    size_t by_size = bytes & (~bytes + 1);
    by_size = by_size < 16 ? by_size : 16;
    return by_size > align_bytes ? by_size : align_bytes;
}

static void *alloc_chunk(struct slm_slab *slab, unsigned class_idx, size_t bytes,
                         size_t align_bytes)
{
    struct slab_class *class = &slab->classes[class_idx];
    class->n_requests++;
    void *p = slm_slab_chunk_alloc_partial(slab, class_idx);
    if (SLM_LIKELY(p != NULL)) {
        return p;
    }
    p = slm_slab_chunk_alloc_grow(slab, class_idx);
    if (p == NULL) {
        p = borrow_chunk(slab, class_idx, promised_align(bytes, align_bytes));
        class->n_failures += p == NULL;
    }
    return p;
}

/* An object of whole pages. */
static SLM_NOINLINE void *alloc_run(struct slm_slab *slab, size_t size_bytes)
{
    void *p = NULL;
    size_t n_pages = SIZE_MAX;
    slab->header->run_requests++;
    /* No more than all pages: then the sum cannot wrap. */
    if (SLM_LIKELY(size_bytes <= (uint64_t)slab->n_pages << slab->shape.page_shift)) {
        size_t bytes = size_bytes + (size_bytes == 0) + slab->shape.gap_bytes;
        n_pages = (bytes + slab->page_mask) >> slab->shape.page_shift;
    }
    /* With its gap it may still be more: then no kept span goes back in vain. */
    if (SLM_LIKELY(n_pages <= slab->n_pages)) {
        p = slm_slab_run_alloc(slab, (uint32_t)n_pages);
        if (SLM_UNLIKELY(p == NULL) && slm_slab_span_trim(slab) > 0) {
            p = slm_slab_run_alloc(slab, (uint32_t)n_pages);
        }
    }
    slab->header->run_failures += p == NULL;
    return p;
}

/* An object of at most the largest class, gap included. */
static SLM_NOINLINE void *alloc_small(struct slm_slab *slab, size_t size_bytes, size_t bytes,
                                      size_t align_bytes)
{
    unsigned class_idx = slab_class_of_bytes(slab, bytes);
    while (class_idx < slab->shape.n_classes && !class_aligns(slab, class_idx, align_bytes)) {
        class_idx++;
    }
    return class_idx < slab->shape.n_classes ? alloc_chunk(slab, class_idx, bytes, align_bytes)
                                             : alloc_run(slab, size_bytes);
}

void *slm_slab_object_alloc(struct slm_slab *slab, size_t size_bytes, size_t align_bytes)
{
    if (SLM_UNLIKELY(slab == NULL || !slab_can_change(slab))) {
        return NULL;
    }
    size_t bytes = (size_bytes == 0 ? 1 : size_bytes) + slab->shape.gap_bytes;
    /* The first size is too large for the sum that is the second. */
    bool is_run = size_bytes > slab->largest_chunk_bytes || bytes > slab->largest_chunk_bytes;
    void *p =
        is_run ? alloc_run(slab, size_bytes) : alloc_small(slab, size_bytes, bytes, align_bytes);
    if (slab_is_poisoned(slab) && p != NULL) {
        slm_slab_poison_show(slab, p, size_bytes);
    }
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return p;
}

enum slm_status slm_slab_object_free(struct slm_slab *slab, void *p)
{
    struct slab_place place;
    enum slm_status status = slab == NULL ? SLM_E_NULL : slab_place_find(slab, p, &place);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        bool is_stale = status == SLM_E_STATE; /* a view that can only look says so first */
        return slab != NULL && p == NULL ? SLM_OK : is_stale ? slab_change_status(slab) : status;
    }
    if (SLM_UNLIKELY(slab->view.read_only)) {
        return SLM_E_READ_ONLY;
    }
    if (place.kind == SLM_SLAB_RUN) {
        return slm_slab_run_free(slab, p);
    }
    uint64_t word = slab->pages[place.head].word; /* afterwards the page may be no span's */
    if (slab_is_poisoned(slab)) {
        slm_slab_poison_hide(slab, p, slab_place_bytes(slab, &place));
    }
    slm_slab_chunk_free(slab, place.head, place.chunk);
    slab_fill_freed(slab, p, slab->cuts[slab_word_class(word)].chunk_bytes);
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return SLM_OK;
}

/* One store frees everything; the derived parts are rebuilt. The root is cleared first, since it
 * must not point to free memory. */
enum slm_status slm_slab_reset_locked(struct slm_slab *slab)
{
    enum slm_status status = slab == NULL ? SLM_E_NULL : slab_change_status(slab);
    if (status != SLM_OK) {
        return status;
    }
    slm_slab_set_root(slab, NULL);
    slm_slab_clear_last_allocation_locked(slab);
    slab_commit(&slab->pages[0].word, slab_word(SLAB_FREE, 0, slab->n_pages));
    slm_slab_rebuild_locked(slab);
    if (slab_is_poisoned(slab)) {
        slm_slab_poison_hide_all(slab);
    }
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return SLM_OK;
}

enum slm_status slm_slab_reset(struct slm_slab *slab)
{
    if (slab == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slab_lock(slab);
    if (status == SLM_OK) {
        status = slm_slab_reset_locked(slab);
        slab_unlock(slab);
    }
    return status;
}

size_t slm_slab_trim(struct slm_slab *slab)
{
    if (slab == NULL || slab_lock(slab) != SLM_OK) {
        return 0;
    }
    size_t n_pages = 0;
    if (slab_can_change(slab)) {
        n_pages = slm_slab_span_trim(slab);
        SLM_CHECK_ALL(slm_slab_check_locked(slab));
    }
    slab_unlock(slab);
    return n_pages;
}

int slm_slab_class_of(const struct slm_slab *slab, size_t size_bytes)
{
    if (slab == NULL) {
        return -1;
    }
    size_t bytes = (size_bytes == 0 ? 1 : size_bytes) + slab->shape.gap_bytes;
    bool is_run = size_bytes > slab->largest_chunk_bytes || bytes > slab->largest_chunk_bytes;
    return is_run ? -1 : (int)slab_class_of_bytes(slab, bytes);
}
