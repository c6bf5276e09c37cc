/* SPDX-License-Identifier: Apache-2.0 */
/* Histories of concurrent calls, and whether some order of them explains every result. */
#ifndef HRN_SCHED_HISTORY_H
#define HRN_SCHED_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An event is a transaction: called at one time, returned at a later one, with a result. A
 *          history is linearisable if its events can be put in an order in which each gives its
 *          result, and which has a before b whenever a returned before b was called. An event whose
 *          actor died before it returned may be in that order or be left out.
 * Cost     Exponential at worst; orders that lead to the same state with the same events done are
 *          tried once.
 * Source   Wing and Gong, "Testing and Verifying Concurrent Objects", 1993; the table of tried
 *          states: Lowe, "Testing for Linearizability", 2017. Own code.
 */
#define HRN_SCHED_EVENTS_MAX  40u
#define HRN_SCHED_STATE_BYTES 64u
#define HRN_SCHED_NEVER       UINT64_MAX

struct hrn_sched_event {
    uint64_t called_at;
    uint64_t returned_at; /* HRN_SCHED_NEVER: it may or may not have happened */
    const void *call;     /* the call and its result, for apply */
};

/* Applies the event to a state; false: in that state it cannot have had its result. */
typedef bool hrn_sched_apply(void *state, const void *call);

/* At most HRN_SCHED_EVENTS_MAX events. The initial state has at most HRN_SCHED_STATE_BYTES; its
 * holes are 0. */
bool hrn_sched_is_linearisable(const struct hrn_sched_event *events, unsigned n_events,
                               const void *state, unsigned state_bytes, hrn_sched_apply *apply);

#ifdef __cplusplus
}
#endif
#endif
