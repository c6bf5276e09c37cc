/* SPDX-License-Identifier: Apache-2.0 */
/* What an address is to a slab. */
#include <string.h>

#include "allocator/slab/view.h"

static void place_run(const struct slm_slab *slab, uint32_t head, struct slm_slab_place *place)
{
    uint64_t word = slab->pages[head].word;
    place->kind = slab_word_kind(word) == SLAB_RUN ? SLM_SLAB_RUN : SLM_SLAB_FREE_PAGE;
    place->object = slab_page_memory(slab, head);
    place->object_bytes = (size_t)slab_word_pages(word) << slab->shape.page_shift;
    place->span = place->object;
    place->span_pages = slab_word_pages(word);
}

static void place_chunk(const struct slm_slab *slab, uint32_t span, size_t offset_bytes,
                        struct slm_slab_place *place)
{
    uint64_t word = slab->pages[span].word;
    const struct slab_cut *cut = &slab->cuts[slab_word_class(word)];
    size_t span_bytes = (size_t)slab_word_pages(word) << slab->shape.page_shift;
    uint32_t chunk = slab_cut_idx(cut, offset_bytes);
    size_t start = (size_t)chunk * cut->chunk_bytes;
    place->class_idx = slab_word_class(word);
    place->span = slab_page_memory(slab, span);
    place->span_pages = slab_word_pages(word);
    place->object = slab_page_memory(slab, span) + start;
    if (start + cut->chunk_bytes > span_bytes) {
        place->kind = SLM_SLAB_SPAN_TAIL;
        place->object_bytes = span_bytes - start;
        return;
    }
    uint64_t bits = slab_span_bits(slab, span)[chunk / SLM_WORD_BITS];
    place->kind = bits >> chunk % SLM_WORD_BITS & 1u ? SLM_SLAB_CHUNK_USED : SLM_SLAB_CHUNK_FREE;
    place->object_bytes = cut->chunk_bytes;
}

void slab_place_find(const struct slm_slab *slab, const void *p, struct slm_slab_place *place)
{
    size_t in_region = (size_t)((uintptr_t)p - (uintptr_t)slab->header);
    size_t offset = in_region - slab->metadata_bytes;
    memset(place, 0, sizeof *place);
    if (in_region < slab->metadata_bytes) {
        place->kind = SLM_SLAB_METADATA;
        return;
    }
    if (offset >> slab->shape.page_shift >= slab->n_pages) {
        place->kind = SLM_SLAB_OUTSIDE;
        return;
    }
    uint32_t idx = (uint32_t)(offset >> slab->shape.page_shift);
    uint64_t word = slab->pages[idx].word;
    switch (slab_word_kind(word)) {
    case SLAB_BODY:
        idx -= slab_word_pages(word);
        place_chunk(slab, idx, offset - ((size_t)idx << slab->shape.page_shift), place);
        break;
    case SLAB_SPAN:
        place_chunk(slab, idx, offset - ((size_t)idx << slab->shape.page_shift), place);
        break;
    case SLAB_TAIL:
        place_run(slab, idx + 1 - slab_word_pages(word), place);
        break;
    default:
        place_run(slab, slab_run_head(slab, idx), place);
        break;
    }
}

void slm_slab_locate(struct slm_slab *slab, const void *p, struct slm_slab_place *place)
{
    slab_lock(slab);
    slab_place_find(slab, p, place);
    slab_unlock(slab);
}
