/* SPDX-License-Identifier: Apache-2.0 */
/* How trees and lists change: each call is checked first, and then stores through the journal. */
#ifndef SLM_TREE_CHANGE_H
#define SLM_TREE_CHANGE_H

#include "allocator/journal/log.h"
#include "allocator/slab/view.h"
#include "allocator/tree/node.h"

/* The stores of one call: where its next entry goes, kept in registers instead of the log. */
struct node_change {
    slm_word *state; /* the log's */
    uint64_t n;      /* entries that it counts */
    uint64_t n_max;
    struct journal_entry *next;
    uint64_t what;         /* of an entry for a word at address 0 */
    uintptr_t fresh;       /* words there need no entries: undoing frees their object. Off: all */
    uintptr_t fresh_bytes; /* words */
};

/* Before the first store of a call: SLM_OK if tree or list, and node, are words of live objects,
 * and n_entries are left. Nodes that are linked already were checked when they were inserted. */
static inline enum slm_status node_can_change(struct slm_journal *journal, const void *head,
                                              size_t head_bytes, const void *node,
                                              size_t node_bytes, unsigned n_entries)
{
    if (journal->log == NULL) {
        return SLM_OK;
    }
    if (SLM_UNLIKELY(!node_is_aligned(node)) || !journal_is_known(journal, node, node_bytes)) {
        return slm_journal_check_node(journal, head, head_bytes, n_entries, node, node_bytes);
    }
    bool is_good = node_is_aligned(head) && journal_is_anchored(journal, head, head_bytes) &&
                   journal_has_room(journal, n_entries) && journal_is_mine(journal);
    return SLM_LIKELY(is_good) ? SLM_OK
                               : slm_journal_check_head(journal, head, head_bytes, n_entries);
}

/* Before an insert of a node whose tag is not 0: it is in a tree or list already, or it is freed and
 * its tag is junk. */
static inline enum slm_status node_tagged_status(struct slm_journal *journal, const void *head,
                                                 size_t head_bytes, const void *node,
                                                 size_t node_bytes, uint64_t tag)
{
    enum slm_status status = SLM_OK;
    if (SLM_CHECKS >= 2 && tag == UINT64_MAX / 0xff * SLAB_JUNK) {
        status = node_can_change(journal, head, head_bytes, node, node_bytes, 0);
    }
    return status == SLM_OK ? SLM_E_DUPLICATE : status;
}

/* After node_can_change. Until the call's last store no other call notes anything. */
static inline struct node_change node_change_begin(const struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    if (log == NULL) {
        return (struct node_change){.n_max = UINT64_MAX, .fresh_bytes = UINTPTR_MAX};
    }
    journal_begin_counts(journal);
    return (struct node_change){
        .state = &log->state,
        .n = log->state,
        .n_max = journal->n_max,
        .next = &log->entries[log->state],
        .what = ((uint64_t)JOURNAL_WORD << JOURNAL_KIND_SHIFT) - (uintptr_t)journal->base,
        .fresh = (uintptr_t)journal->notes->fresh.start,
        .fresh_bytes = journal->notes->fresh.n_bytes,
    };
}

/* The place of the next entry stays in registers only where stores are inlined. */
#define CHANGE_INLINE inline __attribute__((always_inline))

/* Stores through the journal: at most one entry. One store that is refused among others would leave
 * links that lead in circles, so nothing is checked here. */
static CHANGE_INLINE void node_store(struct node_change *change, slm_word *word, uint64_t value)
{
    if ((uintptr_t)word - change->fresh >= change->fresh_bytes) {
        *change->next++ = (struct journal_entry){change->what + (uintptr_t)word, *word};
        journal_commit_word(change->state, ++change->n);
    }
    journal_commit_word(word, value);
}

/* The same, but no entry if the word does not change. */
static CHANGE_INLINE void node_put(struct node_change *change, slm_word *word, uint64_t value)
{
    if (*word != value) {
        if (SLM_UNLIKELY(change->n >= change->n_max)) {
            slm_broken_index(__func__);
        }
        node_store(change, word, value);
    }
}

#endif
