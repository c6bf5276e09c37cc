/* SPDX-License-Identifier: Apache-2.0 */
/* limit_conn: how many connections a key may have at once, over all processes. */
#ifndef SLM_EXAMPLES_LIMIT_CONN_H
#define SLM_EXAMPLES_LIMIT_CONN_H

#include <slabmill/lease.h>
#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A key exists while it has connections: it is created with the first and deleted with the
 *          last. Each connection is a lease of the worker that counted it (see slabmill/lease.h). The
 *          connections of a dead worker are given back by the next worker that joins, by the next
 *          call that would be refused, and by slm_limit_conn_reclaim.
 * Change   Each call is one transaction. It gives back leases of dead workers in transactions
 *          before it.
 * Safety   Threads and processes, with a zone handle and a worker each. Not from signal handlers.
 * Failure  Nothing is evicted, since every key is in use: SLM_E_NOMEM when memory is out.
 * Source   The contract is nginx's ngx_http_limit_conn_module, where the counts of a killed worker
 *          stay.
 */
#define SLM_LIMIT_CONN_TAG         "limit_conn 2" /* for the zone's tag: changes with the layout */
#define SLM_LIMIT_CONN_WORKERS_MAX 64u

struct slm_limit_conn_grant {
    struct slm_lease lease; /* all 0: refused, the limit is reached */
    uint64_t n_connections; /* of the key now */
    bool is_limited;
};

/* Makes the zone's head, or finds it. As slm_keyed_init_locked and slm_keyed_init. */
enum slm_status slm_limit_conn_init_locked(struct slm_zone *zone);
enum slm_status slm_limit_conn_init(struct slm_zone *zone);

/* Makes the calling thread a worker. SLM_E_NULL, SLM_E_STATE, SLM_E_DUPLICATE (it is one),
 * SLM_E_SPACE (SLM_LIMIT_CONN_WORKERS_MAX others live), as slm_zone_lock. */
enum slm_status slm_limit_conn_join(struct slm_zone *zone, struct slm_lease_worker *worker);

/* Gives back all that the worker has. SLM_E_OWNER: the worker is not the calling thread. */
enum slm_status slm_limit_conn_leave(struct slm_zone *zone, const struct slm_lease_worker *worker);

/*
 * Counts one more connection, if the key has fewer than limit. Fails, and counts nothing:
 * SLM_E_NULL, SLM_E_SIZE (as slm_table_key_init), SLM_E_OPTION (limit is 0), SLM_E_STATE, SLM_E_OWNER,
 * SLM_E_NOMEM, as slm_zone_lock. Cost O(log n); before it refuses, it also examines each worker.
 */
enum slm_status slm_limit_conn_acquire(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                       const void *key, size_t key_bytes, uint64_t limit,
                                       struct slm_limit_conn_grant *grant);

/* Gives one connection back; *n_connections (which may be NULL) is how many the key has left.
 * Fails, changing nothing: SLM_E_NOT_MEMBER (no lease of this worker, or given back already),
 * SLM_E_NULL, SLM_E_STATE, SLM_E_OWNER, as slm_zone_lock. */
enum slm_status slm_limit_conn_release(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                       const struct slm_lease *lease, uint64_t *n_connections);

/* The connections of a key; 0 if the key does not exist. */
enum slm_status slm_limit_conn_count(struct slm_zone *zone, const void *key, size_t key_bytes,
                                     uint64_t *n_connections);

/* Gives back the connections of dead workers; *n (which may be NULL) is how many there were. */
enum slm_status slm_limit_conn_reclaim(struct slm_zone *zone, size_t *n);

struct slm_limit_conn_stats {
    uint64_t n_keys;
    uint64_t n_connections;
    uint64_t n_reclaimed; /* connections of dead workers so far */
    unsigned n_workers;
};

enum slm_status slm_limit_conn_get_stats(struct slm_zone *zone, struct slm_limit_conn_stats *stats);

/* 0, or the number of a broken invariant: those of keyed_check.c and allocator/lease/check.c, and
 * 221: a key without a connection. */
unsigned slm_limit_conn_check_locked(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
