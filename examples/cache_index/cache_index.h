/* SPDX-License-Identifier: Apache-2.0 */
/* Cache index: which keys a cache has, how often they were used, which are in use, over all
 * processes. */
#ifndef SLM_EXAMPLES_CACHE_INDEX_H
#define SLM_EXAMPLES_CACHE_INDEX_H

#include "examples/common/keyed.h"
#include <slabmill/lease.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A key counts its uses so far, and its opens now. An open key is a lease of the worker
 *          that opened it (see slabmill/lease.h), and is given back if that worker dies.
 *          slm_cache_index_expire drops keys that were not opened within the time they were given;
 *          a key that is open then gets that time again. When memory is out, the oldest keys that
 *          are not open are dropped until the call succeeds. It looks for each of them among the
 *          SLM_CACHE_INDEX_TRIES oldest keys.
 * Order    Keys are in the order of their last open. Expiry begins with the oldest and ends at the
 *          first that has not expired: a key with a short time waits for older keys with a long
 *          one.
 * Time     The caller passes it, in milliseconds, from one clock for all processes.
 * Change   Each call is one transaction. Each key that it drops to make room, and each lease of a
 *          dead worker that it gives back, is a transaction before it.
 * Safety   Threads and processes, with a zone handle and a worker each. Not from signal handlers.
 * Failure  Dropped keys are counted, not reported. What a key stands for, such as a file, is its
 *          user's to remove.
 * Source   The contract is nginx's ngx_http_file_cache, without its files and its loader.
 */
#define SLM_CACHE_INDEX_TAG         "cache_index 2" /* for the zone's tag: changes with the layout */
#define SLM_CACHE_INDEX_WORKERS_MAX 64u
#define SLM_CACHE_INDEX_TRIES       20u

struct slm_cache_index_use {
    struct slm_lease lease;
    uint64_t n_uses; /* including this one: 1 for a new key */
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
 * Counts one use of a key, and creates the key if it is missing. The key becomes the newest and may
 * be unused for inactive_ms from now. Fails, and counts nothing: SLM_E_NULL, SLM_E_SIZE (as
 * slm_table_key_init), SLM_E_STATE, SLM_E_OWNER (the worker is not the calling thread), SLM_E_NOMEM
 * (though keys were dropped), as slm_zone_lock. Cost O(log n); when memory is out it also examines
 * each worker.
 */
enum slm_status slm_cache_index_open(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                     const void *key, size_t key_bytes, uint64_t inactive_ms,
                                     uint64_t now_ms, struct slm_cache_index_use *use);

/* Ends one open; the key stays. Fails, changing nothing: SLM_E_NOT_MEMBER (no lease of this worker,
 * or given back already), SLM_E_NULL, SLM_E_STATE, SLM_E_OWNER, as slm_zone_lock. */
enum slm_status slm_cache_index_close(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                      const struct slm_lease *lease);

/* Reports what is known of a key, and changes nothing. */
enum slm_status slm_cache_index_get_info(struct slm_zone *zone, const void *key, size_t key_bytes,
                                         struct slm_cache_index_info *info);

/* Drops keys that have expired, examining at most max keys; *n_dropped may be NULL. Open keys get
 * inactive_ms again. */
enum slm_status slm_cache_index_expire(struct slm_zone *zone, uint64_t inactive_ms, uint64_t now_ms,
                                       size_t max, size_t *n_dropped);

/* Closes what dead workers had open. */
enum slm_status slm_cache_index_reclaim(struct slm_zone *zone, size_t *n);

struct slm_cache_index_stats {
    struct slm_keyed_stats keys;
    uint64_t n_open;
    uint64_t n_reclaimed;
};

enum slm_status slm_cache_index_get_stats(struct slm_zone *zone,
                                          struct slm_cache_index_stats *stats);

/* 0, or the number of a broken invariant: those of keyed_check.c and allocator/lease/check.c, and 231: a key
 * that was never used, or is open more often than it was used. */
unsigned slm_cache_index_check_locked(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
