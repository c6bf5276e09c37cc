/* SPDX-License-Identifier: Apache-2.0 */
/* limit_req: how fast a key may send requests, over all processes: a leaky bucket per key. */
#ifndef SLM_EXAMPLES_LIMIT_REQ_H
#define SLM_EXAMPLES_LIMIT_REQ_H

#include "examples/common/keyed.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A key has an excess: requests beyond the rate, in 1/1000. It drains with the rate and
 *          grows by 1000 with each request that passes; a request that would take it above the
 *          burst is limited, and changes nothing but the order of use. After it has created a
 *          key, a hit drops up to two of the oldest keys if they are idle: not used for SLM_LIMIT_REQ_IDLE_MS, and
 *          drained. When memory is out, the oldest keys are dropped, idle or not, until the new one
 *          fits.
 * Time     The caller passes it, in milliseconds, from one clock for all processes. If the clock
 *          goes back, no time has passed; if it goes back by more than a minute, one millisecond
 *          has.
 * Change   A hit is one transaction. Each key that it drops to make room is a transaction before
 *          it, and each idle one a transaction after it. So a death at any instruction leaves the
 *          hit done or not done, and some of those keys dropped.
 * Safety   Threads and processes, with a zone handle each. Not from signal handlers.
 * Failure  A key that was evicted begins again without its excess, as in nginx.
 * Source   The contract is nginx's ngx_http_limit_req_module, one limit a request.
 */
#define SLM_LIMIT_REQ_TAG     "limit_req 2" /* for the zone's tag: changes with the layout */
#define SLM_LIMIT_REQ_IDLE_MS 60000u

struct slm_limit_req_rule {
    uint32_t rate_milli;  /* requests per 1000 s: 1/1000 requests per second; not 0 */
    uint32_t burst_milli; /* 1/1000 requests */
};

struct slm_limit_req_verdict {
    uint32_t excess_milli; /* of this request: above burst_milli if it is limited */
    bool is_limited;
};

/* Makes the zone's head, or finds it. The first is for init callbacks of a zone set, the second
 * takes the lock. As slm_keyed_init_locked and slm_keyed_init. */
enum slm_status slm_limit_req_init_locked(struct slm_zone *zone);
enum slm_status slm_limit_req_init(struct slm_zone *zone);

/*
 * Counts a request. Fails, and does not count it: SLM_E_NULL; SLM_E_SIZE (as slm_table_key_init);
 * SLM_E_OPTION (the rate is 0); SLM_E_STATE (no head); SLM_E_NOMEM (though keys were evicted); as
 * slm_zone_lock. Cost O(log n).
 */
enum slm_status slm_limit_req_hit(struct slm_zone *zone, const void *key, size_t key_bytes,
                                  const struct slm_limit_req_rule *rule, uint64_t now_ms,
                                  struct slm_limit_req_verdict *verdict);

/* The same, and adds 1 to the zone's n_passed or n_limited in the same transaction. */
enum slm_status slm_limit_req_hit_counted(struct slm_zone *zone, const void *key, size_t key_bytes,
                                          const struct slm_limit_req_rule *rule, uint64_t now_ms,
                                          struct slm_limit_req_verdict *verdict);

/* Reports what a hit's verdict would be, and changes nothing. A key that does not exist has no
 * excess. */
enum slm_status slm_limit_req_peek(struct slm_zone *zone, const void *key, size_t key_bytes,
                                   const struct slm_limit_req_rule *rule, uint64_t now_ms,
                                   struct slm_limit_req_verdict *verdict);

/* Takes the lock. As slm_keyed_get_stats. */
enum slm_status slm_limit_req_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats);

struct slm_limit_req_counts {
    uint64_t n_keys;
    uint64_t n_passed;  /* by slm_limit_req_hit_counted, since the zone was made */
    uint64_t n_limited; /* the same */
    uint64_t n_evicted; /* keys dropped because memory was out */
    uint64_t n_expired; /* keys dropped because they were idle */
};

/* All counts of one moment. Takes the lock. Fails: SLM_E_NULL, SLM_E_STATE (no head), and as
 * slm_zone_lock. */
enum slm_status slm_limit_req_get_counts(struct slm_zone *zone,
                                         struct slm_limit_req_counts *counts);

/* For the option move of a zone: copies counts and keys, each with its excess and its place in the
 * order of use. If `to` has no room for all keys, the oldest are dropped, and counted as evicted. */
enum slm_status slm_limit_req_move(struct slm_zone *to, struct slm_zone *from, void *data);

/* 0, or the number of a broken invariant: those of keyed_check.c. */
unsigned slm_limit_req_check_locked(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
