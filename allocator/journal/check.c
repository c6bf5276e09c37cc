/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates the journal's invariants: read-only, bounded, safe for any content of the log. */
#include "allocator/journal/log.h"
#include "allocator/slab/view.h"

/*
 * I1  The log's head is that of a log with the number of entries that its handle was opened on.
 * I2  There are no more entries than fit, and no other bit of the state is set but `committed`.
 * I3  Each entry is one that can be carried out: a known kind; words and objects in the slab's
 *     pages, words aligned; the value of a root is none or in the pages, that of a version has 32
 *     bits; a reset is the only entry.
 * I4  The root is none or a live object.
 */
enum invariant { OK, I1, I2, I3, I4 };

/* O(1): it does not matter what is there. An offset below the slab wraps to one past its end. */
static bool is_in_pages(const struct slm_journal *journal, uint64_t offset)
{
    const struct slm_slab *slab = journal->slab;
    uint64_t slab_offset = (uintptr_t)slab->header - (uintptr_t)journal->base;
    return slab_is_in_pages(slab, offset - slab_offset);
}

bool slm_journal_entry_is_valid(const struct slm_journal *journal,
                                const struct journal_entry *entry)
{
    uint64_t offset = entry->what & JOURNAL_OFFSET;
    uint64_t between = entry->what & ~JOURNAL_OFFSET & ((UINT64_C(1) << JOURNAL_KIND_SHIFT) - 1);
    if (between != 0) {
        return false;
    }
    switch (journal_kind_of(entry)) {
    case JOURNAL_WORD:
        return offset % sizeof(uint64_t) == 0 && is_in_pages(journal, offset);
    case JOURNAL_ROOT:
        return offset == 0 && (entry->value == 0 || (entry->value <= JOURNAL_OFFSET &&
                                                     is_in_pages(journal, entry->value)));
    case JOURNAL_ALLOC:
    case JOURNAL_FREE:
        return is_in_pages(journal, offset);
    case JOURNAL_VERSION:
        return offset == 0 && entry->value <= UINT32_MAX;
    case JOURNAL_RESET:
        return offset == 0 && journal_n_entries(journal->log) == 1;
    default:
        return false;
    }
}

bool slm_journal_state_is_valid(const struct slm_journal *journal)
{
    const struct slm_journal_log *log = journal->log;
    return (log->state & ~(JOURNAL_COMMITTED | UINT32_MAX)) == 0 &&
           journal_n_entries(log) <= journal->n_max;
}

static bool entries_are_valid(const struct slm_journal *journal)
{
    const struct slm_journal_log *log = journal->log;
    for (uint32_t i = 0; i < journal_n_entries(log); i++) {
        if (!slm_journal_entry_is_valid(journal, &log->entries[i])) {
            return false;
        }
    }
    return true;
}

static bool root_is_valid(const struct slm_journal *journal)
{
    uint64_t root = journal->log->root;
    /* Where addresses have 32 bits, the sum alone would lose the upper half of an offset. */
    return root == 0 || (root <= JOURNAL_OFFSET && is_in_pages(journal, root) &&
                         slm_slab_is_object(journal->slab, journal->base + root));
}

unsigned slm_journal_check(const struct slm_journal *journal)
{
    const struct slm_journal_log *log = journal == NULL ? NULL : journal->log;
    if (log == NULL) {
        return 0;
    }
    if (log->magic != JOURNAL_MAGIC || log->n_max != journal->n_max) {
        return I1;
    }
    if (!slm_journal_state_is_valid(journal)) {
        return I2;
    }
    if (!entries_are_valid(journal)) {
        return I3;
    }
    return root_is_valid(journal) ? OK : I4;
}
