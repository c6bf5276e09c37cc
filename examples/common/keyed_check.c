/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of keyed entries, evaluated: read-only, bounded, safe on any zone. */
#include <string.h>

#include "examples/common/keyed_priv.h"

/*
 * Below 200: the zone's own (allocator/zone/check.c).
 * 201  The root is a live object with room for the head, whose magic is the kind's.
 * 202  The tree's links are right.
 * 203  The list's links are right.
 * 204  Every entry of the tree starts a live object that holds it and its key; the hash is right.
 * 205  The tree is in the order of keys, and no two are the same.
 * 206  Every entry of the list is found in the tree by its key, and there are as many.
 * 207  The zone has no objects but head, entries and the n_more that the library reports.
 */
enum { HEAD = 201, TREE, LIST, ENTRY, ORDER, MEMBERS, OBJECTS };

bool slm_keyed_is_object(struct slm_zone *zone, const void *p, size_t n_bytes)
{
    struct slm_slab_place place;
    slm_slab_locate(slm_zone_slab(zone), p, &place);
    return place.is_live && place.object == p && place.object_bytes >= n_bytes;
}

static bool entry_is_right(struct slm_zone *zone, const struct slm_keyed_kind *kind,
                           const struct slm_keyed_entry *entry)
{
    return slm_keyed_is_object(zone, entry, kind->entry_bytes) &&
           entry->key_at == kind->entry_bytes && entry->key_bytes > 0 &&
           entry->key_bytes <= SLM_KEYED_KEY_BYTES_MAX &&
           slm_keyed_is_object(zone, entry, kind->entry_bytes + entry->key_bytes) &&
           entry->hash == keyed_hash(slm_keyed_key(entry), entry->key_bytes);
}

static bool entries_are_right(const struct slm_keyed_view *view, const struct slm_keyed_kind *kind)
{
    const struct slm_rbtree_node *node = slm_rbtree_first(view->journal, &view->head->by_key);
    for (; node != NULL; node = slm_rbtree_next(view->journal, node)) {
        if (!entry_is_right(view->zone, kind, (const struct slm_keyed_entry *)node)) {
            return false;
        }
    }
    return true;
}

/* The tree's check allows equal keys, so compare neighbours here. */
static bool keys_differ(const struct slm_keyed_view *view)
{
    const struct slm_rbtree_node *node = slm_rbtree_first(view->journal, &view->head->by_key);
    while (node != NULL) {
        const struct slm_rbtree_node *next = slm_rbtree_next(view->journal, node);
        if (next != NULL && keyed_order(node, next) == 0) {
            return false;
        }
        node = next;
    }
    return true;
}

/* Uses the tree's entries only: memory that the tree does not link is never read as an entry. */
static bool is_in_tree(const struct slm_keyed_view *view, const struct slm_keyed_kind *kind,
                       const struct slm_keyed_entry *entry)
{
    if (!entry_is_right(view->zone, kind, entry)) {
        return false;
    }
    struct slm_key key = {slm_keyed_key(entry), entry->key_bytes, entry->hash};
    return slm_keyed_find(view, &key) == entry;
}

static bool members_are_the_same(const struct slm_keyed_view *view,
                                 const struct slm_keyed_kind *kind)
{
    const struct slm_keyed_entry *entry = slm_keyed_oldest(view);
    for (; entry != NULL; entry = slm_keyed_newer(view, entry)) {
        if (!is_in_tree(view, kind, entry)) {
            return false;
        }
    }
    return view->head->by_key.n_nodes == view->head->by_use.n_nodes;
}

static uint64_t n_objects(struct slm_slab *slab)
{
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab, &stats);
    uint64_t n = stats.n_runs;
    for (unsigned i = 0; i < stats.n_classes; i++) {
        struct slm_slab_class_stats one;
        n += slm_slab_get_class_stats(slab, i, &one) == SLM_OK ? one.n_used : 0;
    }
    return n;
}

static unsigned check_links(const struct slm_keyed_view *view, const struct slm_keyed_kind *kind)
{
    const struct slm_keyed *head = view->head;
    struct slm_zone_stats stats;
    slm_zone_get_stats(view->zone, &stats);
    if (slm_rbtree_check(view->journal, &head->by_key, NULL, 1, stats.bytes) != 0) {
        return TREE;
    }
    if (slm_lru_check(view->journal, &head->by_use, 1, stats.bytes) != 0) {
        return LIST;
    }
    if (!entries_are_right(view, kind)) {
        return ENTRY;
    }
    if (slm_rbtree_check(view->journal, &head->by_key, keyed_order, 1, stats.bytes) != 0 ||
        !keys_differ(view)) {
        return ORDER;
    }
    return members_are_the_same(view, kind) ? 0 : MEMBERS;
}

unsigned slm_keyed_check_head_locked(struct slm_keyed_view *view, struct slm_zone *zone,
                                     const struct slm_keyed_kind *kind)
{
    unsigned broken = slm_zone_check_locked(zone);
    if (broken != 0) {
        return broken;
    }
    *view = (struct slm_keyed_view){zone, slm_zone_journal(zone), slm_zone_root_locked(zone)};
    if (!slm_keyed_is_object(zone, view->head, kind->head_bytes) ||
        view->head->magic != kind->magic) {
        return HEAD;
    }
    return 0;
}

unsigned slm_keyed_check_entries_locked(const struct slm_keyed_view *view,
                                        const struct slm_keyed_kind *kind, size_t n_more)
{
    unsigned broken = check_links(view, kind);
    if (broken != 0) {
        return broken;
    }
    uint64_t n_expected = 1 + view->head->by_key.n_nodes + n_more;
    return n_objects(slm_zone_slab(view->zone)) == n_expected ? 0 : OBJECTS;
}
