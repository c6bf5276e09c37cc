/* SPDX-License-Identifier: Apache-2.0 */
/* Runs all schedules within bounds, one after the other. */
#ifndef HRN_SCHED_EXPLORE_H
#define HRN_SCHED_EXPLORE_H

#include "harness/sched/sched.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Depth first over the list of answers: the last choice with an untried answer gets that
 *          answer, and later choices start again from their first. Bounds are raised one by one
 *          (iterative context bounding), so the first broken law is found with the fewest
 *          preemptions that break it.
 * Cost     Runs are repeated from the start; only the list is kept.
 */
#define HRN_SCHED_BOUND_MAX 8u

struct hrn_sched_search {
    struct hrn_sched_run
        run; /* the search sets its chooser; limits.n_preemptions is the last bound */
    /* Makes the world's initial state before a run; `end` checks the final state and calls
     * hrn_sched_fail. */
    void (*begin)(void *world);
    void (*end)(void *world);
    uint64_t n_most; /* schedules; 0: all */
};

struct hrn_sched_found {
    const char *broken;                     /* the first law, or NULL */
    uint64_t n_runs;                        /* in all; runs repeated at higher bounds count once */
    uint64_t n_by[HRN_SCHED_BOUND_MAX + 1]; /* by their exact number of preemptions */
    uint64_t n_deaths;                      /* runs with a death */
    uint64_t n_steps;                       /* of all runs */
    bool is_whole;                          /* no run was left out by n_most or a broken law */
};

/* The search *calls for a text of programs of several actors, separated by |, within limits. Sets
 * where each program begins, "" for actors without one, and run.n_actors: 1 to HRN_ACTORS_MAX.
 * Further programs are ignored. */
struct hrn_sched_search hrn_sched_search_of(const struct hrn_sched_search *calls, const char *text,
                                            const char *programs[HRN_ACTORS_MAX],
                                            struct hrn_sched_limits limits);

struct hrn_sched_found hrn_sched_explore(const struct hrn_sched_search *search);

#ifdef __cplusplus
}
#endif
#endif
