/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black trees: insert and remove. walk.c has the steps; the header searches. */
#include <slabmill/rbtree.h>

#include "allocator/base/check.h"
#include "allocator/tree/change.h"
#include "allocator/tree/node.h"

/*
 * Structure
 *
 *   rbtree           insert, remove                           lru   lists: all of their calls
 *     rbtree_check   the tree's invariants, evaluated
 *       walk         the steps in order
 *         change     checks before the first store; stores    reach   where a link may lead
 *           node     the stored words, pinned
 *
 * Stored   Nodes, trees and lists: words in their user's objects, linked by offsets from the
 *          journal's base, so that every process may map them elsewhere. Nothing else is kept:
 *          struct edit lives for one call.
 * Calls    Every store is put's: through node_put to a journal that is on. Nothing reads the slab
 *          but the checks. So a tree has no recovery of its own: the journal undoes half a rotation.
 *          Searches are in the header, so that the user's comparison becomes part of their loop. An
 *          insert is a check, such a search, and a link.
 * Member   A node's last word records which tree it is in: a second insert, and a remove from
 *          another tree, are refused. So is a copy of a node: its parent links to the original.
 * Ends     A missing child is 0. There is no sentinel, so trees share no memory. A removed node is
 *          all 0.
 * Entries  A call asks the journal for all of its entries first, so it needs an upper bound. Each
 *          store takes at most one. With h nodes on the longest path, h <= RBTREE_HEIGHT_MAX = 86:
 *          insert  link_new 6; then k times three colours, two levels up each time; then at most
 *                  two rotations, 6 each. Rotating takes two more levels above the node, so
 *                  1 + 2k + 2 <= h, k <= 41: 6 + 3 * 41 + 12 = 141. Without rotation k <= 42, and
 *                  the last time spares the root's colour: 6 + 3 * 42 = 132.
 *          delete  unlink at most 8, wipe 5; then one store a level while the path up is all
 *                  black, which is at most RBTREE_BLACKS_MAX = 43 levels; then at most three
 *                  rotations and one colour, 19: 8 + 5 + 43 + 19 = 75.
 *          Colours cost nothing extra: wherever a rotation is due, the two nodes that it turns
 *          exchange colours too, and the colour is in the parent word that is stored anyway.
 */
_Static_assert(SLM_RBTREE_ENTRIES >= 141, "see Entries");
_Static_assert(SLM_RBTREE_LEVELS_MAX == RBTREE_HEIGHT_MAX, "searches end where a right tree ends");

/* A tree under change. Insert and remove are compiled twice, for a journal that is on and for one
 * that is off: INLINED makes change a constant in all that they inline. */
struct edit {
    struct slm_journal *journal;
    struct slm_rbtree *tree;
    struct node_change *change; /* NULL: the journal is off */
};

#define INLINED inline __attribute__((always_inline))

/* offset is not 0. */
static inline struct slm_rbtree_node *at(struct edit edit, uint64_t offset)
{
    return (struct slm_rbtree_node *)(void *)(edit.journal->base + offset);
}

/* The same of a node that only a damaged tree lacks. Then it is NULL, and the process stops before
 * it writes to the memory at base. */
static inline struct slm_rbtree_node *must_be_at(struct edit edit, uint64_t offset)
{
    return rbtree_at(edit.journal, offset);
}

/* node is not NULL. */
static inline uint64_t offset_of(struct edit edit, const struct slm_rbtree_node *node)
{
    return (uint64_t)((const unsigned char *)node - edit.journal->base);
}

static INLINED void put(struct edit edit, uint64_t *word, uint64_t value)
{
    if (edit.change != NULL) {
        node_put(edit.change, word, value);
    } else {
        *word = value;
    }
}

static INLINED void set_parent(struct edit edit, struct slm_rbtree_node *node, uint64_t parent)
{
    put(edit, &node->parent, parent | (node->parent & RBTREE_RED));
}

static INLINED void set_black(struct edit edit, struct slm_rbtree_node *node)
{
    put(edit, &node->parent, rbtree_parent(node));
}

static INLINED void set_red(struct edit edit, struct slm_rbtree_node *node)
{
    put(edit, &node->parent, node->parent | RBTREE_RED);
}

/* A missing child is black. */
static inline bool is_red(struct edit edit, uint64_t offset)
{
    return offset != 0 && rbtree_is_red(at(edit, offset));
}

/* The word that leads to child from above, where parent is the child's: the parent's word, or the
 * tree's if there is none. */
static inline uint64_t *link_to(struct edit edit, uint64_t parent, uint64_t child)
{
    if (parent == 0) {
        return &edit.tree->root;
    }
    struct slm_rbtree_node *above = at(edit, parent);
    return above->left == child ? &above->left : &above->right;
}

/*
 * Turns x down to `side`; up, its child on the other side, takes its place. They exchange colours.
 *
 *        x                up
 *       / \               / \
 *      .  up     ->      x   .          side RBTREE_LEFT
 *         / \           / \
 *     inner  .         . inner
 */
static INLINED void rotate(struct edit edit, struct slm_rbtree_node *x, struct slm_rbtree_node *up,
                           enum rbtree_side side)
{
    uint64_t below = offset_of(edit, x);
    uint64_t above = offset_of(edit, up);
    uint64_t *inner = rbtree_link_of(up, side);
    uint64_t up_red = up->parent & RBTREE_RED;
    SLM_ASSERT(list, rbtree_parent(up) == below);
    put(edit, rbtree_link_of(x, rbtree_other(side)), *inner);
    if (*inner != 0) {
        set_parent(edit, at(edit, *inner), below);
    }
    put(edit, link_to(edit, rbtree_parent(x), below), above);
    put(edit, &up->parent, x->parent);
    put(edit, inner, below);
    put(edit, &x->parent, above | up_red);
}

/* --- Insert --- */

/* As a leaf: red, but for the root. */
static INLINED void link_new(struct edit edit, struct slm_rbtree_node *node,
                             struct slm_rbtree_node *parent, enum rbtree_side side)
{
    uint64_t *link = parent == NULL ? &edit.tree->root : rbtree_link_of(parent, side);
    put(edit, &node->left, 0);
    put(edit, &node->right, 0);
    put(edit, &node->parent, parent == NULL ? 0 : offset_of(edit, parent) | RBTREE_RED);
    put(edit, &node->tree, rbtree_tag(edit.journal, edit.tree));
    put(edit, link, offset_of(edit, node));
    put(edit, &edit.tree->n_nodes, edit.tree->n_nodes + 1);
}

/* parent and x, its child, are red, grand is black, and no uncle is red. `side` is that of parent
 * below grand. */
static INLINED void turn_red(struct edit edit, struct slm_rbtree_node *grand,
                             struct slm_rbtree_node *parent, struct slm_rbtree_node *x,
                             enum rbtree_side side)
{
    if (*rbtree_link_of(parent, side) != offset_of(edit, x)) {
        rotate(edit, parent, x, side);
        parent = x;
    }
    rotate(edit, grand, parent, rbtree_other(side));
}

/* x is red, and maybe parent, which is above it. A red parent is not the root: there is a
 * grandparent. Where the uncle is red too, the three nodes above x change their colours, so every
 * path keeps its number of black nodes; the root stays black. */
static INLINED void fix_red(struct edit edit, struct slm_rbtree_node *x,
                            struct slm_rbtree_node *parent)
{
    for (unsigned n_left = RBTREE_BLACKS_MAX; rbtree_is_red(parent) && n_left > 0; n_left--) {
        struct slm_rbtree_node *grand = must_be_at(edit, rbtree_parent(parent));
        enum rbtree_side side = grand->left == offset_of(edit, parent) ? RBTREE_LEFT : RBTREE_RIGHT;
        uint64_t uncle = *rbtree_link_of(grand, rbtree_other(side));
        if (!is_red(edit, uncle)) {
            turn_red(edit, grand, parent, x, side);
            return;
        }
        set_black(edit, parent);
        set_black(edit, at(edit, uncle));
        uint64_t above = rbtree_parent(grand);
        if (above == 0) {
            return;
        }
        set_red(edit, grand);
        x = grand;
        parent = at(edit, above);
    }
}

static INLINED void insert_at(struct edit edit, struct slm_rbtree_node *node,
                              struct slm_rbtree_node *parent, enum rbtree_side side)
{
    link_new(edit, node, parent, side);
    if (parent != NULL) {
        fix_red(edit, node, parent);
    }
}

/* SLM_CHECKS 3. The range is unknown here, so it is all that offsets can reach. */
static void check_after_change(const struct slm_journal *journal, const struct slm_rbtree *tree,
                               slm_rbtree_order *order)
{
    struct slm_journal links_only = *journal;
    links_only.slab = NULL;
    SLM_CHECK_ALL(slm_rbtree_check(&links_only, tree, order, 1, UINT64_C(1) << 48));
}

static enum slm_status can_change(struct slm_journal *journal, const struct slm_rbtree *tree,
                                  const struct slm_rbtree_node *node)
{
    if (journal->log == NULL) {
        return SLM_OK;
    }
    return node_can_change(journal, tree, sizeof *tree, node, sizeof *node, SLM_RBTREE_ENTRIES);
}

enum slm_status slm_rbtree_insert_check(struct slm_journal *journal, const struct slm_rbtree *tree,
                                        const struct slm_rbtree_node *node)
{
    if (journal == NULL || tree == NULL || node == NULL) {
        return SLM_E_NULL;
    }
    if (node_is_aligned(node) && node->tree != 0) {
        return node_tagged_status(journal, tree, sizeof *tree, node, sizeof *node, node->tree);
    }
    return can_change(journal, tree, node);
}

void slm_rbtree_insert_link(struct slm_journal *journal, struct slm_rbtree *tree,
                            struct slm_rbtree_node *node, struct slm_rbtree_node *parent,
                            bool is_left, slm_rbtree_order *order)
{
    if (journal == NULL || tree == NULL || node == NULL || order == NULL) {
        return;
    }
    enum rbtree_side side = is_left ? RBTREE_LEFT : RBTREE_RIGHT;
    if (journal->log != NULL) {
        struct node_change change = node_change_begin(journal);
        insert_at((struct edit){journal, tree, &change}, node, parent, side);
    } else {
        insert_at((struct edit){journal, tree, NULL}, node, parent, side);
    }
    check_after_change(journal, tree, order);
}

/* --- Delete --- */

/* Where the paths below became one black node shorter. */
struct gap {
    struct slm_rbtree_node *parent; /* NULL: there is none, or it is the whole tree */
    enum rbtree_side side;
};

/* What unlinking left, if a black leaf was below parent. */
static inline struct gap gap_below(struct slm_rbtree_node *parent, const uint64_t *link)
{
    return (struct gap){parent, link == &parent->left ? RBTREE_LEFT : RBTREE_RIGHT};
}

/*
 * Unlinks a node with at most one child, which is then a red leaf: it takes the node's place and is
 * black. Otherwise the paths through a black node become shorter. `link` leads to the node.
 */
static INLINED struct gap unlink_outer(struct edit edit, const struct slm_rbtree_node *node,
                                       uint64_t *link)
{
    uint64_t child = node->left != 0 ? node->left : node->right;
    uint64_t above = rbtree_parent(node);
    put(edit, link, child);
    if (child != 0) {
        SLM_ASSERT(list, is_red(edit, child) && !rbtree_is_red(node));
        put(edit, &at(edit, child)->parent, above);
    } else if (!rbtree_is_red(node) && above != 0) {
        return gap_below(at(edit, above), link);
    }
    return (struct gap){NULL, RBTREE_LEFT};
}

/* The word that leads to the successor of a node with two children. NULL: it is too far below, so
 * the tree is damaged. */
static uint64_t *find_heir(struct edit edit, struct slm_rbtree_node *node)
{
    uint64_t *link = &node->right;
    for (unsigned n_left = RBTREE_HEIGHT_MAX; n_left > 0; n_left--) {
        struct slm_rbtree_node *heir = at(edit, *link);
        if (heir->left == 0) {
            return link;
        }
        link = &heir->left;
    }
    return NULL;
}

/* Unlinks a node with two children: its successor takes its place and its colour. */
static INLINED struct gap unlink_inner(struct edit edit, struct slm_rbtree_node *node,
                                       uint64_t *link, uint64_t *heir_link)
{
    uint64_t y = *heir_link;
    struct slm_rbtree_node *heir = at(edit, y);
    struct gap gap = unlink_outer(edit, heir, heir_link);
    if (gap.parent == node) {
        gap.parent = heir; /* which takes the place of node */
    }
    put(edit, link, y);
    put(edit, &heir->parent, node->parent);
    put(edit, &heir->left, node->left);
    set_parent(edit, at(edit, node->left), y);
    put(edit, &heir->right, node->right);
    if (node->right != 0) {
        set_parent(edit, at(edit, node->right), y);
    }
    return gap;
}

/*
 * The sibling is black and one of its children is red: one or two rotations close the gap.
 * `near` is the sibling's child on the gap's side.
 */
static INLINED void close_gap(struct edit edit, const struct gap *gap,
                              struct slm_rbtree_node *sibling)
{
    enum rbtree_side away = rbtree_other(gap->side);
    uint64_t far = *rbtree_link_of(sibling, away);
    if (!is_red(edit, far)) {
        struct slm_rbtree_node *near = at(edit, *rbtree_link_of(sibling, gap->side));
        far = offset_of(edit, sibling);
        rotate(edit, sibling, near, away); /* near was red and is the sibling now, black */
        sibling = near;
    }
    set_black(edit, at(edit, far));
    rotate(edit, gap->parent, sibling, gap->side);
}

/* Where sibling is black and has no red child, it becomes red: its side is as short as the gap's
 * then, and the gap moves one level up, unless a red node there can become black. */
static INLINED void fix_gap(struct edit edit, struct gap gap)
{
    for (unsigned n_left = RBTREE_BLACKS_MAX; gap.parent != NULL && n_left > 0; n_left--) {
        struct slm_rbtree_node *x = gap.parent;
        struct slm_rbtree_node *sibling =
            must_be_at(edit, *rbtree_link_of(x, rbtree_other(gap.side)));
        if (rbtree_is_red(sibling)) {
            rotate(edit, x, sibling, gap.side);
            /* It is black, and x is red. */
            sibling = must_be_at(edit, *rbtree_link_of(x, rbtree_other(gap.side)));
        }
        if (is_red(edit, sibling->left) || is_red(edit, sibling->right)) {
            close_gap(edit, &gap, sibling);
            return;
        }
        set_red(edit, sibling);
        uint64_t above = rbtree_parent(x);
        if (rbtree_is_red(x)) {
            put(edit, &x->parent, above);
            return;
        }
        if (above == 0) {
            return;
        }
        gap = gap_below(at(edit, above), link_to(edit, above, offset_of(edit, x)));
    }
}

/* A removed node is all 0: none of its words leads anywhere. */
static INLINED void wipe_node(struct edit edit, struct slm_rbtree_node *node)
{
    put(edit, &node->left, 0);
    put(edit, &node->right, 0);
    put(edit, &node->parent, 0);
    put(edit, &node->tree, 0);
    put(edit, &edit.tree->n_nodes, edit.tree->n_nodes - 1);
}

/* heir_link: NULL unless the node has two children. */
static INLINED void remove_at(struct edit edit, struct slm_rbtree_node *node, uint64_t *link,
                              uint64_t *heir_link)
{
    fix_gap(edit, heir_link != NULL ? unlink_inner(edit, node, link, heir_link)
                                    : unlink_outer(edit, node, link));
    wipe_node(edit, node);
}

/* The word that leads to node, or NULL if node is not in the tree. A memcpy of a linked node looks
 * linked; check that the parent's link points here. */
static uint64_t *find_link(struct slm_journal *journal, struct slm_rbtree *tree,
                           const struct slm_rbtree_node *node)
{
    struct edit edit = {journal, tree, NULL};
    uint64_t offset = offset_of(edit, node);
    if (!node_is_aligned(node) || node->tree != rbtree_tag(journal, tree)) {
        return NULL;
    }
    uint64_t *link = link_to(edit, rbtree_parent(node), offset);
    return *link == offset ? link : NULL;
}

enum slm_status slm_rbtree_remove(struct slm_journal *journal, struct slm_rbtree *tree,
                                  struct slm_rbtree_node *node)
{
    if (journal == NULL || tree == NULL || node == NULL) {
        return SLM_E_NULL;
    }
    uint64_t *link = find_link(journal, tree, node);
    if (link == NULL) {
        return SLM_E_NOT_MEMBER;
    }
    enum slm_status status = can_change(journal, tree, node);
    if (status != SLM_OK) {
        return status;
    }
    struct edit edit = {journal, tree, NULL};
    bool is_inner = node->left != 0 && node->right != 0;
    uint64_t *heir_link = is_inner ? find_heir(edit, node) : NULL;
    if (is_inner && heir_link == NULL) {
        return SLM_E_IMAGE;
    }
    if (journal->log != NULL) {
        struct node_change change = node_change_begin(journal);
        remove_at((struct edit){journal, tree, &change}, node, link, heir_link);
    } else {
        remove_at(edit, node, link, heir_link);
    }
    check_after_change(journal, tree, NULL);
    return SLM_OK;
}
