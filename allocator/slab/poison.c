/* SPDX-License-Identifier: Apache-2.0 */
/* Reports a slab's objects to sanitizers, for exclusive views. */
#include "allocator/base/poison.h"
#include "allocator/slab/view.h"

static size_t memory_bytes(const struct slm_slab *slab)
{
    return (size_t)slab->n_pages << slab->shape.page_shift;
}

/* Shows an object that was allocated before the attach, in its whole usable size. */
static void show_old(const struct slm_slab *slab, unsigned char *object, size_t object_bytes)
{
    size_t usable_bytes = object_bytes - slab->shape.gap_bytes;
    SLM_VG_POOL_ALLOC(slab, object, usable_bytes);
    slm_poison_open(object, usable_bytes);
}

static void show_chunks(struct slm_slab *slab, uint32_t span)
{
    uint64_t word = slab->pages[span].word;
    uint32_t n_chunks = slab_span_chunks(slab, word);
    size_t chunk_bytes = slab->cuts[slab_word_class(word)].chunk_bytes;
    const uint64_t *bits = slab_span_bits(slab, span);
    for (uint32_t i = 0; i < n_chunks; i++) {
        if (bits[i / SLM_WORD_BITS] >> i % SLM_WORD_BITS & 1u) {
            show_old(slab, slab_page_memory(slab, span) + i * chunk_bytes, chunk_bytes);
        }
    }
}

static void show_live(struct slm_slab *slab)
{
    for (uint32_t idx = 0; idx < slab->n_pages;) {
        uint64_t word = slab->pages[idx].word;
        if (!slm_slab_word_is_head(slab, idx)) {
            return;
        }
        if (slab_word_kind(word) == SLAB_SPAN) {
            show_chunks(slab, idx);
        } else if (slab_word_kind(word) == SLAB_RUN) {
            size_t run_bytes = (size_t)slab_word_pages(word) << slab->shape.page_shift;
            show_old(slab, slab_page_memory(slab, idx), run_bytes);
        }
        idx += slab_word_pages(word);
    }
}

void slm_slab_poison_attach(struct slm_slab *slab)
{
    SLM_VG_POOL_CREATE(slab);
    slm_poison_hide(slab->memory, memory_bytes(slab));
    show_live(slab);
}

void slm_slab_poison_detach(struct slm_slab *slab)
{
    SLM_VG_POOL_DESTROY(slab);
    slm_poison_open(slab->memory, memory_bytes(slab));
}

void slm_slab_poison_hide_all(struct slm_slab *slab)
{
    SLM_VG_POOL_DESTROY(slab);
    SLM_VG_POOL_CREATE(slab);
    slm_poison_hide(slab->memory, memory_bytes(slab));
}

void slm_slab_poison_grow(struct slm_slab *slab, uint32_t n_pages)
{
    size_t n_bytes = (size_t)(n_pages - slab->n_pages) << slab->shape.page_shift;
    slm_poison_hide(slab_page_memory(slab, slab->n_pages), n_bytes);
}

void slm_slab_poison_show(struct slm_slab *slab, void *p, size_t size_bytes)
{
    (void)slab;
    SLM_VG_POOL_ALLOC(slab, p, size_bytes);
    slm_poison_show(p, size_bytes);
}

void slm_slab_poison_hide(struct slm_slab *slab, void *p, size_t object_bytes)
{
    (void)slab;
    SLM_VG_POOL_FREE(slab, p);
    slm_poison_hide(p, object_bytes);
}

void slm_slab_poison_widen(struct slm_slab *slab, void *p, size_t usable_bytes)
{
    slm_poison_widen(slab, p, usable_bytes);
}
