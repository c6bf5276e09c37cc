/* SPDX-License-Identifier: Apache-2.0 */
/* How trees and lists change: each call is checked first, and then stores through the journal. */
#ifndef SLM_TREE_CHANGE_H
#define SLM_TREE_CHANGE_H

#include "allocator/journal/log.h"
#include "allocator/slab/view.h"
#include "allocator/tree/node.h"

/*
 * The stores of one call. It notes the old values of several words, counts these entries with one
 * store, and only then changes the words. Where its next entry goes is kept in registers instead of
 * the log.
 */
struct node_change {
    struct slm_journal_log *log;
    struct journal_entry *next; /* to be filled; a later node_count counts it */
    const struct journal_entry *end;
    uint64_t what;         /* of an entry for a word at address 0 */
    uintptr_t fresh;       /* words there need no entries: undoing frees their object */
    uintptr_t fresh_bytes; /* words */
};

/* Whether [p, p + n_bytes) lies in an object that this transaction has found. Those that are inserted
 * nearly always lie in the newest; of others it is not asked. */
static inline bool node_is_known(const struct slm_journal *journal, const void *p, size_t n_bytes,
                                 bool is_insert)
{
    return (is_insert && journal_is_within(&journal->notes->fresh, p, n_bytes)) ||
           journal_is_live(journal, p, n_bytes);
}

/* The place of the next entry stays in registers only where notes are inlined. */
#define CHANGE_INLINE inline __attribute__((always_inline))

/* Before the first store of a call: SLM_OK if tree or list, and node, are words of live objects,
 * and n_entries are left. Nodes that are linked already were checked when they were inserted. */
static CHANGE_INLINE enum slm_status node_can_change(struct slm_journal *journal, const void *head,
                                                     size_t head_bytes, const void *node,
                                                     size_t node_bytes, unsigned n_entries,
                                                     bool is_insert)
{
    if (journal->log == NULL) {
        return SLM_OK;
    }
    if (SLM_UNLIKELY(!node_is_aligned(node)) ||
        !node_is_known(journal, node, node_bytes, is_insert)) {
        return slm_journal_check_node(journal, head, head_bytes, n_entries, node, node_bytes);
    }
    /* A node is known, so no call was refused. */
    bool is_good = node_is_aligned(head) && journal_is_anchored(journal, head, head_bytes) &&
                   journal_has_entries(journal, n_entries) && journal_is_mine(journal);
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
        status = node_can_change(journal, head, head_bytes, node, node_bytes, 0, true);
    }
    return status == SLM_OK ? SLM_E_DUPLICATE : status;
}

/* After node_can_change, if the journal is on. Until the call's last note no other call notes
 * anything. */
static inline struct node_change node_change_begin(const struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    journal_begin_counts(journal);
    return (struct node_change){
        .log = log,
        .next = &log->entries[log->state],
        .end = &log->entries[journal->n_max],
        .what = ((uint64_t)JOURNAL_WORD << JOURNAL_KIND_SHIFT) - (uintptr_t)journal->base,
        .fresh = (uintptr_t)journal->notes->fresh.start,
        .fresh_bytes = journal->notes->fresh.n_bytes,
    };
}

/* Whether a node, or a word, needs no entries. A node is in one object. */
static CHANGE_INLINE bool node_is_fresh(const struct node_change *change, const void *p)
{
    return (uintptr_t)p - change->fresh < change->fresh_bytes;
}

/* The loops of a damaged tree may ask for more entries than the call made sure of. */
static CHANGE_INLINE void node_expect(const struct node_change *change, size_t n_entries)
{
    if (SLM_UNLIKELY((size_t)(change->end - change->next) < n_entries)) {
        slm_broken_index(__func__);
    }
}

/* Notes a word. Of a fresh one that is not necessary, but does no harm. */
static CHANGE_INLINE void node_note(struct node_change *change, const slm_word *word)
{
    *change->next++ = (struct journal_entry){change->what + (uintptr_t)word, *word};
}

/* The same, but no entry for a fresh word. */
static CHANGE_INLINE void node_note_any(struct node_change *change, const slm_word *word)
{
    if (!node_is_fresh(change, word)) {
        node_note(change, word);
    }
}

/* From here on the words that were noted may change. */
static CHANGE_INLINE void node_count(struct node_change *change)
{
    journal_commit_word(&change->log->state, (uint64_t)(change->next - change->log->entries));
}

/* Changes a word that was noted and counted. One store that is refused among others would leave
 * links that lead in circles, so nothing is checked here. Undoing restores all words of a call, so
 * their order does not matter. */
static CHANGE_INLINE void node_set(slm_word *word, uint64_t value)
{
    SLM_YIELD("tree: store");
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
    SLM_STORED("tree: stored");
}

#endif
