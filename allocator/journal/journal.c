/* SPDX-License-Identifier: Apache-2.0 */
/* Noting changes, and making them stand. */
#include <slabmill/journal.h>

#include <string.h>

#include "allocator/base/bits.h"
#include "allocator/journal/log.h"

size_t slm_journal_log_bytes(unsigned n_entries)
{
    if (n_entries < SLM_JOURNAL_ENTRIES_MIN || n_entries > SLM_JOURNAL_ENTRIES_MAX) {
        return 0;
    }
    return sizeof(struct slm_journal_log) + n_entries * sizeof(struct journal_entry);
}

enum slm_status slm_journal_init(void *log, unsigned n_entries)
{
    size_t n_bytes = slm_journal_log_bytes(n_entries);
    if (log == NULL) {
        return SLM_E_NULL;
    }
    if ((uintptr_t)log % sizeof(uint64_t) != 0) {
        return SLM_E_ALIGN;
    }
    if (n_bytes == 0) {
        return SLM_E_SIZE;
    }
    struct slm_journal_log *head = log;
    memset(head, 0, sizeof *head);
    head->magic = JOURNAL_MAGIC;
    head->n_max = n_entries;
    return SLM_OK;
}

enum slm_status slm_journal_attach(struct slm_journal *journal, void *log, size_t log_bytes,
                                   void *base, struct slm_slab *slab)
{
    const struct slm_journal_log *head = log;
    if (journal == NULL) {
        return SLM_E_NULL;
    }
    memset(journal, 0, sizeof *journal);
    if (log == NULL || base == NULL || slab == NULL) {
        return SLM_E_NULL;
    }
    if ((uintptr_t)log % sizeof(uint64_t) != 0 || (uintptr_t)base % sizeof(uint64_t) != 0) {
        return SLM_E_ALIGN;
    }
    if (log_bytes < sizeof *head || head->magic != JOURNAL_MAGIC ||
        head->n_max > SLM_JOURNAL_ENTRIES_MAX ||
        slm_journal_log_bytes((unsigned)head->n_max) == 0 ||
        slm_journal_log_bytes((unsigned)head->n_max) > log_bytes) {
        return SLM_E_IMAGE;
    }
    *journal = (struct slm_journal){log, base, slab, head->n_max};
    return SLM_OK;
}

bool slm_journal_room(const struct slm_journal *journal, unsigned n_entries)
{
    const struct slm_journal_log *log = journal->log;
    return log == NULL || n_entries <= journal->n_max - journal_n_entries(log);
}

bool slm_journal_is_dirty(const struct slm_journal *journal)
{
    return journal->log != NULL && journal->log->state != 0;
}

/* The entry is whole before it counts, and counts before what follows in the caller. */
static void append(struct slm_journal *journal, enum journal_kind kind, uint64_t offset,
                   uint64_t value)
{
    struct slm_journal_log *log = journal->log;
    uint64_t n = log->state;
    if (SLM_UNLIKELY(n >= journal->n_max)) {
        slm_broken_index(__func__);
    }
    log->entries[n].what = (uint64_t)kind << JOURNAL_KIND_SHIFT | offset;
    log->entries[n].value = value;
    journal_commit_word(&log->state, n + 1);
}

void slm_journal_write(struct slm_journal *journal, uint64_t *word, uint64_t value)
{
    if (journal->log != NULL) {
        append(journal, JOURNAL_WORD, slm_journal_offset(journal, word), *word);
    }
    journal_commit_word((slm_word *)word, value);
}

void slm_journal_save(struct slm_journal *journal, void *p, size_t n_bytes)
{
    unsigned char *first = (unsigned char *)p - ((uintptr_t)p & 7u);
    const unsigned char *end = (const unsigned char *)p + n_bytes;
    for (; journal->log != NULL && first < end; first += sizeof(uint64_t)) {
        uint64_t old;
        memcpy(&old, first, sizeof old);
        append(journal, JOURNAL_WORD, slm_journal_offset(journal, first), old);
    }
}

/* Between the slab's commit and the entry the slab itself says which object is on its way. */
static void *note_alloc(struct slm_journal *journal, void *p)
{
    if (p != NULL && journal->log != NULL) {
        append(journal, JOURNAL_ALLOC, slm_journal_offset(journal, p), 0);
    }
    return p;
}

/* An object that cannot be noted must not be allocated. */
static void expect_room(const struct slm_journal *journal)
{
    if (SLM_UNLIKELY(!slm_journal_room(journal, 1))) {
        slm_broken_index(__func__);
    }
}

void *slm_journal_alloc(struct slm_journal *journal, size_t size_bytes)
{
    expect_room(journal);
    return note_alloc(journal, slm_slab_alloc_locked(journal->slab, size_bytes));
}

void *slm_journal_calloc(struct slm_journal *journal, size_t size_bytes)
{
    expect_room(journal);
    return note_alloc(journal, slm_slab_calloc_locked(journal->slab, size_bytes));
}

void *slm_journal_memalign(struct slm_journal *journal, size_t align_bytes, size_t size_bytes)
{
    expect_room(journal);
    return note_alloc(journal, slm_slab_memalign_locked(journal->slab, align_bytes, size_bytes));
}

enum slm_status slm_journal_free(struct slm_journal *journal, void *p)
{
    if (journal->log == NULL) {
        return slm_slab_free_locked(journal->slab, p);
    }
    enum slm_status status = slm_slab_judge_locked(journal->slab, p);
    uint64_t what = (uint64_t)JOURNAL_FREE << JOURNAL_KIND_SHIFT | slm_journal_offset(journal, p);
    for (uint32_t i = 0; status == SLM_OK && i < journal_n_entries(journal->log); i++) {
        status = journal->log->entries[i].what == what ? SLM_E_FREED : SLM_OK;
    }
    if (status == SLM_OK) {
        append(journal, JOURNAL_FREE, slm_journal_offset(journal, p), 0);
    }
    return status;
}

enum slm_status slm_journal_set_root(struct slm_journal *journal, void *object)
{
    if (journal->log == NULL) {
        return SLM_E_STATE;
    }
    if (object != NULL && slm_slab_judge_locked(journal->slab, object) != SLM_OK) {
        return SLM_E_FOREIGN;
    }
    append(journal, JOURNAL_ROOT, 0, journal->log->root);
    journal_commit_word(&journal->log->root, slm_journal_offset(journal, object));
    return SLM_OK;
}

void *slm_journal_root(const struct slm_journal *journal)
{
    return journal->log == NULL ? NULL : slm_journal_pointer(journal, journal->log->root);
}

static bool frees_something(const struct slm_journal_log *log)
{
    for (uint32_t i = 0; i < journal_n_entries(log); i++) {
        if (journal_kind_of(&log->entries[i]) == JOURNAL_FREE) {
            return true;
        }
    }
    return false;
}

/* From here on the entries lead forward: see journal_recover.c. */
static void commit_and_carry_out(struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    journal_commit_word(&log->state, log->state | JOURNAL_COMMITTED);
    journal_carry_out(journal);
    journal_commit_word(&log->state, 0);
}

void slm_journal_commit(struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    if (log == NULL) {
        return;
    }
    /* What is noted needs it no more, and what is not must not be taken for new by who comes
     * next. */
    slm_slab_settle_locked(journal->slab);
    if (frees_something(log)) {
        commit_and_carry_out(journal);
    } else if (log->state != 0) {
        journal_commit_word(&log->state, 0);
    }
}

void slm_journal_reset(struct slm_journal *journal)
{
    if (journal->log == NULL) {
        slm_slab_reset_locked(journal->slab);
        return;
    }
    slm_journal_commit(journal);
    append(journal, JOURNAL_RESET, 0, 0);
    commit_and_carry_out(journal);
}

uint64_t slm_journal_n_undone(const struct slm_journal *journal)
{
    return journal->log == NULL ? 0 : __atomic_load_n(&journal->log->n_undone, __ATOMIC_RELAXED);
}

uint64_t slm_journal_n_finished(const struct slm_journal *journal)
{
    return journal->log == NULL ? 0 : __atomic_load_n(&journal->log->n_finished, __ATOMIC_RELAXED);
}
