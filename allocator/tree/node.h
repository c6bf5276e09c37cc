/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black tree internals, for rbtree*.c and their tests: what the words of a node mean. */
#ifndef SLM_RBTREE_PRIV_H
#define SLM_RBTREE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/journal.h>
#include <slabmill/rbtree.h>

#define RBTREE_RED UINT64_C(1) /* of a parent word */

/*
 * Offsets are below 2^48 and a node is 32 bytes, so there are fewer than 2^43 nodes; n nodes make
 * no way from the root longer than 2 log2(n + 1), of which at most log2(n + 1) are black.
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

#endif
