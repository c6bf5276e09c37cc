/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/sched/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/hash.h"

#define TRIED_MAX 4096u /* a power of two */

/* A state that was reached with these events done, and did not lead to a solution. */
struct tried {
    uint64_t of_search; /* an entry of an earlier search is free */
    uint64_t done;
    unsigned char state[HRN_SCHED_STATE_BYTES];
};

struct search {
    const struct hrn_sched_event *events;
    unsigned n_events;
    unsigned state_bytes;
    hrn_sched_apply *apply;
    unsigned n_tried;
};

static struct tried tried[TRIED_MAX];
static uint64_t n_searches;

static uint64_t hash(uint64_t done, const unsigned char *state, unsigned n_bytes)
{
    uint64_t sum = hrn_hash(HRN_HASH_START ^ done, state, n_bytes);
    return sum ^ sum >> 29;
}

/* Whether the state was tried before. Records it as tried. */
static bool was_tried(struct search *search, uint64_t done, const unsigned char *state)
{
    uint64_t at = hash(done, state, search->state_bytes);
    for (;; at++) {
        struct tried *entry = &tried[at % TRIED_MAX];
        if (entry->of_search != n_searches) {
            if (++search->n_tried == TRIED_MAX) {
                fprintf(stderr, "a history with more than %u states\n", TRIED_MAX);
                abort();
            }
            entry->of_search = n_searches;
            entry->done = done;
            memcpy(entry->state, state, search->state_bytes);
            return false;
        }
        if (entry->done == done && memcmp(entry->state, state, search->state_bytes) == 0) {
            return true;
        }
    }
}

static bool is_done(uint64_t done, unsigned i)
{
    return (done >> i & 1u) != 0;
}

/* The first return among the events that are not done. Events called later cannot precede it. */
static uint64_t first_return(const struct search *search, uint64_t done)
{
    uint64_t first = HRN_SCHED_NEVER;
    for (unsigned i = 0; i < search->n_events; i++) {
        if (!is_done(done, i) && search->events[i].returned_at < first) {
            first = search->events[i].returned_at;
        }
    }
    return first;
}

static bool can_finish(struct search *search, uint64_t done, const unsigned char *state)
{
    uint64_t limit = first_return(search, done);
    if (limit == HRN_SCHED_NEVER) {
        return true; /* the events that are left need not have happened */
    }
    if (was_tried(search, done, state)) {
        return false;
    }
    for (unsigned i = 0; i < search->n_events; i++) {
        unsigned char next[HRN_SCHED_STATE_BYTES];
        if (is_done(done, i) || search->events[i].called_at > limit) {
            continue;
        }
        memcpy(next, state, search->state_bytes);
        if (search->apply(next, search->events[i].call) &&
            can_finish(search, done | UINT64_C(1) << i, next)) {
            return true;
        }
    }
    return false;
}

bool hrn_sched_is_linearisable(const struct hrn_sched_event *events, unsigned n_events,
                               const void *state, unsigned state_bytes, hrn_sched_apply *apply)
{
    struct search search = {events, n_events, state_bytes, apply, 0};
    unsigned char first[HRN_SCHED_STATE_BYTES];
    memcpy(first, state, state_bytes);
    n_searches++;
    return can_finish(&search, 0, first);
}
