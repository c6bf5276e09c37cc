/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of the example libraries' heads, evaluated: read-only, bounded, safe on any zone. */
#include "examples/common/keyed.h"

/*
 * Below 200: the zone's own (allocator/zone/check.c).
 * 201 to 206: the table's (allocator/table/check.c).
 * 207  The zone has no objects but head, entries and the n_more that the library reports.
 * 208  The root is a live object with room for the head, whose magic is the kind's.
 * 209  The key of every entry begins where the library's struct ends.
 */
enum { OBJECTS = 207, HEAD, SHAPE };

bool slm_keyed_is_object(struct slm_zone *zone, const void *p, size_t n_bytes)
{
    struct slm_slab_place place;
    slm_slab_locate(slm_zone_slab(zone), p, &place);
    return place.is_live && place.object == p && place.object_bytes >= n_bytes;
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

unsigned slm_keyed_check_head_locked(struct slm_keyed_view *view, struct slm_zone *zone,
                                     const struct slm_keyed_kind *kind)
{
    unsigned broken = slm_zone_check_locked(zone);
    if (broken != 0) {
        return broken;
    }
    struct slm_keyed *head = slm_zone_root_locked(zone);
    if (!slm_keyed_is_object(zone, head, kind->head_bytes) || head->magic != kind->magic) {
        return HEAD;
    }
    *view = (struct slm_keyed_view){zone, slm_zone_journal(zone), head, &head->table};
    return 0;
}

static bool shapes_are_right(const struct slm_keyed_view *view, const struct slm_keyed_kind *kind)
{
    const struct slm_table_entry *entry = slm_table_oldest_locked(view->zone, view->table);
    for (; entry != NULL; entry = slm_table_newer_locked(view->zone, entry)) {
        if (entry->key_at != kind->entry_bytes) {
            return false;
        }
    }
    return true;
}

unsigned slm_keyed_check_entries_locked(const struct slm_keyed_view *view,
                                        const struct slm_keyed_kind *kind, uint64_t n_more)
{
    unsigned broken = slm_table_check_locked(view->zone, view->table);
    if (broken != 0) {
        return broken;
    }
    if (!shapes_are_right(view, kind)) {
        return SHAPE;
    }
    uint64_t n_expected = 1 + view->table->by_key.n_nodes + n_more;
    return n_objects(slm_zone_slab(view->zone)) == n_expected ? 0 : OBJECTS;
}
