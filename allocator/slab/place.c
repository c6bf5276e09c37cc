/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about an address. */
#include "allocator/slab/place.h"

#include "allocator/slab/object.h"

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
    if (slab_lock(slab) != SLM_OK) {
        *place = (struct slm_slab_place){.kind = SLM_SLAB_OUTSIDE};
        return;
    }
    (void)slab_place_find(slab, p, &found);
    show_place(slab, &found, place);
    slab_unlock(slab);
}

enum slm_status slm_slab_check_pointer_locked(const struct slm_slab *slab, const void *p)
{
    struct slab_place place;
    return slab == NULL ? SLM_E_NULL : slab_place_find(slab, p, &place);
}

bool slm_slab_is_object(const struct slm_slab *slab, const void *p)
{
    struct slab_place place;
    return slab_place_find_object(slab, p, &place);
}

/* 0: no live object starts at p. */
static size_t find_usable_bytes(const struct slm_slab *slab, const void *p)
{
    struct slab_place place;
    return slab_place_find_object(slab, p, &place)
               ? slab_place_bytes(slab, &place) - slab->shape.gap_bytes
               : 0;
}

size_t slm_slab_usable_bytes(struct slm_slab *slab, void *p)
{
    if (slab == NULL || slab_lock(slab) != SLM_OK) {
        return 0;
    }
    size_t usable_bytes = find_usable_bytes(slab, p);
    slab_unlock(slab);
    if (slab_is_poisoned(slab) && usable_bytes != 0) {
        slm_slab_poison_widen(slab, p, usable_bytes);
    }
    return usable_bytes;
}

/* --- The object of a word --- */

/* The part of a run from an inner page on, as far as the range needs it. */
static void find_inner_pages(const struct slm_slab *slab, uint32_t page, const unsigned char *end,
                             struct slab_object *object)
{
    object->start = slab_page_memory(slab, page);
    do {
        page++;
    } while (page < slab->n_pages && slab->pages[page].word == SLAB_INNER &&
             slab_page_memory(slab, page) < end);
    object->n_bytes = (size_t)(slab_page_memory(slab, page) - object->start);
}

/* The page is part of a run, or free. */
static enum slm_status find_run(const struct slm_slab *slab, uint32_t page,
                                const unsigned char *end, struct slab_object *object)
{
    uint32_t head = page;
    uint32_t first = page < SLAB_LOOK_BACK_PAGES ? 0 : page - SLAB_LOOK_BACK_PAGES;
    while (head > first && slab->pages[head].word == SLAB_INNER) {
        head--;
    }
    uint64_t word = slab->pages[head].word;
    if (word == SLAB_INNER) {
        find_inner_pages(slab, page, end, object);
        return SLM_OK;
    }
    object->start = slab_page_memory(slab, head);
    object->n_bytes = (size_t)slab_word_pages(word) << slab->shape.page_shift;
    return slab_word_kind(word) == SLAB_RUN ? SLM_OK : SLM_E_PAGE_FREE;
}

static SLM_NOINLINE enum slm_status outside_status(const struct slm_slab *slab, size_t offset)
{
    return offset + slab->metadata_bytes < slab->metadata_bytes ? SLM_E_METADATA : SLM_E_FOREIGN;
}

enum slm_status slm_slab_find_object(const struct slm_slab *slab, const void *p, size_t n_bytes,
                                     struct slab_object *object)
{
    const unsigned char *first = p;
    /* An address below page 0 wraps to an offset after every page. */
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)slab->memory);
    size_t page = offset >> slab->shape.page_shift;
    if (SLM_UNLIKELY(page >= slab->n_pages)) {
        return outside_status(slab, offset);
    }
    size_t most_bytes = ((size_t)slab->n_pages << slab->shape.page_shift) - offset;
    const unsigned char *end = first + (n_bytes < most_bytes ? n_bytes : most_bytes);
    uint64_t word = slab->pages[page].word;
    bool is_in_span = slab_word_kind(word) == SLAB_SPAN || slab_word_kind(word) == SLAB_BODY;
    enum slm_status status = is_in_span ? slab_find_chunk(slab, page, word, offset, object)
                                        : find_run(slab, (uint32_t)page, end, object);
    bool is_longer =
        n_bytes > most_bytes || (status == SLM_OK && end > object->start + object->n_bytes);
    return status == SLM_OK && is_longer ? SLM_E_SIZE : status;
}
