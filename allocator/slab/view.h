/* SPDX-License-Identifier: Apache-2.0 */
/* What a process holds of a slab: its view; and the functions that this room's files share. */
#ifndef SLM_SLAB_VIEW_H
#define SLM_SLAB_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "allocator/base/bits.h"
#include "allocator/base/check.h"
#include "allocator/base/config.h"
#include "allocator/slab/image.h"
#include <slabmill/slab.h>

/* In each of several callers, which need no call then. */
#define SLAB_INLINE static inline __attribute__((always_inline))

#define SLAB_INVERSE_SHIFT 40u /* offset / chunk = offset * inverse >> 40: see classes.c */

/* Sizes up to SLAB_LOW_MAX find their class in a table of steps of SLAB_LOW_STEP bytes. */
#define SLAB_LOW_STEP 8u
#define SLAB_LOW_MAX  1024u

/* A class as it never changes. 32 bytes: a fast path finds it by one shift. */
struct slab_cut {
    uint64_t inverse;
    struct slab_class *stored; /* what the region holds of it */
    uint32_t chunk_bytes;
    uint32_t span_pages; /* preferred */
    uint32_t min_pages;  /* fewest that hold a chunk */
};

struct slm_slab {
    struct slab_cut cuts[SLM_SLAB_CLASSES_MAX]; /* first: an address less to add */
    struct slab_header *header;
    struct slab_class *classes;
    struct slab_page *pages;
    uint64_t *bitmaps;
    unsigned char *memory; /* page 0 */
    uint64_t *lengths[SLAB_LEVELS_MAX];
    size_t length_words[SLAB_LEVELS_MAX];
    struct slab_shape shape;
    uint32_t n_pages; /* as this view knows it */
    /* What the fast paths need; it follows from the rest. */
    uint32_t n_writable_pages; /* n_pages; 0 in a read-only view */
    size_t page_bytes;
    size_t page_mask;    /* page_bytes - 1 */
    size_t bitmap_bytes; /* of the words of one page */
    size_t low_bytes;    /* largest size, without its gap, that low_classes serves */
    size_t low_extra;    /* a size plus this, in steps of SLAB_LOW_STEP, is its place there */
    uint32_t words_per_page;
    /* While a copy of the region is made: gets what a call changed. NULL: no copy is made. */
    void (*mark)(void *data, const void *p, size_t n_bytes);
    void *mark_data;
    /* Not 0: free pages may have no memory. Then `back` gets it before they are handed out; false:
     * there is none. */
    const slm_word *may_have_holes;
    bool (*back)(void *data, const void *p, size_t n_bytes);
    void *back_data;
    unsigned n_levels;
    unsigned class_shift;      /* log2 of classes per doubling */
    unsigned first_high_class; /* of sizes above SLAB_LOW_MAX */
    size_t largest_chunk_bytes;
    size_t metadata_bytes;
    struct slm_slab_view view;
    char name[SLM_SLAB_NAME_BYTES];
    uint8_t low_classes[SLAB_LOW_MAX / SLAB_LOW_STEP + 1];
};

/* --- classes.c --- */

/* Classes that the shape's region has; needs all of the shape but n_classes and max_pages. */
uint32_t slm_slab_classes_count(const struct slab_shape *shape);
/* Fills in the class of a shape that serves so many bytes, gap included, but for `stored`. False:
 * they take whole pages. */
bool slm_slab_classes_find(const struct slab_shape *shape, uint64_t bytes, struct slab_cut *cut);
/* Fills in the view's tables of classes, which follow from slab->shape. */
void slm_slab_classes_derive(struct slm_slab *slab);

/* --- layout.c --- */

/* Starts a shape with what the options say (NULL: all default). False when one of them is not
 * allowed. */
bool slm_slab_layout_options(struct slab_shape *shape, const struct slm_slab_options *options);
/* Completes a shape that slm_slab_layout_options started. Returns the pages in the region; 0: none, or
 * too many. */
uint32_t slm_slab_layout_region(struct slab_shape *shape, size_t region_bytes);

/* Fills in everything of a view that follows from slab->shape (max_pages and n_classes
 * included). */
void slm_slab_layout_derive(struct slm_slab *slab, void *region);
uint64_t slm_slab_layout_checksum(const struct slab_header *header);
/* Pages in so many bytes of region, whose tables are for max_pages. */
uint32_t slm_slab_layout_pages_in(const struct slab_shape *shape, uint64_t region_bytes);
/* The number of pages in the region's header; 0: the seal is wrong, or the number is too large. One
 * load: without the lock, another process may grow the slab meanwhile. */
uint32_t slm_slab_layout_n_pages(const struct slab_header *header, uint32_t max_pages);

/* Whether the page's word can be a head's: kind, class, length within the region. Safe on any
 * contents. */
bool slm_slab_word_is_head(const struct slm_slab *slab, uint32_t idx);

/* --- format.c --- */

/* The options that the region was made with, but for name and max_bytes. */
struct slm_slab_options slm_slab_stored_options(const struct slm_slab *slab);

/* --- fit.c --- */

/* How many objects of one size a new region of that length holds; 0 also if it cannot be made. */
uint64_t slm_slab_n_fit(const struct slm_slab_options *options, size_t region_bytes,
                        size_t object_bytes);

/* --- grow.c --- */

/* As slm_slab_refresh_locked, but only region_bytes are mapped. Fails, changing nothing, also with
 * SLM_E_SIZE: the region's pages need more. One load of their number: safe without the lock. */
enum slm_status slm_slab_refresh_within(struct slm_slab *slab, size_t region_bytes);

/* SLM_E_STATE: another view has added pages that this one does not know. SLM_E_IMAGE: the count of
 * pages is damaged. SLM_OK if slab_is_current. */
enum slm_status slm_slab_view_status(const struct slm_slab *slab);

/* --- run.c: free runs by length --- */

/* Shortest length of a free run >= n_pages, or 0. */
uint32_t slm_slab_run_find(const struct slm_slab *slab, uint32_t n_pages);
uint32_t slm_slab_run_longest(const struct slm_slab *slab);
/* Takes n_pages from the best fitting free run; SLAB_NIL if there is none. The head's word still
 * says FREE: the caller commits what the pages become. */
uint32_t slm_slab_run_take(struct slm_slab *slab, uint32_t n_pages);
/* A run of n_pages for a user; NULL if there is none. */
void *slm_slab_run_alloc(struct slm_slab *slab, uint32_t n_pages);
/* Frees a run that is in use, by its start. Returns SLM_OK. */
enum slm_status slm_slab_run_free(struct slm_slab *slab, void *run);
/* Makes [idx, idx + n_pages) free and merges it with its neighbours; commits. Returns the head of
 * the free run that these pages are in now. */
uint32_t slm_slab_run_give(struct slm_slab *slab, uint32_t idx, uint32_t n_pages);
void slm_slab_run_link(struct slm_slab *slab, uint32_t idx, uint32_t n_pages);
/* Words of a free run, tail included; the inner ones are 0 already. Commits. */
void slm_slab_run_mark_free(struct slm_slab *slab, uint32_t idx, uint32_t n_pages);
/* The head of the run that the page is in; O(pages of the run). */
uint32_t slm_slab_run_head(const struct slm_slab *slab, uint32_t idx);

/* --- span.c: chunks --- */

/* A chunk of the class if one of its listed spans has one free; NULL if not. */
void *slm_slab_chunk_alloc_partial(struct slm_slab *slab, unsigned class_idx);
/* A chunk of a class without listed spans, from its kept one or a new one; NULL if no pages are
 * left. */
void *slm_slab_chunk_alloc_grow(struct slm_slab *slab, unsigned class_idx);
/* A free chunk of a span that has one: from the hint on and around. */
uint32_t slm_slab_chunk_search(const struct slm_slab *slab, uint32_t span);
/* Frees a chunk that is in use. */
void slm_slab_chunk_free(struct slm_slab *slab, uint32_t span, uint32_t chunk_idx);
uint32_t slm_slab_span_trim(struct slm_slab *slab);
void slm_slab_span_link(struct slm_slab *slab, unsigned class_idx, uint32_t span);
void slm_slab_span_mark_body(struct slm_slab *slab, uint32_t span, uint32_t n_pages);
/* Returns an empty span that is on no list to the free runs. Returns what slm_slab_run_give does. */
uint32_t slm_slab_span_destroy(struct slm_slab *slab, uint32_t span);
/* Sets the bits after the last chunk of the span. */
void slm_slab_span_seal(struct slm_slab *slab, uint32_t span, uint32_t n_chunks);

/* --- gate.c: a view with a shared_lock; slab_lock and slab_unlock call these --- */

enum slm_status slm_slab_enter(struct slm_slab *slab);
void slm_slab_leave(struct slm_slab *slab);

/* --- objects.c: allocation and release of anything, without the lock --- */

/* An object of size_bytes, shown to the sanitizer, at a multiple of align_bytes (1: of what its
 * class has). */
void *slm_slab_object_alloc(struct slm_slab *slab, size_t size_bytes, size_t align_bytes);
/* slm_slab_free_locked. */
enum slm_status slm_slab_object_free(struct slm_slab *slab, void *p);

/* --- place.c --- */

/* Whether a live object starts at p: slm_slab_check_pointer_locked returns SLM_OK. O(1), also for
 * addresses inside runs. */
bool slm_slab_is_object(const struct slm_slab *slab, const void *p);

/* --- poison.c: only called under a sanitizer with an exclusive view --- */

void slm_slab_poison_attach(struct slm_slab *slab);
void slm_slab_poison_detach(struct slm_slab *slab);
void slm_slab_poison_hide_all(struct slm_slab *slab);
/* The pages from slab->n_pages up to n_pages are new. */
void slm_slab_poison_grow(struct slm_slab *slab, uint32_t n_pages);
void slm_slab_poison_show(struct slm_slab *slab, void *p, size_t size_bytes);
void slm_slab_poison_hide(struct slm_slab *slab, void *p, size_t object_bytes);
/* p's object now is usable_bytes long. */
void slm_slab_poison_widen(struct slm_slab *slab, void *p, size_t usable_bytes);

/* --- small shared parts --- */

/* Takes the view's lock, if it has one. Fails: what slm_lock_lock, the rebuild or the repair hook
 * returned; then the lock is not held, and the caller changes nothing. */
static inline enum slm_status slab_lock(struct slm_slab *slab)
{
    if (slab->view.shared_lock != NULL) {
        return slm_slab_enter(slab);
    }
    if (slab->view.lock != NULL) {
        slab->view.lock(slab->view.lock_data);
    }
    return SLM_OK;
}

static inline void slab_unlock(struct slm_slab *slab)
{
    if (slab->view.shared_lock != NULL) {
        slm_slab_leave(slab);
    } else if (slab->view.unlock != NULL) {
        slab->view.unlock(slab->view.lock_data);
    }
}

/* Whether the view knows the region's pages. If not, lists and counters lead to pages that this
 * process may not have mapped, and lengths in page words reach past the view's last page. One
 * compare: the other half of the count is its complement. The caller holds the lock. */
static inline bool slab_is_current(const struct slm_slab *slab)
{
    return SLM_LIKELY((uint32_t)slab->header->n_pages == slab->n_pages);
}

/* Sets the pages that the view knows. */
static inline void slab_know_pages(struct slm_slab *slab, uint32_t n_pages)
{
    slab->n_pages = n_pages;
    slab->n_writable_pages = slab->view.read_only ? 0 : n_pages;
}

/* Whether calls that change the region may do so through this view. */
static inline bool slab_can_change(const struct slm_slab *slab)
{
    return slab_is_current(slab) && SLM_LIKELY(!slab->view.read_only);
}

/* SLM_OK if they may; SLM_E_READ_ONLY, or what slm_slab_view_status returns. */
static inline enum slm_status slab_change_status(const struct slm_slab *slab)
{
    return slab->view.read_only ? SLM_E_READ_ONLY : slm_slab_view_status(slab);
}

/* Whether this view reports its objects to sanitizers. A constant 0 in plain builds. */
static inline bool slab_is_poisoned(const struct slm_slab *slab)
{
    return SLM_POISON && slab->view.exclusive;
}

#define SLAB_JUNK           0xfd     /* links made of it lead past the end of any region */
#define SLAB_JUNK_BYTES_MAX 0x10000u /* of one object: a large run may never have had its memory */

/* Call it under the lock, after the store that frees the object: a death in between leaves an object
 * with its content, or one that is free. A view that a sanitizer sees needs none, and hides p. */
SLAB_INLINE void slab_fill_freed(const struct slm_slab *slab, void *p, size_t n_bytes)
{
    if (SLM_CHECKS >= 2 && !slab_is_poisoned(slab)) {
        memset(p, SLAB_JUNK, n_bytes < SLAB_JUNK_BYTES_MAX ? n_bytes : SLAB_JUNK_BYTES_MAX);
    }
}

/* Reports a change of what a rebuild reads: the words of head pages, and the bits of a new span. Bits
 * that an object's allocation or release changes are the journal's to report. */
static inline void slab_mark(const struct slm_slab *slab, const void *p, size_t n_bytes)
{
    if (SLM_UNLIKELY(slab->mark != NULL)) {
        slab->mark(slab->mark_data, p, n_bytes);
    }
}

/* Notes the object that the next commit allocates, so that recovery can free it. */
static inline void slab_announce(struct slm_slab *slab, const void *p)
{
    slab->header->pending = (uint64_t)((uintptr_t)p - (uintptr_t)slab->header);
}

/* Makes an empty span the one that its class keeps. */
static inline void slab_keep_span(struct slm_slab *slab, uint32_t span)
{
    uint64_t word = slab->pages[span].word;
    slab->classes[slab_word_class(word)].kept = span;
    slab->header->n_kept_pages += slab_word_pages(word);
}

/* Whether the span that the class keeps, in the pages, is on its list: then it is the last. */
static inline bool slab_kept_is_listed(const struct slm_slab *slab, const struct slab_class *stored)
{
    return stored->partial == stored->kept || slab->pages[stored->kept].prev != SLAB_NIL;
}

static inline uint64_t *slab_span_bits(const struct slm_slab *slab, size_t span)
{
    unsigned char *bitmaps = (unsigned char *)slab->bitmaps;
    return (uint64_t *)(void *)(bitmaps + span * slab->bitmap_bytes);
}

static inline unsigned char *slab_page_memory(const struct slm_slab *slab, uint32_t idx)
{
    return slab->memory + ((size_t)idx << slab->shape.page_shift);
}

/* After free or kept pages were used: raises the peak if more are used now. */
static inline void slab_note_peak(struct slm_slab *slab)
{
    struct slab_header *header = slab->header;
    uint32_t used = slab->n_pages - header->n_free_pages - header->n_kept_pages;
    if (used > header->peak_used_pages) {
        header->peak_used_pages = used;
    }
}

/* Whether an offset in the region leads to a user page. */
static inline bool slab_is_in_pages(const struct slm_slab *slab, uint64_t offset)
{
    uint64_t in_memory = offset - slab->metadata_bytes;
    return in_memory >> slab->shape.page_shift < slab->n_pages;
}

/* Chunks that n_pages hold; also the index of the chunk at an offset (offset_bytes instead of a
 * span's size). */
static inline uint32_t slab_cut_idx(const struct slab_cut *cut, uint64_t offset_bytes)
{
    return (uint32_t)(offset_bytes * cut->inverse >> SLAB_INVERSE_SHIFT);
}

static inline uint32_t slab_span_chunks(const struct slm_slab *slab, uint64_t word)
{
    uint64_t span_bytes = (uint64_t)slab_word_pages(word) << slab->shape.page_shift;
    return slab_cut_idx(&slab->cuts[slab_word_class(word)], span_bytes);
}

#endif
