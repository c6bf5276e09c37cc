/* SPDX-License-Identifier: Apache-2.0 */
/* The slab's verbs: allocation and release, each with and without the lock. */
#include <slabmill/slab.h>

#include <string.h>

#include "allocator/base/poison.h"
#include "allocator/slab/view.h"

/* Tells the hook of a refusal, never under the lock: it may be slow. */
static void report(const struct slm_slab *slab, enum slm_status status, const char *call,
                   size_t size_bytes, const void *pointer)
{
    bool muted = status == SLM_E_NOMEM && slab->view.quiet_nomem;
    if (slab->view.report != NULL && !muted) {
        struct slm_slab_event event = {status, slab->name, call, size_bytes, pointer};
        slab->view.report(slab->view.report_data, &event);
    }
}

/* The class of a size with its gap, at most the largest; grid steps above SLAB_LOW_MAX are equal
 * parts of a doubling, so that the bits behind the highest one are the index. */
static unsigned class_of_bytes(const struct slm_slab *slab, size_t bytes)
{
    if (bytes <= SLAB_LOW_MAX) {
        return slab->low_classes[(bytes + SLAB_LOW_STEP - 1) / SLAB_LOW_STEP];
    }
    unsigned high = slm_bit_highest(bytes - 1);
    size_t steps = ((bytes - 1) >> (high - slab->class_shift)) - ((size_t)1 << slab->class_shift);
    unsigned doublings = high - slm_bit_highest(SLAB_LOW_MAX);
    return slab->first_high_class + (doublings << slab->class_shift) + (unsigned)steps;
}

static bool class_aligns(const struct slm_slab *slab, unsigned class_idx, size_t align_bytes)
{
    return (slab->cuts[class_idx].chunk_bytes & (align_bytes - 1)) == 0;
}

/* Pages are short: a free chunk of a class above, of less than twice the size. */
static void *borrow_chunk(struct slm_slab *slab, unsigned class_idx, size_t align_bytes)
{
    uint32_t limit = 2 * slab->cuts[class_idx].chunk_bytes;
    for (unsigned i = class_idx + 1; i < slab->shape.n_classes; i++) {
        if (slab->cuts[i].chunk_bytes >= limit) {
            break;
        }
        void *p = class_aligns(slab, i, align_bytes) ? slab_chunk_alloc_partial(slab, i) : NULL;
        if (p != NULL) {
            return p;
        }
    }
    return NULL;
}

/* What slab.h promises of every object of so many bytes, gap included. Its own class has it; one
 * that it borrows from may not. */
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
    void *p = slab_chunk_alloc_partial(slab, class_idx);
    if (SLM_LIKELY(p != NULL)) {
        return p;
    }
    p = slab_chunk_alloc_grow(slab, class_idx);
    if (p == NULL) {
        p = borrow_chunk(slab, class_idx, promised_align(bytes, align_bytes));
        class->n_failures += p == NULL;
    }
    return p;
}

static void *alloc_run(struct slm_slab *slab, size_t bytes)
{
    struct slab_header *header = slab->header;
    size_t n_pages = slm_div_up(bytes, (size_t)1 << slab->shape.page_shift);
    uint32_t idx = SLAB_NIL;
    header->run_requests++;
    if (n_pages <= slab->n_pages) {
        idx = slab_run_take(slab, (uint32_t)n_pages);
        if (idx == SLAB_NIL && slab_span_trim(slab) > 0) {
            idx = slab_run_take(slab, (uint32_t)n_pages);
        }
    }
    if (idx == SLAB_NIL) {
        header->run_failures++;
        return NULL;
    }
    slab_announce(slab, slab_page_memory(slab, idx));
    slab_commit(&slab->pages[idx].word, slab_word(SLAB_RUN, 0, (uint32_t)n_pages));
    header->n_runs++;
    header->n_run_pages += (uint32_t)n_pages;
    return slab_page_memory(slab, idx);
}

/* An object of size_bytes, shown to the sanitizer, at a multiple of align_bytes (1: as the class
 * has it). */
static void *alloc_object(struct slm_slab *slab, size_t size_bytes, size_t align_bytes)
{
    size_t bytes = (size_bytes == 0 ? 1 : size_bytes) + slab->shape.gap_bytes;
    void *p = NULL;
    /* More than all pages: nor can the sum wrap below. */
    if (size_bytes > (uint64_t)slab->n_pages << slab->shape.page_shift) {
        slab->header->run_requests++;
        slab->header->run_failures++;
    } else if (bytes > slab->largest_chunk_bytes) {
        p = alloc_run(slab, bytes);
    } else {
        unsigned class_idx = class_of_bytes(slab, bytes);
        while (class_idx < slab->shape.n_classes && !class_aligns(slab, class_idx, align_bytes)) {
            class_idx++;
        }
        p = class_idx < slab->shape.n_classes ? alloc_chunk(slab, class_idx, bytes, align_bytes)
                                              : alloc_run(slab, bytes);
    }
    if (slab_is_poisoned(slab) && p != NULL) {
        slab_poison_show(slab, p, size_bytes);
    }
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return p;
}

void *slm_slab_alloc_locked(struct slm_slab *slab, size_t size_bytes)
{
    return alloc_object(slab, size_bytes, 1);
}

/* The plain forms of all three: `call` is which. */
static void *alloc_reporting(struct slm_slab *slab, size_t size_bytes, size_t align_bytes,
                             const char *call)
{
    slab_lock(slab);
    void *p = alloc_object(slab, size_bytes, align_bytes);
    slab_unlock(slab);
    if (SLM_UNLIKELY(p == NULL)) {
        report(slab, SLM_E_NOMEM, call, size_bytes, NULL);
    }
    return p;
}

void *slm_slab_alloc(struct slm_slab *slab, size_t size_bytes)
{
    return alloc_reporting(slab, size_bytes, 1, "alloc");
}

void *slm_slab_calloc_locked(struct slm_slab *slab, size_t size_bytes)
{
    void *p = alloc_object(slab, size_bytes, 1);
    return p == NULL ? NULL : memset(p, 0, size_bytes);
}

void *slm_slab_calloc(struct slm_slab *slab, size_t size_bytes)
{
    void *p = alloc_reporting(slab, size_bytes, 1, "calloc");
    return p == NULL ? NULL : memset(p, 0, size_bytes);
}

static bool align_is_served(size_t align_bytes)
{
    return slm_is_pow2(align_bytes) && align_bytes <= SLM_SLAB_ALIGN_MAX;
}

void *slm_slab_memalign_locked(struct slm_slab *slab, size_t align_bytes, size_t size_bytes)
{
    return align_is_served(align_bytes) ? alloc_object(slab, size_bytes, align_bytes) : NULL;
}

void *slm_slab_memalign(struct slm_slab *slab, size_t align_bytes, size_t size_bytes)
{
    if (!align_is_served(align_bytes)) {
        report(slab, SLM_E_ALIGN, "memalign", size_bytes, NULL);
        return NULL;
    }
    return alloc_reporting(slab, size_bytes, align_bytes, "memalign");
}

/* What is wrong with a pointer that a quick look did not find to be an object. */
static enum slm_status name_misuse(const struct slm_slab *slab, const void *p)
{
    struct slm_slab_place place;
    if (p == NULL) {
        return SLM_E_NULL;
    }
    slab_place_find(slab, p, &place);
    switch (place.kind) {
    case SLM_SLAB_OUTSIDE:
        return SLM_E_FOREIGN;
    case SLM_SLAB_METADATA:
        return SLM_E_METADATA;
    case SLM_SLAB_FREE_PAGE:
        return SLM_E_PAGE_FREE;
    case SLM_SLAB_CHUNK_FREE:
        return place.object == p ? SLM_E_FREED : SLM_E_INTERIOR;
    default:
        return SLM_E_INTERIOR;
    }
}

static void hide_object(struct slm_slab *slab, void *p, size_t object_bytes)
{
    if (slab_is_poisoned(slab)) {
        slab_poison_hide(slab, p, object_bytes);
    }
}

/* Finds the span that a page belongs to; SLAB_NIL if it is in none. */
static uint32_t span_of_page(const struct slm_slab *slab, uint32_t idx)
{
    uint64_t word = slab->pages[idx].word;
    unsigned kind = slab_word_kind(word);
    if (kind == SLAB_SPAN) {
        return idx;
    }
    return kind == SLAB_BODY ? idx - slab_word_pages(word) : SLAB_NIL;
}

/* Whether a chunk in use starts offset_bytes into the span; *chunk is its index. */
static bool find_used_chunk(const struct slm_slab *slab, uint32_t span, size_t offset_bytes,
                            uint32_t *chunk)
{
    uint64_t word = slab->pages[span].word;
    const struct slab_cut *cut = &slab->cuts[slab_word_class(word)];
    size_t span_bytes = (size_t)slab_word_pages(word) << slab->shape.page_shift;
    *chunk = slab_cut_idx(cut, offset_bytes);
    uint64_t bits = slab_span_bits(slab, span)[*chunk / SLM_WORD_BITS];
    return (size_t)*chunk * cut->chunk_bytes == offset_bytes &&
           offset_bytes + cut->chunk_bytes <= span_bytes && (bits >> *chunk % SLM_WORD_BITS & 1u);
}

/* Frees what starts at offset_bytes of the span, if that is a chunk in use. */
static bool free_in_span(struct slm_slab *slab, uint32_t span, size_t offset_bytes)
{
    uint32_t chunk;
    if (!find_used_chunk(slab, span, offset_bytes, &chunk)) {
        return false;
    }
    const struct slab_cut *cut = &slab->cuts[slab_word_class(slab->pages[span].word)];
    hide_object(slab, slab_page_memory(slab, span) + offset_bytes, cut->chunk_bytes);
    slab_chunk_free(slab, span, chunk);
    return true;
}

/* Frees the run that starts at offset_bytes of the page, if one does. */
static bool free_at_page(struct slm_slab *slab, uint32_t idx, size_t offset_bytes)
{
    uint64_t word = slab->pages[idx].word;
    if (slab_word_kind(word) != SLAB_RUN || offset_bytes != 0) {
        return false;
    }
    uint32_t n_pages = slab_word_pages(word);
    hide_object(slab, slab_page_memory(slab, idx), (size_t)n_pages << slab->shape.page_shift);
    slab->header->n_runs--;
    slab->header->n_run_pages -= n_pages;
    slab_run_give(slab, idx, n_pages);
    return true;
}

enum slm_status slm_slab_free_locked(struct slm_slab *slab, void *p)
{
    /* Below page 0 this wraps to more than any page. */
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)slab->memory);
    size_t page = offset >> slab->shape.page_shift;
    if (page >= slab->n_pages) {
        return name_misuse(slab, p);
    }
    uint32_t span = span_of_page(slab, (uint32_t)page);
    uint32_t first = span == SLAB_NIL ? (uint32_t)page : span;
    size_t in_object = offset - ((size_t)first << slab->shape.page_shift);
    bool done = span != SLAB_NIL ? free_in_span(slab, span, in_object)
                                 : free_at_page(slab, first, in_object);
    if (!done) {
        return name_misuse(slab, p);
    }
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return SLM_OK;
}

enum slm_status slm_slab_free(struct slm_slab *slab, void *p)
{
    slab_lock(slab);
    enum slm_status status = slm_slab_free_locked(slab, p);
    slab_unlock(slab);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        report(slab, status, "free", 0, p);
    }
    return status;
}

enum slm_status slm_slab_judge_locked(const struct slm_slab *slab, const void *p)
{
    struct slm_slab_place place;
    slab_place_find(slab, p, &place);
    bool is_live = place.kind == SLM_SLAB_CHUNK_USED || place.kind == SLM_SLAB_RUN;
    return is_live && place.object == p ? SLM_OK : name_misuse(slab, p);
}

size_t slm_slab_usable_bytes(struct slm_slab *slab, void *p)
{
    struct slm_slab_place place;
    slm_slab_locate(slab, p, &place);
    bool live = place.kind == SLM_SLAB_CHUNK_USED || place.kind == SLM_SLAB_RUN;
    if (p == NULL || !live || place.object != p) {
        return 0;
    }
    size_t usable_bytes = place.object_bytes - slab->shape.gap_bytes;
    if (slab_is_poisoned(slab)) {
        slab_poison_widen(slab, p, usable_bytes);
    }
    return usable_bytes;
}

/* One store frees everything; what hangs on it is rebuilt. The root goes first: it never points to
 * what is free. */
void slm_slab_reset_locked(struct slm_slab *slab)
{
    slm_slab_set_root(slab, NULL);
    slm_slab_settle_locked(slab);
    slab_commit(&slab->pages[0].word, slab_word(SLAB_FREE, 0, slab->n_pages));
    slm_slab_rebuild_locked(slab);
    if (slab_is_poisoned(slab)) {
        slab_poison_hide_all(slab);
    }
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
}

void slm_slab_reset(struct slm_slab *slab)
{
    slab_lock(slab);
    slm_slab_reset_locked(slab);
    slab_unlock(slab);
}

size_t slm_slab_trim(struct slm_slab *slab)
{
    slab_lock(slab);
    size_t n_pages = slab_span_trim(slab);
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    slab_unlock(slab);
    return n_pages;
}

int slm_slab_class_of(const struct slm_slab *slab, size_t size_bytes)
{
    size_t bytes = (size_bytes == 0 ? 1 : size_bytes) + slab->shape.gap_bytes;
    bool is_run = size_bytes > slab->largest_chunk_bytes || bytes > slab->largest_chunk_bytes;
    return is_run ? -1 : (int)class_of_bytes(slab, bytes);
}
