/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of actors with one zone, each with a handle and a mapping of its own, and their laws. */
#ifndef HRN_SCHED_ZONE_WORLD_H
#define HRN_SCHED_ZONE_WORLD_H

#include "harness/sched/explore.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    In the zone are a tree of keyed items, a counter, and a cell that is the root; items and
 *          cells take a page each, of which there are few. An actor's program is a string:
 *              p q  put key 0, 1: a new item, or a new value for the one that is there
 *              d e  delete key 0, 1 and free the item
 *              a    count one up          r  a new cell becomes the root, the old one is freed
 *              g    read everything       ;  commit        !  abort
 *              .    unlock                T  the next lock is a try        t  timed (15 ms)
 *          The first operation of a turn locks; the end of the program unlocks. Programs of several
 *          actors stand in one string, with | between.
 * Laws     M1  who gets the lock gets it from nobody, or from a dead one
 *          S1  locking succeeds, or is refused to a try or a timed one
 *          L1  transactions, with what their operations answered, are linearisable beside a plain
 *              account; aborted ones changed nothing; what a dead one had not begun to commit never
 *              happened, and what it was committing happened as a whole or not at all
 *          C1  afterwards zone and tree pass their checks, nothing is noted, and as many pages are
 *              in use as the account says
 *          N1  nothing is repaired if nobody died
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
/* Operations that the last run did. */
unsigned hrn_sched_zone_n_ops(void);

#ifdef __cplusplus
}
#endif
#endif
