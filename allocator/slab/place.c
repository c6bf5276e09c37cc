/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a slab: what an address is, offsets, the root, statistics. */
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

void *slm_slab_pending_locked(const struct slm_slab *slab)
{
    uint64_t offset = slab->header->pending;
    struct slm_slab_place place;
    if (!slab_is_in_pages(slab, offset)) {
        return NULL;
    }
    void *p = (unsigned char *)slab->header + offset;
    slab_place_find(slab, p, &place);
    bool is_live = place.kind == SLM_SLAB_CHUNK_USED || place.kind == SLM_SLAB_RUN;
    return is_live && place.object == p ? p : NULL;
}

void slm_slab_settle_locked(struct slm_slab *slab)
{
    slab_commit(&slab->header->pending, 0);
}

uint64_t slm_slab_offset(const struct slm_slab *slab, const void *p)
{
    return p == NULL ? 0 : (uint64_t)((uintptr_t)p - (uintptr_t)slab->header);
}

void *slm_slab_pointer(const struct slm_slab *slab, uint64_t offset)
{
    return offset == 0 ? NULL : (unsigned char *)slab->header + offset;
}

enum slm_status slm_slab_set_root(struct slm_slab *slab, void *object)
{
    size_t offset = (size_t)((uintptr_t)object - (uintptr_t)slab->memory);
    if (object != NULL && offset >> slab->shape.page_shift >= slab->n_pages) {
        return SLM_E_FOREIGN;
    }
    uint64_t root = slab_root_seal(slm_slab_offset(slab, object));
    __atomic_store_n(&slab->header->root, root, __ATOMIC_RELEASE);
    return SLM_OK;
}

void *slm_slab_root(const struct slm_slab *slab)
{
    uint64_t root = __atomic_load_n(&slab->header->root, __ATOMIC_ACQUIRE);
    uint64_t offset = root & SLAB_ROOT_OFFSET;
    return root == slab_root_seal(offset) ? slm_slab_pointer(slab, offset) : NULL;
}

const char *slm_slab_name(const struct slm_slab *slab)
{
    return slab->name;
}

void slm_slab_stats(struct slm_slab *slab, struct slm_slab_stats *stats)
{
    const struct slab_header *header = slab->header;
    memset(stats, 0, sizeof *stats);
    stats->page_bytes = (size_t)1 << slab->shape.page_shift;
    stats->n_pages = slab->n_pages;
    stats->n_classes = slab->shape.n_classes;
    stats->metadata_bytes = slab->metadata_bytes;
    slab_lock(slab);
    stats->n_free_pages = header->n_free_pages;
    stats->n_kept_pages = header->n_kept_pages;
    stats->longest_free_run_pages = slab_run_longest(slab);
    stats->n_runs = header->n_runs;
    stats->n_run_pages = header->n_run_pages;
    stats->run_requests = header->run_requests;
    stats->run_failures = header->run_failures;
    stats->peak_used_pages = header->peak_used_pages;
    slab_unlock(slab);
}

enum slm_status slm_slab_class_stats(struct slm_slab *slab, unsigned class_idx,
                                     struct slm_slab_class_stats *stats)
{
    if (slab == NULL || stats == NULL) {
        return SLM_E_NULL;
    }
    if (class_idx >= slab->shape.n_classes) {
        return SLM_E_SIZE;
    }
    const struct slab_class *class = &slab->classes[class_idx];
    stats->chunk_bytes = slab->cuts[class_idx].chunk_bytes;
    stats->span_pages = slab->cuts[class_idx].span_pages;
    slab_lock(slab);
    stats->n_spans = class->n_spans;
    stats->n_chunks = (size_t) class->n_chunks;
    stats->n_used = (size_t) class->n_used;
    stats->n_requests = class->n_requests;
    stats->n_failures = class->n_failures;
    slab_unlock(slab);
    return SLM_OK;
}
