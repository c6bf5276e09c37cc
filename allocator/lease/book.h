/* SPDX-License-Identifier: Apache-2.0 */
/* What books and leases store in shared memory, pinned, and how to get from one to another. */
#ifndef SLM_LEASE_BOOK_H
#define SLM_LEASE_BOOK_H

#include "allocator/base/pin.h"
#include <slabmill/lease.h>

/* One unit of a count. */
struct lease_object {
    struct slm_lru_node of_slot;
    struct slm_lru_node of_count;
    slm_word serial;
    slm_word slot_idx;
    slm_word count; /* offset */
};

SLM_PIN_SIZE(lease_object, 72);
SLM_PIN_FIELD(lease_object, of_slot, 0, 24);
SLM_PIN_FIELD(lease_object, of_count, 24, 24);
SLM_PIN_FIELD(lease_object, serial, 48, 8);
SLM_PIN_FIELD(lease_object, slot_idx, 56, 8);
SLM_PIN_FIELD(lease_object, count, 64, 8);

SLM_PIN_SIZE(slm_lease_book, 24);
SLM_PIN_FIELD(slm_lease_book, n_slots, 0, 8);
SLM_PIN_FIELD(slm_lease_book, n_taken, 8, 8);
SLM_PIN_FIELD(slm_lease_book, n_reclaimed, 16, 8);

SLM_PIN_SIZE(slm_lease_slot, 40);
SLM_PIN_FIELD(slm_lease_slot, identity, 0, 8);
SLM_PIN_FIELD(slm_lease_slot, place, 8, 8);
SLM_PIN_FIELD(slm_lease_slot, leases, 16, 24);

SLM_PIN_SIZE(slm_lease_count, 24);
SLM_PIN_FIELD(slm_lease_count, leases, 0, 24);

static inline const struct slm_lease_slot *lease_slot_in(const struct slm_lease_book *book,
                                                         uint64_t slot_idx)
{
    return (const struct slm_lease_slot *)(const void *)(book + 1) + slot_idx;
}

static inline struct slm_lease_slot *lease_slot(struct slm_lease_book *book, uint64_t slot_idx)
{
    return (struct slm_lease_slot *)(void *)(book + 1) + slot_idx;
}

/* node is not NULL; tests in C++ use this too. */
static inline struct lease_object *lease_of_slot(const struct slm_lru_node *node)
{
    return (struct lease_object *)((uintptr_t)node - offsetof(struct lease_object, of_slot));
}

static inline struct lease_object *lease_of_count(const struct slm_lru_node *node)
{
    return (struct lease_object *)((uintptr_t)node - offsetof(struct lease_object, of_count));
}

#endif
