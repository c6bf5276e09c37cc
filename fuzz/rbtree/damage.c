/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to trees and lists: checks return, write nothing, and what they find sound works. */
#include <inttypes.h>
#include <string.h>

#include "fuzz/rbtree/memory.h"

static unsigned char *word_at(uint64_t place)
{
    return (unsigned char *)&hrn_tree_memory + place % N_WORDS * sizeof(uint64_t);
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
        return slm_journal_offset(&hrn_tree_journal, hrn_tree_node(item));
    case 2:
        return slm_journal_offset(&hrn_tree_journal, hrn_tree_node(item)) | 1u;
    case 3:
        return slm_journal_offset(&hrn_tree_journal, hrn_tree_used(item));
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

/* Its keys may be in words that links change, so only links are checked while it shrinks. */
static void use_sound_tree(unsigned which)
{
    struct slm_rbtree *tree = &hrn_tree_memory.trees[which];
    uint64_t n_nodes = tree->n_nodes;
    uint64_t n_walked = 0;
    struct slm_rbtree_node *node = slm_rbtree_first(&hrn_tree_journal, tree);
    while (node != NULL && n_walked <= n_nodes) {
        n_walked++;
        node = slm_rbtree_next(&hrn_tree_journal, node);
    }
    if (n_walked != n_nodes) {
        hrn_tree_law_sound_tree("%" PRIu64 " of %" PRIu64 " nodes walked", n_walked, n_nodes);
    }
    for (; n_nodes > 0; n_nodes--) {
        node = slm_journal_pointer(&hrn_tree_journal, tree->root);
        enum slm_status status = slm_rbtree_remove(&hrn_tree_journal, tree, node);
        unsigned broken = hrn_tree_check(which, NULL);
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
    struct slm_lru *list = &hrn_tree_memory.lists[which];
    uint64_t n_nodes = list->n_nodes;
    for (; n_nodes > 0; n_nodes--) {
        struct slm_lru_node *oldest = slm_lru_oldest(&hrn_tree_journal, list);
        enum slm_status touched = slm_lru_touch(&hrn_tree_journal, list, oldest);
        enum slm_status removed = slm_lru_remove(&hrn_tree_journal, list, oldest);
        unsigned broken = hrn_tree_check_list(which);
        if (touched != SLM_OK || removed != SLM_OK || broken != 0) {
            hrn_tree_law_sound_list("touch: %s, remove: %s, I%u", slm_status_name(touched),
                                    slm_status_name(removed), broken);
        }
    }
    if (list->newest != 0 || list->oldest != 0 || list->n_nodes != 0) {
        hrn_tree_law_sound_list("not empty in the end");
    }
}

void hrn_tree_judge_damaged(unsigned which)
{
    hrn_tree_remember();
    unsigned tree = hrn_tree_check(which, hrn_tree_order);
    unsigned list = hrn_tree_check_list(which);
    hrn_tree_expect_silence("check of damaged memory");
    if (tree > 9 || list > 6) {
        hrn_tree_law_number("tree I%u, list I%u", tree, list);
    }
    hrn_tree_counted.n_broken += (uint64_t)(tree != 0) + (uint64_t)(list != 0);
    hrn_tree_counted.n_sound += (uint64_t)(tree == 0) + (uint64_t)(list == 0);
    if (tree == 0) {
        use_sound_tree(which);
        memcpy(&hrn_tree_memory, &hrn_tree_before, sizeof hrn_tree_memory);
    }
    if (list == 0) {
        use_sound_list(which);
        memcpy(&hrn_tree_memory, &hrn_tree_before, sizeof hrn_tree_memory);
    }
}
