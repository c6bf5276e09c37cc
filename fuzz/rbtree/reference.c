/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of trees and lists, evaluated by walks that read what they like, as often as they
 * like: the numbers are those of allocator/tree/rbtree_check.c and lru.c. */
#include <string.h>

#include "fuzz/rbtree/memory.h"

enum { DEPTH_MAX = 90, SEEN_MAX = 4 * N_ITEMS, LEAVES_MAX = 2 * SEEN_MAX };

/* A walk over a tree. */
struct look {
    unsigned broken;
    uint64_t tag;
    uint64_t n_seen;
    unsigned n_leaves;
    unsigned blacks[LEAVES_MAX]; /* on the path to each missing child */
    uint64_t last_key;
    bool has_key;
    bool is_unordered;
};

static void break_it(struct look *look, unsigned number)
{
    look->broken |= 1u << number;
}

/* Whether all of a node is in the memory of items. */
static bool is_node(uint64_t offset, uint64_t n_bytes)
{
    return offset % sizeof(uint64_t) == 0 && offset >= hrn_tree_low() &&
           offset <= hrn_tree_high() - n_bytes;
}

static void load(void *words, uint64_t offset, size_t n_bytes)
{
    memcpy(words, hrn_tree_plain.base + offset, n_bytes);
}

static void look_at_key(struct look *look, uint64_t offset)
{
    uint64_t key;
    load(&key, offset - offsetof(struct item, node) + offsetof(struct item, key), sizeof key);
    look->is_unordered |= look->has_key && key < look->last_key;
    look->has_key = true;
    look->last_key = key;
}

static void end_path(struct look *look, unsigned n_blacks)
{
    if (look->n_leaves < LEAVES_MAX) {
        look->blacks[look->n_leaves++] = n_blacks;
    }
}

/* Recursion is bounded: a path through more nodes than there are is a circle. */
static void visit(struct look *look, uint64_t link, uint64_t parent, bool below_red,
                  unsigned n_blacks, unsigned depth)
{
    struct slm_rbtree_node node;
    if (link == 0) {
        end_path(look, n_blacks);
        return;
    }
    if (!is_node(link, sizeof node)) {
        break_it(look, 2);
        return;
    }
    if (look->n_seen >= SEEN_MAX || depth >= DEPTH_MAX) {
        look->n_seen = SEEN_MAX;
        return;
    }
    look->n_seen++;
    load(&node, link, sizeof node);
    bool is_red = (node.parent & 1u) != 0;
    if (node.parent - is_red != parent) {
        break_it(look, 3);
    }
    if (node.left == node.right && node.left != 0) {
        break_it(look, 4);
    }
    if (node.tree != look->tag) {
        break_it(look, 5);
    }
    if (is_red && below_red) {
        break_it(look, 6);
    }
    visit(look, node.left, link, is_red, n_blacks + !is_red, depth + 1);
    look_at_key(look, link);
    visit(look, node.right, link, is_red, n_blacks + !is_red, depth + 1);
}

unsigned hrn_tree_broken(unsigned which)
{
    static struct look look;
    const struct slm_rbtree *tree = &hrn_tree_memory->trees[which];
    if (tree->n_nodes > (hrn_tree_high() - hrn_tree_low()) / sizeof(struct slm_rbtree_node)) {
        return 1u << 8; /* no walk is needed, or would be bounded */
    }
    look = (struct look){.tag = slm_journal_offset(&hrn_tree_plain, tree) + 1};
    visit(&look, tree->root, 0, true, 0, 0);
    for (unsigned i = 1; i < look.n_leaves; i++) {
        if (look.blacks[i] != look.blacks[0]) {
            break_it(&look, 7);
        }
    }
    if (look.n_seen != tree->n_nodes) {
        break_it(&look, 8);
    }
    if (look.broken == 0 && look.is_unordered) {
        break_it(&look, 9);
    }
    return look.broken;
}

static bool is_link(uint64_t link)
{
    uint64_t first = slm_journal_offset(&hrn_tree_plain, hrn_tree_node(0));
    uint64_t at = link - first;
    return link == 0 || (at % sizeof(struct item) == 0 && at / sizeof(struct item) <= COPY);
}

bool hrn_tree_is_confined(unsigned which)
{
    bool is_confined = is_link(hrn_tree_memory->trees[which].root);
    for (unsigned i = 0; i <= COPY && is_confined; i++) {
        const struct slm_rbtree_node *node = &hrn_tree_memory->items[i].node;
        is_confined =
            is_link(node->left) && is_link(node->right) && is_link(node->parent & ~UINT64_C(1));
    }
    return is_confined;
}

unsigned hrn_tree_broken_list(unsigned which)
{
    const struct slm_lru *list = &hrn_tree_memory->lists[which];
    struct look look = {.tag = slm_journal_offset(&hrn_tree_plain, list) + 1};
    if (list->n_nodes > (hrn_tree_high() - hrn_tree_low()) / sizeof(struct slm_lru_node)) {
        return 1u << 6;
    }
    uint64_t newer = 0;
    uint64_t link = list->newest;
    while (link != 0 && look.n_seen < SEEN_MAX && is_node(link, sizeof(struct slm_lru_node))) {
        struct slm_lru_node node;
        load(&node, link, sizeof node);
        look.n_seen++;
        if (node.newer != newer) {
            break_it(&look, 3);
        }
        if (node.list != look.tag) {
            break_it(&look, 4);
        }
        newer = link;
        link = node.older;
    }
    if (link != 0 && look.n_seen < SEEN_MAX) {
        break_it(&look, 2);
    }
    if (link == 0 && list->oldest != newer) {
        break_it(&look, 5);
    }
    if (look.n_seen != list->n_nodes) {
        break_it(&look, 6);
    }
    return look.broken;
}
