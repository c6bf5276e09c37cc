/* SPDX-License-Identifier: Apache-2.0 */
/* Connections per key; each connection is a lease. */
#include "examples/limit_conn/limit_conn.h"

#include "examples/common/keyed.h"

enum { NO_CONNECTION = 221 };

/* In shared memory. */
struct head {
    struct slm_keyed keyed;     /* first */
    struct slm_lease_book book; /* its slots follow */
};

/* In shared memory; the key follows it. */
struct client {
    struct slm_table_entry entry; /* first */
    struct slm_lease_count connections;
};

static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x6c696d5f636f6e02),
    .head_bytes = sizeof(struct head) + SLM_LEASE_SLOTS_BYTES(SLM_LIMIT_CONN_WORKERS_MAX),
    .entry_bytes = sizeof(struct client),
    .journal_entries = SLM_TABLE_INSERT_ENTRIES + SLM_LEASE_TAKE_ENTRIES + 8,
};

/* All keys are in use. */
static const struct slm_table_shape shape = {.entry_bytes = sizeof(struct client),
                                             .keeps_all = true};

static struct slm_lease_book *book_of(const struct slm_keyed_view *view)
{
    return &((struct head *)view->head)->book;
}

static struct client *find(const struct slm_keyed_view *view, const struct slm_table_key *key)
{
    return (struct client *)slm_table_find_locked(view->zone, view->table, key);
}

/* Deletes the key when its last connection ends. */
static void drop_unused(const struct slm_keyed_view *view, struct slm_lease_count *count)
{
    struct client *client = SLM_OBJECT(count, struct client, connections);
    if (slm_lease_n(count) == 0) {
        (void)slm_table_drop_locked(view->zone, view->table, &client->entry);
    }
}

static void on_lease_given(struct slm_zone *zone, struct slm_lease_count *count, void *data)
{
    (void)zone;
    drop_unused(data, count);
}

enum slm_status slm_limit_conn_init_locked(struct slm_zone *zone)
{
    enum slm_status status = slm_keyed_init_locked(zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    struct head *head = slm_zone_root_locked(zone);
    status = slm_lease_init_locked(zone, &head->book, SLM_LIMIT_CONN_WORKERS_MAX);
    return status == SLM_E_STATE ? SLM_OK : status; /* the zone had a head, and its book is ready */
}

enum slm_status slm_limit_conn_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, slm_limit_conn_init_locked);
}

enum slm_status slm_limit_conn_join(struct slm_zone *zone, struct slm_lease_worker *worker)
{
    struct slm_keyed_view view;
    enum slm_status status = worker == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(
        &view, slm_lease_join_locked(zone, book_of(&view), on_lease_given, &view, worker));
}

enum slm_status slm_limit_conn_leave(struct slm_zone *zone, const struct slm_lease_worker *worker)
{
    struct slm_keyed_view view;
    enum slm_status status = worker == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(
        &view, slm_lease_leave_locked(zone, book_of(&view), on_lease_given, &view, worker));
}

/* Creates the key with its first connection. On failure the caller undoes what was done. */
static enum slm_status acquire(const struct slm_keyed_view *view,
                               const struct slm_lease_worker *worker,
                               const struct slm_table_key *key, uint64_t limit,
                               struct slm_limit_conn_grant *grant)
{
    enum slm_status status;
    struct client *client = find(view, key);
    *grant = (struct slm_limit_conn_grant){0};
    if (client != NULL && slm_lease_n(&client->connections) >= limit) {
        grant->n_connections = slm_lease_n(&client->connections);
        grant->is_limited = true;
        return SLM_OK;
    }
    client =
        (struct client *)slm_table_get_locked(view->zone, view->table, key, &shape, NULL, &status);
    if (client == NULL) {
        return status;
    }
    status = slm_lease_take_locked(view->zone, book_of(view), worker, &client->connections,
                                   &grant->lease);
    grant->n_connections = slm_lease_n(&client->connections);
    return status;
}

/* Before it refuses, gives back what dead workers have and tries again. */
static enum slm_status acquire_or_reclaim(struct slm_keyed_view *view,
                                          const struct slm_lease_worker *worker,
                                          const struct slm_table_key *key, uint64_t limit,
                                          struct slm_limit_conn_grant *grant)
{
    size_t n;
    enum slm_status status = acquire(view, worker, key, limit, grant);
    if (status == SLM_OK && !grant->is_limited) {
        return SLM_OK;
    }
    slm_zone_abort_locked(view->zone);
    enum slm_status reclaimed =
        slm_lease_reclaim_locked(view->zone, book_of(view), on_lease_given, view, &n);
    if (reclaimed != SLM_OK) {
        return reclaimed;
    }
    return n == 0 ? status : acquire(view, worker, key, limit, grant);
}

enum slm_status slm_limit_conn_acquire(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                       const void *key, size_t key_bytes, uint64_t limit,
                                       struct slm_limit_conn_grant *grant)
{
    struct slm_keyed_view view;
    struct slm_table_key wanted;
    if (worker == NULL || grant == NULL) {
        return SLM_E_NULL;
    }
    if (limit == 0) {
        return SLM_E_OPTION;
    }
    enum slm_status status = slm_table_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    status = slm_lease_is_mine_locked(book_of(&view), worker)
                 ? acquire_or_reclaim(&view, worker, &wanted, limit, grant)
                 : SLM_E_OWNER;
    return slm_keyed_leave(&view, status);
}

enum slm_status slm_limit_conn_release(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                       const struct slm_lease *lease, uint64_t *n_connections)
{
    struct slm_keyed_view view;
    struct slm_lease_count *count;
    if (worker == NULL || lease == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    status = slm_lease_give_locked(zone, book_of(&view), worker, lease, &count);
    if (status == SLM_OK) {
        if (n_connections != NULL) {
            *n_connections = slm_lease_n(count);
        }
        drop_unused(&view, count);
    }
    return slm_keyed_leave(&view, status);
}

enum slm_status slm_limit_conn_count(struct slm_zone *zone, const void *key, size_t key_bytes,
                                     uint64_t *n_connections)
{
    struct slm_keyed_view view;
    struct slm_table_key wanted;
    enum slm_status status =
        n_connections == NULL ? SLM_E_NULL : slm_table_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    const struct client *client = find(&view, &wanted);
    *n_connections = client == NULL ? 0 : slm_lease_n(&client->connections);
    return slm_keyed_leave(&view, SLM_OK);
}

enum slm_status slm_limit_conn_reclaim(struct slm_zone *zone, size_t *n)
{
    struct slm_keyed_view view;
    enum slm_status status = slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(
        &view, slm_lease_reclaim_locked(zone, book_of(&view), on_lease_given, &view, n));
}

enum slm_status slm_limit_conn_get_stats(struct slm_zone *zone, struct slm_limit_conn_stats *stats)
{
    struct slm_keyed_view view;
    enum slm_status status = stats == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    *stats = (struct slm_limit_conn_stats){
        .n_keys = view.table->by_key.n_nodes,
        .n_connections = slm_lease_n_all_locked(book_of(&view)),
        .n_reclaimed = book_of(&view)->n_reclaimed,
        .n_workers = slm_lease_n_workers_locked(book_of(&view)),
    };
    return slm_keyed_leave(&view, SLM_OK);
}

/* Adds up the connections. */
static unsigned check_clients(const struct slm_keyed_view *view, uint64_t *n)
{
    unsigned broken = 0;
    const struct slm_table_entry *entry = slm_table_oldest_locked(view->zone, view->table);
    for (; entry != NULL && broken == 0; entry = slm_table_newer_locked(view->zone, entry)) {
        const struct slm_lease_count *count = &((const struct client *)entry)->connections;
        broken = slm_lease_check_count_locked(view->zone, book_of(view), count);
        if (broken == 0 && slm_lease_n(count) == 0) {
            broken = NO_CONNECTION;
        }
        *n += broken == 0 ? slm_lease_n(count) : 0;
    }
    return broken;
}

unsigned slm_limit_conn_check_locked(struct slm_zone *zone)
{
    struct slm_keyed_view view;
    uint64_t n = 0;
    unsigned broken = slm_keyed_check_head_locked(&view, zone, &kind);
    if (broken != 0) {
        return broken;
    }
    broken = slm_keyed_check_entries_locked(&view, &kind, slm_lease_n_all_locked(book_of(&view)));
    if (broken == 0) {
        broken = check_clients(&view, &n);
    }
    return broken == 0 ? slm_lease_check_locked(zone, book_of(&view), n) : broken;
}
