/* SPDX-License-Identifier: Apache-2.0 */
/* Where pools (and process-local views) get their memory: a table of two functions. */
#ifndef SLM_SOURCE_H
#define SLM_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A source hands out blocks of a size and alignment and takes them back with the same size
 *          and alignment. It is a plain struct that the user may fill in; the ones below are ready.
 * Safety   Threads: as safe as its functions; heap and guard are thread-safe, counting, failing
 *          and quarantine are not. Fork: the child has a copy. Signals: none is safe in a handler.
 * Failure  alloc returns NULL and changes nothing; free cannot fail.
 */
struct slm_source {
    /* size_bytes (> 0) or more, at a multiple of align_bytes (a power of two), or NULL. */
    void *(*alloc)(void *data, size_t size_bytes, size_t align_bytes);
    /* Takes back what alloc returned, never NULL, with the size and alignment it was asked for. */
    void (*free)(void *data, void *block, size_t size_bytes, size_t align_bytes);
    void *data;
};

/* The C heap. Never changes, never needs to be closed. Cost: malloc's. */
const struct slm_source *slm_source_heap(void);

/*
 * Every block ends at a page that cannot be touched (as near as its alignment allows), and becomes
 * untouchable when it is freed: the last 64 freed ranges stay so, older ones are unmapped. For
 * tests: each block costs two pages or more and several system calls.
 * Fails when the system has no address space or too many mappings.
 */
const struct slm_source *slm_source_guard(void);

/* Counts what passes through to another source. */
struct slm_source_counting {
    struct slm_source source;       /* hand &counting.source to a pool */
    const struct slm_source *under; /* where the blocks come from */
    uint64_t n_alloc;               /* successful calls */
    uint64_t n_refused;             /* calls that the source under it refused */
    uint64_t n_free;
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes;
};

/* Starts counting from zero. under NULL means the C heap. The struct must outlive everything allocated through it. */
void slm_source_counting_init(struct slm_source_counting *counting, const struct slm_source *under);

/* Refuses chosen calls, and blocks above a budget, and passes the rest on. */
struct slm_source_failing {
    struct slm_source source;
    const struct slm_source *under;
    uint64_t n_calls;    /* alloc calls so far */
    uint64_t fail_at;    /* the call, from 1, that is refused; 0: none */
    uint64_t fail_count; /* how many calls in a row are refused from there on; UINT64_MAX: all */
    size_t budget_bytes; /* a single block larger than this is refused; SIZE_MAX: none */
    uint64_t n_refused;  /* calls refused here */
};

/* Refuses nothing until fail_at, fail_count or budget_bytes are set. under NULL means the C heap. */
void slm_source_failing_init(struct slm_source_failing *failing, const struct slm_source *under);

/* A freed block that a quarantine holds. */
struct slm_source_held {
    void *block;
    size_t size_bytes;
    size_t align_bytes;
};

/*
 * Holds freed blocks for a while before they go back to the source under it. So the address of a
 * freed block names nothing else meanwhile: a stale pointer reaches no newer object, and a
 * sanitizer reports its use. It always holds the blocks that were freed last: older ones go back
 * when more than max_blocks or max_bytes would be held, and all of them when the source under it
 * refuses, which is then asked again. A block of more than max_bytes is not held at all. Blocks are
 * those of the source under it: one that need not be held may be freed to that source.
 */
struct slm_source_quarantine {
    struct slm_source source; /* hand &quarantine.source to a pool */
    const struct slm_source *under;
    struct slm_source_held *held; /* a ring with room for max_blocks, the caller's */
    size_t max_blocks;
    size_t max_bytes; /* sum of the sizes that were asked for */
    size_t oldest;    /* index in held[]; means nothing while n_held is 0 */
    size_t n_held;
    size_t held_bytes;
};

/*
 * Starts holding nothing. held has room for max_blocks. If held is NULL or max_blocks is 0, every
 * block goes back at once. under NULL means the C heap. The struct and held must outlive everything allocated through it;
 * before they go, call slm_source_quarantine_release. Cost of alloc and free: those of the source
 * under it and O(1), or O(blocks that go back).
 */
void slm_source_quarantine_init(struct slm_source_quarantine *quarantine,
                                const struct slm_source *under, struct slm_source_held *held,
                                size_t max_blocks, size_t max_bytes);

/* Gives every held block back to the source under it. Cost O(held blocks). */
void slm_source_quarantine_release(struct slm_source_quarantine *quarantine);

#ifdef __cplusplus
}
#endif
#endif
