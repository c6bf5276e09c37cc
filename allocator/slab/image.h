/* SPDX-License-Identifier: Apache-2.0 */
/* What a slab stores in the shared region. A change of the layout changes SLAB_VERSION. */
#ifndef SLM_SLAB_IMAGE_H
#define SLM_SLAB_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "allocator/base/bits.h"
#include "allocator/base/pin.h"
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
#define SLAB_PAGES_MAX      (UINT32_C(1) << 31)
#define SLAB_LEVELS_MAX     6u /* 64^6 > 2^31 lengths */
#define SLAB_SPAN_PAGES_MAX 16u

/* A page's word: bits 0-7 kind, 8-15 class, 16-31 zero, 32-63 a length or offset in pages. */
enum slab_word_kind {
    SLAB_INNER = 0, /* inside a run, free or not: the whole word is 0 */
    SLAB_FREE = 1,  /* head of a free run, its length */
    SLAB_TAIL = 2,  /* last page of a free run of two or more pages, its length */
    SLAB_SPAN = 3,  /* head of a span, its class and length */
    SLAB_BODY = 4,  /* later page of a span, its distance from the head */
    SLAB_RUN = 5,   /* head of an allocated run, its length */
    SLAB_NEW = 6,   /* head of pages that growth adds: seen only after a death during growth */
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
    uint64_t max_bytes;    /* the region may grow to this size */
    uint32_t page_shift;
    uint32_t min_shift;
    uint32_t per_doubling;
    uint32_t gap_bytes;
    uint32_t max_pages; /* descriptors and bitmaps there are */
    uint32_t n_classes;
};

SLM_PIN_SIZE(slab_shape, 40);
SLM_PIN_FIELD(slab_shape, region_bytes, 0, 8);
SLM_PIN_FIELD(slab_shape, max_bytes, 8, 8);
SLM_PIN_FIELD(slab_shape, page_shift, 16, 4);
SLM_PIN_FIELD(slab_shape, min_shift, 20, 4);
SLM_PIN_FIELD(slab_shape, per_doubling, 24, 4);
SLM_PIN_FIELD(slab_shape, gap_bytes, 28, 4);
SLM_PIN_FIELD(slab_shape, max_pages, 32, 4);
SLM_PIN_FIELD(slab_shape, n_classes, 36, 4);

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
    slm_word pending;  /* offset of the object allocated last, or being allocated; 0: none */
};

SLM_PIN_SIZE(slab_header, 160);
SLM_PIN_FIELD(slab_header, magic, 0, 8);
SLM_PIN_FIELD(slab_header, version, 8, 4);
SLM_PIN_FIELD(slab_header, header_bytes, 12, 4);
SLM_PIN_FIELD(slab_header, shape, 16, 40);
SLM_PIN_FIELD(slab_header, name, 56, 32);
SLM_PIN_FIELD(slab_header, checksum, 88, 8);
SLM_PIN_FIELD(slab_header, n_pages, 96, 8);
SLM_PIN_FIELD(slab_header, root, 104, 8);
SLM_PIN_FIELD(slab_header, run_requests, 112, 8);
SLM_PIN_FIELD(slab_header, run_failures, 120, 8);
SLM_PIN_FIELD(slab_header, n_free_pages, 128, 4);
SLM_PIN_FIELD(slab_header, n_kept_pages, 132, 4);
SLM_PIN_FIELD(slab_header, n_runs, 136, 4);
SLM_PIN_FIELD(slab_header, n_run_pages, 140, 4);
SLM_PIN_FIELD(slab_header, peak_used_pages, 144, 4);
SLM_PIN_FIELD(slab_header, reserved, 148, 4);
SLM_PIN_FIELD(slab_header, pending, 152, 8);

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

SLM_PIN_SIZE(slab_class, 48);
SLM_PIN_FIELD(slab_class, partial, 0, 4);
SLM_PIN_FIELD(slab_class, kept, 4, 4);
SLM_PIN_FIELD(slab_class, n_spans, 8, 4);
SLM_PIN_FIELD(slab_class, reserved, 12, 4);
SLM_PIN_FIELD(slab_class, n_chunks, 16, 8);
SLM_PIN_FIELD(slab_class, n_used, 24, 8);
SLM_PIN_FIELD(slab_class, n_requests, 32, 8);
SLM_PIN_FIELD(slab_class, n_failures, 40, 8);

struct slab_page {
    slm_word word;
    uint32_t next; /* of a free run: same length; of a span: same class, partly used */
    uint32_t prev;
    uint16_t n_free;          /* of a span: chunks */
    uint16_t hint;            /* of a span: the chunk where the search for a free one begins */
    uint32_t first_of_length; /* first free run of (this page's index + 1) pages */
};

SLM_PIN_SIZE(slab_page, 24);
SLM_PIN_FIELD(slab_page, word, 0, 8);
SLM_PIN_FIELD(slab_page, next, 8, 4);
SLM_PIN_FIELD(slab_page, prev, 12, 4);
SLM_PIN_FIELD(slab_page, n_free, 16, 2);
SLM_PIN_FIELD(slab_page, hint, 18, 2);
SLM_PIN_FIELD(slab_page, first_of_length, 20, 4);

/* The store that changes the truth: never before what it makes reachable is written, and never
 * after what may only be written then. Against a death only the compiler's order counts. */
static inline void slab_commit(slm_word *word, uint64_t value)
{
    SLM_YIELD("slab: commit");
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    SLM_STORED("slab: committed");
}

/* The root's offset is below 2^48; a fold of it in the upper bits shows a
 * flipped bit. */
#define SLAB_ROOT_OFFSET (UINT64_MAX >> 16)

static inline uint64_t slab_root_seal(uint64_t offset)
{
    uint64_t fold = (offset ^ offset >> 16 ^ offset >> 32) & 0xffffu;
    return offset | fold << 48;
}

/* A count of pages with its complement in the upper half, so that a flipped bit shows. */
static inline uint64_t slab_pages_seal(uint32_t n_pages)
{
    return (uint64_t)~n_pages << 32 | n_pages;
}

#endif
