/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of leases, evaluated: read-only, bounded, safe for any content. */
#include "allocator/base/check.h"
#include "allocator/lease/book.h"
#include "allocator/slab/view.h"
#include "allocator/tree/reach.h"
#include "allocator/zone/handle.h"

/*
 * 211  The slab is sound (the check of a count does not ask), and the book lies 8-aligned in a live object that holds its slots.
 * 212  The links of each slot's list are right, and a free slot has an empty list.
 * 213  Every lease of a slot starts a live object, records that slot, and has a serial number that
 *      was assigned.
 * 214  The count lies 8-aligned in a live object, and the links of its list are right.
 * 215  Every lease of a count is in its slot's list, as 213 says, and records that count.
 * 216  The workers have as many leases as the counts have together.
 */
enum { OK, BOOK = 211, SLOT, LEASE, COUNT, MEMBER, SUM };

/* Whether n_bytes at p are words in one live object. */
static bool are_words(const struct slm_zone *zone, const void *p, uint64_t n_bytes)
{
    struct slm_slab_place place;
    slm_slab_locate(zone->slab, p, &place);
    size_t at = (size_t)((const unsigned char *)p - (const unsigned char *)place.object);
    return (uintptr_t)p % sizeof(slm_word) == 0 && place.is_live && at <= place.object_bytes &&
           n_bytes <= place.object_bytes - at;
}

static bool is_object(const struct slm_zone *zone, const void *p, size_t n_bytes)
{
    struct slm_slab_place place;
    slm_slab_locate(zone->slab, p, &place);
    return place.is_live && place.object == p && place.object_bytes >= n_bytes;
}

static bool book_is_right(const struct slm_zone *zone, const struct slm_lease_book *book)
{
    return are_words(zone, book, sizeof *book) && book->n_slots <= SLM_LEASE_WORKERS_MAX &&
           are_words(zone, book, sizeof *book + SLM_LEASE_SLOTS_BYTES(book->n_slots));
}

/* The slab was checked, or is not asked about: see 211. */
static bool list_is_right(const struct slm_zone *zone, const struct slm_lru *list)
{
    return slm_lru_check_in_sound_slab(&zone->journal, list, 1, slm_segment_bytes(zone->segment)) ==
           0;
}

static bool lease_is_right(const struct slm_zone *zone, const struct slm_lease_book *book,
                           const struct lease_object *object)
{
    return is_object(zone, object, sizeof *object) && object->slot_idx < book->n_slots &&
           object->serial > 0 && object->serial <= book->n_taken;
}

static unsigned check_slot(const struct slm_zone *zone, const struct slm_lease_book *book,
                           uint64_t slot_idx)
{
    const struct slm_lease_slot *slot = lease_slot_in(book, slot_idx);
    if (!list_is_right(zone, &slot->leases) || (slot->identity == 0 && slot->leases.n_nodes != 0)) {
        return SLOT;
    }
    const struct slm_lru_node *node = slm_lru_newest(&zone->journal, &slot->leases);
    for (; node != NULL; node = slm_lru_older(&zone->journal, node)) {
        const struct lease_object *object = lease_of_slot(node);
        if (!lease_is_right(zone, book, object) || object->slot_idx != slot_idx) {
            return LEASE;
        }
    }
    return OK;
}

unsigned slm_lease_check_locked(struct slm_zone *zone, const struct slm_lease_book *book,
                                uint64_t n_counted)
{
    if (zone == NULL || book == NULL) {
        return OK;
    }
    if (slm_slab_check_locked(zone->slab) != 0 || !book_is_right(zone, book)) {
        return BOOK;
    }
    unsigned broken = OK;
    for (uint64_t i = 0; i < book->n_slots && broken == OK; i++) {
        broken = check_slot(zone, book, i);
    }
    return broken == OK && slm_lease_n_all_locked(book) != n_counted ? SUM : broken;
}

/* A node that is linked in a slot's list says so; whether that list is right is asked of the
 * book. */
static bool is_member(const struct slm_zone *zone, const struct slm_lease_book *book,
                      const struct slm_lease_count *count, const struct lease_object *object)
{
    if (!lease_is_right(zone, book, object)) {
        return false;
    }
    const struct slm_lru *list = &lease_slot_in(book, object->slot_idx)->leases;
    return object->of_slot.list == (slm_journal_offset(&zone->journal, list) | 1u) &&
           object->count == slm_journal_offset(&zone->journal, count);
}

unsigned slm_lease_check_count_locked(struct slm_zone *zone, const struct slm_lease_book *book,
                                      const struct slm_lease_count *count)
{
    if (zone == NULL || book == NULL || count == NULL) {
        return OK;
    }
    if (!book_is_right(zone, book)) {
        return BOOK;
    }
    if (!are_words(zone, count, sizeof *count) || !list_is_right(zone, &count->leases)) {
        return COUNT;
    }
    const struct slm_lru_node *node = slm_lru_newest(&zone->journal, &count->leases);
    for (; node != NULL; node = slm_lru_older(&zone->journal, node)) {
        if (!is_member(zone, book, count, lease_of_count(node))) {
            return MEMBER;
        }
    }
    return OK;
}
