/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black trees: remove. rbtree.c says how trees are built. */
#include "allocator/tree/edit.h"

_Static_assert(SLM_RBTREE_ENTRIES >= 8 + 5 + RBTREE_BLACKS_MAX + 19, "see Entries in rbtree.c");

/* Where the paths below became one black node shorter. */
struct gap {
    bool is_open; /* false: there is none, or it is the whole tree, and what follows is not set */
    enum rbtree_side side;
    struct slm_rbtree_node *parent;
};

/* What unlinking left, if a black leaf was below parent. */
static inline struct gap gap_below(struct slm_rbtree_node *parent, const uint64_t *link)
{
    return (struct gap){true, link == &parent->left ? RBTREE_LEFT : RBTREE_RIGHT, parent};
}

/* Notes what wipe_node changes, in the batch that unlinks the node. */
static INLINED void note_wipe(struct edit edit, const struct slm_rbtree_node *node)
{
    edit_note_two(edit, &node->left, &node->right);
    edit_note_two(edit, &node->parent, &node->tree);
    edit_note(edit, &edit.tree->n_nodes);
}

/* A removed node is all 0: none of its words leads anywhere. */
static INLINED void wipe_node(struct edit edit, struct slm_rbtree_node *node)
{
    edit_set(edit, &node->left, 0);
    edit_set(edit, &node->right, 0);
    edit_set(edit, &node->parent, 0);
    edit_set(edit, &node->tree, 0);
    edit_set(edit, &edit.tree->n_nodes, edit.tree->n_nodes - 1);
}

/*
 * Unlinks a node with at most one child, which is then a red leaf: it takes the node's place and is
 * black. Otherwise the paths through a black node become shorter. `link` leads to the node.
 */
static INLINED struct gap unlink_outer(struct edit edit, struct slm_rbtree_node *node,
                                       uint64_t *link)
{
    uint64_t child = node->left != 0 ? node->left : node->right;
    uint64_t above = rbtree_parent(node);
    bool was_red = rbtree_is_red(node);
    SLM_ASSERT(list, child == 0 || (edit_is_red(edit, child) && !was_red));
    edit_note(edit, link);
    if (child != 0) {
        edit_note(edit, &edit_at(edit, child)->parent);
    }
    note_wipe(edit, node);
    edit_count(edit);
    edit_set(edit, link, child);
    if (child != 0) {
        edit_set(edit, &edit_at(edit, child)->parent, above);
    }
    wipe_node(edit, node);
    /* Nested, since compilers make && a sum of flags. */
    if (child == 0) {
        if (SLM_UNLIKELY(!was_red)) {
            if (SLM_LIKELY(above != 0)) {
                return gap_below(edit_at(edit, above), link);
            }
        }
    }
    return (struct gap){0};
}

/* The word that leads to the successor of a node with two children. NULL: it is too far below, so
 * the tree is damaged. */
static uint64_t *find_heir(struct edit edit, struct slm_rbtree_node *node)
{
    uint64_t *link = &node->right;
    for (unsigned n_left = RBTREE_HEIGHT_MAX; n_left > 0; n_left--) {
        struct slm_rbtree_node *heir = edit_at(edit, *link);
        if (heir->left == 0) {
            return link;
        }
        link = &heir->left;
    }
    return NULL;
}

/* What changes when heir, the successor, takes the place of a node with two children. */
struct swap {
    struct slm_rbtree_node *node;
    struct slm_rbtree_node *heir;
    struct slm_rbtree_node *left;  /* of node */
    struct slm_rbtree_node *right; /* of node; NULL: it is heir */
    struct slm_rbtree_node *child; /* of heir; NULL: none */
    uint64_t *link;                /* leads to node */
    uint64_t *heir_link;
};

static INLINED void note_swap(struct edit edit, const struct swap *swap)
{
    edit_note(edit, swap->link);
    edit_note(edit, &swap->left->parent);
    edit_note_two(edit, &swap->heir->left, &swap->heir->right);
    edit_note(edit, &swap->heir->parent);
    if (swap->right != NULL) {
        edit_note(edit, swap->heir_link);
        edit_note(edit, &swap->right->parent);
    }
    if (swap->child != NULL) {
        edit_note(edit, &swap->child->parent);
    }
    note_wipe(edit, swap->node);
    edit_count(edit);
}

static INLINED void set_swap(struct edit edit, const struct swap *swap)
{
    uint64_t y = edit_offset(edit, swap->heir);
    uint64_t child = swap->heir->right;
    if (swap->child != NULL) {
        edit_set(edit, &swap->child->parent, swap->right != NULL ? rbtree_parent(swap->heir) : y);
    }
    if (swap->right != NULL) {
        edit_set(edit, swap->heir_link, child);
        edit_set(edit, &swap->heir->right, swap->node->right);
        edit_set_parent(edit, swap->right, y);
    }
    edit_set(edit, swap->link, y);
    edit_set(edit, &swap->heir->parent, swap->node->parent);
    edit_set(edit, &swap->heir->left, swap->node->left);
    edit_set_parent(edit, swap->left, y);
    wipe_node(edit, swap->node);
}

/* Unlinks a node with two children: its successor takes its place and its colour. */
static INLINED struct gap unlink_inner(struct edit edit, struct slm_rbtree_node *node,
                                       uint64_t *link, uint64_t *heir_link)
{
    struct slm_rbtree_node *heir = edit_at(edit, *heir_link);
    bool is_near = heir_link == &node->right;
    const struct swap swap = {
        .node = node,
        .heir = heir,
        .left = edit_at(edit, node->left),
        .right = is_near ? NULL : edit_at(edit, node->right),
        .child = heir->right == 0 ? NULL : edit_at(edit, heir->right),
        .link = link,
        .heir_link = heir_link,
    };
    struct gap gap = {0};
    if (swap.child == NULL && !rbtree_is_red(heir)) {
        gap = is_near ? (struct gap){true, RBTREE_RIGHT, heir}
                      : gap_below(edit_at(edit, rbtree_parent(heir)), heir_link);
    }
    SLM_ASSERT(list, swap.child == NULL || (rbtree_is_red(swap.child) && !rbtree_is_red(heir)));
    note_swap(edit, &swap);
    set_swap(edit, &swap);
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
    if (!edit_is_red(edit, far)) {
        struct slm_rbtree_node *near = edit_at(edit, *rbtree_link_of(sibling, gap->side));
        far = edit_offset(edit, sibling);
        edit_rotate(edit, sibling, near, away); /* near was red and is the sibling now, black */
        sibling = near;
    }
    edit_note(edit, &edit_at(edit, far)->parent); /* counted with the rotation */
    edit_rotate(edit, gap->parent, sibling, gap->side);
    edit_set_black(edit, edit_at(edit, far));
}

/* The sibling becomes red; x, which is above it, black. */
static INLINED void shorten_sibling(struct edit edit, struct slm_rbtree_node *x,
                                    struct slm_rbtree_node *sibling)
{
    bool is_red_above = rbtree_is_red(x);
    edit_note(edit, &sibling->parent);
    if (is_red_above) {
        edit_note(edit, &x->parent);
    }
    edit_count(edit);
    edit_set_red(edit, sibling);
    if (is_red_above) {
        edit_set_black(edit, x);
    }
}

/* Where sibling is black and has no red child, it becomes red: its side is as short as the gap's
 * then, and the gap moves one level up, unless a red node there can become black. */
static INLINED void fix_gap(struct edit edit, struct gap gap)
{
    for (unsigned n_left = RBTREE_BLACKS_MAX; n_left > 0; n_left--) {
        struct slm_rbtree_node *x = gap.parent;
        struct slm_rbtree_node *sibling =
            edit_must_be_at(edit, *rbtree_link_of(x, rbtree_other(gap.side)));
        if (rbtree_is_red(sibling)) {
            edit_rotate(edit, x, sibling, gap.side);
            /* It is black, and x is red. */
            sibling = edit_must_be_at(edit, *rbtree_link_of(x, rbtree_other(gap.side)));
        }
        if (edit_is_red(edit, sibling->left) || edit_is_red(edit, sibling->right)) {
            close_gap(edit, &gap, sibling);
            return;
        }
        uint64_t above = rbtree_parent(x);
        bool is_closed = above == 0 || rbtree_is_red(x);
        shorten_sibling(edit, x, sibling);
        if (is_closed) {
            return;
        }
        gap = gap_below(edit_at(edit, above), edit_link_to(edit, above, edit_offset(edit, x)));
    }
}

/* The calls below are functions of their own, each of which ends with the next: so what is rare
 * costs the others no registers. The last one checks. All return SLM_OK, unless they say else. */
static SLM_NOINLINE enum slm_status fix_gap_noted(struct slm_journal *journal,
                                                  struct slm_rbtree *tree,
                                                  struct slm_rbtree_node *parent,
                                                  enum rbtree_side side)
{
    struct node_change change = node_change_go_on(journal);
    fix_gap((struct edit){journal, tree, &change}, (struct gap){true, side, parent});
    rbtree_check_after_change(journal, tree, NULL);
    return SLM_OK;
}

static SLM_NOINLINE enum slm_status fix_gap_plain(struct slm_journal *journal,
                                                  struct slm_rbtree *tree,
                                                  struct slm_rbtree_node *parent,
                                                  enum rbtree_side side)
{
    fix_gap((struct edit){journal, tree, NULL}, (struct gap){true, side, parent});
    rbtree_check_after_change(journal, tree, NULL);
    return SLM_OK;
}

static INLINED enum slm_status close_any(struct edit edit, struct gap gap)
{
    if (!gap.is_open) {
        rbtree_check_after_change(edit.journal, edit.tree, NULL);
        return SLM_OK;
    }
    return edit.change != NULL ? fix_gap_noted(edit.journal, edit.tree, gap.parent, gap.side)
                               : fix_gap_plain(edit.journal, edit.tree, gap.parent, gap.side);
}

/* SLM_E_IMAGE: the tree is damaged. */
static SLM_NOINLINE enum slm_status remove_inner_noted(struct slm_journal *journal,
                                                       struct slm_rbtree *tree,
                                                       struct slm_rbtree_node *node, uint64_t *link)
{
    struct node_change change = node_change_begin(journal);
    struct edit edit = {journal, tree, &change};
    uint64_t *heir_link = find_heir(edit, node);
    return heir_link == NULL ? SLM_E_IMAGE
                             : close_any(edit, unlink_inner(edit, node, link, heir_link));
}

/* SLM_E_IMAGE: the tree is damaged. */
static SLM_NOINLINE enum slm_status remove_inner_plain(struct slm_journal *journal,
                                                       struct slm_rbtree *tree,
                                                       struct slm_rbtree_node *node, uint64_t *link)
{
    struct edit edit = {journal, tree, NULL};
    uint64_t *heir_link = find_heir(edit, node);
    return heir_link == NULL ? SLM_E_IMAGE
                             : close_any(edit, unlink_inner(edit, node, link, heir_link));
}

static SLM_NOINLINE enum slm_status remove_noted(struct slm_journal *journal,
                                                 struct slm_rbtree *tree,
                                                 struct slm_rbtree_node *node, uint64_t *link)
{
    if (node->left != 0 && node->right != 0) {
        return remove_inner_noted(journal, tree, node, link);
    }
    struct node_change change = node_change_begin(journal);
    struct edit edit = {journal, tree, &change};
    return close_any(edit, unlink_outer(edit, node, link));
}

static SLM_NOINLINE enum slm_status remove_plain(struct slm_journal *journal,
                                                 struct slm_rbtree *tree,
                                                 struct slm_rbtree_node *node, uint64_t *link)
{
    if (node->left != 0 && node->right != 0) {
        return remove_inner_plain(journal, tree, node, link);
    }
    struct edit edit = {journal, tree, NULL};
    return close_any(edit, unlink_outer(edit, node, link));
}

static SLM_NOINLINE enum slm_status check_and_remove(struct slm_journal *journal,
                                                     struct slm_rbtree *tree,
                                                     struct slm_rbtree_node *node, uint64_t *link,
                                                     enum node_look look)
{
    enum slm_status status = rbtree_check_node(journal, tree, node, look);
    return status == SLM_OK ? remove_noted(journal, tree, node, link) : status;
}

/* The word that leads to node, or NULL if node is not in the tree. A memcpy of a linked node looks
 * linked; check that the parent's link points here. */
static uint64_t *find_link(struct slm_journal *journal, struct slm_rbtree *tree,
                           const struct slm_rbtree_node *node)
{
    struct edit edit = {journal, tree, NULL};
    uint64_t offset = edit_offset(edit, node);
    if (!node_is_aligned(node) || node->tree != edit_tag(edit)) {
        return NULL;
    }
    uint64_t *link = edit_link_to(edit, rbtree_parent(node), offset);
    return *link == offset ? link : NULL;
}

enum slm_status slm_rbtree_remove(struct slm_journal *journal, struct slm_rbtree *tree,
                                  struct slm_rbtree_node *node)
{
    if (SLM_UNLIKELY(journal == NULL) || SLM_UNLIKELY(tree == NULL) || SLM_UNLIKELY(node == NULL)) {
        return SLM_E_NULL;
    }
    uint64_t *link = find_link(journal, tree, node);
    if (link == NULL) {
        return SLM_E_NOT_MEMBER;
    }
    if (journal->log == NULL) {
        return remove_plain(journal, tree, node, link);
    }
    enum node_look look = rbtree_look(journal, tree, node, false);
    return SLM_LIKELY(look == NODE_READY) ? remove_noted(journal, tree, node, link)
                                          : check_and_remove(journal, tree, node, link, look);
}
