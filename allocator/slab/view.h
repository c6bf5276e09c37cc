/* SPDX-License-Identifier: Apache-2.0 */
/* Slab internals, for slab*.c and their tests: the layout of the region, and the view. */
#ifndef SLM_SLAB_PRIV_H
#define SLM_SLAB_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator/base/bits.h"
#include "allocator/base/check.h"
#include "allocator/base/config.h"
#include "allocator/base/yield.h"
#include <slabmill/slab.h>

/*
 *   [header][classes][page descriptors][bitmaps of lengths][bitmaps of chunks]..[page 0][page 1]..
 *                                                                               ^ 4096-aligned
 *
 * Truth: the words of head pages, and the chunks' bits of spans. Pages 0, 0 + length, ... are the
 * heads; everything between is inner, body or tail, and derived. One store changes the truth.
 */
#define SLAB_MAGIC          UINT64_C(0x62616c736d6c736c)
#define SLAB_VERSION        1u
#define SLAB_NIL            UINT32_MAX /* no page */
#define SLAB_LEVELS_MAX     6u         /* 64^6 > 2^31 lengths */
#define SLAB_SPAN_PAGES_MAX 16u
#define SLAB_INVERSE_SHIFT  40u /* offset / chunk = offset * inverse >> 40: see slab_layout.c */

/* Sizes up to SLAB_LOW_MAX find their class in a table of steps of SLAB_LOW_STEP bytes. */
#define SLAB_LOW_STEP 8u
#define SLAB_LOW_MAX  1024u

/* A page's word: bits 0-7 kind, 8-15 class, 16-31 zero, 32-63 a length or offset in pages. */
enum slab_word_kind {
    SLAB_INNER = 0, /* inside a run, free or not: the whole word is 0 */
    SLAB_FREE = 1,  /* head of a free run, its length */
    SLAB_TAIL = 2,  /* last page of a free run of two or more pages, its length */
    SLAB_SPAN = 3,  /* head of a span, its class and length */
    SLAB_BODY = 4,  /* later page of a span, how far behind the head */
    SLAB_RUN = 5,   /* head of an allocated run, its length */
    SLAB_NEW = 6,   /* head of pages that growth is adding: seen only after a death in it */
};

static inline uint64_t slab_word(enum slab_word_kind kind, unsigned class_idx, uint32_t n_pages)
{
    return (uint64_t)kind | (uint64_t)class_idx << 8 | (uint64_t)n_pages << 32;
}

static inline unsigned slab_word_kind(uint64_t word)
{
    return (unsigned)(word & 0xffu);
}

static inline unsigned slab_word_class(uint64_t word)
{
    return (unsigned)(word >> 8 & 0xffu);
}

static inline uint32_t slab_word_pages(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

/* What was asked for, as stored; everything else about the layout follows from it. */
struct slab_shape {
    uint64_t region_bytes; /* when it was formatted */
    uint64_t max_bytes;    /* the region may grow so far */
    uint32_t page_shift;
    uint32_t min_shift;
    uint32_t per_doubling;
    uint32_t gap_bytes;
    uint32_t max_pages; /* descriptors and bitmaps there are */
    uint32_t n_classes;
};

struct slab_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes;
    struct slab_shape shape;
    char name[SLM_SLAB_NAME_BYTES];
    uint64_t checksum; /* of everything above */

    slm_word n_pages; /* sealed; grows, up to max_pages */
    slm_word root;    /* sealed offset; 0: none */
    uint64_t run_requests;
    uint64_t run_failures;
    uint32_t n_free_pages;
    uint32_t n_kept_pages;
    uint32_t n_runs;
    uint32_t n_run_pages;
    uint32_t peak_used_pages;
    uint32_t reserved; /* 0 */
    slm_word pending;  /* offset of what is being, or was last, allocated; 0: none */
};

struct slab_class {
    uint32_t partial; /* first span with both free and used chunks */
    uint32_t kept;    /* the one empty span that is kept */
    uint32_t n_spans;
    uint32_t reserved; /* 0 */
    uint64_t n_chunks;
    uint64_t n_used;
    uint64_t n_requests;
    uint64_t n_failures;
};

struct slab_page {
    slm_word word;
    uint32_t next; /* of a free run: same length; of a span: same class, partly used */
    uint32_t prev;
    uint16_t n_free;          /* of a span: chunks */
    uint16_t hint;            /* of a span: the chunk where the search for a free one begins */
    uint32_t first_of_length; /* first free run of (this page's index + 1) pages */
};

/* A class as it never changes. */
struct slab_cut {
    uint64_t inverse;
    uint32_t chunk_bytes;
    uint32_t span_pages; /* preferred */
    uint32_t min_pages;  /* fewest that hold a chunk */
};

struct slm_slab {
    struct slab_header *header;
    struct slab_class *classes;
    struct slab_page *pages;
    uint64_t *bitmaps;
    unsigned char *memory; /* page 0 */
    uint64_t *lengths[SLAB_LEVELS_MAX];
    size_t length_words[SLAB_LEVELS_MAX];
    struct slab_shape shape;
    uint32_t n_pages; /* as this view knows it */
    uint32_t words_per_page;
    unsigned n_levels;
    unsigned class_shift;      /* log2 of classes per doubling */
    unsigned first_high_class; /* of sizes above SLAB_LOW_MAX */
    size_t largest_chunk_bytes;
    size_t metadata_bytes;
    struct slm_slab_view view;
    char name[SLM_SLAB_NAME_BYTES];
    struct slab_cut cuts[SLM_SLAB_CLASSES_MAX];
    uint8_t low_classes[SLAB_LOW_MAX / SLAB_LOW_STEP + 1];
};

/* --- slab_layout.c --- */

/* Fills in everything of a view that follows from slab->shape (max_pages and n_classes
 * included). */
void slab_layout_derive(struct slm_slab *slab, void *region);
uint64_t slab_layout_checksum(const struct slab_header *header);
/* Pages in so many bytes of region, whose tables are for max_pages. */
uint32_t slab_layout_pages_in(const struct slab_shape *shape, uint64_t region_bytes);
/* The pages that the region says it has; 0: the seal is wrong, or there cannot be so many. */
uint32_t slab_layout_n_pages(const struct slab_header *header);

/* --- slab_run.c: free runs by length --- */

/* Shortest length of a free run >= n_pages, or 0. */
uint32_t slab_run_find(const struct slm_slab *slab, uint32_t n_pages);
uint32_t slab_run_longest(const struct slm_slab *slab);
/* Takes n_pages from the best fitting free run; SLAB_NIL if there is none. The head's word still
 * says FREE: the caller commits what the pages become. */
uint32_t slab_run_take(struct slm_slab *slab, uint32_t n_pages);
/* Makes [idx, idx + n_pages) free and merges it with its neighbours; commits. */
void slab_run_give(struct slm_slab *slab, uint32_t idx, uint32_t n_pages);
void slab_run_link(struct slm_slab *slab, uint32_t idx, uint32_t n_pages);
/* Words of a free run, tail included; the inner ones are 0 already. Commits. */
void slab_run_mark_free(struct slm_slab *slab, uint32_t idx, uint32_t n_pages);
/* Pages went out of the free or kept ones: raises the peak if it is passed. */
void slab_run_note_peak(struct slm_slab *slab);
/* The head of the run that the page is in; O(pages of the run). */
uint32_t slab_run_head(const struct slm_slab *slab, uint32_t idx);

/* --- slab_span.c: chunks --- */

/* A chunk of the class if one of its listed spans has one free; NULL if not. */
void *slab_chunk_alloc_partial(struct slm_slab *slab, unsigned class_idx);
/* A chunk of a class without listed spans, from its kept one or a new one; NULL if no pages are
 * left. */
void *slab_chunk_alloc_grow(struct slm_slab *slab, unsigned class_idx);
/* Frees a chunk that is in use. */
void slab_chunk_free(struct slm_slab *slab, uint32_t span, uint32_t chunk_idx);
uint32_t slab_span_trim(struct slm_slab *slab);
void slab_span_link(struct slm_slab *slab, unsigned class_idx, uint32_t span);
void slab_span_mark_body(struct slm_slab *slab, uint32_t span, uint32_t n_pages);
/* Makes an empty span that is on no list the one that its class keeps. */
void slab_span_keep(struct slm_slab *slab, uint32_t span);
/* Gives an empty span that is on no list back to the free runs. */
void slab_span_destroy(struct slm_slab *slab, uint32_t span);
/* Sets the bits behind the last chunk of the span. */
void slab_span_seal(struct slm_slab *slab, uint32_t span, uint32_t n_chunks);

/* --- slab_rebuild.c --- */

/* Whether the page's word can be a head's: kind, class, length within the region. Safe whatever it
 * holds. */
bool slab_word_is_head(const struct slm_slab *slab, uint32_t idx);

/* --- slab_place.c --- */

/* What p points into, without lock. */
void slab_place_find(const struct slm_slab *slab, const void *p, struct slm_slab_place *place);

/* --- slab_poison.c: only called under a sanitizer with an exclusive view --- */

void slab_poison_attach(struct slm_slab *slab);
void slab_poison_detach(struct slm_slab *slab);
void slab_poison_hide_all(struct slm_slab *slab);
/* The pages from slab->n_pages up to n_pages are new. */
void slab_poison_grow(struct slm_slab *slab, uint32_t n_pages);
void slab_poison_show(struct slm_slab *slab, void *p, size_t size_bytes);
void slab_poison_hide(struct slm_slab *slab, void *p, size_t object_bytes);
/* p's object now is usable_bytes long. */
void slab_poison_widen(struct slm_slab *slab, void *p, size_t usable_bytes);

/* --- small shared parts --- */

static inline void slab_lock(const struct slm_slab *slab)
{
    if (slab->view.lock != NULL) {
        slab->view.lock(slab->view.lock_data);
    }
}

static inline void slab_unlock(const struct slm_slab *slab)
{
    if (slab->view.unlock != NULL) {
        slab->view.unlock(slab->view.lock_data);
    }
}

/* Whether sanitizers are told of this view's objects. A constant 0 in plain builds. */
static inline bool slab_is_poisoned(const struct slm_slab *slab)
{
    return SLM_POISON && slab->view.exclusive;
}

/* The store that changes the truth: never before what it makes reachable is written, and never
 * after what may only be written then. Against a death only the compiler's order counts. */
static inline void slab_commit(slm_word *word, uint64_t value)
{
    SLM_YIELD("slab: commit");
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Says what the next commit hands out, so that recovery can take it back. */
static inline void slab_announce(struct slm_slab *slab, const void *p)
{
    slab->header->pending = (uint64_t)((uintptr_t)p - (uintptr_t)slab->header);
}

/* The root's offset is below 2^48; a fold of it in the upper bits tells when one of them flips. */
#define SLAB_ROOT_OFFSET (UINT64_MAX >> 16)

static inline uint64_t slab_root_seal(uint64_t offset)
{
    uint64_t fold = (offset ^ offset >> 16 ^ offset >> 32) & 0xffffu;
    return offset | fold << 48;
}

/* A count of pages beside its complement, so that a flipped bit is seen. */
static inline uint64_t slab_pages_seal(uint32_t n_pages)
{
    return (uint64_t)~n_pages << 32 | n_pages;
}

static inline uint64_t *slab_span_bits(const struct slm_slab *slab, uint32_t span)
{
    return slab->bitmaps + (size_t)span * slab->words_per_page;
}

static inline unsigned char *slab_page_memory(const struct slm_slab *slab, uint32_t idx)
{
    return slab->memory + ((size_t)idx << slab->shape.page_shift);
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
