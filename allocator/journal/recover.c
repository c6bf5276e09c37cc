/* SPDX-License-Identifier: Apache-2.0 */
/* Undoing a transaction, finishing a commit, recovering after a death. */
#include "allocator/journal/log.h"
#include "allocator/slab/view.h"

static void free_if_live(struct slm_journal *journal, void *p)
{
    if (slm_slab_is_object(journal->slab, p)) {
        (void)slm_slab_free_locked(journal->slab, p);
    }
}

static void carry_out_entry(struct slm_journal *journal, const struct journal_entry *entry)
{
    if (journal_kind_of(entry) == JOURNAL_FREE) {
        free_if_live(journal, slm_journal_pointer(journal, entry->what & JOURNAL_OFFSET));
    } else if (journal_kind_of(entry) == JOURNAL_RESET) {
        journal_commit_word(&journal->log->root, 0);
        (void)slm_slab_reset_locked(journal->slab);
    }
}

void slm_journal_carry_out(struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    for (uint32_t i = 0; i < journal_n_entries(log); i++) {
        if (slm_journal_entry_is_valid(journal, &log->entries[i])) {
            carry_out_entry(journal, &log->entries[i]);
        }
    }
}

static void undo_entry(struct slm_journal *journal, const struct journal_entry *entry)
{
    void *p = slm_journal_pointer(journal, entry->what & JOURNAL_OFFSET);
    switch (journal_kind_of(entry)) {
    case JOURNAL_WORD:
        journal_commit_word(p, entry->value);
        break;
    case JOURNAL_ROOT:
        journal_commit_word(&journal->log->root, entry->value);
        break;
    case JOURNAL_VERSION:
        journal_commit_version(journal->log, (uint32_t)entry->value);
        break;
    case JOURNAL_ALLOC:
        free_if_live(journal, p);
        break;
    default: /* a release that is undone changes nothing */
        break;
    }
}

/*
 * A log that a dead owner left may hold an entry that no call notes: another part of a program
 * overwrote it. Such an entry is skipped. All others are followed, since each is right by itself:
 * one word that keeps its new value is less than the whole zone.
 */
static bool is_followed(const struct slm_journal *journal, const struct journal_entry *entry,
                        bool is_checked)
{
    return !is_checked || slm_journal_entry_is_valid(journal, entry);
}

/* Newest first: a word that was noted twice gets the older value in the end. */
static void undo(struct slm_journal *journal, bool is_checked)
{
    struct slm_journal_log *log = journal->log;
    for (uint32_t i = journal_n_entries(log); i-- > 0;) {
        if (is_followed(journal, &log->entries[i], is_checked)) {
            undo_entry(journal, &log->entries[i]);
        }
    }
}

void slm_journal_abort(struct slm_journal *journal)
{
    if (journal != NULL && journal->log != NULL && journal_is_mine(journal) &&
        !journal->slab->view.read_only) {
        undo(journal, false);
        slm_slab_clear_last_allocation_locked(journal->slab);
        journal_commit_word(&journal->log->state, 0);
        journal_begin(journal);
    }
}

/* The last allocation may not have been noted yet. */
static void undo_transaction(struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    void *pending = slm_slab_last_allocation_locked(journal->slab);
    if (log->state != 0 || pending != NULL) {
        (void)__atomic_fetch_add(&log->n_undone, 1, __ATOMIC_RELAXED);
    }
    undo(journal, true);
    if (pending != NULL) {
        free_if_live(journal, pending);
    }
}

enum slm_status slm_journal_recover(struct slm_journal *journal)
{
    if (journal == NULL) {
        return SLM_E_NULL;
    }
    struct slm_journal_log *log = journal->log;
    if (log == NULL) {
        return SLM_OK;
    }
    if (!journal_is_mine(journal)) {
        return SLM_E_OWNER;
    }
    enum slm_status status = slm_slab_rebuild_locked(journal->slab);
    if (status != SLM_OK) {
        return status;
    }
    if (!slm_journal_state_is_valid(journal)) {
        return SLM_E_IMAGE;
    }
    if ((log->state & JOURNAL_COMMITTED) != 0) {
        (void)__atomic_fetch_add(&log->n_finished, 1, __ATOMIC_RELAXED);
        slm_journal_carry_out(journal);
    } else {
        undo_transaction(journal);
    }
    slm_slab_clear_last_allocation_locked(journal->slab);
    journal_commit_word(&log->state, 0);
    journal_begin(journal);
    return SLM_OK;
}
