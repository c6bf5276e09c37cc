/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of a slab: pages cut into chunks of one class, one bit for each chunk. */
#include <string.h>

#include "allocator/slab/chunk.h"
#include "allocator/slab/page_list.h"
#include "allocator/slab/view.h"

/*
 * A span with free and used chunks is on its class's list. A full span is on no list. An empty span
 * is kept by its class, or its pages are returned if the class keeps another. A kept span that was
 * the only one on the list stays there, so that one object that comes and goes changes no list.
 * Others come before it, so it is the last, and is used when no other has a free chunk. A bit is 1
 * if its chunk is used; the bits after the last chunk are always 1.
 */

static uint32_t bitmap_words(uint32_t n_chunks)
{
    return (n_chunks + SLM_WORD_BITS - 1) / SLM_WORD_BITS;
}

void slm_slab_span_seal(struct slm_slab *slab, uint32_t span, uint32_t n_chunks)
{
    if (n_chunks % SLM_WORD_BITS != 0) {
        uint64_t *last = slab_span_bits(slab, span) + n_chunks / SLM_WORD_BITS;
        *last |= ~slm_bits_below(n_chunks % SLM_WORD_BITS);
    }
}

void slm_slab_span_link(struct slm_slab *slab, unsigned class_idx, uint32_t span)
{
    slab_page_list_push(slab, &slab->classes[class_idx].partial, span);
}

void slm_slab_span_mark_body(struct slm_slab *slab, uint32_t span, uint32_t n_pages)
{
    for (uint32_t i = 1; i < n_pages; i++) {
        slab->pages[span + i].word = slab_word(SLAB_BODY, 0, i);
    }
}

/* Makes a run an empty span that is on no list; SLAB_NIL if no run is long enough. */
static uint32_t create_span(struct slm_slab *slab, unsigned class_idx, uint32_t n_pages)
{
    uint32_t span = slm_slab_run_take(slab, n_pages);
    if (span == SLAB_NIL) {
        return SLAB_NIL;
    }
    struct slab_page *page = &slab->pages[span];
    uint64_t word = slab_word(SLAB_SPAN, class_idx, n_pages);
    uint32_t n_chunks = slab_span_chunks(slab, word);
    memset(slab_span_bits(slab, span), 0, bitmap_words(n_chunks) * sizeof(uint64_t));
    slm_slab_span_seal(slab, span, n_chunks);
    slab_mark(slab, slab_span_bits(slab, span), bitmap_words(n_chunks) * sizeof(uint64_t));
    slm_slab_span_mark_body(slab, span, n_pages);
    page->n_free = (uint16_t)n_chunks;
    page->hint = 0;
    slab_commit(&page->word, word);
    slab_mark(slab, &page->word, sizeof page->word);
    slab->classes[class_idx].n_spans++;
    slab->classes[class_idx].n_chunks += n_chunks;
    return span;
}

uint32_t slm_slab_span_destroy(struct slm_slab *slab, uint32_t span)
{
    uint64_t word = slab->pages[span].word;
    struct slab_class *class = &slab->classes[slab_word_class(word)];
    class->n_spans--;
    class->n_chunks -= slab_span_chunks(slab, word);
    for (uint32_t i = 1; i < slab_word_pages(word); i++) {
        slab->pages[span + i].word = 0;
    }
    return slm_slab_run_give(slab, span, slab_word_pages(word));
}

/* Releases the span that the class keeps. Returns the number of its pages. */
static uint32_t release_kept(struct slm_slab *slab, struct slab_class *class)
{
    uint32_t span = class->kept;
    if (span == SLAB_NIL) {
        return 0;
    }
    if (slab_kept_is_listed(slab, class)) {
        slab_page_list_remove(slab, &class->partial, span);
    }
    uint32_t n_pages = slab_word_pages(slab->pages[span].word);
    class->kept = SLAB_NIL;
    slab->header->n_kept_pages -= n_pages;
    (void)slm_slab_span_destroy(slab, span);
    return n_pages;
}

uint32_t slm_slab_span_trim(struct slm_slab *slab)
{
    uint32_t n_pages = 0;
    for (unsigned i = 0; slab->header->n_kept_pages != 0 && i < slab->shape.n_classes; i++) {
        n_pages += release_kept(slab, &slab->classes[i]);
    }
    return n_pages;
}

/* Lists the span that the class keeps, if it keeps one; no span is listed. */
static bool list_kept(struct slm_slab *slab, unsigned class_idx)
{
    uint32_t span = slab->classes[class_idx].kept;
    if (span == SLAB_NIL) {
        return false;
    }
    slm_slab_span_link(slab, class_idx, span);
    return true;
}

/* A new span of the preferred length, or of the shortest that fits one chunk. */
static bool grow_class(struct slm_slab *slab, unsigned class_idx)
{
    const struct slab_cut *cut = &slab->cuts[class_idx];
    uint32_t span = create_span(slab, class_idx, cut->span_pages);
    if (span == SLAB_NIL && cut->min_pages < cut->span_pages) {
        span = create_span(slab, class_idx, cut->min_pages);
    }
    if (span == SLAB_NIL) {
        return false;
    }
    slm_slab_span_link(slab, class_idx, span);
    return true;
}

/* The first word with a free chunk, from word_idx on and around; there is one. */
static uint32_t find_word(const uint64_t *bits, uint32_t n_words, uint32_t word_idx)
{
    for (uint32_t left = n_words; left > 1 && bits[word_idx] == UINT64_MAX; left--) {
        word_idx = word_idx + 1 == n_words ? 0 : word_idx + 1;
    }
    return word_idx;
}

/* Searches from the hint's word on and around; with SLM_CHECKS >= 2 from the hint's bit on. */
uint32_t slm_slab_chunk_search(const struct slm_slab *slab, uint32_t span)
{
    const uint64_t *bits = slab_span_bits(slab, span);
    const struct slab_page *page = &slab->pages[span];
    uint32_t n_words = bitmap_words(slab_span_chunks(slab, page->word));
    uint32_t word_idx = page->hint / SLM_WORD_BITS;
    SLM_ASSERT(index, word_idx < n_words);
    if (SLM_CHECKS >= 2) {
        uint64_t ahead = ~bits[word_idx] & (UINT64_MAX << page->hint % SLM_WORD_BITS);
        if (ahead != 0) {
            return word_idx * SLM_WORD_BITS + slm_bit_lowest(ahead);
        }
        word_idx = word_idx + 1 == n_words ? 0 : word_idx + 1;
    }
    word_idx = find_word(bits, n_words, word_idx);
    SLM_ASSERT(bitmap, bits[word_idx] != UINT64_MAX);
    return word_idx * SLM_WORD_BITS + slm_bit_lowest(~bits[word_idx]);
}

void *slm_slab_chunk_alloc_partial(struct slm_slab *slab, unsigned class_idx)
{
    const struct slab_cut *cut = &slab->cuts[class_idx];
    uint32_t span = cut->stored->partial;
    if (span == SLAB_NIL) {
        return NULL;
    }
    SLM_ASSERT(index, span < slab->n_pages);
    SLM_ASSERT(page, slab_word_class(slab->pages[span].word) == class_idx);
    SLM_ASSERT(page, slab->pages[span].n_free > 0);
    uint32_t chunk = slm_slab_chunk_search(slab, span);
    slab_span_use(slab, cut->stored, span);
    slm_word *word = slab_span_bits(slab, span) + chunk / SLM_WORD_BITS;
    return slab_chunk_take(slab, cut, span, chunk, word, *word);
}

/* There are free pages, or a class keeps some. */
static SLM_NOINLINE void *grow_and_alloc(struct slm_slab *slab, unsigned class_idx)
{
    bool grown = list_kept(slab, class_idx) || grow_class(slab, class_idx);
    if (!grown && slm_slab_span_trim(slab) > 0) {
        grown = grow_class(slab, class_idx);
    }
    return grown ? slm_slab_chunk_alloc_partial(slab, class_idx) : NULL;
}

void *slm_slab_chunk_alloc_grow(struct slm_slab *slab, unsigned class_idx)
{
    /* Nearly always so in a zone that evicts. */
    bool is_full = slab->header->n_free_pages == 0 && slab->header->n_kept_pages == 0;
    return is_full ? NULL : grow_and_alloc(slab, class_idx);
}

/* The class keeps the span, which is empty now, if it keeps no other. */
static void retire_span(struct slm_slab *slab, struct slab_class *class, uint32_t span,
                        bool is_listed)
{
    bool is_kept = class->kept == SLAB_NIL;
    bool stays = is_kept && slab_page_list_is(slab, class->partial, span);
    if (is_listed && !stays) {
        slab_page_list_remove(slab, &class->partial, span);
    }
    if (is_kept) {
        slab_keep_span(slab, span);
    } else {
        (void)slm_slab_span_destroy(slab, span);
    }
}

void slm_slab_chunk_free(struct slm_slab *slab, uint32_t span, uint32_t chunk)
{
    struct slab_page *page = &slab->pages[span];
    unsigned class_idx = slab_word_class(page->word);
    uint32_t n_chunks = slab_span_chunks(slab, page->word);
    slm_word *word = slab_span_bits(slab, span) + chunk / SLM_WORD_BITS;
    slab_commit(word, *word & ~(UINT64_C(1) << chunk % SLM_WORD_BITS));
    slab->classes[class_idx].n_used--;
    if (SLM_CHECKS < 2) {
        page->hint = (uint16_t)chunk;
    }
    bool was_full = page->n_free++ == 0;
    if (page->n_free == n_chunks) {
        retire_span(slab, &slab->classes[class_idx], span, !was_full);
    } else if (was_full) {
        slm_slab_span_link(slab, class_idx, span);
    }
}
