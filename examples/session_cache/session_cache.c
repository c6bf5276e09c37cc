/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs in a zone, found by id and ordered by the time when they expire. */
#include "examples/session_cache/session_cache.h"

#include <string.h>

#include "examples/common/due.h"

enum { DUE = 241, BLOB = 244 };

/* In shared memory; id and blob follow it. */
struct session {
    struct slm_due_entry due; /* first */
    uint64_t blob_bytes;
};

/* The longest transaction removes one session and inserts one. */
static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x73657373696f6e02),
    .head_bytes = sizeof(struct slm_due_head),
    .entry_bytes = sizeof(struct session),
    .journal_entries = SLM_DUE_DROP_ENTRIES + SLM_TABLE_INSERT_ENTRIES + SLM_RBTREE_ENTRIES + 8,
};

#define BLOB_PART_MAX 8u /* of the zone */

enum slm_status slm_session_cache_init_locked(struct slm_zone *zone)
{
    return slm_keyed_init_locked(zone, &kind);
}

enum slm_status slm_session_cache_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, slm_session_cache_init_locked);
}

/* Takes the lock. */
static enum slm_status enter(struct slm_due_call *call, struct slm_zone *zone,
                             struct slm_table_key *key, const void *id, size_t id_bytes,
                             uint64_t now_ms)
{
    enum slm_status status = slm_table_key_init(key, id, id_bytes);
    call->now_ms = now_ms;
    return status == SLM_OK ? slm_keyed_enter(&call->view, zone, &kind) : status;
}

static bool fits(const struct slm_zone *zone, size_t n_bytes)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    return n_bytes <= stats.bytes / BLOB_PART_MAX;
}

/* Completes the new session before it removes the old one. */
static enum slm_status put(struct slm_due_call *call, const struct slm_table_key *key,
                           const void *blob, size_t n_bytes, uint64_t ttl_ms)
{
    enum slm_status status;
    const struct slm_table_shape shape = {.entry_bytes = sizeof(struct session),
                                          .value_bytes = n_bytes};
    if (!fits(call->view.zone, n_bytes)) {
        return SLM_E_SIZE;
    }
    struct slm_due_entry *entry = slm_due_alloc(call, key, shape, &status);
    if (entry == NULL) {
        return status;
    }
    ((struct session *)entry)->blob_bytes = n_bytes;
    if (n_bytes > 0) {
        memcpy(slm_table_value_of(&entry->entry), blob, n_bytes);
    }
    return slm_due_put(call, entry, slm_due_after(ttl_ms, call->now_ms));
}

enum slm_status slm_session_cache_put(struct slm_zone *zone, const void *id, size_t id_bytes,
                                      const void *blob, size_t n_bytes, uint64_t ttl_ms,
                                      uint64_t now_ms)
{
    struct slm_due_call call;
    struct slm_table_key key;
    if (blob == NULL && n_bytes > 0) {
        return SLM_E_NULL;
    }
    if (ttl_ms == 0) {
        return SLM_E_OPTION;
    }
    enum slm_status status = enter(&call, zone, &key, id, id_bytes, now_ms);
    return status == SLM_OK ? slm_keyed_leave(&call.view, put(&call, &key, blob, n_bytes, ttl_ms))
                            : status;
}

static enum slm_status get(const struct slm_due_call *call, const struct slm_table_key *key,
                           void *buffer, size_t capacity_bytes, struct slm_session *found)
{
    enum slm_status status;
    struct slm_due_entry *entry = slm_due_find(call, key, &status);
    if (entry == NULL) {
        return status;
    }
    *found = (struct slm_session){(size_t)((struct session *)entry)->blob_bytes, entry->due_ms};
    if (found->n_bytes > capacity_bytes) {
        return SLM_E_SPACE;
    }
    if (found->n_bytes > 0) {
        memcpy(buffer, slm_table_value_of(&entry->entry), found->n_bytes);
    }
    return SLM_OK;
}

enum slm_status slm_session_cache_get(struct slm_zone *zone, const void *id, size_t id_bytes,
                                      uint64_t now_ms, void *buffer, size_t capacity_bytes,
                                      struct slm_session *session)
{
    struct slm_due_call call;
    struct slm_table_key key;
    if (session == NULL || (buffer == NULL && capacity_bytes > 0)) {
        return SLM_E_NULL;
    }
    enum slm_status status = enter(&call, zone, &key, id, id_bytes, now_ms);
    return status == SLM_OK
               ? slm_keyed_leave(&call.view, get(&call, &key, buffer, capacity_bytes, session))
               : status;
}

enum slm_status slm_session_cache_remove(struct slm_zone *zone, const void *id, size_t id_bytes)
{
    struct slm_due_call call;
    struct slm_table_key key;
    enum slm_status status = enter(&call, zone, &key, id, id_bytes, 0);
    if (status != SLM_OK) {
        return status;
    }
    struct slm_due_entry *entry =
        (struct slm_due_entry *)slm_table_find_locked(zone, call.view.table, &key);
    if (entry != NULL) {
        slm_due_drop(&call, entry);
    }
    return slm_keyed_leave(&call.view, entry == NULL ? SLM_E_NOT_MEMBER : SLM_OK);
}

enum slm_status slm_session_cache_expire(struct slm_zone *zone, uint64_t now_ms, size_t max,
                                         size_t *n_dropped)
{
    struct slm_due_call call = {.now_ms = now_ms};
    enum slm_status status = slm_keyed_enter(&call.view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    size_t n = slm_due_expire(&call, max);
    if (n_dropped != NULL) {
        *n_dropped = n;
    }
    return slm_keyed_leave(&call.view, SLM_OK);
}

enum slm_status slm_session_cache_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats)
{
    return slm_keyed_get_stats(zone, &kind, stats);
}

static unsigned check_blobs(const struct slm_keyed_view *view)
{
    const struct slm_table_entry *entry = slm_table_oldest_locked(view->zone, view->table);
    for (; entry != NULL; entry = slm_table_newer_locked(view->zone, entry)) {
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
        broken = slm_due_check_locked(&view, DUE);
    }
    return broken == 0 ? check_blobs(&view) : broken;
}
