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
 *              L lock   T try   t timed (15 ms)   U unlock   R mark_repaired
 *              F force_unlock, whoever it is   f force_unlock of whom a look told before
 *          At its end an actor gives the lock back if it still holds it. Programs of several actors
 *          stand in one string, with | between.
 * Books    Who holds the lock and whether repair is due is known without looking at the word: from
 *          what calls answered, and from who died when.
 * Laws     M1  who gets the lock gets it from nobody, or from a dead one
 *          M2  who holds it is the owner in the word, until somebody takes over
 *          M3  who holds a FILE lock has the file
 *          R1  SLM_OWNER_DIED is told if and only if repair is due
 *          R2  the word's mark for repair is set, or its owner dead, if and only if repair is due
 *          W1  a free word has no mark of waiters, but where it is a sleeper's turn, or was until
 *              that one gave up
 *          W2  who sleeps is promised a wake: by the mark in the word, by one who is about to wake,
 *              or by one who was woken and has not given that on; only the dead break promises.
 *              Not the short sleeps of a FILE lock between its file and its word
 *          W3  nobody sleeps by a free lock while nobody can run, unless one died with a promise
 *          E1  everybody ends within a number of steps
 *          S1.. statuses, each for a reason that was there during the call
 *          N1  deaths found are deaths that happened
 *          Afterwards the lock can be taken, is told R1 once more, and given back leaves 0.
 */
#define HRN_SCHED_LOCK_LETTERS "LUTtRFf"

struct hrn_sched_lock_program {
    const char *text;
    enum slm_lock_kind kind; /* SPIN_SEM: who died is reaped when nobody can run */
    unsigned n_preemptions;
    unsigned n_deaths;
    bool early_timers;
    bool one_handle; /* actors are threads of one process, of which none dies; else processes */
};

/* Attaches the handles of a kind, once. Returns false, with errno, if a FILE lock finds no folder that
 * it can write to: it tries TEST_TMPDIR, TMPDIR and /tmp. The other kinds need none. */
bool hrn_sched_lock_attach(enum slm_lock_kind kind);
/* A search over all schedules of a program. Not for two threads. Ends the program if
 * hrn_sched_lock_attach returns false. */
struct hrn_sched_search hrn_sched_lock_search(const struct hrn_sched_lock_program *program);
/* Calls that the last run made. */
unsigned hrn_sched_lock_n_calls(void);

#ifdef __cplusplus
}
#endif
#endif
