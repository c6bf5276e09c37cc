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
 *          library it may go on, be preempted by another, or die there. An actor that sleeps or is
 *          done leaves the choice of the next to the scheduler. Every choice is asked of
 *          run->choose, and nothing else decides anything: a schedule is the list of the answers,
 *          and the same answers give the same run.
 * System   That of system.h, driven by the schedule. Which of several sleepers a wake reaches is a
 *          choice. Time stands still while any actor can run, unless a timer that ends early is
 *          chosen, or a delay of HRN_SCHED_DELAY_MS before an actor reads the clock; both count as
 *          preemptions.
 * Deaths   At its own yield point; and, of an actor that does not run, when somebody asks whether
 *          it lives, or for the file that it has locked. No other moment could be told from one of
 *          these.
 * Safety   One thread; one run at a time. Actors' bodies are C: a death runs no destructor.
 * Cost     About a microsecond a switch; a choice, and what each_step costs, at each yield point.
 * Source   Musuvathi and Qadeer, "Iterative Context Bounding for Systematic Testing of
 *          Multithreaded Programs", PLDI 2007: only switches away from an actor that could go on
 *          count, and few of those find most bugs.
 */
#define HRN_SCHED_DELAY_MS 15u

struct hrn_sched_limits {
    unsigned n_preemptions; /* early timers and delays included */
    unsigned n_deaths;
    unsigned n_steps;  /* yield points of one run; more of them are a broken law */
    bool early_timers; /* and delays */
};

struct hrn_sched_run {
    unsigned n_actors;
    struct hrn_sched_limits limits;
    void *world;
    /* What an actor does; its actor is hrn_system_self(). */
    void (*body)(void *world, unsigned actor);
    /* At each yield point, before the choice. May be NULL. */
    void (*each_step)(void *world);
    /* An actor is dead from now on. */
    void (*died)(void *world, unsigned actor);
    /* Nobody can run, and somebody sleeps: time is about to pass. Calls of the library that are
     * made here are made by nobody, and do not yield. */
    void (*stuck)(void *world);
    /* An answer below n, which is at least 2. */
    unsigned (*choose)(void *chooser, unsigned n);
    void *chooser;
};

/* What one run was. Valid until the next. */
struct hrn_sched_outcome {
    const char *broken; /* the law, or NULL */
    unsigned n_steps;
    unsigned n_switches;
    unsigned n_preemptions;
    unsigned n_deaths;
};

/* Runs the actors until each is done or dead, or a law is broken. */
struct hrn_sched_outcome hrn_sched_play(const struct hrn_sched_run *run);

/* --- For bodies and judges --- */

bool hrn_sched_is_dead(unsigned actor);
/* It sleeps, and nobody has woken it. */
bool hrn_sched_is_asleep(unsigned actor);
/* The yield point at which it stands or died. */
const char *hrn_sched_point(unsigned actor);
/* A yield point of the program's own. */
void hrn_sched_yield(const char *point);
/* A law is broken: ends the run, if it is an actor who finds out. The first one is kept. */
void hrn_sched_fail(const char *law);
/* The law that the last run, or who judged it afterwards, broke; NULL: none. */
const char *hrn_sched_broken(void);
/* Prints the last run, step by step, to standard output. */
void hrn_sched_print_steps(void);

#ifdef __cplusplus
}
#endif
#endif
