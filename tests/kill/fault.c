/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kill/fault.h"

#include "allocator/journal/log.h"
#include "allocator/zone/handle.h"
#include <slabmill/lock.h>

enum kill_fault kill_fault;

/* The linker's names: __wrap_ replaces the function, __real_ is the original. */
enum slm_status __real_slm_journal_write(struct slm_journal *journal, uint64_t *word,
                                         uint64_t value);
void *__real_slm_journal_alloc(struct slm_journal *journal, size_t size_bytes);
enum slm_status __real_slm_journal_free(struct slm_journal *journal, void *p);
enum slm_status __real_slm_journal_commit(struct slm_journal *journal);
enum slm_status __real_slm_journal_recover(struct slm_journal *journal);
bool __real_slm_lock_is_owner_gone(struct slm_lock *lock, uint64_t owner);
enum slm_status __real_slm_zone_end_move(struct slm_zone *from);
enum slm_status __real_slm_zone_begin_use(struct slm_zone *zone, bool is_vouched);
enum slm_status __real_slm_zone_give_pages_back(struct slm_zone *zone, size_t first_page,
                                                size_t n_pages, uint64_t *n_bytes,
                                                struct slm_error *error);
enum slm_status __wrap_slm_journal_write(struct slm_journal *journal, uint64_t *word,
                                         uint64_t value);
void *__wrap_slm_journal_alloc(struct slm_journal *journal, size_t size_bytes);
enum slm_status __wrap_slm_journal_free(struct slm_journal *journal, void *p);
enum slm_status __wrap_slm_journal_commit(struct slm_journal *journal);
enum slm_status __wrap_slm_journal_recover(struct slm_journal *journal);
bool __wrap_slm_lock_is_owner_gone(struct slm_lock *lock, uint64_t owner);
enum slm_status __wrap_slm_zone_end_move(struct slm_zone *from);
enum slm_status __wrap_slm_zone_begin_use(struct slm_zone *zone, bool is_vouched);
enum slm_status __wrap_slm_zone_give_pages_back(struct slm_zone *zone, size_t first_page,
                                                size_t n_pages, uint64_t *n_bytes,
                                                struct slm_error *error);

static void write_before_noting(struct slm_journal *journal, uint64_t *word, uint64_t value)
{
    uint64_t old = *word;
    struct slm_journal_log *log = journal->log;
    journal_commit_word(word, value);
    log->entries[log->state].what =
        (uint64_t)JOURNAL_WORD << JOURNAL_KIND_SHIFT | slm_journal_offset(journal, word);
    log->entries[log->state].value = old;
    journal_commit_word(&log->state, log->state + 1);
}

enum slm_status __wrap_slm_journal_write(struct slm_journal *journal, uint64_t *word,
                                         uint64_t value)
{
    if (kill_fault != KILL_FAULT_WRITES_BEFORE_NOTING) {
        return __real_slm_journal_write(journal, word, value);
    }
    write_before_noting(journal, word, value);
    return SLM_OK;
}

void *__wrap_slm_journal_alloc(struct slm_journal *journal, size_t size_bytes)
{
    return kill_fault == KILL_FAULT_NOTES_NO_OBJECT
               ? slm_slab_alloc_locked(journal->slab, size_bytes)
               : __real_slm_journal_alloc(journal, size_bytes);
}

enum slm_status __wrap_slm_journal_free(struct slm_journal *journal, void *p)
{
    return kill_fault == KILL_FAULT_FREES_AT_ONCE ? slm_slab_free_locked(journal->slab, p)
                                                  : __real_slm_journal_free(journal, p);
}

static void commit_too_early(struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    uint32_t n = journal_n_entries(log);
    slm_slab_clear_last_allocation_locked(journal->slab);
    journal_commit_word(&log->state, 0);
    for (uint32_t i = 0; i < n; i++) {
        if (log->entries[i].what >> JOURNAL_KIND_SHIFT == JOURNAL_FREE) {
            uint64_t offset = log->entries[i].what & JOURNAL_OFFSET;
            (void)slm_slab_free_locked(journal->slab, slm_journal_pointer(journal, offset));
        }
    }
}

enum slm_status __wrap_slm_journal_commit(struct slm_journal *journal)
{
    if (kill_fault == KILL_FAULT_CLEARS_BEFORE_FREEING) {
        commit_too_early(journal);
        return SLM_OK;
    }
    return __real_slm_journal_commit(journal);
}

enum slm_status __wrap_slm_journal_recover(struct slm_journal *journal)
{
    struct slm_journal_log *log = journal->log;
    uint64_t state = log->state;
    if (kill_fault == KILL_FAULT_RECOVERS_NOTHING) {
        return SLM_OK;
    }
    if (kill_fault == KILL_FAULT_RECOVERS_ONCE) {
        journal_commit_word(&log->state, 0);
        (void)slm_slab_rebuild_locked(journal->slab);
        journal_commit_word(&log->state, state);
    }
    return __real_slm_journal_recover(journal);
}

bool __wrap_slm_lock_is_owner_gone(struct slm_lock *lock, uint64_t owner)
{
    return kill_fault == KILL_FAULT_TAKES_ALL_FOR_DEAD ||
           __real_slm_lock_is_owner_gone(lock, owner);
}

enum slm_status __wrap_slm_zone_end_move(struct slm_zone *from)
{
    enum slm_status status = __real_slm_zone_end_move(from);
    return kill_fault == KILL_FAULT_LOCKS_AN_EARLIER_ZONE ? SLM_OK : status;
}

enum slm_status __wrap_slm_zone_begin_use(struct slm_zone *zone, bool is_vouched)
{
    return kill_fault == KILL_FAULT_STAYS_CLEAN ? SLM_OK
                                                : __real_slm_zone_begin_use(zone, is_vouched);
}

enum slm_status __wrap_slm_zone_give_pages_back(struct slm_zone *zone, size_t first_page,
                                                size_t n_pages, uint64_t *n_bytes,
                                                struct slm_error *error)
{
    size_t n_more = kill_fault == KILL_FAULT_TRIMS_A_USED_PAGE ? 1 : 0;
    return __real_slm_zone_give_pages_back(zone, first_page, n_pages + n_more, n_bytes, error);
}
