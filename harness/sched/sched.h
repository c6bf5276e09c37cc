/* SPDX-License-Identifier: Apache-2.0 */
/* A deterministic scheduler: actors run one at a time, from yield point to yield point. */
#ifndef HRN_SCHED_SCHED_H
#define HRN_SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/sched/system.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Actors stand for threads of different processes. One runs; at each SLM_YIELD of the
 *          library it may go on, be preempted by another, or die there. When an actor sleeps or
 *          ends, the scheduler chooses the next. run->choose makes every choice, and nothing else
 *          influences a run: a schedule is the list of the answers, and the same answers give the
 *          same run.
 * System   That of system.h, driven by the schedule. A choice decides which of several sleepers a
 *          wake reaches. Time stops while any actor can run, except by two choices that count as
 *          preemptions: a timer ends early, or HRN_SCHED_DELAY_MS pass before an actor reads the
 *          clock.
 * Deaths   An actor dies at its own yield point. An actor that does not run dies when another asks
 *          whether it lives, or asks for the file that it has locked. A death at another moment
 *          could not be distinguished from one of these.
 * Safety   One thread; one run at a time. Actors' bodies are C: a death runs no destructor.
 * Cost     About a microsecond a switch; at each yield point a choice and the cost of each_step.
 * Source   Musuvathi and Qadeer, "Iterative Context Bounding for Systematic Testing of
 *          Multithreaded Programs", PLDI 2007: only switches away from an actor that could go on
 *          count; few of them find most bugs.
 */
#define HRN_SCHED_DELAY_MS 15u

struct hrn_sched_limits {
    unsigned n_preemptions; /* including early timers and delays */
    unsigned n_deaths;
    unsigned n_steps;  /* limit of yield points in one run; more break a law */
    bool early_timers; /* and delays */
};

struct hrn_sched_run {
    unsigned n_actors;
    struct hrn_sched_limits limits;
    void *world;
    /* What an actor does. hrn_system_self() is the actor. */
    void (*body)(void *world, unsigned actor);
    /* Called at each yield point, before the choice. May be NULL. */
    void (*each_step)(void *world);
    /* Called after an actor's death. */
    void (*died)(void *world, unsigned actor);
    /* Called when no actor can run and some sleep, before time passes. Calls of the library from
     * here are made by HRN_NOBODY, and do not yield. */
    void (*stuck)(void *world);
    /* Returns a number below n; n is at least 2. */
    unsigned (*choose)(void *chooser, unsigned n);
    void *chooser;
};

/* The result of one run. Valid until the next. */
struct hrn_sched_outcome {
    const char *broken; /* the law, or NULL */
    unsigned n_steps;
    unsigned n_switches;
    unsigned n_preemptions;
    unsigned n_deaths;
};

/* Runs the actors until each is done or dead, or a law is broken. */
struct hrn_sched_outcome hrn_sched_play(const struct hrn_sched_run *run);

/* --- For bodies and checks --- */

bool hrn_sched_is_dead(unsigned actor);
/* Whether it sleeps and has not been woken. */
bool hrn_sched_is_asleep(unsigned actor);
/* The yield point at which it is or died. */
const char *hrn_sched_point(unsigned actor);
/* A yield point in the program itself. */
void hrn_sched_yield(const char *point);
/* Reports a broken law. Ends the run if an actor calls it. The first broken law is kept. */
void hrn_sched_fail(const char *law);
/* The law that the last run broke, or that a later check found broken; NULL: none. */
const char *hrn_sched_broken(void);
/* Prints the last run, step by step, to standard output. */
void hrn_sched_print_steps(void);

#ifdef __cplusplus
}
#endif
#endif
