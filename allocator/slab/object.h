/* SPDX-License-Identifier: Apache-2.0 */
/* The live object that an address lies in: what a journal asks before it notes a word there. */
#ifndef SLM_SLAB_OBJECT_H
#define SLM_SLAB_OBJECT_H

#include "allocator/slab/view.h"

/* How many pages back from an address the head of its run is looked for. */
#define SLAB_LOOK_BACK_PAGES 64u

struct slab_object {
    const unsigned char *start;
    size_t n_bytes; /* gap included */
};

/*
 * Finds the live object that [p, p + n_bytes) lies in; n_bytes is not 0. Fails: SLM_E_FOREIGN
 * (outside the region, or in a span's unused tail), SLM_E_METADATA, SLM_E_FREED (a free chunk),
 * SLM_E_PAGE_FREE, SLM_E_SIZE (the object ends before the range does). The caller holds the lock.
 * Cost O(1), for a range of several pages O(pages of the range). For that price an address more
 * than SLAB_LOOK_BACK_PAGES after the head of its run counts as live; *object is then the part of
 * the run that was looked at. place.c.
 */
enum slm_status slm_slab_find_object(const struct slm_slab *slab, const void *p, size_t n_bytes,
                                     struct slab_object *object);

/* The live object of an address in a span. SLM_E_FREED: the chunk is free; SLM_E_FOREIGN: the tail. */
static inline enum slm_status slab_find_chunk(const struct slm_slab *slab, size_t page,
                                              uint64_t page_word, size_t offset_bytes,
                                              struct slab_object *object)
{
    bool is_body = slab_word_kind(page_word) == SLAB_BODY;
    size_t span = page - (is_body ? slab_word_pages(page_word) : 0);
    uint64_t word = is_body ? slab->pages[span].word : page_word;
    const struct slab_cut *cut = &slab->cuts[slab_word_class(word)];
    size_t span_start = span << slab->shape.page_shift;
    uint32_t chunk = slab_cut_idx(cut, offset_bytes - span_start);
    uint64_t bits = slab_span_bits(slab, (uint32_t)span)[chunk / SLM_WORD_BITS];
    size_t end_bytes = ((size_t)chunk + 1) * cut->chunk_bytes;
    if (SLM_UNLIKELY((bits >> chunk % SLM_WORD_BITS & 1u) == 0)) {
        return SLM_E_FREED;
    }
    object->start = slab->memory + span_start + end_bytes - cut->chunk_bytes;
    object->n_bytes = cut->chunk_bytes;
    bool is_tail = end_bytes > (size_t)slab_word_pages(word) << slab->shape.page_shift;
    return SLM_UNLIKELY(is_tail) ? SLM_E_FOREIGN : SLM_OK;
}

/* Whether [p, p + n_bytes) lies in a live chunk, the most frequent case; fills in *object then. False:
 * look again, with slm_slab_find_object. */
static inline bool slab_find_in_chunk(const struct slm_slab *slab, const void *p, size_t n_bytes,
                                      struct slab_object *object)
{
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)slab->memory);
    size_t span = offset >> slab->shape.page_shift;
    if (SLM_UNLIKELY(span >= slab->n_pages)) {
        return false;
    }
    uint64_t word = slab->pages[span].word;
    offset &= slab->page_mask;
    if (slab_word_kind(word) != SLAB_SPAN) {
        if (SLM_UNLIKELY(slab_word_kind(word) != SLAB_BODY)) {
            return false;
        }
        offset += slab_word_pages(word) * slab->page_bytes;
        span -= slab_word_pages(word);
        word = slab->pages[span].word;
    }
    const struct slab_cut *cut = &slab->cuts[slab_word_class(word)];
    uint64_t chunk = offset * cut->inverse >> SLAB_INVERSE_SHIFT;
    uint64_t bits = slab_span_bits(slab, (uint32_t)span)[chunk / SLM_WORD_BITS];
    uint64_t start = chunk * cut->chunk_bytes;
    object->start = (const unsigned char *)p - (offset - start);
    object->n_bytes = cut->chunk_bytes;
    bool is_tail = start + cut->chunk_bytes > slab_word_pages(word) * slab->page_bytes;
    return SLM_LIKELY((bits >> chunk % SLM_WORD_BITS & 1u) != 0) && SLM_LIKELY(!is_tail) &&
           SLM_LIKELY(n_bytes <= start + cut->chunk_bytes - offset);
}

#endif
