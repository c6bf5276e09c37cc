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
 * Calls    Every store goes through node_put to the journal, and nothing reads the slab but the
 *          checks. So a tree has no recovery of its own: the journal undoes half a rotation.
 *          Searches are in the header, so that the user's comparison becomes part of their loop. An
 *          insert is a check, such a search, and a link.
 * Member   A node's last word records which tree it is in: a second insert, and a remove from
 *          another tree, are refused. So is a copy of a node: its parent links to the original.
 * Ends     A missing child is 0. There is no sentinel, so trees share no memory. A removed node is
 *          all 0.
 * Entries  A call asks the journal for all of its entries first, so it needs an upper bound. Each
 *          store takes at most one. With h nodes on the longest path, h <= RBTREE_HEIGHT_MAX = 86:
 *          insert  link_new 6; then k times recolour, 3 each, two levels up each time; then at most
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

/* A tree under change. */
struct edit {
    struct slm_journal *journal;
    struct slm_rbtree *tree;
};

static struct slm_rbtree_node *at(const struct edit *edit, uint64_t offset)
{
    return rbtree_at(edit->journal, offset);
}

static void put(const struct edit *edit, uint64_t *word, uint64_t value)
{
    node_put(edit->journal, word, value);
}

static void set_parent(const struct edit *edit, uint64_t offset, uint64_t parent)
{
    struct slm_rbtree_node *node = at(edit, offset);
    put(edit, &node->parent, parent | (node->parent & RBTREE_RED));
}

static void set_black(const struct edit *edit, uint64_t offset)
{
    struct slm_rbtree_node *node = at(edit, offset);
    put(edit, &node->parent, rbtree_parent(node));
}

static void set_red(const struct edit *edit, uint64_t offset)
{
    struct slm_rbtree_node *node = at(edit, offset);
    put(edit, &node->parent, node->parent | RBTREE_RED);
}

/* A missing child is black. */
static bool is_red(const struct edit *edit, uint64_t offset)
{
    return offset != 0 && rbtree_is_red(at(edit, offset));
}

static enum rbtree_side side_of(const struct edit *edit, uint64_t parent, uint64_t child)
{
    return at(edit, parent)->left == child ? RBTREE_LEFT : RBTREE_RIGHT;
}

/* The word that leads to child from above: the parent's, or the tree's if there is none. */
static uint64_t *link_to(const struct edit *edit, uint64_t parent, uint64_t child)
{
    return parent == 0 ? &edit->tree->root
                       : rbtree_link_of(at(edit, parent), side_of(edit, parent, child));
}

/*
 * Turns x down to `side`; y, its child on the other side, comes up. They exchange colours.
 *
 *        x                 y
 *       / \               / \
 *      .   y     ->      x   .          side RBTREE_LEFT
 *         / \           / \
 *     inner  .         . inner
 */
static void rotate(const struct edit *edit, uint64_t x, enum rbtree_side side)
{
    struct slm_rbtree_node *down = at(edit, x);
    uint64_t y = *rbtree_link_of(down, rbtree_other(side));
    struct slm_rbtree_node *up = at(edit, y);
    uint64_t inner = *rbtree_link_of(up, side);
    uint64_t up_red = up->parent & RBTREE_RED;
    SLM_ASSERT(list, rbtree_parent(up) == x);
    put(edit, rbtree_link_of(down, rbtree_other(side)), inner);
    if (inner != 0) {
        set_parent(edit, inner, x);
    }
    put(edit, link_to(edit, rbtree_parent(down), x), y);
    put(edit, &up->parent, down->parent);
    put(edit, rbtree_link_of(up, side), x);
    put(edit, &down->parent, y | up_red);
}

/* --- Insert --- */

/* As a leaf: red, but for the root. */
static void link_new(const struct edit *edit, struct slm_rbtree_node *node, uint64_t parent,
                     enum rbtree_side side)
{
    uint64_t *link = parent == 0 ? &edit->tree->root : rbtree_link_of(at(edit, parent), side);
    put(edit, &node->left, 0);
    put(edit, &node->right, 0);
    put(edit, &node->parent, parent == 0 ? 0 : parent | RBTREE_RED);
    put(edit, &node->tree, rbtree_tag(edit->journal, edit->tree));
    put(edit, link, slm_journal_offset(edit->journal, node));
    put(edit, &edit->tree->n_nodes, edit->tree->n_nodes + 1);
}

/* Parent and uncle of x are red, their parent, grand, is black: the other way round, every way
 * stays as long. */
static void recolour(const struct edit *edit, uint64_t grand)
{
    set_black(edit, at(edit, grand)->left);
    set_black(edit, at(edit, grand)->right);
    if (grand != edit->tree->root) {
        set_red(edit, grand);
    }
}

/* x is red, and maybe its parent, too. A red parent is not the root: there is a grandparent. */
static void fix_red(const struct edit *edit, uint64_t x)
{
    uint64_t parent = rbtree_parent(at(edit, x));
    while (is_red(edit, x) && is_red(edit, parent)) {
        uint64_t grand = rbtree_parent(at(edit, parent));
        enum rbtree_side side = side_of(edit, grand, parent);
        uint64_t uncle = *rbtree_link_of(at(edit, grand), rbtree_other(side));
        if (!is_red(edit, uncle)) {
            if (side_of(edit, parent, x) != side) {
                rotate(edit, parent, side);
            }
            rotate(edit, grand, rbtree_other(side));
            return;
        }
        recolour(edit, grand);
        x = grand;
        parent = rbtree_parent(at(edit, x));
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
    return node_can_change(journal, tree, sizeof *tree, node, sizeof *node, SLM_RBTREE_ENTRIES);
}

enum slm_status slm_rbtree_insert_check(struct slm_journal *journal, const struct slm_rbtree *tree,
                                        const struct slm_rbtree_node *node)
{
    if (journal == NULL || tree == NULL || node == NULL) {
        return SLM_E_NULL;
    }
    if (node_is_aligned(node) && node->tree != 0) {
        return SLM_E_DUPLICATE;
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
    struct edit edit = {journal, tree};
    link_new(&edit, node, slm_journal_offset(journal, parent),
             is_left ? RBTREE_LEFT : RBTREE_RIGHT);
    fix_red(&edit, slm_journal_offset(journal, node));
    check_after_change(journal, tree, order);
}

/* --- Delete --- */

/* Where the paths below became one black node shorter. */
struct gap {
    uint64_t parent; /* 0: the whole tree, which is fine */
    enum rbtree_side side;
};

/*
 * Unlinks a node with at most one child, which is then a red leaf: it takes the node's place and is
 * black. False: the paths through it are as long as before.
 */
static bool unlink_outer(const struct edit *edit, uint64_t x, struct gap *gap)
{
    struct slm_rbtree_node *node = at(edit, x);
    uint64_t child = node->left != 0 ? node->left : node->right;
    gap->parent = rbtree_parent(node);
    gap->side = gap->parent == 0 ? RBTREE_LEFT : side_of(edit, gap->parent, x);
    put(edit, link_to(edit, gap->parent, x), child);
    if (child != 0) {
        SLM_ASSERT(list, is_red(edit, child) && !rbtree_is_red(node));
        put(edit, &at(edit, child)->parent, gap->parent);
        return false;
    }
    return !rbtree_is_red(node);
}

/* Unlinks a node with two children: its successor takes its place and its colour. */
static bool unlink_inner(const struct edit *edit, uint64_t x, struct gap *gap)
{
    struct slm_rbtree_node *node = at(edit, x);
    uint64_t y = node->right;
    while (at(edit, y)->left != 0) {
        y = at(edit, y)->left;
    }
    struct slm_rbtree_node *heir = at(edit, y);
    bool is_shorter = unlink_outer(edit, y, gap);
    if (gap->parent == x) {
        gap->parent = y; /* y takes the place of x */
    }
    uint64_t above = rbtree_parent(node);
    put(edit, link_to(edit, above, x), y);
    put(edit, &heir->parent, node->parent);
    put(edit, &heir->left, node->left);
    set_parent(edit, node->left, y);
    put(edit, &heir->right, node->right);
    if (node->right != 0) {
        set_parent(edit, node->right, y);
    }
    return is_shorter;
}

/*
 * The sibling is black and one of its children is red: one or two rotations close the gap.
 * `near` is the sibling's child on the gap's side.
 */
static void close_gap(const struct edit *edit, const struct gap *gap)
{
    enum rbtree_side away = rbtree_other(gap->side);
    uint64_t sibling = *rbtree_link_of(at(edit, gap->parent), away);
    if (!is_red(edit, *rbtree_link_of(at(edit, sibling), away))) {
        rotate(edit, sibling, away); /* near was red and is the sibling now, black */
        sibling = *rbtree_link_of(at(edit, gap->parent), away);
    }
    set_black(edit, *rbtree_link_of(at(edit, sibling), away));
    rotate(edit, gap->parent, gap->side);
}

/* The sibling becomes red: its side is as short now, and the gap moves one level up. */
static void raise_gap(const struct edit *edit, struct gap *gap, uint64_t sibling)
{
    uint64_t x = gap->parent;
    set_red(edit, sibling);
    gap->parent = rbtree_parent(at(edit, x));
    gap->side = gap->parent == 0 ? RBTREE_LEFT : side_of(edit, gap->parent, x);
}

static void fix_gap(const struct edit *edit, struct gap *gap)
{
    while (gap->parent != 0) {
        uint64_t x = gap->parent;
        uint64_t sibling = *rbtree_link_of(at(edit, x), rbtree_other(gap->side));
        if (is_red(edit, sibling)) {
            rotate(edit, x, gap->side);
            sibling =
                *rbtree_link_of(at(edit, x), rbtree_other(gap->side)); /* black, and x is red */
        }
        if (is_red(edit, at(edit, sibling)->left) || is_red(edit, at(edit, sibling)->right)) {
            close_gap(edit, gap);
            return;
        }
        raise_gap(edit, gap, sibling);
        if (is_red(edit, x)) {
            set_black(edit, x);
            return;
        }
    }
}

/* A removed node is all 0: none of its words leads anywhere. */
static void wipe_node(const struct edit *edit, struct slm_rbtree_node *node)
{
    put(edit, &node->left, 0);
    put(edit, &node->right, 0);
    put(edit, &node->parent, 0);
    put(edit, &node->tree, 0);
    put(edit, &edit->tree->n_nodes, edit->tree->n_nodes - 1);
}

/* A memcpy of a linked node looks linked; check that the parent's link points here. */
static bool is_linked(const struct edit *edit, const struct slm_rbtree_node *node)
{
    uint64_t offset = slm_journal_offset(edit->journal, node);
    return node_is_aligned(node) && node->tree == rbtree_tag(edit->journal, edit->tree) &&
           *link_to(edit, rbtree_parent(node), offset) == offset;
}

enum slm_status slm_rbtree_remove(struct slm_journal *journal, struct slm_rbtree *tree,
                                  struct slm_rbtree_node *node)
{
    if (journal == NULL || tree == NULL || node == NULL) {
        return SLM_E_NULL;
    }
    struct edit edit = {journal, tree};
    if (!is_linked(&edit, node)) {
        return SLM_E_NOT_MEMBER;
    }
    enum slm_status status = can_change(journal, tree, node);
    if (status != SLM_OK) {
        return status;
    }
    struct gap gap;
    uint64_t x = slm_journal_offset(journal, node);
    bool is_inner = node->left != 0 && node->right != 0;
    bool is_shorter = is_inner ? unlink_inner(&edit, x, &gap) : unlink_outer(&edit, x, &gap);
    if (is_shorter) {
        fix_gap(&edit, &gap);
    }
    wipe_node(&edit, node);
    check_after_change(journal, tree, NULL);
    return SLM_OK;
}
