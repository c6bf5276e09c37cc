/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of tables, evaluated: read-only, bounded, safe for any content. */
#include "allocator/base/check.h"
#include "allocator/slab/view.h"
#include "allocator/table/entry.h"
#include "allocator/tree/reach.h"
#include "allocator/zone/handle.h"

/*
 * 201  The slab is sound, and the table lies 8-aligned in a live object.
 * 202  The tree's links are right, and lead to nodes in live objects.
 * 203  The list's links are right, and lead to nodes in live objects.
 * 204  Every entry of the tree starts a live object that holds it and its key, of a length that a
 *      key may have, after a struct of a length that a user's may have; and its hash is the key's.
 * 205  The tree is in the order of hashes, lengths and bytes, and no two keys are the same.
 * 206  Every entry of the list is found in the tree by its key, and there are as many.
 */
enum { OK, ANCHOR = 201, TREE, LIST, ENTRY, ORDER, MEMBERS };

/* --- Objects --- */

/* The slab was checked. n_bytes at p are in one live object; *at is where in it. */
static bool is_in_object(const struct slm_zone *zone, const void *p, size_t n_bytes, size_t *at)
{
    struct slm_slab_place place;
    slm_slab_locate(zone->slab, p, &place);
    *at = (size_t)((const unsigned char *)p - (const unsigned char *)place.object);
    return place.is_live && *at <= place.object_bytes && n_bytes <= place.object_bytes - *at;
}

static bool is_object(const struct slm_zone *zone, const void *p, size_t n_bytes)
{
    size_t at;
    return is_in_object(zone, p, n_bytes, &at) && at == 0;
}

static bool entry_is_right(const struct slm_zone *zone, const struct slm_table_entry *entry)
{
    return is_object(zone, entry, sizeof *entry) && entry->key_at >= sizeof *entry &&
           entry->key_at % sizeof(slm_word) == 0 && entry->key_bytes > 0 &&
           entry->key_bytes <= SLM_TABLE_KEY_BYTES_MAX &&
           is_object(zone, entry, (size_t)entry->key_at + entry->key_bytes) &&
           entry->hash == table_hash(slm_table_key_of(entry), entry->key_bytes);
}

/* --- Tree and list --- */

static bool entries_are_right(const struct slm_zone *zone, const struct slm_table *table)
{
    const struct slm_table_entry *entry = slm_table_after_locked(zone, table, NULL);
    for (; entry != NULL; entry = slm_table_next_locked(zone, entry)) {
        if (!entry_is_right(zone, entry)) {
            return false;
        }
    }
    return true;
}

/* The tree's check allows equal keys, so this one compares neighbours. */
static bool order_is_right(const struct slm_zone *zone, const struct slm_table *table)
{
    const struct slm_table_entry *entry = slm_table_after_locked(zone, table, NULL);
    while (entry != NULL) {
        const struct slm_table_entry *next = slm_table_next_locked(zone, entry);
        if (next != NULL && table_order(&entry->by_key, &next->by_key) >= 0) {
            return false;
        }
        entry = next;
    }
    return true;
}

/* Uses the tree's entries only: memory that the tree does not link is never read as an entry. */
static bool is_in_tree(const struct slm_zone *zone, const struct slm_table *table,
                       const struct slm_table_entry *entry)
{
    if (!entry_is_right(zone, entry)) {
        return false;
    }
    struct slm_table_key key = table_key_of(entry);
    return slm_table_find_locked(zone, table, &key) == entry;
}

static bool members_are_the_same(const struct slm_zone *zone, const struct slm_table *table)
{
    const struct slm_table_entry *entry = slm_table_oldest_locked(zone, table);
    for (; entry != NULL; entry = slm_table_newer_locked(zone, entry)) {
        if (!is_in_tree(zone, table, entry)) {
            return false;
        }
    }
    return table->by_key.n_nodes == table->by_use.n_nodes;
}

static unsigned check_links(const struct slm_zone *zone, const struct slm_table *table)
{
    const struct slm_journal *journal = &zone->journal;
    uint64_t high = slm_segment_bytes(zone->segment);
    if (slm_rbtree_check_in_sound_slab(journal, &table->by_key, NULL, 1, high) != 0) {
        return TREE;
    }
    if (slm_lru_check_in_sound_slab(journal, &table->by_use, 1, high) != 0) {
        return LIST;
    }
    return OK;
}

unsigned slm_table_check_locked(struct slm_zone *zone, const struct slm_table *table)
{
    size_t at;
    if (zone == NULL || table == NULL) {
        return OK;
    }
    if ((uintptr_t)table % sizeof(slm_word) != 0 || slm_slab_check_locked(zone->slab) != 0 ||
        !is_in_object(zone, table, sizeof *table, &at)) {
        return ANCHOR;
    }
    unsigned broken = check_links(zone, table);
    if (broken != OK) {
        return broken;
    }
    if (!entries_are_right(zone, table)) {
        return ENTRY;
    }
    if (!order_is_right(zone, table)) {
        return ORDER;
    }
    return members_are_the_same(zone, table) ? OK : MEMBERS;
}
