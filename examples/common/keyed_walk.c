/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over entries in the order of the tree, from any key. */
#include "examples/common/keyed_priv.h"

struct slm_keyed_entry *slm_keyed_after(const struct slm_keyed_view *view,
                                        const struct slm_key *key)
{
    struct slm_rbtree_node *node =
        key == NULL
            ? slm_rbtree_first(view->journal, &view->head->by_key)
            : slm_rbtree_lower_bound(view->journal, &view->head->by_key, key, keyed_compare);
    if (key != NULL && node != NULL && keyed_compare(key, node) == 0) {
        node = slm_rbtree_next(view->journal, node);
    }
    return (struct slm_keyed_entry *)node;
}

struct slm_keyed_entry *slm_keyed_next(const struct slm_keyed_view *view,
                                       const struct slm_keyed_entry *entry)
{
    return (struct slm_keyed_entry *)slm_rbtree_next(view->journal, &entry->by_key);
}
