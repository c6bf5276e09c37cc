/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of actors with one lock, and the laws that the lock must keep in each schedule. */
#ifndef HRN_SCHED_LOCK_WORLD_H
#define HRN_SCHED_LOCK_WORLD_H

#include "harness/sched/explore.h"
#include <slabmill/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An actor's program is a string of calls, one a letter; any string is a program:
 *              L lock   T trylock   t timedlock (15 ms)   U unlock   R mark_repaired
 *              F force_unlock of any owner   f force_unlock of the owner that get_owner returned
 *          At its end an actor unlocks if it still holds the lock. Programs of several actors are in
 *          one string, separated by |.
 * Books    The world derives the holder, and whether repair is due, from results of calls and from
 *          deaths, without reading the word.
 * Laws     M1  an actor gets the lock only if it is unowned or its owner is dead
 *          M2  the holder is the owner in the word, until another actor takes the lock over
 *          M3  the holder of a FILE lock has the file
 *          R1  SLM_OWNER_DIED is returned if and only if repair is due
 *          R2  the word's mark for repair is set, or its owner dead, if and only if repair is due
 *          W1  a free word has the mark of waiters only if it is a sleeper's turn, or was until
 *              that sleeper gave up
 *          W2  each sleeper is promised a wake: by the mark in the word, by an actor that is about
 *              to wake, or by an actor that was woken and has not passed the wake on; only a death
 *              breaks a promise. Short sleeps of a FILE lock between file and word are exempt
 *          W3  when no actor can run, none sleeps while the lock is free, unless an actor died with
 *              a promise
 *          E1  every actor ends within a number of steps
 *          S1.. each status has a reason that existed during the call
 *          N1  each death found has happened
 *          Afterwards the lock can be taken, R1 holds once more, and unlocking leaves 0.
 */
#define HRN_SCHED_LOCK_LETTERS "LUTtRFf"

struct hrn_sched_lock_program {
    const char *text;
    enum slm_lock_kind kind; /* SPIN_SEM: dead actors are reaped when no actor can run */
    unsigned n_preemptions;
    unsigned n_deaths;
    bool early_timers;
    bool one_handle; /* actors are threads of one process, and none dies; otherwise processes */
};

/* Attaches the handles of a kind, once. Returns false, with errno, if a FILE lock finds no writable
 * folder: it tries TEST_TMPDIR, TMPDIR and /tmp. The other kinds need none. */
bool hrn_sched_lock_attach(enum slm_lock_kind kind);
/* A search over all schedules of a program. Not for two threads. Ends the program if
 * hrn_sched_lock_attach returns false. */
struct hrn_sched_search hrn_sched_lock_search(const struct hrn_sched_lock_program *program);
/* How many calls the last run made. */
unsigned hrn_sched_lock_n_calls(void);

#ifdef __cplusplus
}
#endif
#endif
