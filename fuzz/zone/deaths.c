/* SPDX-License-Identifier: Apache-2.0 */
/* Actors of zone_fuzz that die, and what is done about them. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* _setjmp */
#endif
#include <inttypes.h>
#include <setjmp.h>
#include <string.h>

#include "allocator/base/yield.h"
#include "allocator/lock/word.h"
#include "allocator/zone/handle.h"
#include "fuzz/zone/op.h"
#include "harness/failure/say.h"
#include "harness/sched/system.h"

/* --- Points of death --- */

static uint32_t points_left[ZONE_N_ACTORS]; /* until the actor's death; 0: it lives on */
static bool is_mortal;
static jmp_buf after_death;

/* The library's hook, at each of its yield points and after each store that a repair relies on. The
 * process ends here: no code of the library that it is in runs any more. */
static void reach_point(const char *point)
{
    unsigned actor = hrn_system_self();
    if (is_mortal && actor < ZONE_N_ACTORS && points_left[actor] != 0 &&
        --points_left[actor] == 0) {
        HRN_SAY_OP("actor %u dies at \"%s\"", actor, point);
        is_mortal = false;
        _longjmp(after_death, 1);
    }
}

void hrn_zone_die_within(const struct op *op)
{
    points_left[op->actor] = 1 + op->value % (1u << (1 + op->extra % 9u));
}

void hrn_zone_forget_deaths(void)
{
    memset(points_left, 0, sizeof points_left);
    slm_yield_hook = reach_point;
    slm_stored_hook = reach_point;
}

/* --- Deaths --- */

/* No death within attach: it holds a lock of this process, which in truth ends with the process. */
static void renew(unsigned actor)
{
    struct slm_zone *old = hrn_zone_world->zones[actor];
    is_mortal = false;
    hrn_zone_attach_again(&hrn_zone_world->zones[actor], false);
    slm_zone_detach(old);
}

/* The process is gone and another replaces it, mostly with the existing mapping, since making one
 * costs more than a program. */
void hrn_zone_die(const struct op *op)
{
    bool is_holder = holds(op->actor);
    hrn_system_renew(op->actor);
    hrn_zone_world->zones[op->actor]->reserved_bytes = 0;
    if (op->value % 4 == 0) {
        renew(op->actor);
    }
    if (is_holder) {
        hrn_zone_world->holder_is_dead = true;
        hrn_zone_world->needs_repair = true;
    }
}

/* The lock's word shows how far the call got. */
static void find_holder(unsigned actor, uint64_t dead_identity)
{
    struct zone_world *world = hrn_zone_world;
    uint64_t word = world->zones[actor]->header->lock.word;
    uint64_t owner = slm_lock_owner_in(word);
    bool is_dead_ones = owner == dead_identity;
    bool is_known = world->holder != ZONE_NOBODY && owner == world->holder_identity;
    if (owner != 0 && !is_dead_ones && !is_known) {
        hrn_zone_law_answer("an actor died, and the lock's owner is %" PRIx64, owner);
    }
    if (is_dead_ones || owner == 0) {
        world->holder = is_dead_ones ? (int)actor : ZONE_NOBODY;
        world->holder_identity = owner;
        world->holder_is_dead = is_dead_ones;
        world->needs_repair = is_dead_ones || (word & SLM_LOCK_REPAIR) != 0;
        world->is_torn |= is_dead_ones;
    }
}

/* A repair that the call made may have been counted, and a growth may have been published. */
static void find_progress(const struct zone_header *header)
{
    struct zone_world *world = hrn_zone_world;
    uint64_t n_most = world->n_repairs + (world->needs_repair ? 1 : 0);
    if (header->n_recoveries < world->n_repairs || header->n_recoveries > n_most) {
        hrn_zone_law_repairs("an actor died: %" PRIu64 ", expected %" PRIu64 " to %" PRIu64,
                             header->n_recoveries, world->n_repairs, n_most);
    }
    if (header->bytes != world->bytes && header->bytes != world->other_bytes) {
        hrn_zone_law_length("an actor died: %" PRIu64 " bytes, expected %" PRIu64 " or %" PRIu64,
                            header->bytes, world->bytes, world->other_bytes);
    }
    world->n_repairs = header->n_recoveries;
    world->bytes = header->bytes;
}

/* The memory of the dead process goes, which must not change the zone. */
static void drop_handle(struct slm_zone *old, unsigned actor)
{
    static unsigned char before[ZONE_MAX_BYTES];
    const void *now = hrn_zone_world->zones[actor]->header;
    size_t n_bytes = (size_t)hrn_zone_world->bytes;
    memcpy(before, now, n_bytes);
    slm_zone_detach(old);
    if (memcmp(before, now, n_bytes) != 0) {
        hrn_zone_law_silence("detach of a dead actor's handle");
    }
}

static void end_actor(unsigned actor)
{
    struct slm_zone *old = hrn_zone_world->zones[actor];
    uint64_t dead_identity = hrn_system_identity(actor);
    hrn_zone_counted.n_died_within++;
    hrn_system_renew(actor);
    hrn_system_be(actor);
    find_progress(old->header);
    find_holder(actor, dead_identity);
    hrn_zone_counted.n_unsettled += hrn_zone_else.n != 0;
    hrn_zone_else.is_unsettled = hrn_zone_else.n != 0;
    hrn_zone_attach_again(&hrn_zone_world->zones[actor], false);
    drop_handle(old, actor);
}

void hrn_zone_run_mortal(void (*verb)(const struct op *op), const struct op *op)
{
    hrn_zone_world->other_bytes = hrn_zone_world->bytes;
    hrn_zone_end_offers();
    if (op->kind == HRN_ZONE_COPY || op->kind == HRN_ZONE_REFUSE || hrn_zone_world->is_copied) {
        verb(op); /* a copier that died here would leave its file open and mapped, and of readers
                     there is one */
        return;
    }
    if (_setjmp(after_death) == 0) {
        is_mortal = true;
        verb(op);
    } else {
        end_actor(hrn_system_self());
    }
    is_mortal = false;
}

/* --- What is done about them --- */

void hrn_zone_force_unlock(const struct op *op)
{
    struct slm_lock *handle = slm_zone_lock_handle(hrn_zone_world->zones[op->actor]);
    bool lives = hrn_zone_world->holder != ZONE_NOBODY && !hrn_zone_world->holder_is_dead;
    expect("force", slm_lock_force_unlock(handle, 0), lives ? SLM_E_OWNER : SLM_OK);
    if (!lives) {
        hrn_zone_world->holder = ZONE_NOBODY;
        hrn_zone_world->holder_is_dead = false;
    }
}

void hrn_zone_reattach(const struct op *op)
{
    if (!holds(op->actor)) {
        renew(op->actor);
    }
}
