/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of zone_table_fuzz on leases: workers, and counts that they share. */
#include <inttypes.h>

#include "fuzz/zone/table_turn.h"
#include <slabmill/object.h>

static unsigned slots_of_dead_workers(void)
{
    unsigned slots = 0;
    for (unsigned i = 0; i < TABLE_N_SLOTS; i++) {
        bool is_dead = hrn_table_now.identities[i] != 0 &&
                       hrn_system_actor_of(hrn_table_now.identities[i]) == HRN_NOBODY;
        slots |= is_dead ? 1u << i : 0;
    }
    return slots;
}

static void on_given(struct slm_zone *zone, struct slm_lease_count *count, void *data)
{
    struct table_user *user = SLM_OBJECT(count, struct table_user, count);
    if (TABLE_DROPS_UNUSED((const struct table_op *)data) && slm_lease_n(count) == 0) {
        hrn_table_expect("drop of what is unused",
                         slm_table_drop_locked(zone, &table_top_of(zone)->table, &user->entry),
                         SLM_OK);
    }
}

/* Calls that commit: all is done before the turn ends, and no abort undoes it. */
static void plan_giving(const struct table_op *op, unsigned slots, bool is_reclaim)
{
    hrn_table_plan_change(op, NULL);
    hrn_table_plan.op.extra &= (uint8_t)~1u;
    hrn_table_plan.steps = PLAN_GIVE;
    hrn_table_plan.slots = slots;
    hrn_table_plan.drops_unused = TABLE_DROPS_UNUSED(op);
    hrn_table_plan.is_reclaim = is_reclaim;
    hrn_table_plan.identity = hrn_system_identity(op->actor);
}

/* The content after all steps, and the change if there is one, must be the zone's hrn_table_now. */
static void end_giving(const struct table_op *op, enum slm_status status)
{
    struct table_op ends = *op;
    ends.extra &= (uint8_t)~1u;
    struct table_account all = hrn_table_now;
    while (hrn_table_step(&all)) {
    }
    hrn_table_counted.n_reclaimed += all.n_reclaimed - hrn_table_now.n_reclaimed;
    hrn_table_now = all;
    hrn_table_plan.steps = PLAN_CHANGE;
    hrn_table_end_turn(&ends, status);
}

static unsigned first_free_slot(const struct table_account *account)
{
    unsigned i = 0;
    while (i < TABLE_N_SLOTS && account->identities[i] != 0) {
        i++;
    }
    return i;
}

static void add_worker(struct table_account *account, const struct table_op *op)
{
    unsigned slot = first_free_slot(account);
    (void)op;
    if (slot < TABLE_N_SLOTS) {
        account->identities[slot] = hrn_table_plan.identity;
    }
}

static int slot_of(uint64_t identity)
{
    for (unsigned i = 0; i < TABLE_N_SLOTS; i++) {
        if (hrn_table_now.identities[i] == identity) {
            return (int)i;
        }
    }
    return -1;
}

void hrn_table_join(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    bool is_in = slot_of(hrn_system_identity(op->actor)) >= 0;
    struct table_op given = *op;
    plan_giving(op, slots_of_dead_workers(), true);
    hrn_table_plan.change = is_in ? NULL : add_worker;
    enum slm_status status = slm_lease_join_locked(zone, &table_top_of(zone)->book, on_given,
                                                   &given, &hrn_table_workers[op->actor]);
    hrn_table_expect("join", status, is_in ? SLM_E_DUPLICATE : SLM_OK);
    end_giving(op, status);
}

void hrn_table_leave(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    int slot = slot_of(hrn_system_identity(op->actor));
    struct table_op given = *op;
    plan_giving(op, slot < 0 ? 0 : 1u << slot, false);
    enum slm_status status = slm_lease_leave_locked(zone, &table_top_of(zone)->book, on_given,
                                                    &given, &hrn_table_workers[op->actor]);
    hrn_table_expect("leave", status, slot < 0 ? SLM_E_OWNER : SLM_OK);
    end_giving(op, status);
}

void hrn_table_reclaim(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    struct table_op given = *op;
    size_t n;
    uint64_t n_before = hrn_table_now.n_reclaimed;
    plan_giving(op, slots_of_dead_workers(), true);
    hrn_table_expect(
        "reclaim", slm_lease_reclaim_locked(zone, &table_top_of(zone)->book, on_given, &given, &n),
        SLM_OK);
    end_giving(op, SLM_OK);
    if (n != hrn_table_now.n_reclaimed - n_before) {
        hrn_table_law_answer("reclaim of %zu, expected %" PRIu64, n,
                             hrn_table_now.n_reclaimed - n_before);
    }
}

static struct slm_lease taken; /* all 0: the taker does not know it yet */

static void add_lease(struct table_account *account, const struct table_op *op)
{
    int slot = -1;
    for (unsigned i = 0; i < TABLE_N_SLOTS; i++) {
        slot = account->identities[i] == hrn_table_plan.identity ? (int)i : slot;
    }
    if (slot >= 0 && account->n_leases < TABLE_N_LEASES) {
        account->leases[account->n_leases++] = (struct table_lease){op->key, (unsigned)slot, taken};
    }
}

void hrn_table_take(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    struct table_user *user = (struct table_user *)hrn_table_entry(op);
    if (user == NULL || hrn_table_now.n_leases == TABLE_N_LEASES) {
        hrn_table_end_turn(op, SLM_E_BUSY);
        return;
    }
    struct slm_lease lease;
    bool is_in = slot_of(hrn_system_identity(op->actor)) >= 0;
    taken = (struct slm_lease){0};
    hrn_table_plan_change(op, add_lease);
    hrn_table_plan.identity = hrn_system_identity(op->actor);
    enum slm_status status = slm_lease_take_locked(
        zone, &table_top_of(zone)->book, &hrn_table_workers[op->actor], &user->count, &lease);
    if (!is_in || status != SLM_E_NOMEM) {
        hrn_table_expect("take", status, is_in ? SLM_OK : SLM_E_OWNER);
    }
    if (status == SLM_OK) {
        taken = lease;
    }
    hrn_table_end_turn(op, status);
    taken = (struct slm_lease){0};
}

static unsigned given_idx; /* of the lease that the turn gives back */

static void remove_given(struct table_account *account, const struct table_op *op)
{
    (void)op;
    hrn_table_remove_lease(account, given_idx);
}

/* Of those that the actor took. */
void hrn_table_give(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    struct slm_lease_book *book = &table_top_of(zone)->book;
    int slot = slot_of(hrn_system_identity(op->actor));
    given_idx = hrn_table_now.n_leases == 0 ? 0 : op->value % hrn_table_now.n_leases;
    const struct table_lease lease = hrn_table_now.leases[given_idx];
    if (hrn_table_now.n_leases == 0 || lease.name.offset == 0 || slot < 0) {
        hrn_table_end_turn(op, SLM_E_BUSY);
        return;
    }
    bool is_mine = lease.slot == (unsigned)slot;
    struct slm_lease_count *count;
    hrn_table_plan_change(op, is_mine ? remove_given : NULL);
    enum slm_status status =
        slm_lease_give_locked(zone, book, &hrn_table_workers[op->actor], &lease.name, &count);
    hrn_table_expect("give", status, is_mine ? SLM_OK : SLM_E_NOT_MEMBER);
    if (is_mine) {
        hrn_table_expect(
            "give again",
            slm_lease_give_locked(zone, book, &hrn_table_workers[op->actor], &lease.name, &count),
            SLM_E_NOT_MEMBER);
    }
    hrn_table_end_turn(op, status);
}
