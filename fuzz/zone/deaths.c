/* SPDX-License-Identifier: Apache-2.0 */
/* Actors of zone_fuzz that die, and what is done about them. */
#include "allocator/journal/log.h"
#include "allocator/zone/handle.h"
#include "fuzz/zone/op.h"
#include "harness/sched/system.h"

/* Some states occur only after a death within a call. They are made by hand, with the first steps
 * of those calls, which needs two private headers. */

static void renew(unsigned actor)
{
    struct slm_zone *old = hrn_zone_world->zones[actor];
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

/* A death after the store that commits, when some of the releases were carried out. */
void hrn_zone_die_committing(const struct op *op)
{
    struct slm_journal *journal = slm_zone_journal(hrn_zone_world->zones[op->actor]);
    struct slm_journal_log *log = journal->log;
    slm_slab_clear_last_allocation_locked(journal->slab);
    if (log->state != 0) {
        log->state |= JOURNAL_COMMITTED;
        hrn_zone_committed = hrn_zone_working;
    }
    for (uint32_t i = 0; i < journal_n_entries(log) && i < op->extra; i++) {
        const struct journal_entry *entry = &log->entries[i];
        if (journal_kind_of(entry) == JOURNAL_FREE) {
            (void)slm_slab_free_locked(journal->slab,
                                       slm_journal_pointer(journal, entry->what & JOURNAL_OFFSET));
        }
    }
    hrn_zone_die(op);
}

/* A death after the zone's new length was reserved, or after it got longer but has no pages there.
 */
void hrn_zone_die_growing(const struct op *op)
{
    struct slm_zone *zone = hrn_zone_world->zones[op->actor];
    size_t bytes = ZONE_FIRST_BYTES + op->value % (ZONE_MAX_BYTES - ZONE_FIRST_BYTES + 1);
    hrn_zone_world->was_grown = true;
    if (bytes > hrn_zone_world->bytes && slm_zone_reserve(zone, bytes, NULL) == SLM_OK &&
        (op->extra & 1u) != 0) {
        enum slm_status expected = hrn_zone_end_transaction();
        expect("commit, to grow", slm_zone_commit_locked(zone), expected);
        zone->header->bytes = zone->reserved_bytes;
        hrn_zone_world->bytes = zone->reserved_bytes;
    }
    hrn_zone_die(op);
}

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
