/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest allocator that supports every operation: first fit over granules, with bookkeeping
 * outside the region. */
#ifndef HRN_BROKEN_REF_H
#define HRN_BROKEN_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/adapters/adapters.h"
#include "harness/broken/broken.h"

/*
 * Model    The region is granules of 16 bytes, each free, the start of an object, or inside one.
 *          The allocator's map of them is `map`; `truth` is the oracle's map. Each handler has a
 *          record of 64 bytes from the source. One bug may be switched on. It is read as volatile,
 *          since a compiler could otherwise drop a planted write that is never read.
 */
#define REF_GRANULE      16u
#define REF_ALIGN_MAX    4096u
#define REF_REGION_MAX   32768u
#define REF_RECORD_BYTES 64u
#define REF_REUSE_BYTES  48u
#define REF_N_FREED      8u

enum ref_granule { REF_FREE, REF_START, REF_INSIDE };

struct ref_handler {
    slm_adapter_handler_fn fn;
    void *data;
    void *record; /* from the source */
};

struct ref {
    const struct slm_adapter_env *env;
    volatile enum hrn_bug bug;
    unsigned char *base;
    size_t region_bytes;
    size_t n_granules;
    uint8_t map[REF_REGION_MAX / REF_GRANULE];
    uint8_t truth[REF_REGION_MAX / REF_GRANULE];
    bool apart[REF_REGION_MAX / REF_GRANULE]; /* from the free granule to the left */
    const void *freed[REF_N_FREED];           /* recently */
    unsigned n_freed;
    size_t n_live;   /* objects, by the allocator's count */
    size_t n_taken;  /* granules, by its count */
    size_t n_truth;  /* objects, by the oracle's count */
    size_t n_allocs; /* requests */
    const struct slm_adapter_source *source;
    bool was_refused;             /* by the source */
    struct ref_handler *handlers; /* newest last */
    size_t n_handlers;
    size_t cap_handlers;
    bool tearing_down;
    void **reuse; /* free objects of the reuse list */
    size_t n_reuse;
    size_t cap_reuse;
};

/* ref.c: the allocator, with its bugs */
void hrn_ref_init(struct ref *r, const struct slm_adapter_env *env, enum hrn_bug bug);
void *hrn_ref_alloc(struct ref *r, const struct slm_adapter_request *rq);
enum slm_adapter_answer hrn_ref_free(struct ref *r, void *p);
void *hrn_ref_resize(struct ref *r, void *p, size_t old_bytes, size_t new_bytes);
size_t hrn_ref_usable_bytes(struct ref *r, void *p);
unsigned hrn_ref_check(const struct ref *r);
/* Visits all objects, except the free ones of the reuse list. */
void hrn_ref_walk(const struct ref *r, slm_adapter_visit_fn visit, void *data);
/* Live objects, including those of the reuse list and handlers' data. */
size_t hrn_ref_count(const struct ref *r);
/* First of n free granules in a map at that alignment, or n_granules. */
size_t hrn_ref_find(const struct ref *r, const uint8_t *map, size_t n, size_t align_bytes);
/* Granules of the object that starts at g. */
size_t hrn_ref_length(const struct ref *r, const uint8_t *map, size_t g);

/* ref_lists.c: handlers, reuse list, reset */
void hrn_ref_reset(struct ref *r);
void hrn_ref_fini(struct ref *r);
enum slm_adapter_answer hrn_ref_cleanup(struct ref *r, slm_adapter_handler_fn fn, void *data,
                                        size_t data_bytes, void **data_out);
void *hrn_ref_reuse_get(struct ref *r);
enum slm_adapter_answer hrn_ref_reuse_put(struct ref *r, void *p);

static inline size_t ref_granules(size_t size_bytes)
{
    return size_bytes / REF_GRANULE + (size_bytes % REF_GRANULE != 0 || size_bytes == 0);
}

#endif
