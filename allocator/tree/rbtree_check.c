/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates the red-black tree's invariants: read-only, bounded, safe for any content. */
#include "allocator/tree/node.h"
#include "allocator/tree/reach.h"

/*
 * I1   The journal's slab, if it has one, is sound by its own check.
 * I2   Every link leads to a node: 8-aligned, wholly within the range and within a live object.
 * I3   A node's parent word is the offset of the node that leads to it, 0 for the root, and bit 0.
 * I4   No node is both children of its parent. With I3: none is reached twice, there is no cycle.
 * I5   Every node records that it is in this tree.
 * I6   The root is black, and no red node is below a red one.
 * I7   All paths from the root to a missing child have the same number of black nodes.
 * I8   n_nodes is the number of nodes, and no more than the range has room for.
 * I9   No node belongs before its predecessor.
 *
 * The walk goes down only, keeps its links to visit on a stack, and reads each word of a node once:
 * it is safe even if the memory changes meanwhile. A node is counted
 * before it is entered, so n_nodes bounds the steps, and the range bounds n_nodes (I8). The
 * order is checked last, along links that are known to be right.
 */
enum invariant { OK, I1, I2, I3, I4, I5, I6, I7, I8, I9 };

/* A link to follow. */
struct visit {
    uint64_t link;     /* 0: a missing child */
    uint64_t parent;   /* where the link was found; 0: in the tree */
    unsigned n_blacks; /* on the path to it */
    bool below_red;
};

/* While I6 and I7 hold so far, a path is no longer than RBTREE_HEIGHT_MAX. It leaves one link a
 * level to visit, and two on the last level. */
struct walk {
    struct reach reach;
    uint64_t tag;
    uint64_t n_nodes; /* as the tree says */
    uint64_t n_seen;
    unsigned n_blacks; /* of each path; UINT32_MAX: not known yet */
    unsigned n_visits;
    struct visit visits[RBTREE_HEIGHT_MAX + 2];
};

static void push(struct walk *walk, uint64_t link, const struct visit *from, unsigned n_blacks,
                 bool below_red)
{
    struct visit *visit = &walk->visits[walk->n_visits++];
    visit->link = link;
    visit->parent = from->link;
    visit->n_blacks = n_blacks;
    visit->below_red = below_red;
}

/* A path ended at a missing child. */
static enum invariant end_path(struct walk *walk, unsigned n_blacks)
{
    if (walk->n_blacks == UINT32_MAX) {
        walk->n_blacks = n_blacks;
    }
    return walk->n_blacks == n_blacks ? OK : I7;
}

static enum invariant enter(struct walk *walk, const struct visit *visit)
{
    if (!reach_has(&walk->reach, visit->link)) {
        return I2;
    }
    const struct slm_rbtree_node *node = rbtree_at(walk->reach.journal, visit->link);
    uint64_t parent = node_word(&node->parent);
    uint64_t left = node_word(&node->left);
    uint64_t right = node_word(&node->right);
    bool red = (parent & RBTREE_RED) != 0;
    unsigned n_blacks = visit->n_blacks + !red;
    if ((parent & ~RBTREE_RED) != visit->parent) {
        return I3;
    }
    if (left == right && left != 0) {
        return I4;
    }
    if (node_word(&node->tree) != walk->tag) {
        return I5;
    }
    if (red && visit->below_red) {
        return I6;
    }
    if (++walk->n_seen > walk->n_nodes) {
        return I8;
    }
    if (n_blacks > RBTREE_BLACKS_MAX) {
        return I7;
    }
    push(walk, right, visit, n_blacks, red);
    push(walk, left, visit, n_blacks, red);
    return OK;
}

/* I2 to I8. */
static enum invariant check_links(struct walk *walk, uint64_t root)
{
    const struct visit above = {0, 0, 0, true};
    push(walk, root, &above, 0, true);
    while (walk->n_visits > 0) {
        const struct visit visit = walk->visits[--walk->n_visits];
        enum invariant broken =
            visit.link == 0 ? end_path(walk, visit.n_blacks) : enter(walk, &visit);
        if (broken != OK) {
            return broken;
        }
    }
    return walk->n_seen == walk->n_nodes ? OK : I8;
}

/* I9; the links are known to be right. */
static enum invariant check_order(const struct slm_journal *journal, const struct slm_rbtree *tree,
                                  slm_rbtree_order *order)
{
    const struct slm_rbtree_node *before = slm_rbtree_first(journal, tree);
    while (before != NULL) {
        const struct slm_rbtree_node *node = slm_rbtree_next(journal, before);
        if (node != NULL && order(node, before) < 0) {
            return I9;
        }
        before = node;
    }
    return OK;
}

unsigned slm_rbtree_check_in_sound_slab(const struct slm_journal *journal,
                                        const struct slm_rbtree *tree, slm_rbtree_order *order,
                                        uint64_t low, uint64_t high)
{
    struct walk walk;
    walk.reach = (struct reach){journal, low, high, sizeof(struct slm_rbtree_node)};
    walk.tag = rbtree_tag(journal, tree);
    walk.n_nodes = node_word(&tree->n_nodes);
    walk.n_seen = 0;
    walk.n_blacks = UINT32_MAX;
    walk.n_visits = 0;
    if (walk.n_nodes > reach_nodes_max(&walk.reach)) {
        return I8;
    }
    enum invariant broken = check_links(&walk, node_word(&tree->root));
    return broken == OK && order != NULL ? check_order(journal, tree, order) : broken;
}

unsigned slm_rbtree_check(const struct slm_journal *journal, const struct slm_rbtree *tree,
                          slm_rbtree_order *order, uint64_t low, uint64_t high)
{
    if (journal == NULL || tree == NULL) {
        return OK;
    }
    return reach_is_sound(journal) ? slm_rbtree_check_in_sound_slab(journal, tree, order, low, high)
                                   : I1;
}
