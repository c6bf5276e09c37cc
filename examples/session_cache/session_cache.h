/* SPDX-License-Identifier: Apache-2.0 */
/* Session cache: blobs of any size by id, each with a time to live, over all processes. */
#ifndef SLM_EXAMPLES_SESSION_CACHE_H
#define SLM_EXAMPLES_SESSION_CACHE_H

#include "examples/common/keyed.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A session is one object: id and blob. It is found by its id until it expires. Each put
 *          drops two expired sessions; a get drops the session that it finds expired. When memory
 *          is out, expired sessions are dropped, then the oldest, in the order in which they were
 *          put, until there is room.
 * Time     The caller passes it, in milliseconds, from one clock for all processes.
 * Change   A put is one transaction: the id has the old blob or the new one, whole. Each session
 *          that it drops to make room is a transaction before it.
 * Safety   Threads and processes, with a zone handle each. Not from signal handlers.
 * Failure  A blob above 1/8 of the zone is refused, so that no blob can evict all others.
 * Source   The contract is nginx's ngx_ssl_session_cache, with a separate time for each session.
 */
#define SLM_SESSION_CACHE_TAG "session_cache 2" /* for the zone's tag: changes with the layout */

/* Makes the zone's head, or finds it. As slm_keyed_init_locked and slm_keyed_init. */
enum slm_status slm_session_cache_init_locked(struct slm_zone *zone);
enum slm_status slm_session_cache_init(struct slm_zone *zone);

/*
 * Stores n_bytes (0 is allowed) under the id for ttl_ms from now, and replaces what the id had.
 * Fails, and the id keeps what it has unless that was evicted: SLM_E_NULL; SLM_E_SIZE (id as
 * slm_table_key_init, or the blob, see Failure); SLM_E_OPTION (ttl_ms is 0); SLM_E_STATE; SLM_E_NOMEM; as
 * slm_zone_lock. Cost O(log n), and the same for each session that is dropped.
 */
enum slm_status slm_session_cache_put(struct slm_zone *zone, const void *id, size_t id_bytes,
                                      const void *blob, size_t n_bytes, uint64_t ttl_ms,
                                      uint64_t now_ms);

struct slm_session {
    size_t n_bytes;      /* size of the blob, even if it was not copied */
    uint64_t expires_ms; /* not before now_ms */
};

/*
 * Copies the blob to [buffer, + capacity_bytes). Fails: SLM_E_NOT_MEMBER (no such id, or it has
 * expired: then it is dropped); SLM_E_SPACE (the buffer is too small: session->n_bytes is the size
 * needed); SLM_E_NULL, SLM_E_SIZE, SLM_E_STATE; as slm_zone_lock.
 */
enum slm_status slm_session_cache_get(struct slm_zone *zone, const void *id, size_t id_bytes,
                                      uint64_t now_ms, void *buffer, size_t capacity_bytes,
                                      struct slm_session *session);

/* SLM_E_NOT_MEMBER: no such id. Otherwise as get. */
enum slm_status slm_session_cache_remove(struct slm_zone *zone, const void *id, size_t id_bytes);

/* Drops at most max expired sessions; *n_dropped may be NULL. */
enum slm_status slm_session_cache_expire(struct slm_zone *zone, uint64_t now_ms, size_t max,
                                         size_t *n_dropped);

/* Takes the lock. As slm_keyed_get_stats. */
enum slm_status slm_session_cache_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats);

/*
 * 0, or the number of a broken invariant: those of keyed_check.c; 241: the tree by time has wrong
 * links or holds something that is no session; 242: it is not in order of time; 243: not all
 * sessions are in it; 244: a blob does not lie within its session's object.
 */
unsigned slm_session_cache_check_locked(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
