/* SPDX-License-Identifier: Apache-2.0 */
/* The slab's verbs: allocation and release, each with and without the lock. */
#include <slabmill/slab.h>

#include <string.h>

#include "allocator/base/poison.h"
#include "allocator/slab/place.h"
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

static void free_run(struct slm_slab *slab, uint32_t idx)
{
    uint32_t n_pages = slab_word_pages(slab->pages[idx].word);
    slab->header->n_runs--;
    slab->header->n_run_pages -= n_pages;
    slab_run_give(slab, idx, n_pages);
}

enum slm_status slm_slab_free_locked(struct slm_slab *slab, void *p)
{
    struct slab_place place;
    enum slm_status status = slab_place_find(slab, p, &place);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        return status;
    }
    if (slab_is_poisoned(slab)) {
        slab_poison_hide(slab, p, slab_place_bytes(slab, &place));
    }
    if (place.kind == SLM_SLAB_RUN) {
        free_run(slab, place.head);
    } else {
        slab_chunk_free(slab, place.head, place.chunk);
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
