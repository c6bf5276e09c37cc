/* SPDX-License-Identifier: Apache-2.0 */
/* Journal: changes to shared memory under a lock that happen as a whole or not at all. */
#ifndef SLM_JOURNAL_H
#define SLM_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/slab.h>
#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An undo log in shared memory, in front of the data. Between two commits a locker's
 *          writes, allocations and releases are one transaction: before a word changes its old
 *          value is noted, an object that was allocated is noted, and one that is freed is noted
 *          only, and freed by the commit. A commit is one store. Whoever takes the lock over from a
 *          dead owner calls slm_journal_recover: what was not committed is undone, what was is
 *          finished. That needs no order between caches and no flush: the memory survives a
 *          process's death, not the machine's loss of power in the middle of a change.
 * Words    Old values are noted as aligned words of 8 bytes. An object allocated in the same
 *          transaction needs no notes: it goes as a whole.
 * Off      A journal whose log is NULL notes nothing, and has no root: rbtree and lru in memory of
 *          one process.
 * Safety   All calls but init expect the caller to hold the lock that guards the data, and are for
 *          one thread at a time. Signals: no.
 * Failure  NULL: as status.h says. free(NULL) takes no entry, and succeeds in a full journal too.
 * Full     A call that needs more entries than the log has room for fails with SLM_E_FULL and
 *          changes nothing (calls that return a pointer: NULL). From then on the transaction can
 *          only be undone: every call that notes fails in the same way, slm_journal_has_room answers
 *          false, and slm_journal_commit undoes the transaction and returns SLM_E_FULL. So a caller
 *          that looks at the commit alone never commits half of what it meant. A caller that wants
 *          to split its work asks slm_journal_has_room first, and commits while that says no.
 * Source   Undo logging as in any textbook on transactions.
 */
#define SLM_JOURNAL_ENTRIES_MIN 64u
#define SLM_JOURNAL_ENTRIES_MAX (1u << 20)

struct slm_journal_log;   /* in shared memory */
struct slm_journal_notes; /* the process's own */

/* A process's handle: plain, filled in by slm_journal_attach, or by hand for Off. */
struct slm_journal {
    struct slm_journal_log *log; /* NULL: off */
    unsigned char *base;         /* what offsets count from; they are below 2^48 */
    struct slm_slab *slab;       /* where objects come from, above base; takes no lock; NULL: off */
    uint64_t n_max;              /* entries of the log */
    struct slm_journal_notes *notes; /* what this process knows of its transaction; NULL: off */
};

/* Shared memory, 8-aligned, for a log of n_entries; 0 if there may not be so many. */
size_t slm_journal_log_bytes(unsigned n_entries);

/* Formats a log. SLM_E_ALIGN, SLM_E_SIZE (n_entries), changing nothing. */
enum slm_status slm_journal_init(void *log, unsigned n_entries);

/* Fills in a handle, which takes 16 to 32 bytes of the process's memory for each entry of the log
 * (touched only as far as transactions free objects). base lies at or below the slab's region; the
 * slab's view has no lock of its own, since journal calls are made under the one that guards it
 * all. SLM_E_ALIGN, SLM_E_IMAGE (log_bytes cannot hold what the log's head says),
 * SLM_E_NOMEM, with a handle of zeroes. */
enum slm_status slm_journal_attach(struct slm_journal *journal, void *log, size_t log_bytes,
                                   void *base, struct slm_slab *slab);

/* Gives the handle's own memory back and fills the handle with zeroes; the log stays as it is. A
 * handle of zeroes is ignored. */
void slm_journal_detach(struct slm_journal *journal);

/* Whether so many more words, allocations and releases can be noted before the next commit. False
 * for any number, 0 included, once a call failed with SLM_E_FULL. */
bool slm_journal_has_room(const struct slm_journal *journal, unsigned n_entries);

/* Notes *word, which lies 8-aligned in an object of the slab, then stores value in it. SLM_E_FULL,
 * storing nothing. */
enum slm_status slm_journal_write(struct slm_journal *journal, uint64_t *word, uint64_t value);

/* Notes [p, p + n_bytes), so that it may be written to plainly. Takes n_bytes / 8 entries, two more
 * if it is not aligned. SLM_E_FULL, noting nothing: then it must not be written to. */
SLM_MUST_USE enum slm_status slm_journal_note_range(struct slm_journal *journal, void *p,
                                                    size_t n_bytes);

/* An object of the slab; it is freed if the transaction is undone. Takes an entry. NULL: none left,
 * or no room for the entry (then slm_journal_has_room says no). */
void *slm_journal_alloc(struct slm_journal *journal, size_t size_bytes);
void *slm_journal_calloc(struct slm_journal *journal, size_t size_bytes);
void *slm_journal_memalign(struct slm_journal *journal, size_t align_bytes, size_t size_bytes);

/* Frees an object when the transaction is committed. Takes an entry. Fails, noting nothing: as
 * slm_slab_free, SLM_E_FREED for one that this transaction frees already, SLM_E_FULL. Cost O(1). */
enum slm_status slm_journal_free(struct slm_journal *journal, void *p);

/* The user's anchor, an object of the slab or NULL. Takes an entry. SLM_E_FOREIGN: any other
 * address; SLM_E_STATE: the journal is off; SLM_E_FULL. A caller that frees the anchor sets another
 * one first. */
enum slm_status slm_journal_set_root(struct slm_journal *journal, void *object);
void *slm_journal_root(const struct slm_journal *journal);

/* Commits; then frees all objects of the slab, root included, as a transaction of its own.
 * SLM_E_FULL: as slm_journal_commit, freeing nothing. */
SLM_MUST_USE enum slm_status slm_journal_reset(struct slm_journal *journal);

/* Everything since the last commit stands; objects that were freed are. SLM_E_FULL: a call since
 * then failed with it, and all was undone instead. Cost O(1), or, if objects were freed or all was
 * undone, O(entries noted). */
SLM_MUST_USE enum slm_status slm_journal_commit(struct slm_journal *journal);

/* Nothing since the last commit happened. */
void slm_journal_abort(struct slm_journal *journal);

/* Whether anything was noted since the last commit. */
bool slm_journal_is_dirty(const struct slm_journal *journal);

/*
 * Repairs what a dead owner left: rebuilds the slab, then undoes or finishes. May be cut off at any
 * point and called again. SLM_E_IMAGE: page words and bitmaps of the slab, or entries of the log,
 * contradict each other, which no death leaves; no entry was followed then. Cost O(pages + bitmap
 * words + entries).
 */
enum slm_status slm_journal_recover(struct slm_journal *journal);

/* 0, or the number of a broken invariant (listed at the top of journal_check.c). Reads only; safe
 * whatever the log holds. */
unsigned slm_journal_check(const struct slm_journal *journal);

/* How often transactions of dead owners were undone, and commits of theirs finished. Without the
 * lock, too. */
uint64_t slm_journal_n_undone(const struct slm_journal *journal);
uint64_t slm_journal_n_finished(const struct slm_journal *journal);

/* A cast that neither language warns about. */
#ifdef __cplusplus
#define SLM_JOURNAL_CAST(type, value) static_cast<type>(value)
#else
#define SLM_JOURNAL_CAST(type, value) ((type)(value))
#endif

/* Offsets that mean the same in every mapping; 0 stands for NULL. No check. */
static inline uint64_t slm_journal_offset(const struct slm_journal *journal, const void *p)
{
    const unsigned char *byte = SLM_JOURNAL_CAST(const unsigned char *, p);
    return journal == NULL || p == NULL ? 0 : SLM_JOURNAL_CAST(uint64_t, byte - journal->base);
}

static inline void *slm_journal_pointer(const struct slm_journal *journal, uint64_t offset)
{
    return journal == NULL || offset == 0 ? NULL : journal->base + offset;
}

#undef SLM_JOURNAL_CAST

#ifdef __cplusplus
}
#endif
#endif
