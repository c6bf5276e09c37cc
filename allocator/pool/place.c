/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: what an address is. free and owns both use this one answer. */
#include "allocator/pool/layout.h"

static bool is_cleanup_record(const struct slm_pool *pool, const void *p)
{
    const struct slm_pool_cleanup *cleanup = pool->rest->cleanups;
    while (cleanup != NULL && !slm_pool_is_in(p, cleanup, sizeof *cleanup)) {
        cleanup = cleanup->next;
    }
    return cleanup != NULL;
}

/* True for the pool's own records, which it keeps in pool memory or in blocks of the source. */
static bool is_record(const struct slm_pool *pool, const void *p)
{
    const struct slm_pool_large *large = pool->rest->large;
    if (large != NULL &&
        (slm_pool_is_in(p, large, SLM_POOL_LARGE_BYTES) ||
         slm_pool_is_in(p, large->buckets, large->n_buckets * sizeof *large->buckets))) {
        return true;
    }
    return slm_pool_is_in(p, pool->rest->index, slm_pool_index_bytes(pool->rest->index)) ||
           is_cleanup_record(pool, p);
}

/* True when p lies in a part of a used block that was handed out. */
static bool is_handed_out(const struct slm_pool *pool, struct slm_pool_block *block, const void *p)
{
    bool is_current = block == pool->rest->current;
    const unsigned char *low = is_current ? pool->low : block->low;
    const unsigned char *high = is_current ? pool->high : block->high;
    return !slm_pool_is_pass_through(pool) && !slm_pool_is_in(p, low, (size_t)(high - low));
}

static enum slm_status place_in_block(const struct slm_pool *pool, struct slm_pool_block *block,
                                      const void *p, bool is_fresh)
{
    unsigned char *start = slm_pool_block_start(pool, block);
    if (slm_pool_is_in(p, block, (size_t)(start - (unsigned char *)block))) {
        return SLM_E_METADATA;
    }
    return !is_fresh && is_handed_out(pool, block, p) ? SLM_UNCHANGED : SLM_E_FOREIGN;
}

static const struct slm_pool_record *find_around(const struct slm_pool_large *large, const void *p)
{
    for (size_t i = 0; i < slm_pool_n_records(large); i++) {
        const struct slm_pool_record *record = slm_pool_record_at(large, i);
        if (record->p != NULL && slm_pool_is_in(p, record->p, record->size_bytes)) {
            return record;
        }
    }
    return NULL;
}

static bool was_freed(const struct slm_pool_large *large, const void *p)
{
    for (unsigned i = 0; i < SLM_POOL_N_FREED; i++) {
        if (large->freed[i] == p) {
            return true;
        }
    }
    return false;
}

static enum slm_status place_outside(const struct slm_pool *pool, const void *p)
{
    const struct slm_pool_large *large = pool->rest->large;
    if (large == NULL) {
        return SLM_E_FOREIGN;
    }
    const struct slm_pool_record *around = find_around(large, p);
    if (around != NULL) {
        return around->kind == SLM_POOL_LARGE ? SLM_E_INTERIOR : SLM_UNCHANGED;
    }
    return was_freed(large, p) ? SLM_E_FREED : SLM_E_FOREIGN;
}

/* The status of an address where no live large block starts. */
static enum slm_status place_refused(const struct slm_pool *pool, const void *p, bool is_kept)
{
    if (p == NULL) {
        return SLM_E_NULL;
    }
    if (is_record(pool, p)) {
        return SLM_E_METADATA;
    }
    if (is_kept) {
        return SLM_UNCHANGED;
    }
    struct slm_pool_block *used = slm_pool_used_block(pool, p);
    if (used != NULL) {
        return place_in_block(pool, used, p, false);
    }
    struct slm_pool_block *fresh = slm_pool_walk(pool->rest->fresh, NULL, p);
    return fresh != NULL ? place_in_block(pool, fresh, p, true) : place_outside(pool, p);
}

enum slm_status slm_pool_place(const struct slm_pool *pool, const void *p,
                               struct slm_pool_record **record)
{
    struct slm_pool_record *found = slm_pool_record_find(pool, p);
    *record = found;
    return SLM_LIKELY(found != NULL && found->kind == SLM_POOL_LARGE)
               ? SLM_OK
               : place_refused(pool, p, found != NULL);
}

int slm_pool_owns(const struct slm_pool *pool, const void *p)
{
    struct slm_pool_record *record;
    if (pool == NULL) {
        return 0;
    }
    enum slm_status place = slm_pool_place(pool, p, &record);
    return place == SLM_OK || place == SLM_UNCHANGED || place == SLM_E_INTERIOR;
}
