/* SPDX-License-Identifier: Apache-2.0 */
/* One operation of zone_fuzz, for the files that carry operations out. */
#ifndef HRN_FUZZ_ZONE_OP_H
#define HRN_FUZZ_ZONE_OP_H

#include "fuzz/zone/world.h"

struct op {
    enum hrn_zone_op kind;
    unsigned actor;
    unsigned slot;
    uint8_t extra;
    uint32_t value;
};

/* Aborts if a call returned another status than it must. */
static inline void expect(const char *call, enum slm_status seen, enum slm_status expected)
{
    if (seen != expected) {
        hrn_zone_law_answer("%s: %s, expected %s", call, slm_status_name(seen),
                            slm_status_name(expected));
    }
    hrn_zone_counted.n_refused += expected != SLM_OK;
}

/* Whether the actor holds the lock and lives. */
static inline bool holds(unsigned actor)
{
    return hrn_zone_world->holder == (int)actor && !hrn_zone_world->holder_is_dead;
}

/* --- Programs (zone.c) --- */

/* Carries out the operation, if the actor can. */
void hrn_zone_run(const struct op *op);
/* What a call that takes the lock must return now. */
enum slm_status hrn_zone_answer_to_lock(unsigned actor);
/* A call of the actor had the lock, and repaired what a dead holder left. It changed no content. */
void hrn_zone_pass_lock(void);
/* Another process takes a turn to check what the last turn left. */
void hrn_zone_look_through_another(unsigned actor);

/* --- The whole zone (whole.c) --- */

/* slm_zone_copy. Between two holds other actors take turns, extra % 8 of them. */
void hrn_zone_copy(const struct op *op);
/* slm_zone_trim. */
void hrn_zone_trim(const struct op *op);
/* Aborts if the zone's file has less memory than the pages that are not free. An object was made,
 * and no store has reached it. */
void hrn_zone_expect_backed(struct slm_zone *zone);

/* --- Reading (reader.c) --- */

/* Checks the zone through the actor's handle, or the reader's. */
void hrn_zone_read(const struct op *op);
/* The reader makes each call that changes something, and is refused. */
void hrn_zone_refuse(const struct op *op);

/* --- Deaths (deaths.c) --- */

void hrn_zone_die(const struct op *op);
/* The actor dies at one of the next points that it reaches within a call. */
void hrn_zone_die_within(const struct op *op);
/* No actor is about to die so. */
void hrn_zone_forget_deaths(void);
/* Carries out the operation, to its end or to the death of an actor within it. */
void hrn_zone_run_mortal(void (*verb)(const struct op *op), const struct op *op);
void hrn_zone_force_unlock(const struct op *op);
/* Gives the actor a new handle, unless it holds the lock. */
void hrn_zone_reattach(const struct op *op);

#endif
