/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that insert and remove of a tree are made of: rbtree.c and remove.c. */
#ifndef SLM_TREE_EDIT_H
#define SLM_TREE_EDIT_H

#include "allocator/base/check.h"
#include "allocator/tree/change.h"
#include "allocator/tree/node.h"

/* A tree under change. Insert and remove are compiled twice, for a journal that is on and for one
 * that is off: INLINED makes change a constant in all that they inline. */
struct edit {
    struct slm_journal *journal;
    struct slm_rbtree *tree;
    struct node_change *change; /* NULL: the journal is off */
};

#define INLINED inline __attribute__((always_inline))

/* offset is not 0. */
static inline struct slm_rbtree_node *edit_at(struct edit edit, uint64_t offset)
{
    return (struct slm_rbtree_node *)(void *)(edit.journal->base + offset);
}

/* The same of a node that only a damaged tree lacks. Then it is NULL, and the process stops before
 * it writes to the memory at base. */
static inline struct slm_rbtree_node *edit_must_be_at(struct edit edit, uint64_t offset)
{
    return rbtree_at(edit.journal, offset);
}

/* node is not NULL. */
static inline uint64_t edit_offset(struct edit edit, const struct slm_rbtree_node *node)
{
    return (uint64_t)((const unsigned char *)node - edit.journal->base);
}

static INLINED void edit_note(struct edit edit, const slm_word *word)
{
    if (edit.change != NULL) {
        node_note(edit.change, word);
    }
}

/* Two words of one node. */
static INLINED void edit_note_two(struct edit edit, const slm_word *a, const slm_word *b)
{
    edit_note(edit, a);
    edit_note(edit, b);
}

/* The batch is complete: its words may change now. */
static INLINED void edit_count(struct edit edit)
{
    if (edit.change != NULL) {
        node_count(edit.change);
    }
}

static INLINED void edit_set(struct edit edit, slm_word *word, uint64_t value)
{
    if (edit.change != NULL) {
        node_set(word, value);
    } else {
        *word = value;
    }
}

static INLINED void edit_set_parent(struct edit edit, struct slm_rbtree_node *node, uint64_t parent)
{
    edit_set(edit, &node->parent, parent | (node->parent & RBTREE_RED));
}

/* What its nodes' tree words hold: rbtree_tag. */
static inline uint64_t edit_tag(struct edit edit)
{
    return (uint64_t)((const unsigned char *)edit.tree - edit.journal->base) | 1u;
}

static INLINED void edit_set_black(struct edit edit, struct slm_rbtree_node *node)
{
    edit_set(edit, &node->parent, rbtree_parent(node));
}

static INLINED void edit_set_red(struct edit edit, struct slm_rbtree_node *node)
{
    edit_set(edit, &node->parent, node->parent | RBTREE_RED);
}

/* A missing child is black. */
static inline bool edit_is_red(struct edit edit, uint64_t offset)
{
    return offset != 0 && rbtree_is_red(edit_at(edit, offset));
}

/* The word that leads to child from above, where parent is the child's: the parent's word, or the
 * tree's if there is none. */
static inline uint64_t *edit_link_to(struct edit edit, uint64_t parent, uint64_t child)
{
    if (parent == 0) {
        return &edit.tree->root;
    }
    struct slm_rbtree_node *above = edit_at(edit, parent);
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
static INLINED void edit_rotate(struct edit edit, struct slm_rbtree_node *x,
                                struct slm_rbtree_node *up, enum rbtree_side side)
{
    uint64_t below = edit_offset(edit, x);
    uint64_t above = edit_offset(edit, up);
    uint64_t *from_x = rbtree_link_of(x, rbtree_other(side));
    uint64_t *from_up = rbtree_link_of(up, side);
    uint64_t *link = edit_link_to(edit, rbtree_parent(x), below);
    uint64_t inner = *from_up; /* a pointer would cost more compares with NULL */
    uint64_t up_red = up->parent & RBTREE_RED;
    SLM_ASSERT(list, rbtree_parent(up) == below);
    edit_note_two(edit, from_x, &x->parent);
    edit_note_two(edit, from_up, &up->parent);
    edit_note(edit, link);
    if (inner != 0) {
        edit_note(edit, &edit_at(edit, inner)->parent);
    }
    edit_count(edit);
    edit_set(edit, from_x, inner);
    if (inner != 0) {
        edit_set_parent(edit, edit_at(edit, inner), below);
    }
    edit_set(edit, link, above);
    edit_set(edit, &up->parent, x->parent);
    edit_set(edit, from_up, below);
    edit_set(edit, &x->parent, above | up_red);
}

/* SLM_CHECKS 3. The range is unknown here, so it is all that offsets can reach. */
static inline void rbtree_check_after_change(const struct slm_journal *journal,
                                             const struct slm_rbtree *tree, slm_rbtree_order *order)
{
    struct slm_journal links_only = *journal;
    links_only.slab = NULL;
    SLM_CHECK_ALL(slm_rbtree_check(&links_only, tree, order, 1, UINT64_C(1) << 48));
}

static CHANGE_INLINE enum node_look rbtree_look(const struct slm_journal *journal,
                                                const struct slm_rbtree *tree,
                                                const struct slm_rbtree_node *node, bool is_insert)
{
    return node_look(journal, tree, sizeof *tree, node, sizeof *node, SLM_RBTREE_ENTRIES,
                     is_insert);
}

static CHANGE_INLINE enum slm_status rbtree_check_node(struct slm_journal *journal,
                                                       const struct slm_rbtree *tree,
                                                       const struct slm_rbtree_node *node,
                                                       enum node_look look)
{
    return node_check(journal, tree, sizeof *tree, node, sizeof *node, SLM_RBTREE_ENTRIES, look);
}

#endif
