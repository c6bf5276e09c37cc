/* SPDX-License-Identifier: Apache-2.0 */
/* Room for new entries: allocates their objects, and evicts entries until they fit. */
#include "allocator/table/room.h"

#include <string.h>

#include "allocator/base/check.h"
#include "allocator/journal/log.h"
#include "allocator/table/entry.h"
#include "allocator/zone/handle.h"

/* What the callback of slm_zone_alloc_evicting_locked gets. */
struct eviction {
    struct slm_table *table;
    const struct slm_table_shape *shape;
    size_t n_bytes;    /* of the entry that is to fit */
    bool is_under_way; /* the first eviction has begun */
};

/* --- Whether an entry can ever fit --- */

/* Bytes that no live object has: all of its pages but those in use, and chunks that are not. */
static uint64_t count_free_bytes(const struct slm_slab *slab)
{
    struct slm_slab_stats stats;
    slm_slab_get_stats_locked(slab, &stats);
    uint64_t used = (uint64_t)stats.n_run_pages * stats.page_bytes;
    for (unsigned i = 0; i < stats.n_classes; i++) {
        struct slm_slab_class_stats one;
        if (slm_slab_get_class_stats_locked(slab, i, &one) == SLM_OK) {
            used += (uint64_t)one.n_used * one.chunk_bytes;
        }
    }
    return (uint64_t)stats.n_pages * stats.page_bytes - used;
}

/*
 * False: the table and the free memory are too small for it, even together. Entries are counted
 * from the oldest on, only until they are enough: as many as would have to go anyway. An entry of
 * less than a page's chunk fits as soon as one such chunk or page is free.
 */
static bool may_ever_fit(const struct slm_zone *zone, const struct eviction *eviction)
{
    if (slm_slab_class_of(zone->slab, eviction->n_bytes) >= 0) {
        return true;
    }
    uint64_t n_bytes = count_free_bytes(zone->slab);
    const struct slm_table_entry *entry = slm_table_oldest_locked(zone, eviction->table);
    for (; entry != NULL && n_bytes < eviction->n_bytes;
         entry = slm_table_newer_locked(zone, entry)) {
        struct slm_slab_place place;
        slm_slab_locate(zone->slab, entry, &place);
        n_bytes += place.is_live ? place.object_bytes : 0;
    }
    return n_bytes >= eviction->n_bytes;
}

/* --- Evicting --- */

static bool evict_oldest(struct slm_zone *zone, struct slm_table *table)
{
    struct slm_table_entry *entry = slm_table_oldest_locked(zone, table);
    return entry != NULL && slm_table_evict_locked(zone, table, entry) == SLM_OK;
}

static bool evict(struct slm_zone *zone, void *data)
{
    struct eviction *eviction = data;
    const struct slm_table_shape *shape = eviction->shape;
    if (!eviction->is_under_way && !may_ever_fit(zone, eviction)) {
        return false;
    }
    eviction->is_under_way = true;
    return shape->evict == NULL ? evict_oldest(zone, eviction->table)
                                : shape->evict(zone, shape->data);
}

static SLM_NOINLINE void *alloc_evicting(struct slm_zone *zone, struct slm_table *table,
                                         const struct slm_table_shape *shape, size_t n_bytes,
                                         enum slm_status *status)
{
    struct eviction eviction = {table, shape, n_bytes, false};
    return slm_zone_alloc_evicting_locked(zone, n_bytes, evict, &eviction, status);
}

/* --- Entries --- */

/* The object's length; 0: the key's length, and *status says so, or no memory is as long. */
static size_t size_entry(const struct slm_table_key *key, const struct slm_table_shape *shape,
                         enum slm_status *status)
{
    if (SLM_UNLIKELY(key->n_bytes == 0 || key->n_bytes > SLM_TABLE_KEY_BYTES_MAX)) {
        *status = SLM_E_SIZE;
        return 0;
    }
    size_t at = shape->entry_bytes;
    if (SLM_UNLIKELY(at < sizeof(struct slm_table_entry) || at % sizeof(slm_word) != 0 ||
                     at > UINT32_MAX)) {
        *status = SLM_E_OPTION;
        return 0;
    }
    *status = SLM_E_NOMEM;
    size_t most = SIZE_MAX - SLM_TABLE_KEY_BYTES_MAX;
    return SLM_UNLIKELY(shape->value_bytes > most - at) ? 0
                                                        : at + key->n_bytes + shape->value_bytes;
}

/* The transaction allocated it last, so it takes no notes. */
static struct slm_table_entry *fill(void *object, const struct slm_table_key *key,
                                    const struct slm_table_shape *shape)
{
    struct slm_table_entry *entry = object;
    memset(entry, 0, shape->entry_bytes);
    entry->hash = key->hash;
    entry->key_at = (uint32_t)shape->entry_bytes;
    entry->key_bytes = (uint32_t)key->n_bytes;
    memcpy((unsigned char *)object + shape->entry_bytes, key->data, key->n_bytes);
    return entry;
}

/* Nothing is evicted. */
static void *alloc_plainly(struct slm_zone *zone, size_t n_bytes, enum slm_status *status)
{
    if (zone->lock == NULL || !zone_is_held(zone)) {
        *status = zone->lock == NULL ? SLM_E_READ_ONLY : SLM_E_OWNER;
        return NULL;
    }
    void *object = slm_journal_alloc(&zone->journal, n_bytes);
    enum slm_status refusal = journal_refusal(&zone->journal);
    *status = object != NULL ? SLM_OK : refusal != SLM_OK ? refusal : SLM_E_NOMEM;
    return object;
}

struct slm_table_entry *slm_table_make_entry(struct slm_zone *zone, struct slm_table *table,
                                             const struct slm_table_key *key,
                                             const struct slm_table_shape *shape, bool *is_evicting,
                                             enum slm_status *status)
{
    void *object = NULL;
    size_t n_bytes = size_entry(key, shape, status);
    if (SLM_UNLIKELY(n_bytes == 0)) {
        return NULL;
    }
    if (shape->keeps_all) {
        object = alloc_plainly(zone, n_bytes, status);
    } else if (SLM_LIKELY(zone->lock != NULL && zone_is_plainly_held(zone) &&
                          journal_is_clean(&zone->journal))) {
        *status = SLM_OK;
        object = slm_journal_alloc(&zone->journal, n_bytes);
    }
    if (SLM_UNLIKELY(object == NULL && !shape->keeps_all)) {
        *is_evicting = true;
        object = alloc_evicting(zone, table, shape, n_bytes, status);
    }
    return object == NULL ? NULL : fill(object, key, shape);
}

struct slm_table_entry *slm_table_alloc_locked(struct slm_zone *zone, struct slm_table *table,
                                               const struct slm_table_key *key,
                                               const struct slm_table_shape *shape,
                                               enum slm_status *status)
{
    enum slm_status unused;
    bool is_evicting;
    status = status == NULL ? &unused : status;
    if (SLM_UNLIKELY(zone == NULL || table == NULL || key == NULL || shape == NULL)) {
        *status = SLM_E_NULL;
        return NULL;
    }
    return slm_table_make_entry(zone, table, key, shape, &is_evicting, status);
}
