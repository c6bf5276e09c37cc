/* SPDX-License-Identifier: Apache-2.0 */
/* What an address is to a slab: one answer for free, check_pointer, locate and usable_bytes. */
#ifndef SLM_SLAB_PLACE_H
#define SLM_SLAB_PLACE_H

#include "allocator/slab/view.h"

/* Where an address lies. Outside the pages only `kind` is valid. */
struct slab_place {
    enum slm_slab_kind kind;
    uint32_t head;      /* first page of the span, run or free run */
    uint32_t chunk;     /* in spans: index of the chunk; of the tail, the number of chunks */
    size_t start_bytes; /* from the head to the object */
};

static inline enum slm_status slab_place_in_span(const struct slm_slab *slab, uint32_t span,
                                                 size_t offset_bytes, struct slab_place *place)
{
    uint64_t word = slab->pages[span].word;
    const struct slab_cut *cut = &slab->cuts[slab_word_class(word)];
    size_t span_bytes = (size_t)slab_word_pages(word) << slab->shape.page_shift;
    uint32_t chunk = slab_cut_idx(cut, offset_bytes);
    uint64_t bits = slab_span_bits(slab, span)[chunk / SLM_WORD_BITS];
    size_t start_bytes = (size_t)chunk * cut->chunk_bytes;
    *place = (struct slab_place){SLM_SLAB_CHUNK_USED, span, chunk, start_bytes};
    if (start_bytes + cut->chunk_bytes > span_bytes) {
        place->kind = SLM_SLAB_SPAN_TAIL;
        return SLM_E_INTERIOR;
    }
    if ((bits >> chunk % SLM_WORD_BITS & 1u) == 0) {
        place->kind = SLM_SLAB_CHUNK_FREE;
        return offset_bytes == start_bytes ? SLM_E_FREED : SLM_E_INTERIOR;
    }
    return offset_bytes == start_bytes ? SLM_OK : SLM_E_INTERIOR;
}

static inline enum slm_status slab_place_in_run(const struct slm_slab *slab, uint32_t head,
                                                size_t offset_bytes, struct slab_place *place)
{
    *place = (struct slab_place){SLM_SLAB_RUN, head, 0, 0};
    if (slab_word_kind(slab->pages[head].word) != SLAB_RUN) {
        place->kind = SLM_SLAB_FREE_PAGE;
        return SLM_E_PAGE_FREE;
    }
    return offset_bytes == 0 ? SLM_OK : SLM_E_INTERIOR;
}

/*
 * Fills in *place, and returns the status of a free of p: SLM_OK if a live object starts there, and
 * SLM_E_NULL for NULL. To a view that is not current, every other address is outside. The caller
 * holds the lock. O(1), inside runs O(pages of the run).
 */
static inline enum slm_status slab_place_find(const struct slm_slab *slab, const void *p,
                                              struct slab_place *place)
{
    if (!slab_is_current(slab)) {
        *place = (struct slab_place){.kind = SLM_SLAB_OUTSIDE};
        return p == NULL ? SLM_E_NULL : slm_slab_view_status(slab);
    }
    /* An address below page 0 wraps to an offset after every page. */
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)slab->memory);
    size_t page = offset >> slab->shape.page_shift;
    if (SLM_UNLIKELY(page >= slab->n_pages)) {
        bool is_metadata = offset + slab->metadata_bytes < slab->metadata_bytes;
        *place = (struct slab_place){.kind = is_metadata ? SLM_SLAB_METADATA : SLM_SLAB_OUTSIDE};
        return is_metadata ? SLM_E_METADATA : p == NULL ? SLM_E_NULL : SLM_E_FOREIGN;
    }
    uint32_t head = (uint32_t)page;
    uint64_t word = slab->pages[head].word;
    unsigned kind = slab_word_kind(word);
    if (kind == SLAB_SPAN || kind == SLAB_BODY) {
        head -= kind == SLAB_BODY ? slab_word_pages(word) : 0;
        offset -= (size_t)head << slab->shape.page_shift;
        return slab_place_in_span(slab, head, offset, place);
    }
    head = kind == SLAB_TAIL ? head + 1 - slab_word_pages(word) : slm_slab_run_head(slab, head);
    offset -= (size_t)head << slab->shape.page_shift;
    return slab_place_in_run(slab, head, offset, place);
}

/* As slab_place_find, but only whether it returns SLM_OK. O(1): no object starts on an inner page,
 * so the head of its run need not be found. *place is valid if so. */
static inline bool slab_place_find_object(const struct slm_slab *slab, const void *p,
                                          struct slab_place *place)
{
    size_t page = (size_t)((uintptr_t)p - (uintptr_t)slab->memory) >> slab->shape.page_shift;
    bool is_inner = page < slab->n_pages && slab->pages[page].word == SLAB_INNER;
    return !is_inner && slab_place_find(slab, p, place) == SLM_OK;
}

/* Whether the address is in a live object. */
static inline bool slab_place_is_live(const struct slab_place *place)
{
    return place->kind == SLM_SLAB_CHUNK_USED || place->kind == SLM_SLAB_RUN;
}

/* Bytes of the object, its gap included. */
static inline size_t slab_place_bytes(const struct slm_slab *slab, const struct slab_place *place)
{
    uint64_t word = slab->pages[place->head].word;
    size_t all_bytes = (size_t)slab_word_pages(word) << slab->shape.page_shift;
    if (place->kind == SLM_SLAB_CHUNK_USED || place->kind == SLM_SLAB_CHUNK_FREE) {
        return slab->cuts[slab_word_class(word)].chunk_bytes;
    }
    return all_bytes - place->start_bytes;
}

#endif
