/* SPDX-License-Identifier: Apache-2.0 */
/* Cache index: what a cache has, how often it was used and who uses it now, over all processes. */
#ifndef SLM_EXAMPLES_CACHE_INDEX_H
#define SLM_EXAMPLES_CACHE_INDEX_H

#include "examples/common/lease.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A key counts its uses so far, and who has it open now: an open key is a lease of the
 *          worker that opened it (see lease.h), given back if that worker dies. A key that nobody
 *          opened for the time it was given goes with the next slm_cache_index_expire; one that is
 *          open then gets its time anew. When memory is out the oldest that nobody has open goes,
 *          and another try is made, SLM_CACHE_INDEX_TRIES times at most.
 * Order    Keys are in the order of their last open. Expiry begins with the oldest and ends at the
 *          first whose time is not over: with different times a short one waits behind a long one.
 * Time     Is the caller's, in milliseconds, of one clock for all processes.
 * Change   Each verb is one transaction; every key that went for it, and every lease of the dead
 *          that was given back, was one before it.
 * Safety   Threads and processes, with a zone handle and a worker each. Not from signal handlers.
 * Failure  What a key stands for, a file say, is its user's: dropped keys are counted, not told.
 * Source   The contract is nginx's ngx_http_file_cache, without its files and its loader.
 */
#define SLM_CACHE_INDEX_TAG   "cache_index 1" /* for the zone's tag: changes with the layout */
#define SLM_CACHE_INDEX_TRIES 20u

struct slm_cache_index_use {
    struct slm_lease lease;
    uint64_t n_uses; /* this one included: 1 for a new key */
};

struct slm_cache_index_info {
    uint64_t n_uses; /* 0: the key is not there */
    uint64_t n_open;
    uint64_t expires_ms;
};

/* Makes the zone's head, or finds it. As slm_keyed_init_locked and slm_keyed_init. */
enum slm_status slm_cache_index_init_locked(struct slm_zone *zone);
enum slm_status slm_cache_index_init(struct slm_zone *zone);

/* As slm_limit_conn_join and slm_limit_conn_leave. */
enum slm_status slm_cache_index_join(struct slm_zone *zone, struct slm_lease_worker *worker);
enum slm_status slm_cache_index_leave(struct slm_zone *zone, const struct slm_lease_worker *worker);

/*
 * One use more of a key, which is made if it is not there; it is the newest then, and has
 * inactive_ms from now. Fails, nothing counted: SLM_E_NULL, SLM_E_SIZE (as slm_key_init),
 * SLM_E_STATE, SLM_E_OWNER (the worker is not the calling thread), SLM_E_NOMEM (though keys
 * went), as slm_zone_lock. Cost O(log n); when memory is out also a look at each worker.
 */
enum slm_status slm_cache_index_open(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                     const void *key, size_t key_bytes, uint64_t inactive_ms,
                                     uint64_t now_ms, struct slm_cache_index_use *use);

/* Nobody's hold any more; the key stays. SLM_E_NOT_MEMBER (no lease of this worker, or given back
 * already), SLM_E_NULL, SLM_E_STATE, SLM_E_OWNER, as slm_zone_lock; changing nothing. */
enum slm_status slm_cache_index_close(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                      const struct slm_lease *lease);

/* What is known of a key, changing nothing. */
enum slm_status slm_cache_index_look(struct slm_zone *zone, const void *key, size_t key_bytes,
                                     struct slm_cache_index_info *info);

/* Drops keys whose time is over, looking at max of them at most; *n_dropped may be NULL.
 * inactive_ms is what open ones get anew. */
enum slm_status slm_cache_index_expire(struct slm_zone *zone, uint64_t inactive_ms, uint64_t now_ms,
                                       size_t max, size_t *n_dropped);

/* Gives back what dead workers had open. */
enum slm_status slm_cache_index_reclaim(struct slm_zone *zone, size_t *n);

struct slm_cache_index_stats {
    struct slm_keyed_stats keys;
    uint64_t n_open;
    uint64_t n_reclaimed;
};

enum slm_status slm_cache_index_get_stats(struct slm_zone *zone,
                                          struct slm_cache_index_stats *stats);

/* 0, or the number of a broken invariant: those of keyed_check.c and lease_check.c, and 231: a key
 * that was never used, or is open more often than it was used. */
unsigned slm_cache_index_check_locked(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
