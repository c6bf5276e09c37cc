/* SPDX-License-Identifier: Apache-2.0 */
/* Shared dictionary: values and counters by key, each with a time to live, over all processes. */
#ifndef SLM_EXAMPLES_SHARED_DICT_H
#define SLM_EXAMPLES_SHARED_DICT_H

#include "examples/common/keyed.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An item is a key and a value of any bytes. It is found until it expires. A value of 8
 *          bytes may be a number, an int64_t, which increment changes. Each put drops two expired
 *          items; a call that finds an expired item drops it. When memory is out, expired items are
 *          dropped, then those that were used least recently, until there is room. Get, put, add
 *          and increment are uses.
 * Time     The caller passes it, in milliseconds, from one clock for all processes.
 * Change   Each call is one transaction: a key has its old value or the new one, whole. Each item
 *          that a call drops to make room is a transaction before it.
 * Safety   Threads and processes, with a zone handle each. Not from signal handlers.
 * Failure  A value above 1/8 of the zone is refused, so that no value can evict all others. All
 *          calls: SLM_E_NULL; SLM_E_SIZE (the key, as slm_table_key_init); SLM_E_STATE (the zone is not
 *          this library's); as slm_zone_lock.
 * Cost     O(log n), and the same for each item that is dropped.
 * Source   The contract is that of Lua's shared dictionaries in nginx.
 */
#define SLM_SHARED_DICT_TAG     "shared_dict 2" /* for the zone's tag: changes with the layout */
#define SLM_SHARED_DICT_FOREVER UINT64_MAX      /* a ttl_ms: the item does not expire */

/* Makes the zone's head, or finds it. As slm_keyed_init_locked and slm_keyed_init. */
enum slm_status slm_shared_dict_init_locked(struct slm_zone *zone);
enum slm_status slm_shared_dict_init(struct slm_zone *zone);

struct slm_shared_dict_value {
    const void *data; /* NULL: n_bytes is 0 */
    size_t n_bytes;
    uint64_t ttl_ms; /* not 0 */
};

/*
 * Stores a value under the key, and replaces what the key had. add: only if the key has no item.
 * Fails, and the key keeps what it has unless that was evicted: SLM_E_SIZE (the value, see
 * Failure), SLM_E_OPTION (ttl_ms), SLM_E_NOMEM; add: SLM_E_EXISTS.
 */
enum slm_status slm_shared_dict_put(struct slm_zone *zone, const void *key, size_t key_bytes,
                                    const struct slm_shared_dict_value *value, uint64_t now_ms);
enum slm_status slm_shared_dict_add(struct slm_zone *zone, const void *key, size_t key_bytes,
                                    const struct slm_shared_dict_value *value, uint64_t now_ms);

struct slm_shared_dict_found {
    size_t n_bytes;  /* size of the value, even if it was not copied */
    uint64_t ttl_ms; /* what is left of it; or SLM_SHARED_DICT_FOREVER */
};

/* Copies the value to [buffer, + capacity_bytes). Fails: SLM_E_NOT_MEMBER (no such key, or it has
 * expired); SLM_E_SPACE (the buffer is too small: found->n_bytes is the size needed). */
enum slm_status slm_shared_dict_get(struct slm_zone *zone, const void *key, size_t key_bytes,
                                    uint64_t now_ms, void *buffer, size_t capacity_bytes,
                                    struct slm_shared_dict_found *found);

struct slm_shared_dict_step {
    int64_t by;
    bool makes_key;  /* a key without an item gets one, with the value initial + by */
    int64_t initial; /* unused unless makes_key, like ttl_ms */
    uint64_t ttl_ms; /* not 0; an item that exists keeps its own */
};

/* Adds to a number; *result is the sum. Fails, changing nothing: SLM_E_NOT_MEMBER (unless
 * makes_key), SLM_E_OPTION (the value does not have 8 bytes; ttl_ms), SLM_E_SIZE (the sum does not
 * fit in an int64_t); SLM_E_NOMEM. */
enum slm_status slm_shared_dict_increment(struct slm_zone *zone, const void *key, size_t key_bytes,
                                          const struct slm_shared_dict_step *step, uint64_t now_ms,
                                          int64_t *result);

/* Gives an item another time to live, from now. Fails: SLM_E_NOT_MEMBER, SLM_E_OPTION (ttl_ms is
 * 0). */
enum slm_status slm_shared_dict_set_ttl(struct slm_zone *zone, const void *key, size_t key_bytes,
                                        uint64_t ttl_ms, uint64_t now_ms);

/* Fails: SLM_E_NOT_MEMBER. */
enum slm_status slm_shared_dict_remove(struct slm_zone *zone, const void *key, size_t key_bytes);

/*
 * Copies a key that has an item: the first one, or the one that follows `after`, which need not
 * exist any more. A caller that passes each key to the next call gets each key once that has an
 * item all the time, in no useful order. Each call takes the lock for itself, and skips items that
 * have expired.
 *
 *     size_t n = 0;
 *     while (slm_shared_dict_next_key(zone, key, n, now_ms, key, &n) == SLM_OK) {
 *         use(key, n);
 *     }
 *
 * key has room for SLM_TABLE_KEY_BYTES_MAX. after_bytes 0: the first key. Fails: SLM_E_NOT_MEMBER
 * (there is no further key).
 */
enum slm_status slm_shared_dict_next_key(struct slm_zone *zone, const void *after,
                                         size_t after_bytes, uint64_t now_ms, void *key,
                                         size_t *key_bytes);

/* Drops at most max expired items; *n_dropped may be NULL. */
enum slm_status slm_shared_dict_expire(struct slm_zone *zone, uint64_t now_ms, size_t max,
                                       size_t *n_dropped);

/* Takes the lock. As slm_keyed_get_stats. */
enum slm_status slm_shared_dict_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats);

/*
 * 0, or the number of a broken invariant: those of keyed_check.c; 251: the tree by time has wrong
 * links or holds something that is no item; 252: it is not in order of time; 253: it does not hold
 * exactly the items that expire; 254: a value does not lie within its item's object.
 */
unsigned slm_shared_dict_check_locked(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
