/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of actors that share a zone, each with its own handle and mapping, and their laws. */
#ifndef HRN_SCHED_ZONE_WORLD_H
#define HRN_SCHED_ZONE_WORLD_H

#include "harness/sched/explore.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The zone has a tree of keyed items, a counter, and a cell that is the root. Each item
 *          and cell takes a page, and there are few pages. An actor's program is a string:
 *              p q  put key 0, 1: a new item, or a new value for the existing one
 *              d e  delete key 0, 1 and free the item
 *              a    count one up          r  a new cell becomes the root, the old one is freed
 *              g    read everything       ;  commit        !  abort
 *              .    unlock                T  the next lock is a trylock    t  a timedlock (15 ms)
 *          The first operation of a turn locks; the end of the program unlocks. Programs of several
 *          actors are in one string, separated by |.
 * Laws     M1  an actor gets the lock only if it is unowned or its owner is dead
 *          S1  locking succeeds; only trylock and timedlock may be refused
 *          L1  transactions, with the results of their operations, are linearisable against a plain
 *              model; aborted ones change nothing; a transaction that a dead actor had not begun to
 *              commit never happened, and one that it was committing happened as a whole or not at
 *              all
 *          C1  afterwards zone and tree pass their checks, the journal is empty, and as many pages
 *              are in use as in the model
 *          N1  nothing is repaired if no actor died
 *          W3, E1 as in lock_world.h
 */
#define HRN_SCHED_ZONE_LETTERS "pqdearg;!.Tt"

struct hrn_sched_zone_program {
    const char *text;
    unsigned n_pages; /* free ones at first, 1 to 8 */
    unsigned n_preemptions;
    unsigned n_deaths;
    bool early_timers;
};

/* A search over all schedules of a program. Not for two threads. */
struct hrn_sched_search hrn_sched_zone_search(const struct hrn_sched_zone_program *program);
/* How many operations the last run did. */
unsigned hrn_sched_zone_n_ops(void);

#ifdef __cplusplus
}
#endif
#endif
