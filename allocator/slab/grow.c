/* SPDX-License-Identifier: Apache-2.0 */
/* A slab whose region becomes longer. */
#include <string.h>

#include "allocator/slab/view.h"

size_t slm_slab_used_bytes(const struct slm_slab *slab)
{
    if (slab == NULL) {
        return 0;
    }
    size_t n_pages = slm_slab_layout_n_pages(slab->header, slab->shape.max_pages);
    return slab->metadata_bytes + (n_pages << slab->shape.page_shift);
}

enum slm_status slm_slab_view_status(const struct slm_slab *slab)
{
    if (slab_is_current(slab)) {
        return SLM_OK;
    }
    uint32_t n_pages = slm_slab_layout_n_pages(slab->header, slab->shape.max_pages);
    return n_pages > slab->n_pages ? SLM_E_STATE : SLM_E_IMAGE;
}

enum slm_status slm_slab_refresh_within(struct slm_slab *slab, size_t region_bytes)
{
    uint32_t n_pages = slm_slab_layout_n_pages(slab->header, slab->shape.max_pages);
    if (n_pages < slab->n_pages) {
        return SLM_E_IMAGE;
    }
    if (slab->metadata_bytes + ((uint64_t)n_pages << slab->shape.page_shift) > region_bytes) {
        return SLM_E_SIZE;
    }
    if (n_pages > slab->n_pages && slab_is_poisoned(slab)) {
        slm_slab_poison_grow(slab, n_pages);
    }
    slab_know_pages(slab, n_pages);
    return SLM_OK;
}

enum slm_status slm_slab_refresh_locked(struct slm_slab *slab)
{
    return slab == NULL ? SLM_E_NULL : slm_slab_refresh_within(slab, SIZE_MAX);
}

static void clear_descriptors(struct slm_slab *slab, uint32_t first, uint32_t end)
{
    memset(slab->pages + first, 0, (end - first) * sizeof *slab->pages);
    for (uint32_t i = first; i < end; i++) {
        slab->pages[i].next = SLAB_NIL;
        slab->pages[i].prev = SLAB_NIL;
        slab->pages[i].first_of_length = SLAB_NIL;
    }
}

/*
 *   before  [ ... FREE 2 TAIL 2]
 *   commit  [ ... FREE 2 TAIL 2][NEW 3 . .]   one store of the count
 *   after   [ ... FREE 5 . . . TAIL 5     ]   freed, as an object is; after a death by rebuilding
 */
static void add_pages(struct slm_slab *slab, uint32_t n_pages)
{
    uint32_t first = slab->n_pages;
    clear_descriptors(slab, first, n_pages);
    slab->pages[first].word = slab_word(SLAB_NEW, 0, n_pages - first);
    slab_commit(&slab->header->n_pages, slab_pages_seal(n_pages));
    (void)slm_slab_refresh_locked(slab);
    (void)slm_slab_run_give(slab, first, n_pages - first);
}

size_t slm_slab_grow_locked(struct slm_slab *slab, size_t region_bytes)
{
    if (slab == NULL || slab->view.read_only) {
        return slab == NULL ? 0 : slab->n_pages;
    }
    /* Pages that another view added come first: region_bytes are mapped, so they may be. */
    uint32_t n_pages = slm_slab_layout_pages_in(&slab->shape, region_bytes);
    enum slm_status status = slm_slab_refresh_within(slab, region_bytes);
    if (status == SLM_OK && n_pages > slab->n_pages) {
        add_pages(slab, n_pages);
        SLM_CHECK_ALL(slm_slab_check_locked(slab));
    }
    return slab->n_pages;
}
