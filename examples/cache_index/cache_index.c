/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a cache, with their uses. */
#include "examples/cache_index/cache_index.h"

enum { USES = 231 };

/* In shared memory. */
struct head {
    struct slm_keyed keyed; /* first */
    struct slm_lease_book book;
};

/* In shared memory; the key follows it. */
struct item {
    struct slm_lease_entry held; /* first */
    uint64_t n_uses;
    uint64_t expires_ms;
};

static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x63616368655f6901),
    .head_bytes = sizeof(struct head),
    .entry_bytes = sizeof(struct item),
    .journal_entries = SLM_KEYED_INSERT_ENTRIES + SLM_LEASE_TAKE_ENTRIES + 8,
};

static struct slm_lease_book *book_of(const struct slm_keyed_view *view)
{
    return &((struct head *)view->head)->book;
}

/* A key stays in the cache after its last close. */
static void on_lease_given(const struct slm_keyed_view *view, struct slm_lease_entry *entry)
{
    (void)view;
    (void)entry;
}

enum slm_status slm_cache_index_init_locked(struct slm_zone *zone)
{
    return slm_keyed_init_locked(zone, &kind);
}

enum slm_status slm_cache_index_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, &kind);
}

enum slm_status slm_cache_index_join(struct slm_zone *zone, struct slm_lease_worker *worker)
{
    struct slm_keyed_view view;
    enum slm_status status = worker == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(&view,
                           slm_lease_join_locked(&view, book_of(&view), on_lease_given, worker));
}

enum slm_status slm_cache_index_leave(struct slm_zone *zone, const struct slm_lease_worker *worker)
{
    struct slm_keyed_view view;
    enum slm_status status = worker == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(&view,
                           slm_lease_leave_locked(&view, book_of(&view), on_lease_given, worker));
}

/* Runs as its own transaction: memory is not free before the commit. */
static bool drop(const struct slm_keyed_view *view, struct item *item, uint64_t *counter)
{
    slm_keyed_remove(view, &item->held.keyed);
    slm_keyed_count(view, counter);
    return slm_keyed_commit(view);
}

/* The oldest key that is not open, among the limited number that is examined. */
static struct item *oldest_unused(const struct slm_keyed_view *view)
{
    struct slm_keyed_entry *entry = slm_keyed_oldest(view);
    for (unsigned i = 0; entry != NULL && i < SLM_CACHE_INDEX_TRIES; i++) {
        struct item *item = (struct item *)entry;
        if (item->held.leases.n_nodes == 0) {
            return item;
        }
        entry = slm_keyed_newer(view, entry);
    }
    return NULL;
}

/* On failure the caller undoes what was done. */
static enum slm_status open_once(const struct slm_keyed_view *view,
                                 const struct slm_lease_worker *worker, const struct slm_key *key,
                                 uint64_t expires_ms, struct slm_cache_index_use *use)
{
    struct item *item = (struct item *)slm_keyed_find(view, key);
    if (item == NULL) {
        item = (struct item *)slm_keyed_alloc(view, &kind, key);
        if (item == NULL) {
            return SLM_E_NOMEM;
        }
        slm_keyed_insert(view, &item->held.keyed);
    } else {
        slm_keyed_touch(view, &item->held.keyed);
    }
    slm_keyed_count(view, &item->n_uses);
    (void)slm_journal_write(view->journal, &item->expires_ms, expires_ms);
    use->n_uses = item->n_uses;
    return slm_lease_take(view, book_of(view), worker, &item->held, &use->lease);
}

/* Opens, after making room if needed: dead workers' leases go first, then the oldest keys. It takes
 * up to two objects, of key and lease, so it evicts by hand: each round drops a key and tries both
 * again. */
static enum slm_status open_or_evict(const struct slm_keyed_view *view,
                                     const struct slm_lease_worker *worker,
                                     const struct slm_key *key, uint64_t expires_ms,
                                     struct slm_cache_index_use *use)
{
    enum slm_status status = open_once(view, worker, key, expires_ms, use);
    bool is_reclaimed = false;
    while (status == SLM_E_NOMEM) {
        slm_zone_abort_locked(view->zone);
        if (is_reclaimed || slm_lease_reclaim_locked(view, book_of(view), on_lease_given) == 0) {
            struct item *item = oldest_unused(view);
            if (item == NULL || !drop(view, item, &view->head->n_evicted)) {
                return SLM_E_NOMEM;
            }
        }
        is_reclaimed = true;
        status = open_once(view, worker, key, expires_ms, use);
    }
    return status;
}

enum slm_status slm_cache_index_open(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                     const void *key, size_t key_bytes, uint64_t inactive_ms,
                                     uint64_t now_ms, struct slm_cache_index_use *use)
{
    struct slm_keyed_view view;
    struct slm_key wanted;
    if (worker == NULL || use == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    uint64_t expires_ms = now_ms > UINT64_MAX - inactive_ms ? UINT64_MAX : now_ms + inactive_ms;
    status = slm_lease_is_mine(book_of(&view), worker)
                 ? open_or_evict(&view, worker, &wanted, expires_ms, use)
                 : SLM_E_OWNER;
    return slm_keyed_leave(&view, status);
}

enum slm_status slm_cache_index_close(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                      const struct slm_lease *lease)
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
    return slm_keyed_leave(&view, slm_lease_give(&view, book_of(&view), worker, lease, &entry));
}

enum slm_status slm_cache_index_get_info(struct slm_zone *zone, const void *key, size_t key_bytes,
                                         struct slm_cache_index_info *info)
{
    struct slm_keyed_view view;
    struct slm_key wanted;
    enum slm_status status = info == NULL ? SLM_E_NULL : slm_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    const struct item *item = (const struct item *)slm_keyed_find(&view, &wanted);
    *info = (struct slm_cache_index_info){0};
    if (item != NULL) {
        *info = (struct slm_cache_index_info){
            .n_uses = item->n_uses,
            .n_open = item->held.leases.n_nodes,
            .expires_ms = item->expires_ms,
        };
    }
    return slm_keyed_leave(&view, SLM_OK);
}

/* False: neither the oldest key nor any newer one has expired, or the commit failed. */
static bool expire_oldest(const struct slm_keyed_view *view, uint64_t inactive_ms, uint64_t now_ms,
                          size_t *n_dropped)
{
    struct item *item = (struct item *)slm_keyed_oldest(view);
    if (item == NULL || item->expires_ms > now_ms) {
        return false;
    }
    if (item->held.leases.n_nodes == 0) {
        bool is_dropped = drop(view, item, &view->head->n_expired);
        *n_dropped += is_dropped;
        return is_dropped;
    }
    uint64_t expires_ms = now_ms > UINT64_MAX - inactive_ms ? UINT64_MAX : now_ms + inactive_ms;
    slm_keyed_touch(view, &item->held.keyed);
    (void)slm_journal_write(view->journal, &item->expires_ms, expires_ms);
    return slm_keyed_commit(view);
}

enum slm_status slm_cache_index_expire(struct slm_zone *zone, uint64_t inactive_ms, uint64_t now_ms,
                                       size_t max, size_t *n_dropped)
{
    struct slm_keyed_view view;
    enum slm_status status = slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    size_t n = 0;
    for (size_t i = 0; i < max && expire_oldest(&view, inactive_ms, now_ms, &n); i++) {
    }
    if (n_dropped != NULL) {
        *n_dropped = n;
    }
    return slm_keyed_leave(&view, SLM_OK);
}

enum slm_status slm_cache_index_reclaim(struct slm_zone *zone, size_t *n)
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

enum slm_status slm_cache_index_get_stats(struct slm_zone *zone,
                                          struct slm_cache_index_stats *stats)
{
    struct slm_keyed_view view;
    enum slm_status status = stats == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    *stats = (struct slm_cache_index_stats){
        .keys = {view.head->by_key.n_nodes, view.head->n_evicted, view.head->n_expired},
        .n_open = slm_lease_count(book_of(&view)),
        .n_reclaimed = book_of(&view)->n_reclaimed,
    };
    return slm_keyed_leave(&view, SLM_OK);
}

unsigned slm_cache_index_check_locked(struct slm_zone *zone)
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
        const struct item *item = (const struct item *)entry;
        if (item->n_uses == 0 || item->held.leases.n_nodes > item->n_uses) {
            return USES;
        }
    }
    return broken;
}
