/* SPDX-License-Identifier: Apache-2.0 */
/* Journal: how the room is built; noting changes, and committing them. */
#include <slabmill/journal.h>

#include <stdlib.h>
#include <string.h>

#include "allocator/base/bits.h"
#include "allocator/journal/log.h"
#include "allocator/slab/view.h"

/*
 * Structure
 *
 *   journal    the public calls that note and commit
 *     recover    undo, carry out, recover: acting on a log            check    invariants
 *     mark       what a transaction changed, for a copy that is made meanwhile
 *     object     which objects are live, new or released to this transaction
 *
 * Stored      log.h: struct slm_journal_log in shared memory, in front of the data: its head, then
 *             entries of 16 bytes. Nothing in it is a pointer; offsets count from the base of
 *             the handle.
 * In process  struct slm_journal, the handle, and struct slm_journal_notes (log.h): which objects
 *             this transaction has found live, has allocated and frees. Notes are a hint: a death
 *             loses them, and repairs read the log alone.
 *
 * Undo        An entry is written, then counted in the log's state, and only then the word changes.
 *             So at any moment the entries that count lead back to the last commit, newest first.
 *             Undoing twice is the same as undoing once: a repair may be cut off and begin again.
 * Commit      One store of the state. Without releases it stores 0: no entry counts any more. With
 *             releases it sets JOURNAL_COMMITTED: from then on the entries lead forward. The
 *             objects are freed, and a second store, of 0, ends it. A repair between the two
 *             stores finishes the commit.
 * Allocation  The slab commits an object before the journal can note it. Between the two the slab
 *             itself keeps the address (slm_slab_last_allocation_locked), and a repair frees it.
 *             The words of the newest new object take no entries, since undoing frees it.
 * Release     Noted only. The object stays live until the commit, so that undoing needs no content.
 *             A hash table in the notes finds a second release of an object in O(1). The call that
 *             notes a release judges it; the commit does not judge it again, but a repair does.
 * Full        slm_journal_need asks for room before a call changes anything. A refusal is kept in
 *             the notes until the transaction ends, so that a commit undoes it.
 * Order       Memory outlives a process, so against a death only the compiler's order counts:
 *             journal_commit_word is a release store and a fence for the compiler. Between live
 *             processes the lock orders everything.
 */

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

static struct slm_journal_notes *make_notes(uint64_t n_entries)
{
    uint32_t n_slots = 2 * SLM_JOURNAL_ENTRIES_MIN;
    while (n_slots < 2 * n_entries) {
        n_slots *= 2;
    }
    struct slm_journal_notes *notes =
        calloc(1, sizeof *notes + n_slots * sizeof(struct journal_slot));
    if (notes != NULL) {
        notes->mask = n_slots - 1;
    }
    return notes;
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
    uint64_t n_max = log_bytes < sizeof *head ? 0 : head->n_max;
    if (n_max < SLM_JOURNAL_ENTRIES_MIN || n_max > SLM_JOURNAL_ENTRIES_MAX ||
        slm_journal_log_bytes((unsigned)n_max) > log_bytes || head->magic != JOURNAL_MAGIC) {
        return SLM_E_IMAGE;
    }
    struct slm_journal_notes *notes = make_notes(n_max);
    if (notes == NULL) {
        return SLM_E_NOMEM;
    }
    *journal = (struct slm_journal){log, base, slab, n_max, notes};
    notes->refusal = slab->view.read_only ? SLM_E_READ_ONLY : SLM_OK;
    return SLM_OK;
}

void slm_journal_detach(struct slm_journal *journal)
{
    if (journal != NULL) {
        free(journal->notes);
        memset(journal, 0, sizeof *journal);
    }
}

bool slm_journal_has_room(const struct slm_journal *journal, unsigned n_entries)
{
    return journal != NULL && (journal->log == NULL || journal_has_room(journal, n_entries));
}

bool slm_journal_is_dirty(const struct slm_journal *journal)
{
    return journal != NULL && journal->log != NULL && journal->log->state != 0;
}

/* The caller has made sure of room. The entry is complete before it counts, and counts before the
 * caller's next store. Returns its index. */
static uint32_t append(struct slm_journal *journal, enum journal_kind kind, uint64_t offset,
                       uint64_t value)
{
    struct slm_journal_log *log = journal->log;
    uint64_t n = log->state;
    if (SLM_UNLIKELY(n >= journal->n_max)) {
        slm_broken_index(__func__);
    }
    journal_begin_counts(journal);
    log->entries[n].what = (uint64_t)kind << JOURNAL_KIND_SHIFT | offset;
    log->entries[n].value = value;
    journal_commit_word(&log->state, n + 1);
    return (uint32_t)n;
}

/* p is not NULL. */
static inline uint64_t offset_of(const struct slm_journal *journal, const void *p)
{
    return (uint64_t)((const unsigned char *)p - journal->base);
}

/* The log is on, and the caller has made sure of room. */
static inline void put(struct slm_journal *journal, uint64_t *word, uint64_t value)
{
    (void)append(journal, JOURNAL_WORD, offset_of(journal, word), *word);
    journal_commit_word((slm_word *)word, value);
}

/* What can be checked without looking at the slab. */
static inline bool may_be_word(const struct slm_journal *journal, const uint64_t *word)
{
    return journal != NULL && journal->log != NULL && (uintptr_t)word % sizeof *word == 0 &&
           journal_is_mine(journal);
}

/* Whether another entry can be noted, by the calling thread. The log is on. */
static inline bool can_note(const struct slm_journal *journal)
{
    return journal->log->state < journal->n_max && journal->notes->refusal == SLM_OK &&
           journal_is_mine(journal);
}

/* A word of another object than the words before. Next to heads lie counters of their user. */
static SLM_NOINLINE enum slm_status write_elsewhere(struct slm_journal *journal, uint64_t *word,
                                                    uint64_t value)
{
    if (journal == NULL || word == NULL) {
        return SLM_E_NULL;
    }
    if (journal->log == NULL || (may_be_word(journal, word) &&
                                 journal_is_within(&journal->notes->fresh, word, sizeof *word))) {
        journal_commit_word((slm_word *)word, value);
        return SLM_OK;
    }
    bool is_next_to_head = may_be_word(journal, word) && can_note(journal) &&
                           journal_is_anchored(journal, word, sizeof *word);
    enum slm_status status =
        is_next_to_head ? SLM_OK : slm_journal_find_words(journal, word, sizeof *word);
    if (status == SLM_OK && !is_next_to_head) {
        status = slm_journal_need(journal, 1);
    }
    if (status == SLM_OK) {
        put(journal, word, value);
    }
    return status;
}

enum slm_status slm_journal_write(struct slm_journal *journal, uint64_t *word, uint64_t value)
{
    if (SLM_LIKELY(may_be_word(journal, word) && journal->log->state < journal->n_max &&
                   journal_is_live(journal, word, sizeof *word))) {
        put(journal, word, value);
        return SLM_OK;
    }
    return write_elsewhere(journal, word, value);
}

enum slm_status slm_journal_note_range(struct slm_journal *journal, void *p, size_t n_bytes)
{
    if (SLM_UNLIKELY(journal == NULL || p == NULL)) {
        return SLM_E_NULL;
    }
    size_t before = (uintptr_t)p & 7u;
    const unsigned char *first = (const unsigned char *)p - before;
    size_t n_words = n_bytes == 0 ? 0 : n_bytes / 8 + (before + n_bytes % 8 + 7) / 8;
    enum slm_status status = slm_journal_need(journal, 0);
    if (journal->log == NULL || n_bytes == 0) {
        return status;
    }
    if (status == SLM_OK && journal_is_within(&journal->notes->fresh, p, n_bytes)) {
        return SLM_OK;
    }
    if (status == SLM_OK && !journal_is_live(journal, p, n_bytes)) {
        status = slm_journal_find_range(journal, p, n_bytes);
    }
    if (status == SLM_OK) {
        status = slm_journal_need(journal, n_words);
    }
    for (size_t i = 0; i < n_words && status == SLM_OK; i++, first += sizeof(uint64_t)) {
        uint64_t old;
        memcpy(&old, first, sizeof old);
        (void)append(journal, JOURNAL_WORD, offset_of(journal, first), old);
    }
    return status;
}

/* Between the slab's commit and the entry, the slab itself keeps the object's address. */
static inline void *note_alloc(struct slm_journal *journal, void *p, size_t size_bytes)
{
    if (SLM_LIKELY(p != NULL && journal->log != NULL)) {
        (void)append(journal, JOURNAL_ALLOC, offset_of(journal, p), 0);
        journal->notes->n_allocs++;
        journal->notes->fresh = (struct slab_object){p, size_bytes};
    }
    return p;
}

/* An object that cannot be noted must not be allocated. */
static inline bool can_allocate(struct slm_journal *journal)
{
    return SLM_LIKELY(journal != NULL) && (SLM_LIKELY(journal->log != NULL && can_note(journal)) ||
                                           slm_journal_need(journal, 1) == SLM_OK);
}

void *slm_journal_alloc(struct slm_journal *journal, size_t size_bytes)
{
    return can_allocate(journal)
               ? note_alloc(journal, slm_slab_alloc_locked(journal->slab, size_bytes), size_bytes)
               : NULL;
}

void *slm_journal_calloc(struct slm_journal *journal, size_t size_bytes)
{
    return can_allocate(journal)
               ? note_alloc(journal, slm_slab_calloc_locked(journal->slab, size_bytes), size_bytes)
               : NULL;
}

void *slm_journal_memalign(struct slm_journal *journal, size_t align_bytes, size_t size_bytes)
{
    return can_allocate(journal)
               ? note_alloc(journal,
                            slm_slab_memalign_locked(journal->slab, align_bytes, size_bytes),
                            size_bytes)
               : NULL;
}

/* Whether p is the chunk that was found live last, as one is that was just unlinked. Longer objects
 * may be the inner part of a run. */
static inline bool is_found_chunk(const struct slm_journal *journal, const void *p)
{
    const struct slab_object *found = &journal->notes->live[0];
    return found->start == p && found->n_bytes - 1 < journal->slab->page_mask;
}

/* The most frequent cases in which slm_slab_check_pointer_locked returns SLM_OK. */
static inline bool is_chunk(const struct slm_journal *journal, const void *p)
{
    struct slab_object object;
    return slab_is_current(journal->slab) &&
           (is_found_chunk(journal, p) ||
            (slab_find_in_chunk(journal->slab, p, 1, &object) && object.start == p));
}

/* SLM_E_FREED: this transaction has noted it already. SLM_E_STATE: it is the root. SLM_E_FULL. */
static enum slm_status note_free(struct slm_journal *journal, void *p)
{
    uint64_t offset = offset_of(journal, p);
    if (SLM_UNLIKELY(offset == journal->log->root)) {
        return slm_journal_refuse(journal, SLM_E_STATE);
    }
    if (SLM_UNLIKELY(journal->notes->n_frees != 0) && slm_journal_is_released(journal, p)) {
        return SLM_E_FREED;
    }
    if (SLM_UNLIKELY(!can_note(journal))) {
        return slm_journal_need(journal, 1);
    }
    bool is_first = journal->notes->n_frees == 0;
    uint32_t idx = append(journal, JOURNAL_FREE, offset, 0);
    if (SLM_LIKELY(is_first)) {
        journal_remember_first_release(journal->notes, p, idx);
    } else {
        slm_journal_remember_release(journal, p, idx);
    }
    return SLM_OK;
}

enum slm_status slm_journal_free(struct slm_journal *journal, void *p)
{
    if (SLM_UNLIKELY(journal == NULL)) {
        return SLM_E_NULL;
    }
    if (p == NULL) {
        return SLM_OK;
    }
    if (journal->log == NULL) {
        return slm_slab_free_locked(journal->slab, p);
    }
    if (SLM_UNLIKELY(!journal_is_mine(journal))) {
        return SLM_E_OWNER;
    }
    enum slm_status status =
        is_chunk(journal, p) ? SLM_OK : slm_slab_check_pointer_locked(journal->slab, p);
    if (SLM_LIKELY(status == SLM_OK)) {
        return note_free(journal, p);
    }
    /* A handle that can only read says so before it says that it has not seen a growth. */
    return status == SLM_E_STATE ? slab_change_status(journal->slab) : status;
}

enum slm_status slm_journal_set_root(struct slm_journal *journal, void *object)
{
    if (journal == NULL) {
        return SLM_E_NULL;
    }
    if (journal->log == NULL) {
        return SLM_E_STATE;
    }
    if (journal->slab->view.read_only) {
        return SLM_E_READ_ONLY; /* also of an object in a growth that it has not seen */
    }
    if (SLM_UNLIKELY(!journal_is_mine(journal))) {
        return SLM_E_OWNER;
    }
    if (object != NULL && !slm_slab_is_object(journal->slab, object)) {
        return SLM_E_FOREIGN;
    }
    if (object != NULL && slm_journal_is_released(journal, object)) {
        return SLM_E_FREED;
    }
    enum slm_status status = slm_journal_need(journal, 1);
    if (status != SLM_OK) {
        return status;
    }
    (void)append(journal, JOURNAL_ROOT, 0, journal->log->root);
    journal_commit_word(&journal->log->root, slm_journal_offset(journal, object));
    return SLM_OK;
}

enum slm_status slm_journal_set_version(struct slm_journal *journal, uint32_t version)
{
    enum slm_status status = slm_journal_need(journal, 1);
    if (status == SLM_OK) {
        (void)append(journal, JOURNAL_VERSION, 0, journal_content_version(journal));
        journal_commit_version(journal->log, version);
    }
    return status;
}

void *slm_journal_root(const struct slm_journal *journal)
{
    return journal == NULL || journal->log == NULL
               ? NULL
               : slm_journal_pointer(journal, journal->log->root);
}

/* Each release was judged when this transaction noted it, and only its commit frees. */
static inline void free_entry(struct slm_journal *journal, const struct journal_entry *entry)
{
    (void)slm_slab_free_locked(journal->slab, journal->base + (entry->what & JOURNAL_OFFSET));
}

/* Frees what the transaction released: the notes have the first release and how many there are. From
 * the first store on the entries lead forward: see recover.c. */
static SLM_NOINLINE void finish_commit(struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    uint32_t n_entries = journal_n_entries(log);
    uint32_t n_left = journal->notes->n_frees;
    journal->notes->n_frees = 0;
    journal_commit_word(&log->state, log->state | JOURNAL_COMMITTED);
    for (uint32_t i = journal->notes->first_free; i < n_entries && n_left > 0; i++) {
        if (journal_kind_of(&log->entries[i]) == JOURNAL_FREE) {
            free_entry(journal, &log->entries[i]);
            n_left--;
        }
    }
}

/* A call refused the transaction. */
static SLM_NOINLINE enum slm_status undo_refused(struct slm_journal *journal)
{
    enum slm_status refusal = journal->notes->refusal;
    slm_journal_abort(journal);
    return refusal;
}

enum slm_status slm_journal_commit(struct slm_journal *journal)
{
    if (SLM_UNLIKELY(journal == NULL)) {
        return SLM_E_NULL;
    }
    struct slm_journal_log *log = journal->log;
    if (log == NULL) {
        return SLM_OK;
    }
    if (SLM_UNLIKELY(!journal_is_mine(journal))) {
        return SLM_E_OWNER;
    }
    if (journal_commit_one_release(journal)) {
        return SLM_OK;
    }
    journal_forget_live(journal);
    if (SLM_UNLIKELY(journal->notes->refusal != SLM_OK)) {
        return undo_refused(journal);
    }
    /* Logged allocations no longer need it, and a later recovery must not mistake an unlogged one
     * for new. */
    slab_commit(&journal->slab->header->pending, 0);
    if (log->state == 0) {
        return SLM_OK;
    }
    if (SLM_UNLIKELY(journal->slab->mark != NULL)) {
        slm_journal_mark_changes(journal);
    }
    if (journal->notes->n_frees != 0) {
        finish_commit(journal);
    }
    journal_commit_word(&log->state, 0);
    return SLM_OK;
}

enum slm_status slm_journal_reset(struct slm_journal *journal)
{
    if (journal == NULL) {
        return SLM_E_NULL;
    }
    if (journal->log == NULL) {
        return journal->slab == NULL ? SLM_OK : slm_slab_reset_locked(journal->slab);
    }
    enum slm_status status = slab_change_status(journal->slab);
    if (status == SLM_OK) {
        status = slm_journal_commit(journal);
    }
    if (status == SLM_OK) {
        (void)append(journal, JOURNAL_RESET, 0, 0);
        journal_commit_word(&journal->log->state, journal->log->state | JOURNAL_COMMITTED);
        slm_journal_carry_out(journal);
        journal_commit_word(&journal->log->state, 0);
    }
    return status;
}

uint64_t slm_journal_n_undone(const struct slm_journal *journal)
{
    return journal == NULL || journal->log == NULL
               ? 0
               : __atomic_load_n(&journal->log->n_undone, __ATOMIC_RELAXED);
}

uint64_t slm_journal_n_finished(const struct slm_journal *journal)
{
    return journal == NULL || journal->log == NULL
               ? 0
               : __atomic_load_n(&journal->log->n_finished, __ATOMIC_RELAXED);
}
