/* SPDX-License-Identifier: Apache-2.0 */
/* Source: where pools and views get their memory from, a table of two functions. */
#ifndef SLM_SOURCE_H
#define SLM_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A source allocates blocks of a size and alignment, and frees a block when it gets the
 *          block's size and alignment again. It is a plain struct, which users may fill in. heap
 *          and guard ask the system. counting, failing and quarantine pass calls through to another
 *          source, `under`; NULL there means the C heap. They stack in any order.
 * Safety   Threads: a source is as safe as its functions. heap and guard are thread-safe; counting,
 *          failing and quarantine are not. Fork: the child has a copy. Signals: not from handlers.
 * Failure  alloc returns NULL and changes nothing; free cannot fail. NULL arguments: see status.h.
 * Limits   guard: a block of up to SIZE_MAX / 4 bytes, and as many mappings as the system allows.
 */

/* Where blocks come from. */
struct slm_source {
    /* A block of size_bytes (> 0), at a multiple of align_bytes (a power of two); or NULL. */
    void *(*alloc)(void *data, size_t size_bytes, size_t align_bytes);
    /* Frees a block of alloc, never NULL, with the size and alignment that alloc was called with.
     */
    void (*free)(void *data, void *block, size_t size_bytes, size_t align_bytes);
    void *data;
};

/* The C heap. A constant: there is nothing to end. Cost: malloc's. */
const struct slm_source *slm_source_heap(void);

/*
 * For tests: an access past a block's end, or to a freed block, ends the process. Every block ends
 * at a page without access, as near as its alignment allows. A freed block loses access too: the
 * last 64 of them stay mapped so, and older ones are unmapped. A constant.
 * alloc fails if the system has no address space or too many mappings. Cost: two pages or more and
 * several system calls for each block.
 */
const struct slm_source *slm_source_guard(void);

/* Counts the calls and bytes that pass through to another source. */
struct slm_source_counting {
    struct slm_source source;       /* hand &counting.source to a pool */
    const struct slm_source *under; /* allocates the blocks */
    uint64_t n_alloc;               /* successful calls */
    uint64_t n_refused;             /* calls that `under` refused */
    uint64_t n_free;
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes;
};

/* Starts counting from zero. The struct must outlive everything allocated through it. O(1). */
void slm_source_counting_init(struct slm_source_counting *counting, const struct slm_source *under);

/* Refuses chosen calls, and blocks above a budget; passes the rest through to another source. */
struct slm_source_failing {
    struct slm_source source;
    const struct slm_source *under;
    uint64_t n_calls;    /* alloc calls so far */
    uint64_t fail_at;    /* the call, from 1, that is refused; 0: none */
    uint64_t fail_count; /* calls in a row that are refused from there on; UINT64_MAX: all */
    size_t budget_bytes; /* a single block larger than this is refused; SIZE_MAX: none */
    uint64_t n_refused;  /* calls refused here */
};

/* Refuses nothing until fail_at, fail_count or budget_bytes are set. The struct must outlive
 * everything allocated through it. O(1). */
void slm_source_failing_init(struct slm_source_failing *failing, const struct slm_source *under);

/* A freed block that a quarantine holds. */
struct slm_source_held {
    void *block;
    size_t size_bytes;
    size_t align_bytes;
};

/*
 * Holds freed blocks for a while before `under` frees them. Meanwhile the address of a freed block
 * names nothing else: a stale pointer reaches no newer object, and a sanitizer reports its use.
 * The blocks that were freed last are held. Older ones are freed when more than max_blocks or
 * max_bytes would be held. When `under` refuses a call, all are freed, and `under` is asked again.
 * A block of more than max_bytes is freed at once, and so are all blocks that are held then: the
 * blocks held are always the ones freed last. A block may also be freed to `under` directly.
 */
struct slm_source_quarantine {
    struct slm_source source; /* hand &quarantine.source to a pool */
    const struct slm_source *under;
    struct slm_source_held *held; /* a ring of max_blocks, the caller's */
    size_t max_blocks;
    size_t max_bytes; /* upper bound of held_bytes */
    size_t oldest;    /* index in held[]; means nothing while n_held is 0 */
    size_t n_held;
    size_t held_bytes; /* sum of the sizes that were asked for */
};

/*
 * Starts without blocks. held is an array of max_blocks; if it is NULL or max_blocks is 0, every
 * block is freed at once. The struct and held must outlive everything allocated through it; call
 * slm_source_quarantine_release before they end. O(1). alloc and free cost what they cost in
 * `under`, and O(1) or O(blocks that are freed).
 */
void slm_source_quarantine_init(struct slm_source_quarantine *quarantine,
                                const struct slm_source *under, struct slm_source_held *held,
                                size_t max_blocks, size_t max_bytes);

/* Frees every held block to `under`. O(held blocks). */
void slm_source_quarantine_release(struct slm_source_quarantine *quarantine);

#ifdef __cplusplus
}
#endif
#endif
