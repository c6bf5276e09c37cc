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
    uint64_t n;                 /* its index */
    const struct journal_entry *end;
    uint64_t what; /* of an entry for a word at address 0 */
};

/* The place of the next entry stays in registers only where notes are inlined. */
#define CHANGE_INLINE inline __attribute__((always_inline))

/* Before the first store of a call, if the journal is on: the answers of a first look. */
enum node_look {
    NODE_READY,   /* head and node are words of live objects, and n_entries are left */
    NODE_UNKNOWN, /* so far only the head is known to be */
    NODE_REFUSED  /* nothing is known */
};

/* Whether the node lies in the object that this transaction has found last. Nodes that are inserted
 * nearly always lie in the newest; of others it is not asked. A table keeps its nodes in the object
 * that its head is in. */
static CHANGE_INLINE bool node_is_known(const struct slm_journal *journal, const void *node,
                                        size_t node_bytes, bool is_insert)
{
    const struct slm_journal_notes *notes = journal->notes;
    return (is_insert && journal_is_within(&notes->fresh, node, node_bytes)) ||
           journal_is_within(&notes->live[0], node, node_bytes) ||
           (journal_is_within(&notes->anchor.object, node, node_bytes) &&
            SLM_LIKELY(notes->refusal == SLM_OK));
}

/* The usual cases, without a call. Nodes that are linked already were checked when they were
 * inserted. Where a node is known, no call was refused. */
static CHANGE_INLINE enum node_look node_look(const struct slm_journal *journal, const void *head,
                                              size_t head_bytes, const void *node,
                                              size_t node_bytes, unsigned n_entries, bool is_insert)
{
    if (SLM_UNLIKELY(!node_is_aligned(head)) || SLM_UNLIKELY(!node_is_aligned(node)) ||
        SLM_UNLIKELY(!journal_has_entries(journal, n_entries)) ||
        SLM_UNLIKELY(!journal_is_mine(journal)) ||
        SLM_UNLIKELY(!journal_is_anchored(journal, head, head_bytes))) {
        return NODE_REFUSED;
    }
    return node_is_known(journal, node, node_bytes, is_insert) ? NODE_READY : NODE_UNKNOWN;
}

/* Whether the node, of which only the head is known, is in a live chunk; others are looked at by
 * slm_journal_check_node. */
static CHANGE_INLINE bool node_find(struct slm_journal *journal, const void *node,
                                    size_t node_bytes)
{
    struct slm_journal_notes *notes = journal->notes;
    struct slab_object object;
    bool is_found = notes->n_frees == 0 && notes->refusal == SLM_OK &&
                    slab_find_in_chunk(journal->slab, node, node_bytes, &object);
    if (SLM_LIKELY(is_found)) {
        journal_remember_live(notes, &object);
    }
    return is_found;
}

/* After the first look did not find them ready: SLM_OK, or what is wrong with head or node. */
static CHANGE_INLINE enum slm_status node_check(struct slm_journal *journal, const void *head,
                                                size_t head_bytes, const void *node,
                                                size_t node_bytes, unsigned n_entries,
                                                enum node_look look)
{
    return SLM_LIKELY(look == NODE_UNKNOWN && node_find(journal, node, node_bytes))
               ? SLM_OK
               : slm_journal_check_node(journal, head, head_bytes, n_entries, node, node_bytes);
}

/* Before an insert of a node whose tag is not 0: it is in a tree or list already, or it is freed and
 * its tag is junk. */
static inline enum slm_status node_tagged_status(struct slm_journal *journal, const void *head,
                                                 size_t head_bytes, const void *node,
                                                 size_t node_bytes, uint64_t tag)
{
    enum slm_status status = SLM_OK;
    if (SLM_CHECKS >= 2 && tag == UINT64_MAX / 0xff * SLAB_JUNK && journal->log != NULL) {
        status = slm_journal_check_node(journal, head, head_bytes, 0, node, node_bytes);
    }
    return status == SLM_OK ? SLM_E_DUPLICATE : status;
}

/* Inside a call that has begun: where its next entry goes. */
static inline struct node_change node_change_go_on(const struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    return (struct node_change){
        .log = log,
        .next = &log->entries[log->state],
        .n = log->state,
        .end = &log->entries[journal->n_max],
        .what = ((uint64_t)JOURNAL_WORD << JOURNAL_KIND_SHIFT) - (uintptr_t)journal->base,
    };
}

/* After node_look or node_check. Until the call's last note no other call notes anything. */
static inline struct node_change node_change_begin(const struct slm_journal *journal)
{
    journal_begin_counts(journal);
    return node_change_go_on(journal);
}

/* Whether the words of a node need no entries: undoing frees their object. */
static CHANGE_INLINE bool node_is_fresh(const struct slm_journal *journal, const void *node)
{
    const struct slab_object *fresh = &journal->notes->fresh;
    return (uintptr_t)node - (uintptr_t)fresh->start < fresh->n_bytes;
}

/* Notes a word. Of a fresh one that is not necessary, but does no harm. The call has asked for as
 * many entries as it can take at all, also where the links are damaged. */
static CHANGE_INLINE void node_note(struct node_change *change, const slm_word *word)
{
    SLM_ASSERT(index, change->next < change->end);
    *change->next++ = (struct journal_entry){change->what + (uintptr_t)word, *word};
    change->n++;
}

/* From here on the words that were noted may change. */
static CHANGE_INLINE void node_count(struct node_change *change)
{
    journal_commit_word(&change->log->state, change->n);
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
