/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed internals, for keyed*.c. */
#ifndef SLM_EXAMPLES_KEYED_PRIV_H
#define SLM_EXAMPLES_KEYED_PRIV_H

#include "examples/common/keyed.h"

/* FNV-1a, 64 bits. */
uint64_t keyed_hash(const void *data, size_t n_bytes);

/* The order of keys with one hash: by length, then bytes. */
int keyed_order_bytes(const struct slm_key *key, const struct slm_keyed_entry *entry);

/* By hash, then as keyed_order_bytes. Inline, so that a search of the tree compares hashes only and
 * calls nothing until one is equal. */
static inline int keyed_compare(const void *key, const struct slm_rbtree_node *node)
{
    const struct slm_key *left = (const struct slm_key *)key;
    const struct slm_keyed_entry *right = (const struct slm_keyed_entry *)node;
    if (left->hash != right->hash) {
        return left->hash < right->hash ? -1 : 1;
    }
    return keyed_order_bytes(left, right);
}

static inline int keyed_order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    const struct slm_keyed_entry *left = (const struct slm_keyed_entry *)a;
    const struct slm_keyed_entry *right = (const struct slm_keyed_entry *)b;
    if (left->hash != right->hash) {
        return left->hash < right->hash ? -1 : 1;
    }
    const struct slm_key key = {slm_keyed_key(left), left->key_bytes, left->hash};
    return keyed_order_bytes(&key, right);
}

static inline struct slm_keyed_entry *keyed_of_use(const struct slm_lru_node *node)
{
    return node == NULL ? NULL
                        : (struct slm_keyed_entry *)((uintptr_t)node -
                                                     offsetof(struct slm_keyed_entry, by_use));
}

#endif
