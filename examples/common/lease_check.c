/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of leases, evaluated: read-only, bounded. */
#include "examples/common/lease_priv.h"

/*
 * 211  The links of each slot's list are right, and a free slot has an empty list.
 * 212  Every lease of a slot starts a live object, records that slot, and has a serial number that
 *      was assigned.
 * 213  The links of each entry's list are right.
 * 214  Every lease of an entry is in some slot's list and records that entry; the lists of entries
 *      and the lists of slots hold equally many.
 */
enum { SLOT = 211, LEASE, ENTRY, MEMBERS };

/* The slab was checked already. With a slab in the journal, each list's check would check the whole
 * slab again. */
static unsigned check_list(const struct slm_keyed_view *view, const struct slm_lru *list)
{
    struct slm_journal links_only = *view->journal;
    struct slm_zone_stats stats;
    slm_zone_get_stats(view->zone, &stats);
    links_only.slab = NULL;
    return slm_lru_check(&links_only, list, 1, stats.bytes);
}

static bool lease_is_right(const struct slm_keyed_view *view, const struct slm_lease_book *book,
                           const struct lease_object *object, unsigned slot_idx)
{
    return slm_keyed_is_object(view->zone, object, sizeof *object) &&
           object->slot_idx == slot_idx && object->serial > 0 && object->serial <= book->n_taken;
}

static unsigned check_slot(const struct slm_keyed_view *view, const struct slm_lease_book *book,
                           unsigned slot_idx)
{
    const struct slm_lease_slot *slot = &book->slots[slot_idx];
    if (check_list(view, &slot->leases) != 0 ||
        (slot->identity == 0 && slot->leases.n_nodes != 0)) {
        return SLOT;
    }
    const struct slm_lru_node *node = slm_lru_newest(view->journal, &slot->leases);
    for (; node != NULL; node = slm_lru_older(view->journal, node)) {
        if (!lease_is_right(view, book, lease_of_slot(node), slot_idx)) {
            return LEASE;
        }
    }
    return 0;
}

/* Adds the entry's leases to *n. */
static unsigned check_entry(const struct slm_keyed_view *view, const struct slm_lease_book *book,
                            const struct slm_lease_entry *entry, size_t *n)
{
    if (check_list(view, &entry->leases) != 0) {
        return ENTRY;
    }
    const struct slm_lru_node *node = slm_lru_newest(view->journal, &entry->leases);
    for (; node != NULL; node = slm_lru_older(view->journal, node)) {
        const struct lease_object *object = lease_of_entry(node);
        if (!slm_keyed_is_object(view->zone, object, sizeof *object) ||
            object->slot_idx >= SLM_LEASE_WORKERS_MAX ||
            !lease_is_right(view, book, object, (unsigned)object->slot_idx) ||
            object->of_slot.list == 0 ||
            slm_journal_pointer(view->journal, object->entry) != (const void *)entry) {
            return MEMBERS;
        }
        (*n)++;
    }
    return 0;
}

unsigned slm_lease_check_locked(const struct slm_keyed_view *view,
                                const struct slm_lease_book *book)
{
    unsigned broken = 0;
    size_t n = 0;
    for (unsigned i = 0; i < SLM_LEASE_WORKERS_MAX && broken == 0; i++) {
        broken = check_slot(view, book, i);
    }
    const struct slm_keyed_entry *entry = slm_keyed_oldest(view);
    for (; entry != NULL && broken == 0; entry = slm_keyed_newer(view, entry)) {
        broken = check_entry(view, book, (const struct slm_lease_entry *)entry, &n);
    }
    if (broken == 0 && n != slm_lease_count(book)) {
        broken = MEMBERS;
    }
    return broken;
}
