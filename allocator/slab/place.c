/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about an address. */
#include "allocator/slab/place.h"

#include <string.h>

static bool is_in_span(const struct slab_place *place)
{
    return place->kind == SLM_SLAB_CHUNK_USED || place->kind == SLM_SLAB_CHUNK_FREE ||
           place->kind == SLM_SLAB_SPAN_TAIL;
}

static void show_place(const struct slm_slab *slab, const struct slab_place *found,
                       struct slm_slab_place *place)
{
    memset(place, 0, sizeof *place);
    place->kind = found->kind;
    if (found->kind == SLM_SLAB_OUTSIDE || found->kind == SLM_SLAB_METADATA) {
        return;
    }
    uint64_t word = slab->pages[found->head].word;
    place->is_live = slab_place_is_live(found);
    place->class_idx = is_in_span(found) ? slab_word_class(word) : 0;
    place->span = slab_page_memory(slab, found->head);
    place->span_pages = slab_word_pages(word);
    place->object = slab_page_memory(slab, found->head) + found->start_bytes;
    place->object_bytes = slab_place_bytes(slab, found);
}

void slm_slab_locate(struct slm_slab *slab, const void *p, struct slm_slab_place *place)
{
    struct slab_place found;
    if (slab == NULL || place == NULL) {
        return;
    }
    slab_lock(slab);
    (void)slab_place_find(slab, p, &found);
    show_place(slab, &found, place);
    slab_unlock(slab);
}

enum slm_status slm_slab_check_pointer_locked(const struct slm_slab *slab, const void *p)
{
    struct slab_place place;
    return slab == NULL ? SLM_E_NULL : slab_place_find(slab, p, &place);
}

/* 0: no live object starts at p. */
static size_t find_usable_bytes(const struct slm_slab *slab, const void *p)
{
    struct slab_place place;
    return slab_place_find(slab, p, &place) == SLM_OK
               ? slab_place_bytes(slab, &place) - slab->shape.gap_bytes
               : 0;
}

size_t slm_slab_usable_bytes(struct slm_slab *slab, void *p)
{
    if (slab == NULL) {
        return 0;
    }
    slab_lock(slab);
    size_t usable_bytes = find_usable_bytes(slab, p);
    slab_unlock(slab);
    if (slab_is_poisoned(slab) && usable_bytes != 0) {
        slm_slab_poison_widen(slab, p, usable_bytes);
    }
    return usable_bytes;
}
