/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black trees: how they are built; insert. remove.c has the other half, walk.c the steps; the
 * header searches. */
#include <slabmill/rbtree.h>

#include "allocator/tree/edit.h"

/*
 * Structure
 *
 *   rbtree           insert                                   lru   lists: all of their calls
 *   remove           remove
 *     edit           the steps that both take
 *     rbtree_check   the tree's invariants, evaluated
 *       walk         the steps in order
 *         change     checks before the first store; stores    reach   where a link may lead
 *           node     the stored words, pinned
 *
 * Stored   Nodes, trees and lists: words in their user's objects, linked by offsets from the
 *          journal's base, so that every process may map them elsewhere. Nothing else is kept:
 *          struct edit lives for one call.
 * Calls    Every store is edit_set's. Stores go in batches: the old values of all words of a rotation,
 *          say, are noted first, then counted at once, and then the words change. Nothing reads
 *          the slab but the checks. So a tree has no recovery of its own: the journal undoes half a
 *          rotation.
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
 *          The loops of a damaged tree take no more, since they count their levels: fix_red has
 *          turned or recoloured after RECOLOURINGS_MAX = 42. fix_gap takes one entry a level, up to
 *          the level at which it returns: where it takes more, x is red or close_gap follows.
 *          Colours cost nothing extra: wherever a rotation is due, the two nodes that it turns
 *          exchange colours too, and the colour is in the parent word that is stored anyway.
 */
#define RECOLOURINGS_MAX (RBTREE_BLACKS_MAX - 1)
_Static_assert(SLM_RBTREE_ENTRIES >= 6 + 3 * (RECOLOURINGS_MAX - 1) + 12, "see Entries");
_Static_assert(SLM_RBTREE_ENTRIES >= 6 + 3 * RECOLOURINGS_MAX, "see Entries");
_Static_assert(SLM_RBTREE_LEVELS_MAX == RBTREE_HEIGHT_MAX, "as the header says");
_Static_assert(SLM_RBTREE_LEVELS_TRIED >= RBTREE_HEIGHT_MAX, "searches see all of a right tree");

/* As a leaf: red, but for the root. `link` is to lead to the node. */
static INLINED void link_new(struct edit edit, struct slm_rbtree_node *node,
                             struct slm_rbtree_node *parent, slm_word *link)
{
    if (edit.change != NULL && !node_is_fresh(edit.journal, node)) {
        edit_note_two(edit, &node->parent, &node->tree);
        if (SLM_UNLIKELY((node->left | node->right) != 0)) { /* the caller did not zero it */
            edit_note_two(edit, &node->left, &node->right);
        }
    }
    edit_note(edit, link);
    edit_note(edit, &edit.tree->n_nodes);
    edit_count(edit);
    edit_set(edit, &node->left, 0);
    edit_set(edit, &node->right, 0);
    edit_set(edit, &node->parent, parent == NULL ? 0 : edit_offset(edit, parent) | RBTREE_RED);
    edit_set(edit, &node->tree, edit_tag(edit));
    edit_set(edit, link, edit_offset(edit, node));
    edit_set(edit, &edit.tree->n_nodes, edit.tree->n_nodes + 1);
}

/* parent and x, its child, are red, grand is black, and no uncle is red. `side` is that of parent
 * below grand. */
static INLINED void turn_red(struct edit edit, struct slm_rbtree_node *grand,
                             struct slm_rbtree_node *parent, struct slm_rbtree_node *x,
                             enum rbtree_side side)
{
    if (*rbtree_link_of(parent, side) != edit_offset(edit, x)) {
        edit_rotate(edit, parent, x, side);
        parent = x;
    }
    edit_rotate(edit, grand, parent, rbtree_other(side));
}

/* A red parent, its red sibling and their black parent exchange colours. is_root: grand stays
 * black. */
static INLINED void recolour(struct edit edit, struct slm_rbtree_node *parent,
                             struct slm_rbtree_node *uncle, struct slm_rbtree_node *grand,
                             bool is_root)
{
    edit_note(edit, &parent->parent);
    edit_note(edit, &uncle->parent);
    if (!is_root) {
        edit_note(edit, &grand->parent);
    }
    edit_count(edit);
    edit_set_black(edit, parent);
    edit_set_black(edit, uncle);
    if (!is_root) {
        edit_set_red(edit, grand);
    }
}

/* x is red, and maybe parent, which is above it. A red parent is not the root: there is a
 * grandparent. Where the uncle is red too, the three nodes above x change their colours, so every
 * path keeps its number of black nodes; the root stays black. */
static INLINED void fix_red(struct edit edit, struct slm_rbtree_node *x,
                            struct slm_rbtree_node *parent)
{
    for (unsigned n_left = RECOLOURINGS_MAX; rbtree_is_red(parent) && n_left > 0; n_left--) {
        struct slm_rbtree_node *grand = edit_must_be_at(edit, rbtree_parent(parent));
        enum rbtree_side side =
            grand->left == edit_offset(edit, parent) ? RBTREE_LEFT : RBTREE_RIGHT;
        uint64_t uncle = *rbtree_link_of(grand, rbtree_other(side));
        if (!edit_is_red(edit, uncle)) {
            turn_red(edit, grand, parent, x, side);
            return;
        }
        uint64_t above = rbtree_parent(grand);
        recolour(edit, parent, edit_at(edit, uncle), grand, above == 0);
        if (above == 0) {
            return;
        }
        x = grand;
        parent = edit_at(edit, above);
    }
}

static SLM_NOINLINE void fix_red_noted(struct slm_journal *journal, struct slm_rbtree *tree,
                                       struct slm_rbtree_node *x, struct slm_rbtree_node *parent)
{
    struct node_change change = node_change_go_on(journal);
    fix_red((struct edit){journal, tree, &change}, x, parent);
}

static SLM_NOINLINE void fix_red_plain(struct slm_journal *journal, struct slm_rbtree *tree,
                                       struct slm_rbtree_node *x, struct slm_rbtree_node *parent)
{
    fix_red((struct edit){journal, tree, NULL}, x, parent);
}

/* In its own function, so that the usual insert saves no registers. */
static SLM_NOINLINE enum slm_status check_new_node(struct slm_journal *journal,
                                                   const struct slm_rbtree *tree,
                                                   const struct slm_rbtree_node *node,
                                                   enum node_look look)
{
    return rbtree_check_node(journal, tree, node, look);
}

enum slm_status slm_rbtree_insert_check(struct slm_journal *journal, const struct slm_rbtree *tree,
                                        const struct slm_rbtree_node *node)
{
    if (SLM_UNLIKELY(journal == NULL) || SLM_UNLIKELY(tree == NULL) || SLM_UNLIKELY(node == NULL)) {
        return SLM_E_NULL;
    }
    if (SLM_LIKELY(node_is_aligned(node)) && SLM_UNLIKELY(node->tree != 0)) {
        return node_tagged_status(journal, tree, sizeof *tree, node, sizeof *node, node->tree);
    }
    if (journal->log == NULL) {
        return SLM_OK;
    }
    enum node_look look = rbtree_look(journal, tree, node, true);
    return SLM_LIKELY(look == NODE_READY) ? SLM_OK : check_new_node(journal, tree, node, look);
}

/* The first node of a tree. In its own function, so that other inserts do not ask for a parent again. */
static SLM_NOINLINE void link_root(struct slm_journal *journal, struct slm_rbtree *tree,
                                   struct slm_rbtree_node *node, slm_word *link)
{
    if (journal->log != NULL && link != NULL) {
        struct node_change change = node_change_begin(journal);
        link_new((struct edit){journal, tree, &change}, node, NULL, link);
    } else if (link != NULL) {
        link_new((struct edit){journal, tree, NULL}, node, NULL, link);
    }
}

void slm_rbtree_insert_link(struct slm_journal *journal, struct slm_rbtree *tree,
                            struct slm_rbtree_node *node, struct slm_rbtree_node *parent,
                            slm_word *link, slm_rbtree_order *order)
{
    if (SLM_UNLIKELY(journal == NULL) || SLM_UNLIKELY(tree == NULL) || SLM_UNLIKELY(node == NULL)) {
        return;
    }
    if (SLM_UNLIKELY(parent == NULL)) {
        link_root(journal, tree, node, link);
    } else if (journal->log != NULL && SLM_LIKELY(link != NULL)) {
        struct node_change change = node_change_begin(journal);
        link_new((struct edit){journal, tree, &change}, node, parent, link);
        if (rbtree_is_red(parent)) {
            fix_red_noted(journal, tree, node, parent);
        }
    } else if (SLM_LIKELY(link != NULL)) {
        link_new((struct edit){journal, tree, NULL}, node, parent, link);
        if (rbtree_is_red(parent)) {
            fix_red_plain(journal, tree, node, parent);
        }
    }
    rbtree_check_after_change(journal, tree, order);
}
