/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/sched/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHOICES_KEPT 8192u

/* The answers of the run before, up to the one that changes; then the questions of this run. */
struct path {
    unsigned n;       /* choices with a fixed answer */
    unsigned n_asked; /* by this run so far */
    uint8_t answers[CHOICES_KEPT];
    uint8_t n_answers[CHOICES_KEPT];
};

static unsigned choose(void *chooser, unsigned n)
{
    struct path *path = chooser;
    unsigned at = path->n_asked++;
    if (at >= CHOICES_KEPT) {
        fprintf(stderr, "a run has more than %u choices\n", CHOICES_KEPT);
        abort();
    }
    if (at >= path->n) {
        path->answers[at] = 0;
        path->n = at + 1;
    } else if (path->n_answers[at] != n) {
        /* The number was set by this path's last run, so the world does not begin in the same
         * state. */
        fprintf(stderr, "choice %u has %u answers, and had %u before\n", at, n,
                path->n_answers[at]);
        abort();
    }
    path->n_answers[at] = (uint8_t)n;
    return path->answers[at];
}

/* False: there is no path left. */
static bool advance(struct path *path)
{
    path->n = path->n_asked;
    while (path->n > 0) {
        unsigned last = path->n - 1;
        if (path->answers[last] + 1u < path->n_answers[last]) {
            path->answers[last]++;
            return true;
        }
        path->n--;
    }
    return false;
}

/* Counts only runs that reach the bound; others were counted at lower bounds. */
static void count(struct hrn_sched_found *found, const struct hrn_sched_outcome *outcome,
                  unsigned bound)
{
    found->n_steps += outcome->n_steps;
    if (outcome->n_preemptions == bound) {
        found->n_by[bound]++;
        found->n_runs++;
        found->n_deaths += outcome->n_deaths != 0;
    }
}

static const char *run_once(const struct hrn_sched_search *search, const struct hrn_sched_run *run,
                            struct hrn_sched_found *found)
{
    search->begin(run->world);
    struct hrn_sched_outcome outcome = hrn_sched_play(run);
    count(found, &outcome, run->limits.n_preemptions);
    if (outcome.broken == NULL) {
        search->end(run->world);
        outcome.broken = hrn_sched_broken();
    }
    return outcome.broken;
}

/* False: the search has ended. */
static bool search_at(const struct hrn_sched_search *search, unsigned bound,
                      struct hrn_sched_found *found)
{
    static struct path path;
    struct hrn_sched_run run = search->run;
    run.choose = choose;
    run.chooser = &path;
    run.limits.n_preemptions = bound;
    path.n = 0;
    do {
        path.n_asked = 0;
        found->broken = run_once(search, &run, found);
        if (found->broken != NULL || (search->n_most != 0 && found->n_runs >= search->n_most)) {
            return false;
        }
    } while (advance(&path));
    return true;
}

struct hrn_sched_found hrn_sched_explore(const struct hrn_sched_search *search)
{
    struct hrn_sched_found found = {.is_whole = true};
    for (unsigned bound = 0; bound <= search->run.limits.n_preemptions; bound++) {
        if (!search_at(search, bound, &found)) {
            found.is_whole = false;
            break;
        }
    }
    return found;
}

static unsigned split(const char *text, const char *programs[HRN_ACTORS_MAX])
{
    unsigned n = 0;
    for (unsigned i = 0; i < HRN_ACTORS_MAX; i++) {
        programs[i] = "";
    }
    while (text != NULL && n < HRN_ACTORS_MAX) {
        programs[n++] = text;
        text = strchr(text, '|');
        text = text == NULL ? NULL : text + 1;
    }
    return n;
}

struct hrn_sched_search hrn_sched_search_of(const struct hrn_sched_search *calls, const char *text,
                                            const char *programs[HRN_ACTORS_MAX],
                                            struct hrn_sched_limits limits)
{
    struct hrn_sched_search search = *calls;
    search.run.n_actors = split(text, programs);
    search.run.limits = limits;
    return search;
}
