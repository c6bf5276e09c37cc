/* SPDX-License-Identifier: Apache-2.0 */
/* How trees and lists change: each call is checked first, and then stores through the journal. */
#ifndef SLM_TREE_CHANGE_H
#define SLM_TREE_CHANGE_H

#include "allocator/journal/log.h"

/* Stores through the journal: at most one entry, none if the word does not change. The caller has
 * called node_can_change. */
static inline void node_put(struct slm_journal *journal, uint64_t *word, uint64_t value)
{
    if (*word != value) {
        slm_journal_put(journal, word, value);
    }
}

/* Before the first store of a call: SLM_OK if tree or list, and node, are words of live objects,
 * and n_entries are left. Nodes that are linked already were checked when they were inserted. */
static inline enum slm_status node_can_change(struct slm_journal *journal, const void *head,
                                              size_t head_bytes, const void *node,
                                              size_t node_bytes, unsigned n_entries)
{
    enum slm_status status = slm_journal_check_words(journal, node, node_bytes);
    if (status == SLM_OK) {
        status = slm_journal_check_words(journal, head, head_bytes);
    }
    return status == SLM_OK ? slm_journal_need(journal, n_entries) : status;
}

#endif
