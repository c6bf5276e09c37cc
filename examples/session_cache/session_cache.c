/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs in a zone, found by id and ordered by the time when they expire. */
#include "examples/session_cache/session_cache.h"

#include <string.h>

enum { DUE_TREE = 241, DUE_ORDER, DUE_MEMBERS, BLOB };

/* In shared memory. */
struct head {
    struct slm_keyed keyed; /* first */
    struct slm_rbtree by_due;
};

/* In shared memory; id and blob follow it. */
struct session {
    struct slm_keyed_entry keyed; /* first */
    struct slm_rbtree_node by_due;
    uint64_t due_ms;
    uint64_t blob_bytes;
};

/* The longest transaction removes one session and inserts one. */
static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x73657373696f6e01),
    .head_bytes = sizeof(struct head),
    .entry_bytes = sizeof(struct session),
    .journal_entries =
        SLM_KEYED_REMOVE_ENTRIES + SLM_KEYED_INSERT_ENTRIES + 2 * SLM_RBTREE_ENTRIES + 8,
};

#define DUE_MAX       2u /* expired sessions that each put drops */
#define BLOB_PART_MAX 8u /* of the zone */

static struct slm_rbtree *by_due(const struct slm_keyed_view *view)
{
    return &((struct head *)view->head)->by_due;
}

static struct session *of_due(const struct slm_rbtree_node *node)
{
    return node == NULL ? NULL
                        : (struct session *)((uintptr_t)node - offsetof(struct session, by_due));
}

static int order_due(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    uint64_t left = of_due(a)->due_ms;
    uint64_t right = of_due(b)->due_ms;
    return left < right ? -1 : left > right;
}

enum slm_status slm_session_cache_init_locked(struct slm_zone *zone)
{
    return slm_keyed_init_locked(zone, &kind);
}

enum slm_status slm_session_cache_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, &kind);
}

static struct session *find(const struct slm_keyed_view *view, const struct slm_key *key)
{
    return (struct session *)slm_keyed_find(view, key);
}

static void remove_session(const struct slm_keyed_view *view, struct session *session)
{
    (void)slm_rbtree_remove(view->journal, by_due(view), &session->by_due);
    slm_keyed_remove(view, &session->keyed);
}

/* Runs as its own transaction: memory is not free before the commit. */
static bool drop(const struct slm_keyed_view *view, struct session *session, uint64_t *counter)
{
    remove_session(view, session);
    slm_keyed_count(view, counter);
    return slm_keyed_commit(view);
}

/* The first session that has expired, or NULL. */
static struct session *first_due(const struct slm_keyed_view *view, uint64_t now_ms)
{
    struct session *session = of_due(slm_rbtree_first(view->journal, by_due(view)));
    return session != NULL && session->due_ms <= now_ms ? session : NULL;
}

static size_t expire(const struct slm_keyed_view *view, uint64_t now_ms, size_t max)
{
    size_t n = 0;
    struct session *session;
    while (n < max && (session = first_due(view, now_ms)) != NULL &&
           drop(view, session, &view->head->n_expired)) {
        n++;
    }
    return n;
}

struct now {
    const struct slm_keyed_view *view;
    uint64_t ms;
};

/* For slm_zone_alloc_evicting_locked: drops a session that has expired, or else the oldest. */
static bool evict(struct slm_zone *zone, void *data)
{
    const struct now *now = data;
    struct slm_keyed *head = now->view->head;
    struct session *due = first_due(now->view, now->ms);
    struct session *session = due != NULL ? due : (struct session *)slm_keyed_oldest(now->view);
    (void)zone;
    if (session == NULL) {
        return false;
    }
    remove_session(now->view, session);
    slm_keyed_count(now->view, due != NULL ? &head->n_expired : &head->n_evicted);
    return true;
}

/* Completes the new session before it removes the old one. Looks for the old one only then, since
 * making room may have dropped it. */
static enum slm_status put(const struct slm_keyed_view *view, const struct slm_key *key,
                           const void *blob, size_t n_bytes, uint64_t due_ms, uint64_t now_ms)
{
    struct now now = {view, now_ms};
    enum slm_status status;
    (void)expire(view, now_ms, DUE_MAX);
    struct slm_keyed_entry *entry =
        slm_keyed_alloc_evicting(view, &kind, key, n_bytes, evict, &now, &status);
    if (entry == NULL) {
        return status;
    }
    struct session *session = (struct session *)entry;
    session->due_ms = due_ms;
    session->blob_bytes = n_bytes;
    if (n_bytes > 0) {
        memcpy(slm_keyed_more(entry), blob, n_bytes);
    }
    struct session *old = find(view, key);
    if (old != NULL) {
        remove_session(view, old);
    }
    slm_keyed_insert(view, entry);
    (void)slm_rbtree_insert(view->journal, by_due(view), &session->by_due, order_due);
    return SLM_OK;
}

static bool fits(const struct slm_zone *zone, size_t n_bytes)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    return n_bytes <= stats.bytes / BLOB_PART_MAX;
}

enum slm_status slm_session_cache_put(struct slm_zone *zone, const void *id, size_t id_bytes,
                                      const void *blob, size_t n_bytes, uint64_t ttl_ms,
                                      uint64_t now_ms)
{
    struct slm_keyed_view view;
    struct slm_key key;
    if (blob == NULL && n_bytes > 0) {
        return SLM_E_NULL;
    }
    if (ttl_ms == 0) {
        return SLM_E_OPTION;
    }
    enum slm_status status = slm_key_init(&key, id, id_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    uint64_t due_ms = now_ms > UINT64_MAX - ttl_ms ? UINT64_MAX : now_ms + ttl_ms;
    status = fits(zone, n_bytes) ? put(&view, &key, blob, n_bytes, due_ms, now_ms) : SLM_E_SIZE;
    return slm_keyed_leave(&view, status);
}

static enum slm_status get(const struct slm_keyed_view *view, const struct slm_key *key,
                           uint64_t now_ms, void *buffer, size_t capacity_bytes,
                           struct slm_session *found)
{
    struct session *session = find(view, key);
    if (session == NULL) {
        return SLM_E_NOT_MEMBER;
    }
    if (session->due_ms <= now_ms) {
        return drop(view, session, &view->head->n_expired) ? SLM_E_NOT_MEMBER : SLM_E_FULL;
    }
    *found = (struct slm_session){(size_t)session->blob_bytes, session->due_ms};
    if (found->n_bytes > capacity_bytes) {
        return SLM_E_SPACE;
    }
    if (found->n_bytes > 0) {
        memcpy(buffer, slm_keyed_more(&session->keyed), found->n_bytes);
    }
    return SLM_OK;
}

enum slm_status slm_session_cache_get(struct slm_zone *zone, const void *id, size_t id_bytes,
                                      uint64_t now_ms, void *buffer, size_t capacity_bytes,
                                      struct slm_session *session)
{
    struct slm_keyed_view view;
    struct slm_key key;
    if (session == NULL || (buffer == NULL && capacity_bytes > 0)) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_key_init(&key, id, id_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    return slm_keyed_leave(&view, get(&view, &key, now_ms, buffer, capacity_bytes, session));
}

enum slm_status slm_session_cache_remove(struct slm_zone *zone, const void *id, size_t id_bytes)
{
    struct slm_keyed_view view;
    struct slm_key key;
    enum slm_status status = slm_key_init(&key, id, id_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    struct session *session = find(&view, &key);
    if (session != NULL) {
        remove_session(&view, session);
    }
    return slm_keyed_leave(&view, session == NULL ? SLM_E_NOT_MEMBER : SLM_OK);
}

enum slm_status slm_session_cache_expire(struct slm_zone *zone, uint64_t now_ms, size_t max,
                                         size_t *n_dropped)
{
    struct slm_keyed_view view;
    enum slm_status status = slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    size_t n = expire(&view, now_ms, max);
    if (n_dropped != NULL) {
        *n_dropped = n;
    }
    return slm_keyed_leave(&view, SLM_OK);
}

enum slm_status slm_session_cache_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats)
{
    return slm_keyed_get_stats(zone, &kind, stats);
}

static bool due_nodes_are_sessions(const struct slm_keyed_view *view)
{
    const struct slm_rbtree_node *node = slm_rbtree_first(view->journal, by_due(view));
    for (; node != NULL; node = slm_rbtree_next(view->journal, node)) {
        if (!slm_keyed_is_object(view->zone, of_due(node), sizeof(struct session))) {
            return false;
        }
    }
    return true;
}

static unsigned check_due(const struct slm_keyed_view *view)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(view->zone, &stats);
    if (slm_rbtree_check(view->journal, by_due(view), NULL, 1, stats.bytes) != 0 ||
        !due_nodes_are_sessions(view)) {
        return DUE_TREE;
    }
    if (slm_rbtree_check(view->journal, by_due(view), order_due, 1, stats.bytes) != 0) {
        return DUE_ORDER;
    }
    /* All objects except the head are sessions, and each is in this tree at most once. */
    return by_due(view)->n_nodes == view->head->by_key.n_nodes ? 0 : DUE_MEMBERS;
}

static unsigned check_blobs(const struct slm_keyed_view *view)
{
    const struct slm_keyed_entry *entry = slm_keyed_oldest(view);
    for (; entry != NULL; entry = slm_keyed_newer(view, entry)) {
        uint64_t blob_bytes = ((const struct session *)entry)->blob_bytes;
        if (blob_bytes > SIZE_MAX / 2 ||
            !slm_keyed_is_object(view->zone, entry,
                                 entry->key_at + entry->key_bytes + (size_t)blob_bytes)) {
            return BLOB;
        }
    }
    return 0;
}

unsigned slm_session_cache_check_locked(struct slm_zone *zone)
{
    struct slm_keyed_view view;
    unsigned broken = slm_keyed_check_head_locked(&view, zone, &kind);
    if (broken == 0) {
        broken = slm_keyed_check_entries_locked(&view, &kind, 0);
    }
    if (broken == 0) {
        broken = check_due(&view);
    }
    return broken == 0 ? check_blobs(&view) : broken;
}
