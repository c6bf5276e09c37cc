/* SPDX-License-Identifier: Apache-2.0 */
/* Availability: which refusals are wrong. Promises of adapters, enforced or observed. */
#ifndef HRN_PROMISE_H
#define HRN_PROMISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/laws/laws.h"
#include "harness/registry/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Two rules hold for every allocator, and break the law `availability`: a new arena serves
 *          a few bytes, and an emptied one that has used memory again serves a few more. Everything
 *          else is a promise of the adapter (slabmill/adapter.h), with a law of its own. A promise
 *          that is declared is enforced. During hrn_run_probe the others are observed: the runner
 *          counts how often each was kept where it could have been broken, and how often it was
 *          broken. Refusals during which the source refused a call are set aside.
 * Cost     Nothing but the two rules, if no promise is declared or observed. empty_serves and n_fit
 *          make a few arenas of the same region before each arena, and fill an arena each time that
 *          it is emptied. freed_serves asks again for some objects that were just freed.
 * Safety   As hrn_run.
 */
#define HRN_PROMISE_LIST(X)                                                                        \
    X(empty_serves)                                                                                \
    X(freed_serves)                                                                                \
    X(monotone)                                                                                    \
    X(gap_serves)                                                                                  \
    X(exact)                                                                                       \
    X(n_fit)                                                                                       \
    X(shrunk_fit)                                                                                  \
    X(growth)

#define HRN_PROMISE_ENUM(name) HRN_PROMISE_##name,
enum hrn_promise { HRN_PROMISE_LIST(HRN_PROMISE_ENUM) HRN_PROMISE_COUNT };
#undef HRN_PROMISE_ENUM

const char *hrn_promise_name(enum hrn_promise promise);

/* Bits of the promises that the adapter declares. */
uint32_t hrn_promises_of(const struct slm_adapter *adapter);

/* --- Observation --- */

struct hrn_promise_seen {
    uint64_t n_kept; /* where it could have been broken */
    uint64_t n_broken;
    char first[HRN_LAW_TEXT_BYTES]; /* how it was broken first */
};

/* What was seen of the promises that an adapter does not declare. */
struct hrn_promise_probe {
    struct hrn_promise_seen seen[HRN_PROMISE_COUNT];
    /* Of all refusals of a size: the largest gap between live objects, minus the size. With
     * gap_serves, footprint_bytes would be the size and so much more. */
    size_t slack_bytes;
    uint64_t n_gaps; /* refusals for which the gaps were measured */
    /* Of all grants: the most bytes taken from the source besides twice the most that was live. */
    size_t growth_bytes;
    uint64_t n_grown; /* grants of arenas that had anything from their source */
};

/* --- What the runner keeps for each arena --- */

#define HRN_N_ALIGNS  66u /* of requests: 0, none asked for; else 1 and the logarithm */
#define HRN_N_FREED   8u
#define HRN_FILL_MAX  64u /* objects with which an arena is filled, at most */
#define HRN_PROBE_IDS (HRN_FILL_MAX + 1u)

struct hrn_served {
    size_t size_bytes;
    unsigned align; /* as in HRN_N_ALIGNS */
};

struct hrn_avail {
    bool has_served;
    bool has_reused; /* an object was where another one had been freed, or the arena was reset */
    unsigned first_stale;               /* addresses freed in earlier arenas */
    uint32_t few_served;                /* bit n: n bytes were served */
    bool is_tight;                      /* a request was refused since the arena was empty */
    uint32_t n_echoes;                  /* frees in a tight arena */
    uint32_t n_emptied;                 /* how often it was emptied */
    size_t least_refused[HRN_N_ALIGNS]; /* since memory was last released; SIZE_MAX: none */
    bool any_refused;
    size_t freed[HRN_N_FREED]; /* sizes of objects, since the last grant */
    unsigned n_freed;
    struct hrn_served largest[2]; /* served ones: without, and with an alignment */
    size_t gap_bytes;             /* no gap is longer; SIZE_MAX: unknown */
    size_t n_live;                /* objects now, and the most at once; the same of their bytes */
    size_t most_live;
    size_t live_bytes;
    size_t most_bytes;
    uintptr_t low; /* all objects so far were in [low, high) */
    uintptr_t high;
    /* Of new arenas of this region: the largest object that one served, and how many of
     * fill_bytes; 0: unknown. */
    size_t new_largest;
    size_t new_fill;
    size_t fill_bytes;
};

#ifdef __cplusplus
}
#endif
#endif
