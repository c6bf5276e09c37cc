/* SPDX-License-Identifier: Apache-2.0 */
/* Table: how the room is built; finding and inserting entries. */
#include <slabmill/table.h>

#include "allocator/base/check.h"
#include "allocator/journal/log.h"
#include "allocator/table/entry.h"
#include "allocator/table/room.h"
#include "allocator/zone/handle.h"

/*
 * Structure
 *
 *   table      find, get, insert                                    check    invariants
 *     room       objects for new entries, and what is evicted for them
 *       drop       touch, drop, evict      walk    in the order of use, in that of the tree
 *
 * Stored      entry.h: two heads and a counter in an object of the user, and the start of each
 *             entry. The rest of it is a tree and a list, which allocator/tree changes.
 * Search      Hashes are compared first, and bytes where hashes are equal. A search for a key that
 *             is not there ends where its entry belongs, so an insert need not search again unless
 *             an eviction changed the tree in between.
 */

/* Where a search ended that found no entry with the key. */
struct spot {
    struct slm_rbtree_node *above; /* below which a new entry belongs; NULL: as the root */
    bool is_right;
    bool is_damaged; /* the tree has too many levels */
};

/* The entry with the key; NULL: none has it, and *spot is filled in, which else has no meaning. */
static SLM_NOINLINE struct slm_table_entry *search_all(const struct slm_journal *journal,
                                                       const struct slm_table *table,
                                                       const struct slm_table_key *key,
                                                       struct spot *spot)
{
    *spot = (struct spot){0};
    struct slm_rbtree_node *node = slm_rbtree_at(journal, table->by_key.root);
    for (unsigned n_left = SLM_RBTREE_LEVELS_TRIED; node != NULL && n_left > 0; n_left--) {
        int order = table_compare(key, node);
        if (order == 0) {
            return table_entry_of_key(node);
        }
        spot->above = node;
        spot->is_right = order > 0;
        node = slm_rbtree_at(journal, order > 0 ? node->right : node->left);
    }
    spot->is_damaged = node != NULL;
    return NULL;
}

/* The first entry with the hash, or the last one on the way to where it belongs. NULL: the tree is
 * empty, or has too many levels. */
static inline __attribute__((always_inline)) struct slm_table_entry *
descend(const struct slm_journal *journal, uint64_t offset, uint64_t hash)
{
#ifdef __clang__ /* gcc says that it ignores such a word here */
#pragma clang loop unroll_count(4)
#endif
    for (unsigned n_left = SLM_RBTREE_LEVELS_TRIED; offset != 0 && n_left > 0; n_left--) {
        struct slm_rbtree_node *node = (struct slm_rbtree_node *)(void *)(journal->base + offset);
        struct slm_table_entry *entry = table_entry_of_key(node);
        if (hash == entry->hash) {
            return entry;
        }
        offset = hash > entry->hash ? node->right : node->left;
        if (offset == 0) {
            return entry;
        }
    }
    return NULL;
}

/* The same as search_all. Nearly always no two keys of the table have the same hash. */
static inline __attribute__((always_inline)) struct slm_table_entry *
search(const struct slm_journal *journal, const struct slm_table *table,
       const struct slm_table_key *key, struct spot *spot)
{
    struct slm_table_entry *entry = descend(journal, table->by_key.root, key->hash);
    if (entry == NULL) {
        *spot = (struct spot){.is_damaged = table->by_key.root != 0};
        return NULL;
    }
    if (entry->hash != key->hash) {
        *spot = (struct spot){.above = &entry->by_key, .is_right = key->hash > entry->hash};
        return NULL;
    }
    return SLM_LIKELY(table_has_bytes(key, entry)) ? entry : search_all(journal, table, key, spot);
}

enum slm_status slm_table_key_init(struct slm_table_key *key, const void *data, size_t n_bytes)
{
    if (SLM_UNLIKELY(key == NULL || data == NULL)) {
        return SLM_E_NULL;
    }
    if (SLM_UNLIKELY(n_bytes == 0 || n_bytes > SLM_TABLE_KEY_BYTES_MAX)) {
        return SLM_E_SIZE;
    }
    *key = (struct slm_table_key){data, n_bytes, table_hash(data, n_bytes)};
    return SLM_OK;
}

struct slm_table_entry *slm_table_find_locked(const struct slm_zone *zone,
                                              const struct slm_table *table,
                                              const struct slm_table_key *key)
{
    struct spot unused;
    return SLM_UNLIKELY(zone == NULL || table == NULL || key == NULL)
               ? NULL
               : search(&zone->journal, table, key, &unused);
}

/* Of SLM_TABLE_INSERT_ENTRIES the allocation has taken one. */
#define LINK_ENTRIES (SLM_TABLE_INSERT_ENTRIES - 1)

/* Links the entry where the search for its key ended. n_entries: how many the call needs; 0: the
 * list has the entry already, and all it needs were asked for. */
static inline enum slm_status link_at(struct slm_zone *zone, struct slm_table *table,
                                      struct slm_table_entry *entry, const struct spot *spot,
                                      size_t n_entries)
{
    struct slm_journal *journal = &zone->journal;
    bool is_listed = n_entries == 0;
    enum slm_status status = is_listed ? SLM_OK : slm_journal_need(journal, n_entries);
    if (SLM_LIKELY(status == SLM_OK)) {
        status = slm_rbtree_insert_check(journal, &table->by_key, &entry->by_key);
    }
    if (SLM_UNLIKELY(status != SLM_OK)) {
        return status;
    }
    slm_word *link = &table->by_key.root;
    if (spot->above != NULL) {
        link = spot->is_right ? &spot->above->right : &spot->above->left;
    }
    slm_rbtree_insert_link(journal, &table->by_key, &entry->by_key, spot->above, link, table_order);
    return is_listed ? SLM_OK
                     : table_refuse_half(journal,
                                         slm_lru_insert(journal, &table->by_use, &entry->by_use));
}

enum slm_status slm_table_insert_locked(struct slm_zone *zone, struct slm_table *table,
                                        struct slm_table_entry *entry)
{
    if (SLM_UNLIKELY(zone == NULL || table == NULL || entry == NULL)) {
        return SLM_E_NULL;
    }
    enum slm_status status =
        slm_rbtree_insert_check(&zone->journal, &table->by_key, &entry->by_key);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        return status;
    }
    struct slm_table_key key = table_key_of(entry);
    struct spot spot;
    const struct slm_table_entry *found = search(&zone->journal, table, &key, &spot);
    if (SLM_UNLIKELY(found != NULL)) {
        return SLM_E_DUPLICATE;
    }
    if (SLM_UNLIKELY(spot.is_damaged)) {
        return SLM_E_IMAGE;
    }
    return link_at(zone, table, entry, &spot, SLM_TABLE_INSERT_ENTRIES);
}

/*
 * The search ended at *spot, and then one entry went. Unless that is the one above the spot, the new
 * key still belongs next to the one above: in its empty place, or, if a rotation filled that, at the
 * near end of what is there now. Returns as search: only a damaged tree has the key now.
 */
static const struct slm_table_entry *
mend_spot(const struct slm_journal *journal, const struct slm_table *table,
          const struct slm_table_key *key, const struct slm_table_entry *gone, struct spot *spot)
{
    if (SLM_UNLIKELY(spot->above == &gone->by_key)) {
        return search(journal, table, key, spot);
    }
    bool is_right = spot->is_right;
    struct slm_rbtree_node *node =
        slm_rbtree_at(journal, is_right ? spot->above->right : spot->above->left);
    for (unsigned n_left = SLM_RBTREE_LEVELS_MAX; node != NULL && n_left > 0; n_left--) {
        spot->above = node;
        spot->is_right = !is_right;
        node = slm_rbtree_at(journal, is_right ? node->left : node->right);
    }
    return NULL;
}

/* Inserts an entry with the key, for which the search ended at *spot. */
static struct slm_table_entry *add(struct slm_zone *zone, struct slm_table *table,
                                   const struct slm_table_key *key,
                                   const struct slm_table_shape *shape, struct spot *spot,
                                   enum slm_status *status)
{
    enum table_room room;
    struct slm_table_entry *entry = slm_table_make_entry(zone, table, key, shape, &room, status);
    if (SLM_UNLIKELY(entry == NULL)) {
        return NULL;
    }
    const struct slm_table_entry *found = NULL;
    if (room == TABLE_REUSED) {
        found = mend_spot(&zone->journal, table, key, entry, spot);
    } else if (room == TABLE_CHANGED) {
        found = search(&zone->journal, table, key, spot);
    }
    if (SLM_UNLIKELY(found != NULL || spot->is_damaged)) {
        *status = slm_journal_refuse(&zone->journal, SLM_E_IMAGE);
        return NULL;
    }
    *status = link_at(zone, table, entry, spot, room == TABLE_REUSED ? 0 : LINK_ENTRIES);
    return *status == SLM_OK ? entry : NULL;
}

static SLM_NOINLINE struct slm_table_entry *
add_by_copy(struct slm_zone *zone, struct slm_table *table, const struct slm_table_key *key,
            const struct slm_table_shape *shape, struct spot *spot, enum slm_status *status)
{
    struct table_key_copy copy;
    return add(zone, table, table_keep_key(zone, key, &copy), shape, spot, status);
}

/* The search ended at `spot`, which comes by value: so that of a known key stays in registers. */
static SLM_NOINLINE struct slm_table_entry *get_new(struct slm_zone *zone, struct slm_table *table,
                                                    const struct slm_table_key *key,
                                                    const struct slm_table_shape *shape,
                                                    struct spot spot, bool *is_new,
                                                    enum slm_status *status)
{
    enum slm_status unused;
    status = status == NULL ? &unused : status;
    if (SLM_UNLIKELY(shape == NULL || spot.is_damaged)) {
        *status = shape == NULL ? SLM_E_NULL : SLM_E_IMAGE;
        return NULL;
    }
    struct slm_table_entry *entry = SLM_LIKELY(!table_key_is_inside(zone, key))
                                        ? add(zone, table, key, shape, &spot, status)
                                        : add_by_copy(zone, table, key, shape, &spot, status);
    if (is_new != NULL) {
        *is_new = entry != NULL;
    }
    return entry;
}

struct slm_table_entry *slm_table_get_locked(struct slm_zone *zone, struct slm_table *table,
                                             const struct slm_table_key *key,
                                             const struct slm_table_shape *shape, bool *is_new,
                                             enum slm_status *status)
{
    struct slm_table_entry *entry = NULL;
    enum slm_status got = SLM_E_NULL;
    if (is_new != NULL) {
        *is_new = false;
    }
    if (SLM_LIKELY(zone != NULL && table != NULL && key != NULL)) {
        struct spot spot;
        entry = search(&zone->journal, table, key, &spot);
        if (entry == NULL) {
            return get_new(zone, table, key, shape, spot, is_new, status);
        }
        got = SLM_LIKELY(shape != NULL)
                  ? slm_lru_touch(&zone->journal, &table->by_use, &entry->by_use)
                  : SLM_E_NULL;
    }
    if (status != NULL) {
        *status = got;
    }
    return SLM_LIKELY(got == SLM_OK) ? entry : NULL;
}
