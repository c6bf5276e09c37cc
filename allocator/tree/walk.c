/* SPDX-License-Identifier: Apache-2.0 */
/* The steps through a tree in order. Reads only. The header has the searches. */
#include <slabmill/rbtree.h>

#include "allocator/tree/node.h"

/* The outermost node below offset (0: none) on that side. */
static struct slm_rbtree_node *outermost(const struct slm_journal *journal, uint64_t offset,
                                         enum rbtree_side side)
{
    struct slm_rbtree_node *found = NULL;
    for (unsigned n_left = RBTREE_HEIGHT_MAX; offset != 0 && n_left > 0; n_left--) {
        found = rbtree_at(journal, offset);
        offset = *rbtree_link_of(found, side);
    }
    return found;
}

/* The next node on that side: the nearest below, or else the first above on that side. */
static struct slm_rbtree_node *neighbour(const struct slm_journal *journal,
                                         const struct slm_rbtree_node *node, enum rbtree_side side)
{
    uint64_t below = side == RBTREE_LEFT ? node->left : node->right;
    if (below != 0) {
        return outermost(journal, below, rbtree_other(side));
    }
    uint64_t x = slm_journal_offset(journal, node);
    struct slm_rbtree_node *above = rbtree_at(journal, rbtree_parent(node));
    for (unsigned n_left = RBTREE_HEIGHT_MAX; n_left > 0; n_left--) {
        if (above == NULL || *rbtree_link_of(above, side) != x) {
            return above;
        }
        x = slm_journal_offset(journal, above);
        above = rbtree_at(journal, rbtree_parent(above));
    }
    return NULL;
}

struct slm_rbtree_node *slm_rbtree_first(const struct slm_journal *journal,
                                         const struct slm_rbtree *tree)
{
    return journal == NULL || tree == NULL ? NULL : outermost(journal, tree->root, RBTREE_LEFT);
}

struct slm_rbtree_node *slm_rbtree_last(const struct slm_journal *journal,
                                        const struct slm_rbtree *tree)
{
    return journal == NULL || tree == NULL ? NULL : outermost(journal, tree->root, RBTREE_RIGHT);
}

struct slm_rbtree_node *slm_rbtree_next(const struct slm_journal *journal,
                                        const struct slm_rbtree_node *node)
{
    return journal == NULL || node == NULL ? NULL : neighbour(journal, node, RBTREE_RIGHT);
}

struct slm_rbtree_node *slm_rbtree_prev(const struct slm_journal *journal,
                                        const struct slm_rbtree_node *node)
{
    return journal == NULL || node == NULL ? NULL : neighbour(journal, node, RBTREE_LEFT);
}
