/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that only read, without what they read. */
#include "fuzz/rbtree/memory.h"

void hrn_tree_read_nulls(const struct slm_rbtree *tree, const struct slm_rbtree_node *node,
                         const struct slm_lru *list, const struct slm_lru_node *used)
{
    const struct slm_journal *journal = &hrn_tree_journal;
    uint64_t key = 0;
    bool any = slm_rbtree_first(NULL, tree) != NULL || slm_rbtree_first(journal, NULL) != NULL ||
               slm_rbtree_last(NULL, tree) != NULL || slm_rbtree_last(journal, NULL) != NULL ||
               slm_rbtree_next(NULL, node) != NULL || slm_rbtree_next(journal, NULL) != NULL ||
               slm_rbtree_prev(NULL, node) != NULL || slm_rbtree_prev(journal, NULL) != NULL ||
               slm_rbtree_find(NULL, tree, &key, hrn_tree_compare) != NULL ||
               slm_rbtree_find(journal, NULL, &key, hrn_tree_compare) != NULL ||
               slm_rbtree_lower_bound(NULL, tree, &key, hrn_tree_compare) != NULL ||
               slm_rbtree_lower_bound(journal, NULL, &key, hrn_tree_compare) != NULL;
    any = any || slm_lru_newest(NULL, list) != NULL || slm_lru_newest(journal, NULL) != NULL ||
          slm_lru_oldest(NULL, list) != NULL || slm_lru_oldest(journal, NULL) != NULL ||
          slm_lru_newer(NULL, used) != NULL || slm_lru_newer(journal, NULL) != NULL ||
          slm_lru_older(NULL, used) != NULL || slm_lru_older(journal, NULL) != NULL;
    any = any || slm_rbtree_check(NULL, tree, hrn_tree_order, 1, 9000) != 0 ||
          slm_rbtree_check(journal, NULL, hrn_tree_order, 1, 9000) != 0 ||
          slm_lru_check(NULL, list, 1, 9000) != 0 || slm_lru_check(journal, NULL, 1, 9000) != 0;
    if (any) {
        hrn_tree_law_found("something, without a journal, a tree, a list or a node");
    }
}
