/* SPDX-License-Identifier: Apache-2.0 */
/* Lease internals, for lease*.c and the tests that break their invariants by hand. */
#ifndef SLM_EXAMPLES_LEASE_PRIV_H
#define SLM_EXAMPLES_LEASE_PRIV_H

#include "examples/common/lease.h"

/* In shared memory. */
struct lease_object {
    struct slm_lru_node of_slot; /* first */
    struct slm_lru_node of_entry;
    uint64_t serial;
    uint64_t slot_idx;
    uint64_t entry; /* offset */
};

static inline struct lease_object *lease_of_slot(const struct slm_lru_node *node)
{
    return (struct lease_object *)(uintptr_t)node;
}

static inline struct lease_object *lease_of_entry(const struct slm_lru_node *node)
{
    return node == NULL
               ? NULL
               : (struct lease_object *)((uintptr_t)node - offsetof(struct lease_object, of_entry));
}

#endif
