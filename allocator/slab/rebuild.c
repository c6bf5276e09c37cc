/* SPDX-License-Identifier: Apache-2.0 */
/* After a death: rebuilds a slab's lists and counters from page words and bitmaps. */
#include <string.h>

#include "allocator/slab/view.h"

/* Growth was cut off. Only a rebuild meets such a word; to other calls it is damage. */
static bool word_is_new(const struct slm_slab *slab, uint32_t idx)
{
    uint64_t word = slab->pages[idx].word;
    uint32_t n_pages = slab_word_pages(word);
    return n_pages != 0 && n_pages <= slab->n_pages - idx &&
           word == slab_word(SLAB_NEW, 0, n_pages);
}

/* Two free runs side by side contradict the rule that freeing merges in one store. */
static bool heads_are_valid(const struct slm_slab *slab)
{
    unsigned kind_before = SLAB_INNER;
    for (uint32_t idx = 0; idx < slab->n_pages; idx += slab_word_pages(slab->pages[idx].word)) {
        unsigned kind = slab_word_kind(slab->pages[idx].word);
        bool is_head = slm_slab_word_is_head(slab, idx) || word_is_new(slab, idx);
        if (!is_head || (kind == SLAB_FREE && kind_before == SLAB_FREE)) {
            return false;
        }
        kind_before = kind;
    }
    return true;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Requests, failures, the peak and the last allocation cannot be recomputed: clamp them to
 * plausible values. */
static void bound_history(struct slm_slab *slab)
{
    struct slab_header *header = slab->header;
    if (!slab_is_in_pages(slab, header->pending)) {
        header->pending = 0;
    }
    header->run_failures = smaller(header->run_failures, header->run_requests);
    header->peak_used_pages = (uint32_t)smaller(header->peak_used_pages, slab->n_pages);
    for (unsigned i = 0; i < slab->shape.n_classes; i++) {
        struct slab_class *class = &slab->classes[i];
        class->n_failures = smaller(class->n_failures, class->n_requests);
    }
}

/* Empties every list, and sets every counter to 0 but requests, failures and the peak. */
static void clear_derived(struct slm_slab *slab)
{
    struct slab_header *header = slab->header;
    header->n_free_pages = 0;
    header->n_kept_pages = 0;
    header->n_runs = 0;
    header->n_run_pages = 0;
    header->reserved = 0;
    for (uint32_t i = 0; i < slab->n_pages; i++) {
        slab->pages[i].first_of_length = SLAB_NIL;
    }
    for (unsigned level = 0; level < slab->n_levels; level++) {
        memset(slab->lengths[level], 0, slab->length_words[level] * sizeof(uint64_t));
    }
    for (unsigned i = 0; i < slab->shape.n_classes; i++) {
        struct slab_class *class = &slab->classes[i];
        class->partial = SLAB_NIL;
        class->kept = SLAB_NIL;
        class->n_spans = 0;
        class->n_chunks = 0;
        class->n_used = 0;
        class->reserved = 0;
    }
}

static void clear_inner(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    for (uint32_t i = 1; i < n_pages; i++) {
        slab->pages[idx + i].word = SLAB_INNER;
    }
}

static uint32_t count_free_chunks(const struct slm_slab *slab, uint32_t span, uint32_t n_chunks)
{
    const uint64_t *bits = slab_span_bits(slab, span);
    uint32_t n_free = 0;
    for (uint32_t i = 0; i * SLM_WORD_BITS < n_chunks; i++) {
        n_free += slm_bit_count(~bits[i]);
    }
    return n_free;
}

static bool span_is_spare(const struct slm_slab *slab, uint32_t span)
{
    uint64_t word = slab->pages[span].word;
    return slab_word_kind(word) == SLAB_SPAN &&
           slab->pages[span].n_free == slab_span_chunks(slab, word) &&
           slab->classes[slab_word_class(word)].kept != span;
}

/* Counts and lists the span. An empty span is kept if its class keeps none; else release_spare
 * returns it. */
static void relist_span(struct slm_slab *slab, uint32_t span)
{
    struct slab_page *page = &slab->pages[span];
    struct slab_class *class = &slab->classes[slab_word_class(page->word)];
    uint32_t n_chunks = slab_span_chunks(slab, page->word);
    slm_slab_span_seal(slab, span, n_chunks);
    slm_slab_span_mark_body(slab, span, slab_word_pages(page->word));
    page->n_free = (uint16_t)count_free_chunks(slab, span, n_chunks);
    page->hint = 0;
    page->next = SLAB_NIL;
    page->prev = SLAB_NIL;
    class->n_spans++;
    class->n_chunks += n_chunks;
    class->n_used += n_chunks - page->n_free;
    if (page->n_free != 0 && page->n_free != n_chunks) {
        slm_slab_span_link(slab, slab_word_class(page->word), span);
    } else if (page->n_free == n_chunks && class->kept == SLAB_NIL) {
        slab_keep_span(slab, span);
    }
}

/* release_spare returns new pages too. */
static void relist_run(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    clear_inner(slab, idx, n_pages);
    slab->pages[idx].next = SLAB_NIL;
    slab->pages[idx].prev = SLAB_NIL;
    if (slab_word_kind(slab->pages[idx].word) == SLAB_RUN) {
        slab->header->n_runs++;
        slab->header->n_run_pages += n_pages;
    }
}

static void relist_free(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    clear_inner(slab, idx, n_pages);
    slm_slab_run_mark_free(slab, idx, n_pages);
    slm_slab_run_link(slab, idx, n_pages);
    slab->header->n_free_pages += n_pages;
}

static void relist_all(struct slm_slab *slab)
{
    uint32_t n_pages;
    for (uint32_t idx = 0; idx < slab->n_pages; idx += n_pages) {
        uint64_t word = slab->pages[idx].word;
        n_pages = slab_word_pages(word);
        if (slab_word_kind(word) == SLAB_SPAN) {
            relist_span(slab, idx);
        } else if (slab_word_kind(word) != SLAB_FREE) {
            relist_run(slab, idx, n_pages);
        } else {
            relist_free(slab, idx, n_pages);
        }
    }
}

/* Returns spare empty spans and new pages, now that the free runs to merge with are listed. The
 * walk goes on after the run that they merged into. */
static void release_spare(struct slm_slab *slab)
{
    uint32_t idx = 0;
    while (idx < slab->n_pages) {
        if (span_is_spare(slab, idx)) {
            idx = slm_slab_span_destroy(slab, idx);
        } else if (word_is_new(slab, idx)) {
            idx = slm_slab_run_give(slab, idx, slab_word_pages(slab->pages[idx].word));
        }
        idx += slab_word_pages(slab->pages[idx].word);
    }
}

enum slm_status slm_slab_rebuild_locked(struct slm_slab *slab)
{
    enum slm_status status = slab == NULL ? SLM_E_NULL : slab_change_status(slab);
    if (status != SLM_OK) {
        return status;
    }
    if (!heads_are_valid(slab)) {
        return SLM_E_IMAGE;
    }
    clear_derived(slab);
    bound_history(slab);
    relist_all(slab);
    release_spare(slab);
    slab_note_peak(slab);
    return SLM_OK;
}
