/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed internals, for keyed*.c. */
#ifndef SLM_EXAMPLES_KEYED_PRIV_H
#define SLM_EXAMPLES_KEYED_PRIV_H

#include "examples/common/keyed.h"

/* FNV-1a, 64 bits. */
uint64_t keyed_hash(const void *data, size_t n_bytes);

/* By hash, then length, then bytes. */
slm_rbtree_order keyed_order;
slm_rbtree_compare keyed_compare;

static inline struct slm_keyed_entry *keyed_of_use(const struct slm_lru_node *node)
{
    return node == NULL ? NULL
                        : (struct slm_keyed_entry *)((uintptr_t)node -
                                                     offsetof(struct slm_keyed_entry, by_use));
}

#endif
