/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to trees and lists: checks return, write nothing, and what they find sound works. */
#include <inttypes.h>
#include <string.h>

#include "fuzz/rbtree/memory.h"

static unsigned char *word_at(uint64_t place)
{
    return (unsigned char *)hrn_tree_memory + place % N_WORDS * sizeof(uint64_t);
}

static uint64_t load(uint64_t place)
{
    uint64_t value;
    memcpy(&value, word_at(place), sizeof value);
    return value;
}

static uint64_t hurt_value(const struct op *op, uint64_t old)
{
    uint8_t item = (uint8_t)(op->value % N_ITEMS);
    switch (op->manner) {
    case 0:
        return (uint64_t)(int64_t)(int32_t)op->value;
    case 1:
        return slm_journal_offset(&hrn_tree_plain, hrn_tree_node(item));
    case 2:
        return slm_journal_offset(&hrn_tree_plain, hrn_tree_node(item)) | 1u;
    case 3:
        return slm_journal_offset(&hrn_tree_plain, hrn_tree_used(item));
    case 4:
        return load(op->value);
    case 5:
        return old ^ op->value;
    case 6:
        return old + 1;
    default:
        return old - 1;
    }
}

void hrn_tree_hurt(const struct op *op)
{
    uint64_t value = hurt_value(op, load(op->key));
    memcpy(word_at(op->key), &value, sizeof value);
}

static unsigned check_plain(unsigned which, slm_rbtree_order *by)
{
    return slm_rbtree_check(&hrn_tree_plain, &hrn_tree_memory->trees[which], by, hrn_tree_low(),
                            hrn_tree_high());
}

static unsigned check_plain_list(unsigned which)
{
    return slm_lru_check(&hrn_tree_plain, &hrn_tree_memory->lists[which], hrn_tree_low(),
                         hrn_tree_high());
}

/* Its keys may be in words that links change, so only links are checked while it shrinks. */
static void use_sound_tree(unsigned which)
{
    struct slm_rbtree *tree = &hrn_tree_memory->trees[which];
    uint64_t n_nodes = tree->n_nodes;
    uint64_t n_walked = 0;
    struct slm_rbtree_node *node = slm_rbtree_first(&hrn_tree_plain, tree);
    while (node != NULL && n_walked <= n_nodes) {
        n_walked++;
        node = slm_rbtree_next(&hrn_tree_plain, node);
    }
    if (n_walked != n_nodes) {
        hrn_tree_law_sound_tree("%" PRIu64 " of %" PRIu64 " nodes walked", n_walked, n_nodes);
    }
    for (; n_nodes > 0; n_nodes--) {
        node = slm_journal_pointer(&hrn_tree_plain, tree->root);
        enum slm_status status = slm_rbtree_remove(&hrn_tree_plain, tree, node);
        unsigned broken = check_plain(which, NULL);
        if (status != SLM_OK || broken != 0) {
            hrn_tree_law_sound_tree("delete: %s, I%u", slm_status_name(status), broken);
        }
    }
    if (tree->root != 0 || tree->n_nodes != 0) {
        hrn_tree_law_sound_tree("not empty in the end");
    }
}

static void use_sound_list(unsigned which)
{
    struct slm_lru *list = &hrn_tree_memory->lists[which];
    uint64_t n_nodes = list->n_nodes;
    for (; n_nodes > 0; n_nodes--) {
        struct slm_lru_node *oldest = slm_lru_oldest(&hrn_tree_plain, list);
        enum slm_status touched = slm_lru_touch(&hrn_tree_plain, list, oldest);
        enum slm_status removed = slm_lru_remove(&hrn_tree_plain, list, oldest);
        unsigned broken = check_plain_list(which);
        if (touched != SLM_OK || removed != SLM_OK || broken != 0) {
            hrn_tree_law_sound_list("touch: %s, remove: %s, I%u", slm_status_name(touched),
                                    slm_status_name(removed), broken);
        }
    }
    if (list->newest != 0 || list->oldest != 0 || list->n_nodes != 0) {
        hrn_tree_law_sound_list("not empty in the end");
    }
}

/* Searches and steps end in any tree whose links all lead to nodes, even in circles. */
static void walk_damaged(unsigned which)
{
    const struct slm_rbtree *tree = &hrn_tree_memory->trees[which];
    uint64_t key = hrn_tree_memory->items[0].key;
    if (!hrn_tree_is_confined(which)) {
        return;
    }
    (void)slm_rbtree_first(&hrn_tree_plain, tree);
    (void)slm_rbtree_last(&hrn_tree_plain, tree);
    (void)slm_rbtree_find(&hrn_tree_plain, tree, &key, hrn_tree_compare);
    (void)slm_rbtree_lower_bound(&hrn_tree_plain, tree, &key, hrn_tree_compare);
    for (uint8_t i = 0; i < N_ITEMS; i++) {
        (void)slm_rbtree_next(&hrn_tree_plain, hrn_tree_node(i));
        (void)slm_rbtree_prev(&hrn_tree_plain, hrn_tree_node(i));
    }
    hrn_tree_expect_silence("steps in damaged memory");
}

void hrn_tree_judge_damaged(unsigned which)
{
    hrn_tree_remember();
    unsigned tree = check_plain(which, hrn_tree_order);
    unsigned list = check_plain_list(which);
    hrn_tree_expect_silence("check of damaged memory");
    unsigned tree_broken = hrn_tree_broken(which);
    unsigned list_broken = hrn_tree_broken_list(which);
    if (tree == 0 ? tree_broken != 0 : tree > 9 || (tree_broken >> tree & 1u) == 0) {
        hrn_tree_law_number("tree I%u, broken are %#x", tree, tree_broken);
    }
    if (list == 0 ? list_broken != 0 : list > 6 || (list_broken >> list & 1u) == 0) {
        hrn_tree_law_number("list I%u, broken are %#x", list, list_broken);
    }
    walk_damaged(which);
    hrn_tree_counted.n_broken += (uint64_t)(tree != 0) + (uint64_t)(list != 0);
    hrn_tree_counted.n_sound += (uint64_t)(tree == 0) + (uint64_t)(list == 0);
    if (tree == 0) {
        use_sound_tree(which);
        memcpy(hrn_tree_memory, &hrn_tree_before, sizeof *hrn_tree_memory);
    }
    if (list == 0) {
        use_sound_list(which);
        memcpy(hrn_tree_memory, &hrn_tree_before, sizeof *hrn_tree_memory);
    }
}
