/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations of zone_edge_fuzz that move the content of a zone to a new one. */
#include <string.h>

#include "fuzz/zone/edge_world.h"

/* What growing in place does not lead to; tag and kind stay as they are. */
bool hrn_edge_moves(const struct edge_body *body, const struct edge_decl *decl)
{
    const struct slm_zone_options *options = &decl->d.options;
    unsigned n_classes = (unsigned)options->slab.per_doubling;
    const char *tag = options->tag == NULL ? "" : options->tag;
    if (decl->move == EDGE_MOVE_NONE || strcmp(tag, body->tag) != 0 ||
        options->segment.kind != body->kind) {
        return false;
    }
    return options->lock_kind != body->lock ||
           (options->journal_entries != 0 && options->journal_entries != body->journal) ||
           (n_classes != 0 && n_classes != body->classes) || options->bytes > body->max_bytes ||
           options->bytes < body->asked_bytes ||
           (options->max_bytes != 0 && options->max_bytes != body->max_bytes);
}

edge_reasons hrn_edge_plan_move(struct edge_plan *plan)
{
    const struct edge_decl *decl = &plan->decl;
    bool is_found = plan->way == EDGE_FINDS;
    plan->way = EDGE_MOVES;
    plan->from = plan->body;
    plan->body = hrn_edge_fill_body(decl);
    const struct edge_body *from = &hrn_edge_world.bodies[plan->from];
    const struct edge_body *to = &hrn_edge_world.bodies[plan->body];
    edge_reasons reasons = hrn_edge_expect_lock(from);
    if (from->lock == SLM_LOCK_FILE && to->lock == SLM_LOCK_FILE) {
        reasons |= EDGE_REASON(SLM_E_OPTION);
    }
    reasons |= hrn_edge_is_held(to) ? EDGE_REASON(SLM_E_TIMEOUT) : 0;
    reasons |= from->version > to->version ? EDGE_REASON(SLM_E_VERSION) : 0;
    reasons |= decl->move == EDGE_MOVE_FAILS ? EDGE_REASON(EDGE_MOVE_STATUS) : 0;
    return is_found ? reasons | hrn_edge_compare_lock(from, decl->lock_path) : reasons;
}

/* Moves one object, of which `slot` says afterwards where it is. */
static bool move_object(struct slm_zone *to, struct slm_zone *from, struct zone_slot *slot,
                        bool is_root)
{
    struct slm_journal *journal = slm_zone_journal(to);
    void *p = slm_journal_alloc(journal, slot->n_bytes);
    if (p == NULL) {
        return false;
    }
    memcpy(p, slm_journal_pointer(slm_zone_journal(from), slot->offset), slot->n_bytes);
    slot->offset = slm_journal_offset(journal, p);
    return !is_root || slm_zone_set_root_locked(to, p) == SLM_OK;
}

enum slm_status hrn_edge_move(struct slm_zone *to, struct slm_zone *from, void *data)
{
    struct edge_plan *plan = data;
    hrn_zone_expect_state(from, &hrn_edge_world.bodies[plan->from].committed, true);
    plan->after = hrn_edge_world.bodies[plan->from].committed;
    for (unsigned i = 0; i < ZONE_N_SLOTS; i++) {
        struct zone_slot *slot = &plan->after.slots[i];
        if (slot->is_live && !move_object(to, from, slot, plan->after.root == (int)i)) {
            plan->has_no_room = true;
            return SLM_E_NOMEM;
        }
        if (!slm_journal_has_room(slm_zone_journal(to), 4) &&
            slm_zone_commit_locked(to) != SLM_OK) {
            hrn_edge_law_grant("a move cannot commit what it has moved");
        }
    }
    return plan->decl.move == EDGE_MOVE_FAILS ? EDGE_MOVE_STATUS : SLM_OK;
}
