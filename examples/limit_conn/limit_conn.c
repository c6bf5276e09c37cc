/* SPDX-License-Identifier: Apache-2.0 */
/* Connections per key; each connection is a lease. */
#include "examples/limit_conn/limit_conn.h"

enum { NO_CONNECTION = 221 };

/* In shared memory. */
struct head {
    struct slm_keyed keyed; /* first */
    struct slm_lease_book book;
};

static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x6c696d5f636f6e01),
    .head_bytes = sizeof(struct head),
    .entry_bytes = sizeof(struct slm_lease_entry),
    .journal_entries = SLM_KEYED_INSERT_ENTRIES + SLM_LEASE_TAKE_ENTRIES + 8,
};

static struct slm_lease_book *book_of(const struct slm_keyed_view *view)
{
    return &((struct head *)view->head)->book;
}

static struct slm_lease_entry *find(const struct slm_keyed_view *view, const struct slm_key *key)
{
    return (struct slm_lease_entry *)slm_keyed_find(view, key);
}

/* Deletes the key when its last connection ends. */
static void on_lease_given(const struct slm_keyed_view *view, struct slm_lease_entry *entry)
{
    if (entry->leases.n_nodes == 0) {
        slm_keyed_remove(view, &entry->keyed);
    }
}

enum slm_status slm_limit_conn_init_locked(struct slm_zone *zone)
{
    return slm_keyed_init_locked(zone, &kind);
}

enum slm_status slm_limit_conn_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, &kind);
}

enum slm_status slm_limit_conn_join(struct slm_zone *zone, struct slm_lease_worker *worker)
{
    struct slm_keyed_view view;
    enum slm_status status = worker == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(&view,
                           slm_lease_join_locked(&view, book_of(&view), on_lease_given, worker));
}

enum slm_status slm_limit_conn_leave(struct slm_zone *zone, const struct slm_lease_worker *worker)
{
    struct slm_keyed_view view;
    enum slm_status status = worker == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(&view,
                           slm_lease_leave_locked(&view, book_of(&view), on_lease_given, worker));
}

/* Creates the key with its first connection. On failure the caller undoes what was done. */
static enum slm_status acquire(const struct slm_keyed_view *view,
                               const struct slm_lease_worker *worker, const struct slm_key *key,
                               uint64_t limit, struct slm_limit_conn_grant *grant)
{
    struct slm_lease_entry *entry = find(view, key);
    *grant = (struct slm_limit_conn_grant){0};
    if (entry != NULL && entry->leases.n_nodes >= limit) {
        grant->n_connections = entry->leases.n_nodes;
        grant->is_limited = true;
        return SLM_OK;
    }
    if (entry == NULL) {
        entry = (struct slm_lease_entry *)slm_keyed_alloc(view, &kind, key);
        if (entry == NULL) {
            return SLM_E_NOMEM;
        }
        slm_keyed_insert(view, &entry->keyed);
    }
    enum slm_status status = slm_lease_take(view, book_of(view), worker, entry, &grant->lease);
    grant->n_connections = entry->leases.n_nodes;
    return status;
}

/* Before it refuses, gives back what dead workers have and tries again. */
static enum slm_status acquire_or_reclaim(const struct slm_keyed_view *view,
                                          const struct slm_lease_worker *worker,
                                          const struct slm_key *key, uint64_t limit,
                                          struct slm_limit_conn_grant *grant)
{
    enum slm_status status = acquire(view, worker, key, limit, grant);
    if (status == SLM_OK && !grant->is_limited) {
        return SLM_OK;
    }
    slm_zone_abort_locked(view->zone);
    if (slm_lease_reclaim_locked(view, book_of(view), on_lease_given) == 0) {
        return status;
    }
    return acquire(view, worker, key, limit, grant);
}

enum slm_status slm_limit_conn_acquire(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                       const void *key, size_t key_bytes, uint64_t limit,
                                       struct slm_limit_conn_grant *grant)
{
    struct slm_keyed_view view;
    struct slm_key wanted;
    if (worker == NULL || grant == NULL) {
        return SLM_E_NULL;
    }
    if (limit == 0) {
        return SLM_E_OPTION;
    }
    enum slm_status status = slm_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    status = slm_lease_is_mine(book_of(&view), worker)
                 ? acquire_or_reclaim(&view, worker, &wanted, limit, grant)
                 : SLM_E_OWNER;
    return slm_keyed_leave(&view, status);
}

enum slm_status slm_limit_conn_release(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                       const struct slm_lease *lease, uint64_t *n_connections)
{
    struct slm_keyed_view view;
    struct slm_lease_entry *entry;
    if (worker == NULL || lease == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    status = slm_lease_give(&view, book_of(&view), worker, lease, &entry);
    if (status == SLM_OK) {
        if (n_connections != NULL) {
            *n_connections = entry->leases.n_nodes;
        }
        on_lease_given(&view, entry);
    }
    return slm_keyed_leave(&view, status);
}

enum slm_status slm_limit_conn_count(struct slm_zone *zone, const void *key, size_t key_bytes,
                                     uint64_t *n_connections)
{
    struct slm_keyed_view view;
    struct slm_key wanted;
    enum slm_status status =
        n_connections == NULL ? SLM_E_NULL : slm_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    const struct slm_lease_entry *entry = find(&view, &wanted);
    *n_connections = entry == NULL ? 0 : entry->leases.n_nodes;
    return slm_keyed_leave(&view, SLM_OK);
}

enum slm_status slm_limit_conn_reclaim(struct slm_zone *zone, size_t *n)
{
    struct slm_keyed_view view;
    enum slm_status status = slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    size_t given_back = slm_lease_reclaim_locked(&view, book_of(&view), on_lease_given);
    if (n != NULL) {
        *n = given_back;
    }
    return slm_keyed_leave(&view, SLM_OK);
}

enum slm_status slm_limit_conn_get_stats(struct slm_zone *zone, struct slm_limit_conn_stats *stats)
{
    struct slm_keyed_view view;
    enum slm_status status = stats == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    *stats = (struct slm_limit_conn_stats){
        .n_keys = view.head->by_key.n_nodes,
        .n_connections = slm_lease_count(book_of(&view)),
        .n_reclaimed = book_of(&view)->n_reclaimed,
        .n_workers = slm_lease_n_workers(book_of(&view)),
    };
    return slm_keyed_leave(&view, SLM_OK);
}

unsigned slm_limit_conn_check_locked(struct slm_zone *zone)
{
    struct slm_keyed_view view;
    unsigned broken = slm_keyed_check_head_locked(&view, zone, &kind);
    if (broken != 0) {
        return broken;
    }
    broken = slm_keyed_check_entries_locked(&view, &kind, slm_lease_count(book_of(&view)));
    if (broken == 0) {
        broken = slm_lease_check_locked(&view, book_of(&view));
    }
    const struct slm_keyed_entry *entry = broken == 0 ? slm_keyed_oldest(&view) : NULL;
    for (; entry != NULL; entry = slm_keyed_newer(&view, entry)) {
        if (((const struct slm_lease_entry *)entry)->leases.n_nodes == 0) {
            return NO_CONNECTION;
        }
    }
    return broken;
}
