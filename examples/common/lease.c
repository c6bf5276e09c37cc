/* SPDX-License-Identifier: Apache-2.0 */
/* Counts that belong to a worker. */
#include "examples/common/lease.h"

#include "examples/common/lease_priv.h"

bool slm_lease_is_mine(const struct slm_lease_book *book, const struct slm_lease_worker *worker)
{
    return worker->slot_idx < SLM_LEASE_WORKERS_MAX &&
           book->slots[worker->slot_idx].identity == slm_lock_self();
}

enum slm_status slm_lease_take(const struct slm_keyed_view *view, struct slm_lease_book *book,
                               const struct slm_lease_worker *worker, struct slm_lease_entry *entry,
                               struct slm_lease *lease)
{
    if (!slm_lease_is_mine(book, worker)) {
        return SLM_E_OWNER;
    }
    struct lease_object *object = slm_journal_calloc(view->journal, sizeof *object);
    if (object == NULL) {
        return SLM_E_NOMEM;
    }
    slm_keyed_count(view, &book->n_taken);
    object->serial = book->n_taken;
    object->slot_idx = worker->slot_idx;
    object->entry = slm_journal_offset(view->journal, entry);
    (void)slm_lru_insert(view->journal, &book->slots[worker->slot_idx].leases, &object->of_slot);
    (void)slm_lru_insert(view->journal, &entry->leases, &object->of_entry);
    *lease = (struct slm_lease){slm_journal_offset(view->journal, object), object->serial};
    return SLM_OK;
}

static struct slm_lease_entry *give(const struct slm_keyed_view *view, struct slm_lease_book *book,
                                    struct lease_object *object)
{
    struct slm_lease_entry *entry = slm_journal_pointer(view->journal, object->entry);
    (void)slm_lru_remove(view->journal, &book->slots[object->slot_idx].leases, &object->of_slot);
    (void)slm_lru_remove(view->journal, &entry->leases, &object->of_entry);
    (void)slm_journal_free(view->journal, object);
    return entry;
}

/* Serial numbers are never used twice: a lease with this number is the lease that the caller means.
 */
static bool is_lease(const struct slm_keyed_view *view, const struct slm_lease_worker *worker,
                     const struct slm_lease *lease)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(view->zone, &stats);
    if (lease->offset == 0 || lease->offset >= stats.bytes) {
        return false;
    }
    const struct lease_object *object = slm_journal_pointer(view->journal, lease->offset);
    return slm_keyed_is_object(view->zone, object, sizeof *object) &&
           object->serial == lease->serial && object->slot_idx == worker->slot_idx &&
           object->of_slot.list != 0;
}

enum slm_status slm_lease_give(const struct slm_keyed_view *view, struct slm_lease_book *book,
                               const struct slm_lease_worker *worker, const struct slm_lease *lease,
                               struct slm_lease_entry **entry)
{
    if (!slm_lease_is_mine(book, worker)) {
        return SLM_E_OWNER;
    }
    if (!is_lease(view, worker, lease)) {
        return SLM_E_NOT_MEMBER;
    }
    *entry = give(view, book, slm_journal_pointer(view->journal, lease->offset));
    return SLM_OK;
}

/* Gives back a slot's leases, one transaction each, and then the slot itself. */
static size_t empty_slot(const struct slm_keyed_view *view, struct slm_lease_book *book,
                         unsigned slot_idx, slm_lease_given *given)
{
    struct slm_lease_slot *slot = &book->slots[slot_idx];
    struct slm_lru_node *node;
    size_t n = 0;
    while ((node = slm_lru_oldest(view->journal, &slot->leases)) != NULL) {
        given(view, give(view, book, lease_of_slot(node)));
        slm_keyed_count(view, &book->n_reclaimed);
        if (!slm_keyed_commit(view)) {
            return n;
        }
        n++;
    }
    (void)slm_journal_write(view->journal, &slot->identity, 0);
    (void)slm_keyed_commit(view);
    return n;
}

size_t slm_lease_reclaim_locked(const struct slm_keyed_view *view, struct slm_lease_book *book,
                                slm_lease_given *given)
{
    size_t n = 0;
    for (unsigned i = 0; i < SLM_LEASE_WORKERS_MAX; i++) {
        uint64_t identity = book->slots[i].identity;
        if (identity != 0 && !slm_lock_is_alive(identity)) {
            n += empty_slot(view, book, i, given);
        }
    }
    return n;
}

enum slm_status slm_lease_join_locked(const struct slm_keyed_view *view,
                                      struct slm_lease_book *book, slm_lease_given *given,
                                      struct slm_lease_worker *worker)
{
    unsigned free_idx = SLM_LEASE_WORKERS_MAX;
    (void)slm_lease_reclaim_locked(view, book, given);
    for (unsigned i = SLM_LEASE_WORKERS_MAX; i-- > 0;) {
        if (book->slots[i].identity == slm_lock_self()) {
            return SLM_E_DUPLICATE;
        }
        free_idx = book->slots[i].identity == 0 ? i : free_idx;
    }
    if (free_idx == SLM_LEASE_WORKERS_MAX) {
        return SLM_E_SPACE;
    }
    (void)slm_journal_write(view->journal, &book->slots[free_idx].identity, slm_lock_self());
    if (!slm_keyed_commit(view)) {
        return SLM_E_FULL;
    }
    worker->slot_idx = free_idx;
    return SLM_OK;
}

enum slm_status slm_lease_leave_locked(const struct slm_keyed_view *view,
                                       struct slm_lease_book *book, slm_lease_given *given,
                                       const struct slm_lease_worker *worker)
{
    if (!slm_lease_is_mine(book, worker)) {
        return SLM_E_OWNER;
    }
    (void)empty_slot(view, book, worker->slot_idx, given);
    return SLM_OK;
}

size_t slm_lease_count(const struct slm_lease_book *book)
{
    size_t n = 0;
    for (unsigned i = 0; i < SLM_LEASE_WORKERS_MAX; i++) {
        n += (size_t)book->slots[i].leases.n_nodes;
    }
    return n;
}

unsigned slm_lease_n_workers(const struct slm_lease_book *book)
{
    unsigned n = 0;
    for (unsigned i = 0; i < SLM_LEASE_WORKERS_MAX; i++) {
        n += book->slots[i].identity != 0 ? 1 : 0;
    }
    return n;
}
