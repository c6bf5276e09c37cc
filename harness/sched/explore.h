/* SPDX-License-Identifier: Apache-2.0 */
/* All schedules within bounds, one after the other. */
#ifndef HRN_SCHED_EXPLORE_H
#define HRN_SCHED_EXPLORE_H

#include "harness/sched/sched.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Depth first over the list of answers: the last choice that has an untried answer gets
 *          it, what is behind it starts anew. Bounds are raised one by one (iterative context
 *          bounding), so that a law is broken with the fewest preemptions that break it.
 * Cost     Runs are repeated from the start; nothing is remembered but the list.
 */
#define HRN_SCHED_BOUND_MAX 8u

struct hrn_sched_search {
    struct hrn_sched_run
        run; /* its chooser is the search's; limits.n_preemptions is the last bound */
    /* Makes the world as it is before a run; and judges what the run left, by hrn_sched_fail. */
    void (*begin)(void *world);
    void (*end)(void *world);
    uint64_t n_most; /* schedules; 0: all */
};

struct hrn_sched_found {
    const char *broken; /* the first law, or NULL */
    uint64_t n_runs;    /* in all, those repeated at higher bounds not counted twice */
    uint64_t n_by[HRN_SCHED_BOUND_MAX + 1]; /* with exactly so many preemptions */
    uint64_t n_deaths;                      /* runs with a death */
    uint64_t n_steps;                       /* of all runs */
    bool is_whole;                          /* no run was left out by n_most or a broken law */
};

/* Programs of several actors in one string, with | between. Sets where each begins, "" for actors
 * without one, and answers how many there are: 1 to HRN_ACTORS_MAX, what comes after is left out. */
unsigned hrn_sched_split(const char *text, const char *programs[HRN_ACTORS_MAX]);

struct hrn_sched_found hrn_sched_explore(const struct hrn_sched_search *search);

#ifdef __cplusplus
}
#endif
#endif
