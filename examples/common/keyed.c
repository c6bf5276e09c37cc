/* SPDX-License-Identifier: Apache-2.0 */
/* Entries ordered by key and by last use. */
#include "examples/common/keyed.h"

#include <string.h>

#include "examples/common/keyed_priv.h"

uint64_t keyed_hash(const void *data, size_t n_bytes)
{
    const unsigned char *bytes = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n_bytes; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

enum slm_status slm_key_init(struct slm_key *key, const void *data, size_t n_bytes)
{
    if (key == NULL || data == NULL) {
        return SLM_E_NULL;
    }
    if (n_bytes == 0 || n_bytes > SLM_KEYED_KEY_BYTES_MAX) {
        return SLM_E_SIZE;
    }
    *key = (struct slm_key){data, n_bytes, keyed_hash(data, n_bytes)};
    return SLM_OK;
}

int keyed_order_bytes(const struct slm_key *key, const struct slm_keyed_entry *entry)
{
    if (key->n_bytes != entry->key_bytes) {
        return key->n_bytes < entry->key_bytes ? -1 : 1;
    }
    return memcmp(key->data, slm_keyed_key(entry), key->n_bytes);
}

struct slm_keyed *slm_keyed_head(const struct slm_zone *zone, const struct slm_keyed_kind *kind)
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
        return slm_keyed_head(zone, kind) == NULL ? SLM_E_STATE : SLM_OK;
    }
    struct slm_keyed *head = slm_journal_calloc(slm_zone_journal(zone), kind->head_bytes);
    if (head == NULL) {
        return SLM_E_NOMEM;
    }
    head->magic = kind->magic;
    return slm_zone_set_root_locked(zone, head);
}

enum slm_status slm_keyed_init(struct slm_zone *zone, const struct slm_keyed_kind *kind)
{
    enum slm_status status = zone == NULL ? SLM_E_NULL : slm_zone_lock(zone);
    if (status != SLM_OK) {
        return status;
    }
    return slm_zone_end(zone, slm_keyed_init_locked(zone, kind));
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
    *view = (struct slm_keyed_view){zone, slm_zone_journal(zone), slm_keyed_head(zone, kind)};
    return view->head == NULL ? slm_zone_end(zone, SLM_E_STATE) : SLM_OK;
}

bool slm_keyed_commit(const struct slm_keyed_view *view)
{
    return slm_zone_commit_locked(view->zone) == SLM_OK;
}

enum slm_status slm_keyed_leave(const struct slm_keyed_view *view, enum slm_status status)
{
    return slm_zone_end(view->zone, status);
}

static inline int compare_hash(const void *hash, const struct slm_rbtree_node *node)
{
    uint64_t left = *(const uint64_t *)hash;
    uint64_t right = ((const struct slm_keyed_entry *)node)->hash;
    return (left > right) - (left < right);
}

/* Among several entries with the key's hash. */
static struct slm_keyed_entry *find_by_bytes(const struct slm_keyed_view *view,
                                             const struct slm_key *key)
{
    return (struct slm_keyed_entry *)slm_rbtree_find(view->journal, &view->head->by_key, key,
                                                     keyed_compare);
}

/* Nearly always one entry has the hash: then the search compares numbers, and bytes only once. */
struct slm_keyed_entry *slm_keyed_find(const struct slm_keyed_view *view, const struct slm_key *key)
{
    struct slm_keyed_entry *entry = (struct slm_keyed_entry *)slm_rbtree_lower_bound(
        view->journal, &view->head->by_key, &key->hash, compare_hash);
    if (entry == NULL || entry->hash != key->hash) {
        return NULL;
    }
    return keyed_order_bytes(key, entry) == 0 ? entry : find_by_bytes(view, key);
}

/* Bytes of an entry with that key; 0: they do not fit in a size_t. */
static size_t entry_bytes(const struct slm_keyed_kind *kind, const struct slm_key *key,
                          size_t more_bytes)
{
    size_t bytes = kind->entry_bytes + key->n_bytes;
    return more_bytes > SIZE_MAX - bytes ? 0 : bytes + more_bytes;
}

/* An object that this transaction allocated needs no undo entries. */
static struct slm_keyed_entry *set_key(struct slm_keyed_entry *entry,
                                       const struct slm_keyed_kind *kind, const struct slm_key *key)
{
    if (entry != NULL) {
        memset(entry, 0, kind->entry_bytes);
        entry->hash = key->hash;
        entry->key_at = (uint32_t)kind->entry_bytes;
        entry->key_bytes = (uint32_t)key->n_bytes;
        memcpy((unsigned char *)entry + entry->key_at, key->data, key->n_bytes);
    }
    return entry;
}

struct slm_keyed_entry *slm_keyed_alloc(const struct slm_keyed_view *view,
                                        const struct slm_keyed_kind *kind,
                                        const struct slm_key *key)
{
    return set_key(slm_journal_alloc(view->journal, entry_bytes(kind, key, 0)), kind, key);
}

struct slm_keyed_entry *slm_keyed_alloc_evicting(const struct slm_keyed_view *view,
                                                 const struct slm_keyed_kind *kind,
                                                 const struct slm_key *key, size_t more_bytes,
                                                 slm_zone_evict *evict, void *data,
                                                 enum slm_status *status)
{
    size_t bytes = entry_bytes(kind, key, more_bytes);
    *status = SLM_E_NOMEM;
    return bytes == 0
               ? NULL
               : set_key(slm_zone_alloc_evicting_locked(view->zone, bytes, evict, data, status),
                         kind, key);
}

void slm_keyed_insert(const struct slm_keyed_view *view, struct slm_keyed_entry *entry)
{
    (void)slm_rbtree_insert(view->journal, &view->head->by_key, &entry->by_key, keyed_order);
    (void)slm_lru_insert(view->journal, &view->head->by_use, &entry->by_use);
}

void slm_keyed_touch(const struct slm_keyed_view *view, struct slm_keyed_entry *entry)
{
    (void)slm_lru_touch(view->journal, &view->head->by_use, &entry->by_use);
}

void slm_keyed_remove(const struct slm_keyed_view *view, struct slm_keyed_entry *entry)
{
    (void)slm_rbtree_remove(view->journal, &view->head->by_key, &entry->by_key);
    (void)slm_lru_remove(view->journal, &view->head->by_use, &entry->by_use);
    (void)slm_journal_free(view->journal, entry);
}

struct slm_keyed_entry *slm_keyed_oldest(const struct slm_keyed_view *view)
{
    return keyed_of_use(slm_lru_oldest(view->journal, &view->head->by_use));
}

struct slm_keyed_entry *slm_keyed_newer(const struct slm_keyed_view *view,
                                        const struct slm_keyed_entry *entry)
{
    return keyed_of_use(slm_lru_newer(view->journal, &entry->by_use));
}

void slm_keyed_count(const struct slm_keyed_view *view, uint64_t *counter)
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
        .n_entries = view.head->by_key.n_nodes,
        .n_evicted = view.head->n_evicted,
        .n_expired = view.head->n_expired,
    };
    return slm_keyed_leave(&view, SLM_OK);
}
