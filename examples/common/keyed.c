/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of the example libraries: made, entered, left. */
#include "examples/common/keyed.h"

static struct slm_keyed *head_of(const struct slm_zone *zone, const struct slm_keyed_kind *kind)
{
    struct slm_keyed *head = slm_zone_root_locked(zone);
    return head != NULL && head->magic == kind->magic ? head : NULL;
}

enum slm_status slm_keyed_init_locked(struct slm_zone *zone, const struct slm_keyed_kind *kind)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    if (stats.journal_entries < kind->journal_entries) {
        return SLM_E_OPTION;
    }
    if (slm_zone_root_locked(zone) != NULL) {
        return head_of(zone, kind) == NULL ? SLM_E_STATE : SLM_OK;
    }
    struct slm_keyed *head = slm_journal_calloc(slm_zone_journal(zone), kind->head_bytes);
    if (head == NULL) {
        return SLM_E_NOMEM;
    }
    head->magic = kind->magic;
    return slm_zone_set_root_locked(zone, head);
}

enum slm_status slm_keyed_init(struct slm_zone *zone, enum slm_status (*init)(struct slm_zone *))
{
    enum slm_status status = zone == NULL ? SLM_E_NULL : slm_zone_lock(zone);
    if (status != SLM_OK) {
        return status;
    }
    return slm_zone_end(zone, init(zone));
}

bool slm_keyed_look_locked(struct slm_keyed_view *view, struct slm_zone *zone,
                           const struct slm_keyed_kind *kind)
{
    struct slm_keyed *head = head_of(zone, kind);
    if (head != NULL) {
        *view = (struct slm_keyed_view){zone, slm_zone_journal(zone), head, &head->table};
    }
    return head != NULL;
}

enum slm_status slm_keyed_enter(struct slm_keyed_view *view, struct slm_zone *zone,
                                const struct slm_keyed_kind *kind)
{
    if (zone == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_zone_lock(zone);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_look_locked(view, zone, kind) ? SLM_OK : slm_zone_end(zone, SLM_E_STATE);
}

bool slm_keyed_commit(const struct slm_keyed_view *view)
{
    return slm_zone_commit_locked(view->zone) == SLM_OK;
}

enum slm_status slm_keyed_leave(const struct slm_keyed_view *view, enum slm_status status)
{
    return slm_zone_end(view->zone, status);
}

void slm_keyed_count(const struct slm_keyed_view *view, slm_word *counter)
{
    (void)slm_journal_write(view->journal, counter, *counter + 1);
}

enum slm_status slm_keyed_get_stats(struct slm_zone *zone, const struct slm_keyed_kind *kind,
                                    struct slm_keyed_stats *stats)
{
    struct slm_keyed_view view;
    enum slm_status status = slm_keyed_enter(&view, zone, kind);
    if (status != SLM_OK) {
        return status;
    }
    *stats = (struct slm_keyed_stats){
        .n_entries = view.table->by_key.n_nodes,
        .n_evicted = view.table->n_evicted,
        .n_expired = view.head->n_expired,
    };
    return slm_keyed_leave(&view, SLM_OK);
}
