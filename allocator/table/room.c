/* SPDX-License-Identifier: Apache-2.0 */
/* Room for new entries: allocates their objects, and evicts entries until they fit. */
#include "allocator/table/room.h"

#include <string.h>

#include "allocator/base/check.h"
#include "allocator/journal/log.h"
#include "allocator/slab/chunk.h"
#include "allocator/table/entry.h"
#include "allocator/tree/change.h"
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

/* --- Reusing --- */

/* Larger entries would take many notes. */
#define REUSE_BYTES_MAX   256u
#define REUSE_ENTRIES_MAX (SLM_TABLE_DROP_ENTRIES + SLM_TABLE_INSERT_ENTRIES + REUSE_BYTES_MAX / 8u)

/*
 * Whether the entry's object is what an allocation of n_bytes would get if it were free: a live
 * chunk of that class. The journal knows the object from then on. Where freed memory is filled with
 * junk to show its use, objects are not reused. *status is not SLM_OK if no object is live there.
 */
static inline bool is_reusable(struct slm_zone *zone, const struct slm_table_entry *entry,
                               size_t n_bytes, enum slm_status *status)
{
    struct slm_journal *journal = &zone->journal;
    const struct slm_slab *slab = zone->slab;
    const struct slab_object *object = &journal->notes->live[0];
    if (SLM_CHECKS >= 2 || n_bytes > REUSE_BYTES_MAX ||
        n_bytes + slab->shape.gap_bytes > slab->largest_chunk_bytes ||
        !journal_has_room(journal, REUSE_ENTRIES_MAX)) {
        return false;
    }
    *status = slm_journal_find_range(journal, entry, sizeof *entry);
    unsigned class_idx = slab_class_of_bytes(slab, n_bytes + slab->shape.gap_bytes);
    return SLM_LIKELY(*status == SLM_OK) && object->start == (const unsigned char *)entry &&
           object->n_bytes == slab->cuts[class_idx].chunk_bytes;
}

/* Notes what tree and list have not noted of the object, and counts the eviction. */
static enum slm_status note_object(struct slm_journal *journal, struct slm_table *table,
                                   struct slm_table_entry *entry, size_t n_bytes)
{
    if (SLM_UNLIKELY(!journal_is_anchored(journal, table, sizeof *table))) {
        enum slm_status status = slm_journal_find_words(journal, table, sizeof *table);
        if (status != SLM_OK) {
            return status;
        }
    }
    struct node_change change = node_change_begin(journal);
    const slm_word *end = (const slm_word *)(void *)entry + (n_bytes + 7) / sizeof *end;
    node_note(&change, &table->n_evicted);
    for (const slm_word *word = &entry->hash; word < end; word++) {
        node_note(&change, word);
    }
    node_count(&change);
    node_set(&table->n_evicted, table->n_evicted + 1);
    journal_note_whole(journal, entry, n_bytes);
    return SLM_OK;
}

/*
 * Memory is out: evicts the oldest entry and keeps its object for the new one, in one transaction.
 * That saves a release, a commit and an allocation. NULL, *status SLM_OK: that cannot be done, and
 * nothing changed.
 */
static struct slm_table_entry *reuse_oldest(struct slm_zone *zone, struct slm_table *table,
                                            size_t n_bytes, enum slm_status *status)
{
    struct slm_journal *journal = &zone->journal;
    struct slm_table_entry *entry =
        table_entry_of_use(slm_journal_pointer(journal, table->by_use.oldest));
    *status = SLM_OK;
    if (entry == NULL || !is_reusable(zone, entry, n_bytes, status)) {
        return NULL;
    }
    *status = slm_rbtree_remove(journal, &table->by_key, &entry->by_key);
    if (SLM_UNLIKELY(*status != SLM_OK)) {
        return NULL;
    }
    *status = slm_lru_touch(journal, &table->by_use, &entry->by_use);
    if (SLM_LIKELY(*status == SLM_OK)) {
        *status = note_object(journal, table, entry, n_bytes);
    }
    return SLM_LIKELY(table_refuse_half(journal, *status) == SLM_OK) ? entry : NULL;
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

/* The transaction allocated it last, or noted all of it. `from` is where zeroing begins. */
static struct slm_table_entry *fill(void *object, size_t from, const struct slm_table_key *key,
                                    const struct slm_table_shape *shape)
{
    struct slm_table_entry *entry = object;
    unsigned char *bytes = object;
    memset(bytes + from, 0, shape->entry_bytes - from);
    entry->hash = key->hash;
    entry->key_at = (uint32_t)shape->entry_bytes;
    entry->key_bytes = (uint32_t)key->n_bytes;
    memcpy(bytes + shape->entry_bytes, key->data, key->n_bytes);
    return entry;
}

/* Nothing is evicted. */
static void *alloc_plainly(struct slm_zone *zone, size_t n_bytes, enum slm_status *status)
{
    if (zone->lock == NULL || !zone_is_held(zone)) {
        *status = zone->lock == NULL ? SLM_E_READ_ONLY : SLM_E_OWNER;
        return NULL;
    }
    enum slm_status unbacked = SLM_OK;
    void *object = slm_journal_alloc(&zone->journal, n_bytes);
    if (SLM_UNLIKELY(object == NULL)) {
        object = slm_zone_alloc_again(zone, n_bytes, &unbacked);
    }
    enum slm_status refusal = journal_refusal(&zone->journal);
    refusal = refusal != SLM_OK ? refusal : unbacked != SLM_OK ? unbacked : SLM_E_NOMEM;
    *status = object != NULL ? SLM_OK : refusal;
    return object;
}

/* The table may lose its oldest entries. */
static void *alloc_by_age(struct slm_zone *zone, struct slm_table *table,
                          const struct slm_table_shape *shape, size_t n_bytes,
                          enum table_room *room, enum slm_status *status)
{
    if (SLM_LIKELY(zone->lock != NULL && zone_is_held(zone) && journal_is_clean(&zone->journal))) {
        void *object = slm_journal_alloc(&zone->journal, n_bytes);
        *status = SLM_OK;
        if (object == NULL && SLM_UNLIKELY(zone->unbacked != SLM_OK)) {
            object = slm_zone_alloc_again(zone, n_bytes, status);
        }
        *room = object != NULL ? TABLE_UNCHANGED : TABLE_REUSED;
        if (object == NULL && *status == SLM_OK) {
            object = reuse_oldest(zone, table, n_bytes, status);
        }
        if (SLM_LIKELY(object != NULL) || *status != SLM_OK) {
            return object;
        }
    }
    *room = TABLE_CHANGED;
    return alloc_evicting(zone, table, shape, n_bytes, status);
}

struct slm_table_entry *slm_table_make_entry(struct slm_zone *zone, struct slm_table *table,
                                             const struct slm_table_key *key,
                                             const struct slm_table_shape *shape,
                                             enum table_room *room, enum slm_status *status)
{
    void *object;
    size_t n_bytes = size_entry(key, shape, status);
    *room = TABLE_UNCHANGED;
    if (SLM_UNLIKELY(n_bytes == 0)) {
        return NULL;
    }
    if (shape->keeps_all) {
        object = alloc_plainly(zone, n_bytes, status);
    } else if (shape->evict == NULL) {
        object = alloc_by_age(zone, table, shape, n_bytes, room, status);
    } else {
        *room = TABLE_CHANGED;
        object = alloc_evicting(zone, table, shape, n_bytes, status);
    }
    size_t from = *room == TABLE_REUSED ? offsetof(struct slm_table_entry, hash) : 0;
    return object == NULL ? NULL : fill(object, from, key, shape);
}

struct slm_table_entry *slm_table_alloc_locked(struct slm_zone *zone, struct slm_table *table,
                                               const struct slm_table_key *key,
                                               const struct slm_table_shape *shape,
                                               enum slm_status *status)
{
    enum slm_status unused;
    enum table_room room;
    status = status == NULL ? &unused : status;
    if (SLM_UNLIKELY(zone == NULL || table == NULL || key == NULL || shape == NULL)) {
        *status = SLM_E_NULL;
        return NULL;
    }
    struct table_key_copy copy;
    key = table_keep_key(zone, key, &copy);
    struct slm_table_entry *entry = slm_table_make_entry(zone, table, key, shape, &room, status);
    if (entry != NULL && room == TABLE_REUSED) {
        *status = slm_lru_remove(&zone->journal, &table->by_use, &entry->by_use);
    }
    return *status == SLM_OK ? entry : NULL;
}
