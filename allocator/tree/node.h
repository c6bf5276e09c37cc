/* SPDX-License-Identifier: Apache-2.0 */
/* What trees and lists store in shared memory: their words, pinned, and what those mean. */
#ifndef SLM_TREE_NODE_H
#define SLM_TREE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator/base/pin.h"
#include <slabmill/journal.h>
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

SLM_PIN_SIZE(slm_rbtree_node, 32);
SLM_PIN_FIELD(slm_rbtree_node, left, 0, 8);
SLM_PIN_FIELD(slm_rbtree_node, right, 8, 8);
SLM_PIN_FIELD(slm_rbtree_node, parent, 16, 8);
SLM_PIN_FIELD(slm_rbtree_node, tree, 24, 8);
SLM_PIN_SIZE(slm_rbtree, 16);
SLM_PIN_FIELD(slm_rbtree, root, 0, 8);
SLM_PIN_FIELD(slm_rbtree, n_nodes, 8, 8);

SLM_PIN_SIZE(slm_lru_node, 24);
SLM_PIN_FIELD(slm_lru_node, newer, 0, 8);
SLM_PIN_FIELD(slm_lru_node, older, 8, 8);
SLM_PIN_FIELD(slm_lru_node, list, 16, 8);
SLM_PIN_SIZE(slm_lru, 24);
SLM_PIN_FIELD(slm_lru, newest, 0, 8);
SLM_PIN_FIELD(slm_lru, oldest, 8, 8);
SLM_PIN_FIELD(slm_lru, n_nodes, 16, 8);

/* False: a caller's mistake, so none of its words may be read. */
static inline bool node_is_aligned(const void *node)
{
    return (uintptr_t)node % sizeof(slm_word) == 0;
}

/* A word as checks read it: once, since memory that is damaged may change meanwhile too. */
static inline uint64_t node_word(const slm_word *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* --- Red-black trees --- */

#define RBTREE_RED UINT64_C(1) /* of a parent word */

/*
 * Offsets are below 2^48 and a node is 32 bytes, so there are fewer than 2^43 nodes; n nodes make
 * no path from the root longer than 2 log2(n + 1), of which at most log2(n + 1) are black.
 */
#define RBTREE_BLACKS_MAX 43u
#define RBTREE_HEIGHT_MAX (2 * RBTREE_BLACKS_MAX)

/* What a node's tree word holds while it is in that tree: never 0, even of a tree at base. */
static inline uint64_t rbtree_tag(const struct slm_journal *journal, const struct slm_rbtree *tree)
{
    return slm_journal_offset(journal, tree) | 1u;
}

static inline struct slm_rbtree_node *rbtree_at(const struct slm_journal *journal, uint64_t offset)
{
    return (struct slm_rbtree_node *)slm_journal_pointer(journal, offset);
}

static inline uint64_t rbtree_parent(const struct slm_rbtree_node *node)
{
    return node->parent & ~RBTREE_RED;
}

static inline bool rbtree_is_red(const struct slm_rbtree_node *node)
{
    return (node->parent & RBTREE_RED) != 0;
}

enum rbtree_side { RBTREE_LEFT, RBTREE_RIGHT };

static inline enum rbtree_side rbtree_other(enum rbtree_side side)
{
    return side == RBTREE_LEFT ? RBTREE_RIGHT : RBTREE_LEFT;
}

static inline uint64_t *rbtree_link_of(struct slm_rbtree_node *node, enum rbtree_side side)
{
    return side == RBTREE_LEFT ? &node->left : &node->right;
}

#endif
