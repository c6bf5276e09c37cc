/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: how the room is built; workers come and go, take and give. */
#include <slabmill/lease.h>

#include "allocator/base/check.h"
#include "allocator/journal/log.h"
#include "allocator/lease/book.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

/*
 * Structure
 *
 *   lease      taking and giving, joining and leaving, reclaiming        check    invariants
 *
 * Stored      book.h: a book with its slots, the counts, and an object for each lease, which is in
 *             the list of its slot and in that of its count.
 * Stale       A lease is named by its offset and its serial number, and numbers are never used
 *             again: so a lease that was given back, and one whose memory is used for another,
 *             are refused.
 * Death       A slot's leases are given back one by one, each with what the user's callback does
 *             about it, in a transaction of its own; the slot itself last.
 */

/* Whether an object starts at p that has room for n_bytes. */
static bool is_object(const struct slm_zone *zone, const void *p, size_t n_bytes)
{
    struct slm_slab_place place;
    slm_slab_locate(zone->slab, p, &place);
    return place.is_live && place.object == p && place.object_bytes >= n_bytes;
}

/* Whether the book's object has room for n_slots after it. */
static bool has_slots(const struct slm_zone *zone, const struct slm_lease_book *book,
                      uint64_t n_slots)
{
    struct slm_slab_place place;
    slm_slab_locate(zone->slab, book, &place);
    size_t at = (size_t)((const unsigned char *)book - (const unsigned char *)place.object);
    return place.is_live &&
           sizeof *book + SLM_LEASE_SLOTS_BYTES(n_slots) <= place.object_bytes - at;
}

enum slm_status slm_lease_init_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                      uint32_t n_workers)
{
    if (zone == NULL || book == NULL) {
        return SLM_E_NULL;
    }
    if (zone->lock == NULL) {
        return SLM_E_READ_ONLY;
    }
    if (n_workers == 0 || n_workers > SLM_LEASE_WORKERS_MAX || !has_slots(zone, book, n_workers)) {
        return SLM_E_SIZE;
    }
    return book->n_slots != 0 ? SLM_E_STATE
                              : slm_journal_write(&zone->journal, &book->n_slots, n_workers);
}

bool slm_lease_is_mine_locked(const struct slm_lease_book *book,
                              const struct slm_lease_worker *worker)
{
    return book != NULL && worker != NULL && worker->slot_idx < book->n_slots &&
           lease_slot_in(book, worker->slot_idx)->identity == slm_lock_self();
}

/* --- Taking and giving --- */

/* Whether the calling thread may take and give: through a handle that may write, in a slot. */
static enum slm_status check_worker(const struct slm_zone *zone, const struct slm_lease_book *book,
                                    const struct slm_lease_worker *worker)
{
    if (zone->lock == NULL) {
        return SLM_E_READ_ONLY;
    }
    return slm_lease_is_mine_locked(book, worker) ? SLM_OK : SLM_E_OWNER;
}

/* Half of a change was made, and the other half cannot be. */
static enum slm_status refuse_half(struct slm_journal *journal, enum slm_status status)
{
    return status == SLM_OK ? SLM_OK : slm_journal_refuse(journal, status);
}

/* The lease is the transaction's newest object: what is stored in it takes no notes. */
static enum slm_status link_lease(struct slm_zone *zone, struct slm_lease_book *book,
                                  struct lease_object *object, struct slm_lease_count *count)
{
    struct slm_journal *journal = &zone->journal;
    struct slm_lru *of_slot = &lease_slot(book, object->slot_idx)->leases;
    enum slm_status status = slm_lru_insert(journal, &count->leases, &object->of_count);
    if (status == SLM_OK) {
        status = slm_lru_insert(journal, of_slot, &object->of_slot);
    }
    if (status == SLM_OK) {
        status = slm_journal_write(journal, &book->n_taken, object->serial);
    }
    return refuse_half(journal, status);
}

enum slm_status slm_lease_take_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                      const struct slm_lease_worker *worker,
                                      struct slm_lease_count *count, struct slm_lease *lease)
{
    if (zone == NULL || book == NULL || worker == NULL || count == NULL || lease == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = check_worker(zone, book, worker);
    if (status == SLM_OK) {
        status = slm_journal_need(&zone->journal, SLM_LEASE_TAKE_ENTRIES);
    }
    if (status != SLM_OK) {
        return status;
    }
    struct lease_object *object = slm_journal_calloc(&zone->journal, sizeof *object);
    if (object == NULL && zone_forget_unbacked(zone)) {
        object = slm_journal_calloc(&zone->journal, sizeof *object);
    }
    if (object == NULL) {
        return zone->unbacked != SLM_OK ? zone->unbacked : SLM_E_NOMEM;
    }
    object->serial = book->n_taken + 1;
    object->slot_idx = worker->slot_idx;
    object->count = slm_journal_offset(&zone->journal, count);
    status = link_lease(zone, book, object, count);
    if (status == SLM_OK) {
        *lease = (struct slm_lease){slm_journal_offset(&zone->journal, object), object->serial};
    }
    return status;
}

/* *count: the count that was lowered; untouched or NULL in a failure. */
static enum slm_status give(struct slm_zone *zone, struct slm_lease_book *book,
                            struct lease_object *object, struct slm_lease_count **count)
{
    struct slm_journal *journal = &zone->journal;
    struct slm_lru *of_slot = &lease_slot(book, object->slot_idx)->leases;
    struct slm_lease_count *lowered = slm_journal_pointer(journal, object->count);
    enum slm_status status = slm_journal_need(journal, SLM_LEASE_GIVE_ENTRIES);
    if (status == SLM_OK) {
        status = slm_lru_remove(journal, of_slot, &object->of_slot);
    }
    if (status != SLM_OK) {
        return status;
    }
    status = slm_lru_remove(journal, &lowered->leases, &object->of_count);
    if (status == SLM_OK) {
        status = slm_journal_free(journal, object);
    }
    *count = status == SLM_OK ? lowered : NULL;
    return refuse_half(journal, status);
}

/* Serial numbers are never used twice: a lease with this number is the lease that the caller
 * means. */
static bool is_lease(const struct slm_zone *zone, const struct slm_lease_worker *worker,
                     const struct slm_lease *lease)
{
    if (lease->offset >= zone_bytes(zone)) {
        return false;
    }
    const struct lease_object *object = slm_journal_pointer(&zone->journal, lease->offset);
    return is_object(zone, object, sizeof *object) && object->serial == lease->serial &&
           object->slot_idx == worker->slot_idx && object->of_slot.list != 0;
}

enum slm_status slm_lease_give_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                      const struct slm_lease_worker *worker,
                                      const struct slm_lease *lease, struct slm_lease_count **count)
{
    struct slm_lease_count *unused;
    if (count != NULL) {
        *count = NULL;
    }
    if (zone == NULL || book == NULL || worker == NULL || lease == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = check_worker(zone, book, worker);
    if (status != SLM_OK) {
        return status;
    }
    if (!is_lease(zone, worker, lease)) {
        return SLM_E_NOT_MEMBER;
    }
    struct lease_object *object = slm_journal_pointer(&zone->journal, lease->offset);
    return give(zone, book, object, count == NULL ? &unused : count);
}

/* --- Workers --- */

/* A call that gives back several leases. */
struct giver {
    slm_lease_given *given;
    void *data;
    bool is_reclaiming; /* not a worker's own leave */
    size_t n;           /* given back so far */
};

/* Whether the calls that commit may begin. */
static enum slm_status check_turn(const struct slm_zone *zone)
{
    if (zone->lock == NULL) {
        return SLM_E_READ_ONLY;
    }
    if (!zone_is_held(zone)) {
        return SLM_E_OWNER;
    }
    return journal_is_clean(&zone->journal) ? SLM_OK : SLM_E_STATE;
}

/* Each transaction leaves the slot with fewer leases, also if the callback takes or aborts. So the
 * caller's loop ends. */
static enum slm_status give_oldest(struct slm_zone *zone, struct slm_lease_book *book,
                                   struct slm_lease_slot *slot, struct giver *giver)
{
    struct slm_lru_node *node = slm_lru_oldest(&zone->journal, &slot->leases);
    struct slm_lease_count *count = NULL;
    uint64_t n_before = slot->leases.n_nodes;
    enum slm_status status = give(zone, book, lease_of_slot(node), &count);
    if (status == SLM_OK && giver->is_reclaiming) {
        status = slm_journal_write(&zone->journal, &book->n_reclaimed, book->n_reclaimed + 1);
    }
    if (status == SLM_OK && giver->given != NULL) {
        giver->given(zone, count, giver->data);
        status = slot->leases.n_nodes < n_before ? SLM_OK : SLM_E_STATE;
    }
    if (status == SLM_OK) {
        status = slm_zone_commit_locked(zone);
    } else {
        slm_zone_abort_locked(zone);
    }
    giver->n += status == SLM_OK;
    return status;
}

/* Gives back a slot's leases, one transaction each, and then the slot itself. */
static enum slm_status empty_slot(struct slm_zone *zone, struct slm_lease_book *book,
                                  struct slm_lease_slot *slot, struct giver *giver)
{
    enum slm_status status = SLM_OK;
    while (status == SLM_OK && slot->leases.oldest != 0) {
        status = give_oldest(zone, book, slot, giver);
    }
    if (status == SLM_OK) {
        (void)slm_journal_write(&zone->journal, &slot->identity, 0);
        status = slm_zone_commit_locked(zone);
    }
    return status;
}

static bool is_dead(const struct slm_lease_slot *slot, uint64_t place)
{
    return slot->identity != 0 && (slot->place != place || !slm_lock_is_alive(slot->identity));
}

/* The turn was checked. */
static enum slm_status reclaim(struct slm_zone *zone, struct slm_lease_book *book,
                               struct giver *giver)
{
    uint64_t place = slm_zone_find_place(zone);
    enum slm_status status = SLM_OK;
    for (uint64_t i = 0; i < book->n_slots && status == SLM_OK; i++) {
        struct slm_lease_slot *slot = lease_slot(book, i);
        if (is_dead(slot, place)) {
            status = empty_slot(zone, book, slot, giver);
        }
    }
    return status;
}

enum slm_status slm_lease_reclaim_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                         slm_lease_given *given, void *data, size_t *n)
{
    struct giver giver = {given, data, true, 0};
    if (n != NULL) {
        *n = 0;
    }
    enum slm_status status = zone == NULL || book == NULL ? SLM_E_NULL : check_turn(zone);
    if (status == SLM_OK) {
        status = reclaim(zone, book, &giver);
    }
    if (n != NULL) {
        *n = giver.n;
    }
    return status;
}

/* The first free slot. SLM_E_DUPLICATE: the calling thread has one; SLM_E_SPACE. */
static enum slm_status find_free_slot(const struct slm_lease_book *book, uint32_t *slot_idx)
{
    uint64_t self = slm_lock_self();
    uint64_t free_idx = book->n_slots;
    for (uint64_t i = book->n_slots; i-- > 0;) {
        uint64_t identity = lease_slot_in(book, i)->identity;
        if (identity == self) {
            return SLM_E_DUPLICATE;
        }
        free_idx = identity == 0 ? i : free_idx;
    }
    *slot_idx = (uint32_t)free_idx;
    return free_idx == book->n_slots ? SLM_E_SPACE : SLM_OK;
}

enum slm_status slm_lease_join_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                      slm_lease_given *given, void *data,
                                      struct slm_lease_worker *worker)
{
    struct giver giver = {given, data, true, 0};
    if (zone == NULL || book == NULL || worker == NULL) {
        return SLM_E_NULL;
    }
    uint32_t slot_idx = 0;
    enum slm_status status = check_turn(zone);
    if (status == SLM_OK) {
        status = reclaim(zone, book, &giver);
    }
    if (status == SLM_OK) {
        status = find_free_slot(book, &slot_idx);
    }
    if (status != SLM_OK) {
        return status;
    }
    struct slm_lease_slot *slot = lease_slot(book, slot_idx);
    (void)slm_journal_write(&zone->journal, &slot->place, slm_zone_find_place(zone));
    (void)slm_journal_write(&zone->journal, &slot->identity, slm_lock_self());
    status = slm_zone_commit_locked(zone);
    if (status == SLM_OK) {
        worker->slot_idx = slot_idx;
    }
    return status;
}

enum slm_status slm_lease_leave_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                       slm_lease_given *given, void *data,
                                       const struct slm_lease_worker *worker)
{
    struct giver giver = {given, data, false, 0};
    if (zone == NULL || book == NULL || worker == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = check_turn(zone);
    if (status == SLM_OK && !slm_lease_is_mine_locked(book, worker)) {
        status = SLM_E_OWNER;
    }
    return status == SLM_OK ? empty_slot(zone, book, lease_slot(book, worker->slot_idx), &giver)
                            : status;
}

uint64_t slm_lease_n_all_locked(const struct slm_lease_book *book)
{
    uint64_t n = 0;
    for (uint64_t i = 0; book != NULL && i < book->n_slots; i++) {
        n += lease_slot_in(book, i)->leases.n_nodes;
    }
    return n;
}

uint32_t slm_lease_n_workers_locked(const struct slm_lease_book *book)
{
    uint32_t n = 0;
    for (uint64_t i = 0; book != NULL && i < book->n_slots; i++) {
        n += lease_slot_in(book, i)->identity != 0;
    }
    return n;
}
