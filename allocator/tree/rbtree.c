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
 * Calls    Every store is set's. Stores go in batches: the old values of all words of a rotation,
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
    bool is_insert;             /* words in the newest object take no entries */
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

/* Before a batch of at most so many entries. */
static INLINED void expect(struct edit edit, size_t n_entries)
{
    if (edit.change != NULL) {
        node_expect(edit.change, n_entries);
    }
}

static INLINED void note(struct edit edit, const slm_word *word)
{
    if (edit.change != NULL && !(edit.is_insert && node_is_fresh(edit.change, word))) {
        node_note(edit.change, word);
    }
}

/* Two words of one node. */
static INLINED void note_two(struct edit edit, const slm_word *a, const slm_word *b)
{
    if (edit.change != NULL && !(edit.is_insert && node_is_fresh(edit.change, a))) {
        node_note(edit.change, a);
        node_note(edit.change, b);
    }
}

/* The batch is complete: its words may change now. */
static INLINED void count(struct edit edit)
{
    if (edit.change != NULL) {
        node_count(edit.change);
    }
}

static INLINED void set(struct edit edit, slm_word *word, uint64_t value)
{
    if (edit.change != NULL) {
        node_set(word, value);
    } else {
        *word = value;
    }
}

static INLINED void set_parent(struct edit edit, struct slm_rbtree_node *node, uint64_t parent)
{
    set(edit, &node->parent, parent | (node->parent & RBTREE_RED));
}

static INLINED void set_black(struct edit edit, struct slm_rbtree_node *node)
{
    set(edit, &node->parent, rbtree_parent(node));
}

static INLINED void set_red(struct edit edit, struct slm_rbtree_node *node)
{
    set(edit, &node->parent, node->parent | RBTREE_RED);
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
    uint64_t *from_x = rbtree_link_of(x, rbtree_other(side));
    uint64_t *from_up = rbtree_link_of(up, side);
    uint64_t *link = link_to(edit, rbtree_parent(x), below);
    struct slm_rbtree_node *inner = *from_up == 0 ? NULL : at(edit, *from_up);
    uint64_t up_red = up->parent & RBTREE_RED;
    SLM_ASSERT(list, rbtree_parent(up) == below);
    expect(edit, 6);
    note_two(edit, from_x, &x->parent);
    note_two(edit, from_up, &up->parent);
    note(edit, link);
    if (inner != NULL) {
        note(edit, &inner->parent);
    }
    count(edit);
    set(edit, from_x, *from_up);
    if (inner != NULL) {
        set_parent(edit, inner, below);
    }
    set(edit, link, above);
    set(edit, &up->parent, x->parent);
    set(edit, from_up, below);
    set(edit, &x->parent, above | up_red);
}

/* --- Insert --- */

/* As a leaf: red, but for the root. */
static INLINED void link_new(struct edit edit, struct slm_rbtree_node *node,
                             struct slm_rbtree_node *parent, enum rbtree_side side)
{
    uint64_t *link = parent == NULL ? &edit.tree->root : rbtree_link_of(parent, side);
    expect(edit, 6);
    note_two(edit, &node->parent, &node->tree);
    if (SLM_UNLIKELY((node->left | node->right) != 0)) { /* the caller did not zero it */
        note_two(edit, &node->left, &node->right);
    }
    note(edit, link);
    note(edit, &edit.tree->n_nodes);
    count(edit);
    set(edit, &node->left, 0);
    set(edit, &node->right, 0);
    set(edit, &node->parent, parent == NULL ? 0 : offset_of(edit, parent) | RBTREE_RED);
    set(edit, &node->tree, rbtree_tag(edit.journal, edit.tree));
    set(edit, link, offset_of(edit, node));
    set(edit, &edit.tree->n_nodes, edit.tree->n_nodes + 1);
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

/* A red parent, its red sibling and their black parent exchange colours. is_root: grand stays
 * black. */
static INLINED void recolour(struct edit edit, struct slm_rbtree_node *parent,
                             struct slm_rbtree_node *uncle, struct slm_rbtree_node *grand,
                             bool is_root)
{
    expect(edit, 3);
    note(edit, &parent->parent);
    note(edit, &uncle->parent);
    if (!is_root) {
        note(edit, &grand->parent);
    }
    count(edit);
    set_black(edit, parent);
    set_black(edit, uncle);
    if (!is_root) {
        set_red(edit, grand);
    }
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
        uint64_t above = rbtree_parent(grand);
        recolour(edit, parent, at(edit, uncle), grand, above == 0);
        if (above == 0) {
            return;
        }
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

static CHANGE_INLINE enum slm_status can_change(struct slm_journal *journal,
                                                const struct slm_rbtree *tree,
                                                const struct slm_rbtree_node *node, bool is_insert)
{
    return node_can_change(journal, tree, sizeof *tree, node, sizeof *node, SLM_RBTREE_ENTRIES,
                           is_insert);
}

enum slm_status slm_rbtree_insert_check(struct slm_journal *journal, const struct slm_rbtree *tree,
                                        const struct slm_rbtree_node *node)
{
    if (SLM_UNLIKELY(journal == NULL) || SLM_UNLIKELY(tree == NULL) || SLM_UNLIKELY(node == NULL)) {
        return SLM_E_NULL;
    }
    if (node_is_aligned(node) && node->tree != 0) {
        return node_tagged_status(journal, tree, sizeof *tree, node, sizeof *node, node->tree);
    }
    return can_change(journal, tree, node, true);
}

void slm_rbtree_insert_link(struct slm_journal *journal, struct slm_rbtree *tree,
                            struct slm_rbtree_node *node, struct slm_rbtree_node *parent,
                            bool is_left, slm_rbtree_order *order)
{
    if (journal == NULL) {
        return;
    }
    bool is_off = journal->log == NULL;
    if (tree == NULL || node == NULL || order == NULL) {
        return;
    }
    enum rbtree_side side = is_left ? RBTREE_LEFT : RBTREE_RIGHT;
    if (!is_off) {
        struct node_change change = node_change_begin(journal);
        insert_at((struct edit){journal, tree, &change, true}, node, parent, side);
    } else {
        insert_at((struct edit){journal, tree, NULL, true}, node, parent, side);
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

/* Notes what wipe_node changes, in the batch that unlinks the node. */
static INLINED void note_wipe(struct edit edit, const struct slm_rbtree_node *node)
{
    note_two(edit, &node->left, &node->right);
    note_two(edit, &node->parent, &node->tree);
    note(edit, &edit.tree->n_nodes);
}

/* A removed node is all 0: none of its words leads anywhere. */
static INLINED void wipe_node(struct edit edit, struct slm_rbtree_node *node)
{
    set(edit, &node->left, 0);
    set(edit, &node->right, 0);
    set(edit, &node->parent, 0);
    set(edit, &node->tree, 0);
    set(edit, &edit.tree->n_nodes, edit.tree->n_nodes - 1);
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
    SLM_ASSERT(list, child == 0 || (is_red(edit, child) && !was_red));
    expect(edit, 7);
    note(edit, link);
    if (child != 0) {
        note(edit, &at(edit, child)->parent);
    }
    note_wipe(edit, node);
    count(edit);
    set(edit, link, child);
    if (child != 0) {
        set(edit, &at(edit, child)->parent, above);
    }
    wipe_node(edit, node);
    return child == 0 && !was_red && above != 0 ? gap_below(at(edit, above), link)
                                                : (struct gap){NULL, RBTREE_LEFT};
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
    expect(edit, 13);
    note(edit, swap->link);
    note(edit, &swap->left->parent);
    note_two(edit, &swap->heir->left, &swap->heir->right);
    note(edit, &swap->heir->parent);
    if (swap->right != NULL) {
        note(edit, swap->heir_link);
        note(edit, &swap->right->parent);
    }
    if (swap->child != NULL) {
        note(edit, &swap->child->parent);
    }
    note_wipe(edit, swap->node);
    count(edit);
}

static INLINED void set_swap(struct edit edit, const struct swap *swap)
{
    uint64_t y = offset_of(edit, swap->heir);
    uint64_t child = swap->heir->right;
    if (swap->child != NULL) {
        set(edit, &swap->child->parent, swap->right != NULL ? rbtree_parent(swap->heir) : y);
    }
    if (swap->right != NULL) {
        set(edit, swap->heir_link, child);
        set(edit, &swap->heir->right, swap->node->right);
        set_parent(edit, swap->right, y);
    }
    set(edit, swap->link, y);
    set(edit, &swap->heir->parent, swap->node->parent);
    set(edit, &swap->heir->left, swap->node->left);
    set_parent(edit, swap->left, y);
    wipe_node(edit, swap->node);
}

/* Unlinks a node with two children: its successor takes its place and its colour. */
static INLINED struct gap unlink_inner(struct edit edit, struct slm_rbtree_node *node,
                                       uint64_t *link, uint64_t *heir_link)
{
    struct slm_rbtree_node *heir = at(edit, *heir_link);
    bool is_near = heir_link == &node->right;
    const struct swap swap = {
        .node = node,
        .heir = heir,
        .left = at(edit, node->left),
        .right = is_near ? NULL : at(edit, node->right),
        .child = heir->right == 0 ? NULL : at(edit, heir->right),
        .link = link,
        .heir_link = heir_link,
    };
    struct gap gap = {NULL, RBTREE_LEFT};
    if (swap.child == NULL && !rbtree_is_red(heir)) {
        gap = is_near ? (struct gap){heir, RBTREE_RIGHT}
                      : gap_below(at(edit, rbtree_parent(heir)), heir_link);
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
    if (!is_red(edit, far)) {
        struct slm_rbtree_node *near = at(edit, *rbtree_link_of(sibling, gap->side));
        far = offset_of(edit, sibling);
        rotate(edit, sibling, near, away); /* near was red and is the sibling now, black */
        sibling = near;
    }
    expect(edit, 1);
    note(edit, &at(edit, far)->parent); /* counted with the rotation */
    rotate(edit, gap->parent, sibling, gap->side);
    set_black(edit, at(edit, far));
}

/* The sibling becomes red; x, which is above it, black. */
static INLINED void shorten_sibling(struct edit edit, struct slm_rbtree_node *x,
                                    struct slm_rbtree_node *sibling)
{
    bool is_red_above = rbtree_is_red(x);
    expect(edit, 2);
    note(edit, &sibling->parent);
    if (is_red_above) {
        note(edit, &x->parent);
    }
    count(edit);
    set_red(edit, sibling);
    if (is_red_above) {
        set_black(edit, x);
    }
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
        uint64_t above = rbtree_parent(x);
        bool is_closed = above == 0 || rbtree_is_red(x);
        shorten_sibling(edit, x, sibling);
        if (is_closed) {
            return;
        }
        gap = gap_below(at(edit, above), link_to(edit, above, offset_of(edit, x)));
    }
}

/* heir_link: NULL unless the node has two children. */
static INLINED void remove_at(struct edit edit, struct slm_rbtree_node *node, uint64_t *link,
                              uint64_t *heir_link)
{
    fix_gap(edit, heir_link != NULL ? unlink_inner(edit, node, link, heir_link)
                                    : unlink_outer(edit, node, link));
}

/* The word that leads to node, or NULL if node is not in the tree. A memcpy of a linked node looks
 * linked; check that the parent's link points here. */
static uint64_t *find_link(struct slm_journal *journal, struct slm_rbtree *tree,
                           const struct slm_rbtree_node *node)
{
    struct edit edit = {journal, tree, NULL, false};
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
    if (SLM_UNLIKELY(journal == NULL) || SLM_UNLIKELY(tree == NULL) || SLM_UNLIKELY(node == NULL)) {
        return SLM_E_NULL;
    }
    uint64_t *link = find_link(journal, tree, node);
    if (link == NULL) {
        return SLM_E_NOT_MEMBER;
    }
    enum slm_status status = can_change(journal, tree, node, false);
    if (status != SLM_OK) {
        return status;
    }
    struct edit edit = {journal, tree, NULL, false};
    bool is_inner = node->left != 0 && node->right != 0;
    uint64_t *heir_link = is_inner ? find_heir(edit, node) : NULL;
    if (is_inner && heir_link == NULL) {
        return SLM_E_IMAGE;
    }
    if (journal->log != NULL) {
        struct node_change change = node_change_begin(journal);
        remove_at((struct edit){journal, tree, &change, false}, node, link, heir_link);
    } else {
        remove_at(edit, node, link, heir_link);
    }
    check_after_change(journal, tree, NULL);
    return SLM_OK;
}
