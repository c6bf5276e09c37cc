/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over a slab's pages, for maps and figures. Safe on a region with any contents. */
#include "allocator/slab/view.h"

/* A walk goes from head to head by lengths. Where a word is no head, it goes to the next head. */
static uint32_t count_damaged(const struct slm_slab *slab, uint32_t first)
{
    uint32_t idx = first + 1;
    while (idx < slab->n_pages && !slm_slab_word_is_head(slab, idx)) {
        idx++;
    }
    return idx - first;
}

static size_t count_used(const struct slm_slab *slab, uint32_t span, size_t n_chunks)
{
    const uint64_t *bits = slab_span_bits(slab, span);
    size_t n_used = 0;
    for (size_t at = 0; at < n_chunks; at += SLM_WORD_BITS) {
        size_t here = n_chunks - at < SLM_WORD_BITS ? n_chunks - at : SLM_WORD_BITS;
        n_used += slm_bit_count(bits[at / SLM_WORD_BITS] & slm_bits_below((unsigned)here));
    }
    return n_used;
}

static void fill_extent(const struct slm_slab *slab, uint32_t idx, struct slm_slab_extent *extent)
{
    uint64_t word = slab->pages[idx].word;
    *extent = (struct slm_slab_extent){.kind = SLM_SLAB_EXTENT_DAMAGED, .first_page = idx};
    if (!slm_slab_word_is_head(slab, idx)) {
        extent->n_pages = count_damaged(slab, idx);
        return;
    }
    extent->n_pages = slab_word_pages(word);
    switch (slab_word_kind(word)) {
    case SLAB_FREE:
        extent->kind = SLM_SLAB_EXTENT_FREE;
        break;
    case SLAB_RUN:
        extent->kind = SLM_SLAB_EXTENT_RUN;
        break;
    default:
        extent->kind = SLM_SLAB_EXTENT_SPAN;
        extent->class_idx = slab_word_class(word);
        extent->n_chunks = slab_span_chunks(slab, word);
        extent->n_used = count_used(slab, idx, extent->n_chunks);
    }
}

void slm_slab_walk_locked(const struct slm_slab *slab,
                          bool (*visit)(void *data, const struct slm_slab_extent *extent),
                          void *data)
{
    struct slm_slab_extent extent;
    if (slab == NULL || visit == NULL || slm_slab_view_status(slab) == SLM_E_STATE) {
        return;
    }
    for (uint32_t idx = 0; idx < slab->n_pages; idx += (uint32_t)extent.n_pages) {
        fill_extent(slab, idx, &extent);
        if (!visit(data, &extent)) {
            return;
        }
    }
}

void slm_slab_metadata_parts(const struct slm_slab *slab,
                             struct slm_slab_part parts[SLM_SLAB_METADATA_PARTS])
{
    if (slab == NULL || parts == NULL) {
        return;
    }
    const unsigned char *base = (const unsigned char *)slab->header;
    const unsigned char *end_of_pages = (const unsigned char *)(slab->pages + slab->n_pages);
    const unsigned char *lengths = (const unsigned char *)slab->lengths[0];
    const unsigned char *end_of_bitmaps =
        (const unsigned char *)(slab->bitmaps + (size_t)slab->n_pages * slab->words_per_page);
    parts[0] = (struct slm_slab_part){0, (size_t)(end_of_pages - base)};
    parts[1] = (struct slm_slab_part){(size_t)(lengths - base), (size_t)(end_of_bitmaps - lengths)};
}
