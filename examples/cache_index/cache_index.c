/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a cache, with their uses. */
#include "examples/cache_index/cache_index.h"

enum { USES = 231 };

/* In shared memory. */
struct head {
    struct slm_keyed keyed;     /* first */
    struct slm_lease_book book; /* its slots follow */
};

/* In shared memory; the key follows it. */
struct item {
    struct slm_table_entry entry; /* first */
    struct slm_lease_count opens;
    slm_word n_uses;
    slm_word expires_ms;
};

static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x63616368655f6902),
    .head_bytes = sizeof(struct head) + SLM_LEASE_SLOTS_BYTES(SLM_CACHE_INDEX_WORKERS_MAX),
    .entry_bytes = sizeof(struct item),
    .journal_entries = SLM_TABLE_INSERT_ENTRIES + SLM_LEASE_TAKE_ENTRIES + 8,
};

/* Open keys stay, so the oldest one that is not open is evicted by hand. */
static const struct slm_table_shape shape = {.entry_bytes = sizeof(struct item), .keeps_all = true};

static struct slm_lease_book *book_of(const struct slm_keyed_view *view)
{
    return &((struct head *)view->head)->book;
}

enum slm_status slm_cache_index_init_locked(struct slm_zone *zone)
{
    enum slm_status status = slm_keyed_init_locked(zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    struct head *head = slm_zone_root_locked(zone);
    status = slm_lease_init_locked(zone, &head->book, SLM_CACHE_INDEX_WORKERS_MAX);
    return status == SLM_E_STATE ? SLM_OK : status; /* the zone had a head, and its book is ready */
}

enum slm_status slm_cache_index_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, slm_cache_index_init_locked);
}

enum slm_status slm_cache_index_join(struct slm_zone *zone, struct slm_lease_worker *worker)
{
    struct slm_keyed_view view;
    enum slm_status status = worker == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    /* A key stays in the cache after its last close. */
    return slm_keyed_leave(&view, slm_lease_join_locked(zone, book_of(&view), NULL, NULL, worker));
}

enum slm_status slm_cache_index_leave(struct slm_zone *zone, const struct slm_lease_worker *worker)
{
    struct slm_keyed_view view;
    enum slm_status status = worker == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    /* A key stays in the cache after its last close. */
    return slm_keyed_leave(&view, slm_lease_leave_locked(zone, book_of(&view), NULL, NULL, worker));
}

/* Runs as its own transaction: memory is not free before the commit. */
static enum slm_status evict(const struct slm_keyed_view *view, struct item *item)
{
    (void)slm_table_evict_locked(view->zone, view->table, &item->entry);
    return slm_zone_commit_locked(view->zone);
}

/* The oldest key that is not open, among the limited number that is examined. */
static struct item *oldest_unused(const struct slm_keyed_view *view)
{
    struct slm_table_entry *entry = slm_table_oldest_locked(view->zone, view->table);
    for (unsigned i = 0; entry != NULL && i < SLM_CACHE_INDEX_TRIES; i++) {
        struct item *item = (struct item *)entry;
        if (slm_lease_n(&item->opens) == 0) {
            return item;
        }
        entry = slm_table_newer_locked(view->zone, entry);
    }
    return NULL;
}

/* On failure the caller undoes what was done. */
static enum slm_status open_once(const struct slm_keyed_view *view,
                                 const struct slm_lease_worker *worker,
                                 const struct slm_table_key *key, uint64_t expires_ms,
                                 struct slm_cache_index_use *use)
{
    enum slm_status status;
    struct item *item =
        (struct item *)slm_table_get_locked(view->zone, view->table, key, &shape, NULL, &status);
    if (item == NULL) {
        return status;
    }
    slm_keyed_count(view, &item->n_uses);
    (void)slm_journal_write(view->journal, &item->expires_ms, expires_ms);
    use->n_uses = item->n_uses;
    return slm_lease_take_locked(view->zone, book_of(view), worker, &item->opens, &use->lease);
}

/* Gives back what dead workers have, once; then drops a key. SLM_E_NOMEM: none can go. */
static enum slm_status make_room(const struct slm_keyed_view *view, bool *is_reclaimed)
{
    size_t n = 0;
    enum slm_status status = SLM_OK;
    if (!*is_reclaimed) {
        *is_reclaimed = true;
        status = slm_lease_reclaim_locked(view->zone, book_of(view), NULL, NULL, &n);
    }
    if (status != SLM_OK || n > 0) {
        return status;
    }
    struct item *item = oldest_unused(view);
    return item == NULL ? SLM_E_NOMEM : evict(view, item);
}

/* Opens, after making room if needed: dead workers' leases go first, then the oldest keys. It takes
 * up to two objects, of key and lease, so each round makes room and tries both again. */
static enum slm_status open_or_evict(const struct slm_keyed_view *view,
                                     const struct slm_lease_worker *worker,
                                     const struct slm_table_key *key, uint64_t expires_ms,
                                     struct slm_cache_index_use *use)
{
    bool is_reclaimed = false;
    enum slm_status status = open_once(view, worker, key, expires_ms, use);
    while (status == SLM_E_NOMEM) {
        slm_zone_abort_locked(view->zone);
        status = make_room(view, &is_reclaimed);
        if (status != SLM_OK) {
            return status;
        }
        status = open_once(view, worker, key, expires_ms, use);
    }
    return status;
}

enum slm_status slm_cache_index_open(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                     const void *key, size_t key_bytes, uint64_t inactive_ms,
                                     uint64_t now_ms, struct slm_cache_index_use *use)
{
    struct slm_keyed_view view;
    struct slm_table_key wanted;
    if (worker == NULL || use == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_table_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    uint64_t expires_ms = now_ms > UINT64_MAX - inactive_ms ? UINT64_MAX : now_ms + inactive_ms;
    status = slm_lease_is_mine_locked(book_of(&view), worker)
                 ? open_or_evict(&view, worker, &wanted, expires_ms, use)
                 : SLM_E_OWNER;
    return slm_keyed_leave(&view, status);
}

enum slm_status slm_cache_index_close(struct slm_zone *zone, const struct slm_lease_worker *worker,
                                      const struct slm_lease *lease)
{
    struct slm_keyed_view view;
    if (worker == NULL || lease == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(&view, slm_lease_give_locked(zone, book_of(&view), worker, lease, NULL));
}

enum slm_status slm_cache_index_get_info(struct slm_zone *zone, const void *key, size_t key_bytes,
                                         struct slm_cache_index_info *info)
{
    struct slm_keyed_view view;
    struct slm_table_key wanted;
    enum slm_status status =
        info == NULL ? SLM_E_NULL : slm_table_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    const struct item *item = (const struct item *)slm_table_find_locked(zone, view.table, &wanted);
    *info = (struct slm_cache_index_info){0};
    if (item != NULL) {
        *info = (struct slm_cache_index_info){
            .n_uses = item->n_uses,
            .n_open = slm_lease_n(&item->opens),
            .expires_ms = item->expires_ms,
        };
    }
    return slm_keyed_leave(&view, SLM_OK);
}

/* Runs as its own transaction. */
static bool drop_expired(const struct slm_keyed_view *view, struct item *item)
{
    (void)slm_table_drop_locked(view->zone, view->table, &item->entry);
    slm_keyed_count(view, &view->head->n_expired);
    return slm_keyed_commit(view);
}

/* False: neither the oldest key nor any newer one has expired, or the commit failed. */
static bool expire_oldest(const struct slm_keyed_view *view, uint64_t inactive_ms, uint64_t now_ms,
                          size_t *n_dropped)
{
    struct item *item = (struct item *)slm_table_oldest_locked(view->zone, view->table);
    if (item == NULL || item->expires_ms > now_ms) {
        return false;
    }
    if (slm_lease_n(&item->opens) == 0) {
        bool is_dropped = drop_expired(view, item);
        *n_dropped += is_dropped;
        return is_dropped;
    }
    uint64_t expires_ms = now_ms > UINT64_MAX - inactive_ms ? UINT64_MAX : now_ms + inactive_ms;
    (void)slm_table_touch_locked(view->zone, view->table, &item->entry);
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
    return slm_keyed_leave(&view, slm_lease_reclaim_locked(zone, book_of(&view), NULL, NULL, n));
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
        .keys = {view.table->by_key.n_nodes, view.table->n_evicted, view.head->n_expired},
        .n_open = slm_lease_n_all_locked(book_of(&view)),
        .n_reclaimed = book_of(&view)->n_reclaimed,
    };
    return slm_keyed_leave(&view, SLM_OK);
}

/* Adds up the opens. */
static unsigned check_items(const struct slm_keyed_view *view, uint64_t *n)
{
    unsigned broken = 0;
    const struct slm_table_entry *entry = slm_table_oldest_locked(view->zone, view->table);
    for (; entry != NULL && broken == 0; entry = slm_table_newer_locked(view->zone, entry)) {
        const struct item *item = (const struct item *)entry;
        broken = slm_lease_check_count_locked(view->zone, book_of(view), &item->opens);
        if (broken == 0 && (item->n_uses == 0 || slm_lease_n(&item->opens) > item->n_uses)) {
            broken = USES;
        }
        *n += broken == 0 ? slm_lease_n(&item->opens) : 0;
    }
    return broken;
}

unsigned slm_cache_index_check_locked(struct slm_zone *zone)
{
    struct slm_keyed_view view;
    uint64_t n = 0;
    unsigned broken = slm_keyed_check_head_locked(&view, zone, &kind);
    if (broken != 0) {
        return broken;
    }
    broken = slm_keyed_check_entries_locked(&view, &kind, slm_lease_n_all_locked(book_of(&view)));
    if (broken == 0) {
        broken = check_items(&view, &n);
    }
    return broken == 0 ? slm_lease_check_locked(zone, book_of(&view), n) : broken;
}
