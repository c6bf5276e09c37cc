/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that expire: a tree in the order of time, next to the table. */
#include "examples/common/due.h"

static struct slm_rbtree *by_due(const struct slm_keyed_view *view)
{
    return &((struct slm_due_head *)view->head)->by_due;
}

static struct slm_due_entry *entry_of(const struct slm_rbtree_node *node)
{
    return SLM_OBJECT(node, struct slm_due_entry, by_due);
}

static int order_due(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    uint64_t left = entry_of(a)->due_ms;
    uint64_t right = entry_of(b)->due_ms;
    return left < right ? -1 : left > right;
}

uint64_t slm_due_after(uint64_t ttl_ms, uint64_t now_ms)
{
    return now_ms > SLM_DUE_NEVER - ttl_ms ? SLM_DUE_NEVER : now_ms + ttl_ms;
}

static void link_due(const struct slm_keyed_view *view, struct slm_due_entry *entry)
{
    if (entry->due_ms != SLM_DUE_NEVER) {
        (void)slm_rbtree_insert(view->journal, by_due(view), &entry->by_due, order_due);
    }
}

static void unlink_due(const struct slm_keyed_view *view, struct slm_due_entry *entry)
{
    if (entry->due_ms != SLM_DUE_NEVER) {
        (void)slm_rbtree_remove(view->journal, by_due(view), &entry->by_due);
    }
}

void slm_due_drop(const struct slm_due_call *call, struct slm_due_entry *entry)
{
    unlink_due(&call->view, entry);
    (void)slm_table_drop_locked(call->view.zone, call->view.table, &entry->entry);
}

/* Runs as its own transaction: memory is not free before the commit. */
static bool drop_expired(const struct slm_due_call *call, struct slm_due_entry *entry)
{
    slm_due_drop(call, entry);
    slm_keyed_count(&call->view, &call->view.head->n_expired);
    return slm_keyed_commit(&call->view);
}

/* The first entry that has expired, or NULL. */
static struct slm_due_entry *find_expired(const struct slm_due_call *call)
{
    struct slm_due_entry *entry =
        entry_of(slm_rbtree_first(call->view.journal, by_due(&call->view)));
    return entry != NULL && entry->due_ms <= call->now_ms ? entry : NULL;
}

size_t slm_due_expire(const struct slm_due_call *call, size_t max)
{
    size_t n = 0;
    struct slm_due_entry *entry;
    while (n < max && (entry = find_expired(call)) != NULL && drop_expired(call, entry)) {
        n++;
    }
    return n;
}

struct slm_due_entry *slm_due_find(const struct slm_due_call *call, const struct slm_table_key *key,
                                   enum slm_status *status)
{
    struct slm_due_entry *entry =
        (struct slm_due_entry *)slm_table_find_locked(call->view.zone, call->view.table, key);
    *status = entry == NULL ? SLM_E_NOT_MEMBER : SLM_OK;
    if (entry != NULL && entry->due_ms <= call->now_ms) {
        *status = drop_expired(call, entry) ? SLM_E_NOT_MEMBER : SLM_E_FULL;
        return NULL;
    }
    return entry;
}

/* Drops an entry that has expired, or else the oldest use. */
static bool evict(struct slm_zone *zone, void *data)
{
    const struct slm_due_call *call = data;
    const struct slm_keyed_view *view = &call->view;
    struct slm_due_entry *entry = find_expired(call);
    if (entry != NULL) {
        slm_due_drop(call, entry);
        slm_keyed_count(view, &view->head->n_expired);
        return true;
    }
    entry = (struct slm_due_entry *)slm_table_oldest_locked(zone, view->table);
    if (entry == NULL) {
        return false;
    }
    unlink_due(view, entry);
    return slm_table_evict_locked(zone, view->table, &entry->entry) == SLM_OK;
}

struct slm_due_entry *slm_due_alloc(struct slm_due_call *call, const struct slm_table_key *key,
                                    struct slm_table_shape shape, enum slm_status *status)
{
    shape.evict = evict;
    shape.data = call;
    (void)slm_due_expire(call, SLM_DUE_EXPIRE_MAX);
    return (struct slm_due_entry *)slm_table_alloc_locked(call->view.zone, call->view.table, key,
                                                          &shape, status);
}

/* Looks for the old entry only now, since making room may have dropped it. */
enum slm_status slm_due_put(const struct slm_due_call *call, struct slm_due_entry *entry,
                            uint64_t due_ms)
{
    const struct slm_keyed_view *view = &call->view;
    struct slm_table_key key = {slm_table_key_of(&entry->entry), entry->entry.key_bytes,
                                entry->entry.hash};
    struct slm_due_entry *old =
        (struct slm_due_entry *)slm_table_find_locked(view->zone, view->table, &key);
    if (old != NULL) {
        slm_due_drop(call, old);
    }
    entry->due_ms = due_ms;
    enum slm_status status = slm_table_insert_locked(view->zone, view->table, &entry->entry);
    link_due(view, entry);
    return status;
}

void slm_due_set(const struct slm_due_call *call, struct slm_due_entry *entry, uint64_t due_ms)
{
    unlink_due(&call->view, entry);
    (void)slm_journal_write(call->view.journal, &entry->due_ms, due_ms);
    link_due(&call->view, entry);
}

/* --- Check --- */

static bool nodes_are_entries(const struct slm_keyed_view *view)
{
    const struct slm_rbtree_node *node = slm_rbtree_first(view->journal, by_due(view));
    for (; node != NULL; node = slm_rbtree_next(view->journal, node)) {
        if (!slm_keyed_is_object(view->zone, entry_of(node), sizeof(struct slm_due_entry))) {
            return false;
        }
    }
    return true;
}

/* All objects except the head are entries, and each is in this tree at most once. */
static bool members_are_right(const struct slm_keyed_view *view)
{
    const struct slm_due_entry *last = entry_of(slm_rbtree_last(view->journal, by_due(view)));
    const struct slm_table_entry *entry = slm_table_oldest_locked(view->zone, view->table);
    uint64_t n = 0;
    for (; entry != NULL; entry = slm_table_newer_locked(view->zone, entry)) {
        n += ((const struct slm_due_entry *)entry)->due_ms != SLM_DUE_NEVER;
    }
    return by_due(view)->n_nodes == n && (last == NULL || last->due_ms != SLM_DUE_NEVER);
}

unsigned slm_due_check_locked(const struct slm_keyed_view *view, unsigned first)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(view->zone, &stats);
    if (slm_rbtree_check(view->journal, by_due(view), NULL, 1, stats.bytes) != 0 ||
        !nodes_are_entries(view)) {
        return first;
    }
    if (slm_rbtree_check(view->journal, by_due(view), order_due, 1, stats.bytes) != 0) {
        return first + 1;
    }
    return members_are_right(view) ? 0 : first + 2;
}
