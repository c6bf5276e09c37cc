/* SPDX-License-Identifier: Apache-2.0 */
/* A list of pages, linked both ways by index: of free runs of one length, of a class's spans. */
#ifndef SLM_SLAB_PAGE_LIST_H
#define SLM_SLAB_PAGE_LIST_H

#include "allocator/base/check.h"
#include "allocator/slab/view.h"

/* Puts the page, which is on no list, in front of the list that begins at *first. */
static inline void slab_page_list_push(struct slm_slab *slab, uint32_t *first, uint32_t idx)
{
    struct slab_page *page = &slab->pages[idx];
    page->prev = SLAB_NIL;
    page->next = *first;
    if (*first != SLAB_NIL) {
        SLM_ASSERT(index, *first < slab->n_pages);
        slab->pages[*first].prev = idx;
    }
    *first = idx;
}

/* Takes the page off the list that begins at *first. */
static inline void slab_page_list_remove(struct slm_slab *slab, uint32_t *first, uint32_t idx)
{
    struct slab_page *page = &slab->pages[idx];
    if (page->next != SLAB_NIL) {
        SLM_ASSERT(list, page->next < slab->n_pages && slab->pages[page->next].prev == idx);
        slab->pages[page->next].prev = page->prev;
    }
    if (page->prev != SLAB_NIL) {
        SLM_ASSERT(list, page->prev < slab->n_pages && slab->pages[page->prev].next == idx);
        slab->pages[page->prev].next = page->next;
    } else {
        SLM_ASSERT(list, *first == idx);
        *first = page->next;
    }
    page->next = SLAB_NIL;
    page->prev = SLAB_NIL;
}

/* Takes the first page off the list that begins at *first. */
static inline void slab_page_list_pop(struct slm_slab *slab, uint32_t *first,
                                      struct slab_page *page)
{
    uint32_t next = page->next;
    SLM_ASSERT(list, page->prev == SLAB_NIL && (next == SLAB_NIL || next < slab->n_pages));
    *first = next;
    /* SLAB_NIL is no page: one compare for both. */
    if (next < slab->n_pages) {
        SLM_ASSERT(list, slab->pages[next].prev == (uint32_t)(page - slab->pages));
        slab->pages[next].prev = SLAB_NIL;
        page->next = SLAB_NIL;
    }
}

/* Whether the list that begins at first holds this page only. */
static inline bool slab_page_list_is(const struct slm_slab *slab, uint32_t first, size_t idx)
{
    SLM_ASSERT(list, first != idx || slab->pages[idx].prev == SLAB_NIL);
    return first == idx && slab->pages[idx].next == SLAB_NIL;
}

#endif
