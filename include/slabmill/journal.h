/* SPDX-License-Identifier: Apache-2.0 */
/* Journal: changes to shared memory, made under a lock, that happen as a whole or not at all. */
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
 * Model    An undo log in shared memory, in front of the data. What a lock holder writes, allocates
 *          and frees between two commits is one transaction. The journal notes the old value of a
 *          word before the word changes, and each object that is allocated. It notes a release
 *          only, and the commit frees the object. A commit is one store. A locker that takes over
 *          from a dead owner calls slm_journal_recover: it undoes what was not committed, and
 *          finishes what was. That needs no memory barrier between processors and no flush: memory
 *          outlives a process, but not a loss of power.
 * Words    Old values are noted as aligned words of 8 bytes. An object that was allocated in the
 *          same transaction needs no notes: undoing frees it as a whole. For the newest one the
 *          journal takes none either: words up to the size that was asked for cost no entry.
 * Off      A journal whose log is NULL notes nothing and has no root. It serves trees and lists in
 *          memory of one process.
 * Reading  With a slab that is attached read-only, every call that notes, commit and recover fail
 *          with SLM_E_READ_ONLY, and abort does nothing.
 * Safety   All calls but init expect the caller to hold the lock that guards the data. One thread
 *          at a time uses a handle. Signals: no call is for handlers.
 * Failure  NULL: as status.h says; a free of NULL takes no entry. A call that needs more entries
 *          than are left fails with SLM_E_FULL and changes nothing (calls that return a pointer:
 *          NULL). A word that a recovery could not undo, or that no live object has, is refused
 *          when it is noted: see slm_journal_write. After a refusal of either kind the transaction
 *          can only be undone: every call that notes fails with the same status,
 *          slm_journal_has_room returns false, and slm_journal_commit undoes the transaction and
 *          returns that status. So a caller that checks only the commit never commits half of its
 *          work. To split its work, a caller asks slm_journal_has_room first, and commits when
 *          that returns false. The refusal belongs to the handle. If another handle ends the
 *          transaction (after a death, by slm_journal_recover), and in a child of fork, call
 *          slm_journal_abort at the next lock; slm_zone_lock does so itself.
 * Misuse   Where SLM_CHECKS is 2 or 3, a zone's journal compares the calling thread with the holder
 *          of the zone's lock. Calls by another thread change nothing: SLM_E_OWNER, NULL, and abort
 *          does nothing. A zone's journal is never attached or detached by a program.
 * Limits   SLM_JOURNAL_ENTRIES_MIN to SLM_JOURNAL_ENTRIES_MAX entries; offsets are below 2^48.
 * Source   Undo logging as in any textbook on transactions.
 */
#define SLM_JOURNAL_ENTRIES_MIN 64u        /* fewest entries of a log */
#define SLM_JOURNAL_ENTRIES_MAX (1u << 20) /* most entries of a log */

struct slm_journal_log;   /* in shared memory */
struct slm_journal_notes; /* the process's own */

/* A process's handle: plain, filled in by slm_journal_attach, or by hand for Off. */
struct slm_journal {
    struct slm_journal_log *log; /* NULL: off */
    unsigned char *base;         /* what offsets count from; they are below 2^48 */
    struct slm_slab *slab; /* where objects come from, above base; without a lock; NULL: off */
    uint64_t n_max;        /* entries of the log */
    struct slm_journal_notes *notes; /* what this process remembers of its transaction; NULL: off */
};

/* Shared memory, 8-aligned, for a log of n_entries; 0 if there may not be so many. */
size_t slm_journal_log_bytes(unsigned n_entries);

/* Formats a log. Fails, changing nothing: SLM_E_ALIGN, SLM_E_SIZE (n_entries). */
enum slm_status slm_journal_init(void *log, unsigned n_entries);

/*
 * Fills in a handle. It takes 16 to 32 bytes of the process's memory for each entry of the log, of
 * which only those that releases use are touched. base lies at or below the slab's region. The
 * slab's view has no lock of its own: the caller's lock guards journal and slab.
 * Fails, with a handle of zeroes: SLM_E_ALIGN, SLM_E_IMAGE (log_bytes cannot hold what the log's
 * head says), SLM_E_NOMEM.
 */
enum slm_status slm_journal_attach(struct slm_journal *journal, void *log, size_t log_bytes,
                                   void *base, struct slm_slab *slab);

/* Frees the handle's own memory and fills the handle with zeroes; a second call does nothing. The
 * log stays as it is. */
void slm_journal_detach(struct slm_journal *journal);

/* Whether so many more words, allocations and releases can be noted before the next commit. False
 * for any number, 0 included, after a call failed with SLM_E_FULL. */
bool slm_journal_has_room(const struct slm_journal *journal, unsigned n_entries);

/*
 * Notes *word, which lies 8-aligned in a live object of the slab, then stores value in it. Fails,
 * storing nothing, and refuses the transaction: SLM_E_ALIGN, SLM_E_FOREIGN (outside the region, or
 * in pages that this process has not mapped yet), SLM_E_METADATA, SLM_E_FREED (the object is free,
 * or this transaction frees it), SLM_E_PAGE_FREE, SLM_E_FULL. After the first 64 pages of an
 * object, and of a run of free pages, words are accepted though nothing lives there. Cost O(1), one entry, none in
 * the transaction's newest object; the first word of an object costs more than those that follow.
 */
enum slm_status slm_journal_write(struct slm_journal *journal, uint64_t *word, uint64_t value);

/*
 * slm_journal_set(journal, p, value) and slm_journal_add(journal, p, summand): change the integer *p
 * of 1, 2, 4 or 8 bytes, signed or not, which is aligned to its size. The value is converted as by
 * an assignment to *p, and a sum wraps. p is evaluated once. Both note the whole word of 8 bytes
 * that *p lies in, and undoing restores all of it. Fail, storing nothing, and refuse the
 * transaction: as slm_journal_write; SLM_E_SIZE (another size). A journal that is off stores, but
 * fails with SLM_E_ALIGN and SLM_E_SIZE too. Cost as slm_journal_note_range of one word.
 *
 *     status = slm_journal_add(journal, &entry->n_uses, 1);
 */
#define slm_journal_set(journal, p, value)                                                         \
    slm_journal_set_number(journal, p, SLM_JOURNAL_INTEGER_BYTES(*(p)), SLM_JOURNAL_INTEGER(value))
#define slm_journal_add(journal, p, summand)                                                       \
    slm_journal_add_number(journal, p, SLM_JOURNAL_INTEGER_BYTES(*(p)),                            \
                           SLM_JOURNAL_INTEGER(summand))

/* Private: `| 0` does not compile for anything but an integer. */
#define SLM_JOURNAL_INTEGER_BYTES(x) (sizeof(x) + 0 * sizeof((x) | 0))
#ifdef __cplusplus
#define SLM_JOURNAL_INTEGER(value) static_cast<uint64_t>(value)
#else
#define SLM_JOURNAL_INTEGER(value) ((uint64_t)(value))
#endif

/* What these macros call. */
enum slm_status slm_journal_set_number(struct slm_journal *journal, void *p, size_t n_bytes,
                                       uint64_t value);
enum slm_status slm_journal_add_number(struct slm_journal *journal, void *p, size_t n_bytes,
                                       uint64_t summand);

/* Notes [p, p + n_bytes), which the caller may then write to directly. Takes n_bytes / 8 entries,
 * and up to two more if the range is not aligned; none if it is empty, or in the transaction's
 * newest object. Fails, noting nothing, and
 * refuses the transaction: as slm_journal_write, but a range need not be aligned; SLM_E_SIZE (it
 * ends after its object, or its length wraps). Then the caller must not write there. */
SLM_MUST_USE enum slm_status slm_journal_note_range(struct slm_journal *journal, void *p,
                                                    size_t n_bytes);

/* Allocates an object of the slab; undoing the transaction frees it. Takes one entry. NULL: out of
 * memory, no entry is left (then slm_journal_has_room returns false), or in a zone after slm_zone_trim
 * the process cannot back pages. */
void *slm_journal_alloc(struct slm_journal *journal, size_t size_bytes);
void *slm_journal_calloc(struct slm_journal *journal, size_t size_bytes);
void *slm_journal_memalign(struct slm_journal *journal, size_t align_bytes, size_t size_bytes);

/* Frees an object when the transaction is committed; unlink it and write to it before. Takes one
 * entry. Fails, noting nothing: as slm_slab_free; SLM_E_FREED if this transaction frees the object
 * already; and, refusing the transaction, SLM_E_STATE (the object is the root) and SLM_E_FULL.
 * Cost O(1); as slm_slab_free for a pointer into a run that is not its start. */
enum slm_status slm_journal_free(struct slm_journal *journal, void *p);

/* The root: the user's anchor, a live object of the slab or NULL. Takes one entry. A caller that
 * frees the root sets another one first. Fails, changing nothing: SLM_E_FOREIGN (no live object),
 * SLM_E_FREED (this transaction frees it), SLM_E_STATE (the journal is off), SLM_E_FULL. */
SLM_MUST_USE enum slm_status slm_journal_set_root(struct slm_journal *journal, void *object);
void *slm_journal_root(const struct slm_journal *journal);

/* Commits, then frees all objects of the slab, the root included, as a transaction of its own.
 * Fails, freeing nothing: as slm_journal_commit, and as slm_slab_reset. Cost as slm_slab_reset. */
SLM_MUST_USE enum slm_status slm_journal_reset(struct slm_journal *journal);

/* Commits everything since the last commit, and frees the objects that it released. Fails, undoing
 * all of it instead: with the status of the call that refused the transaction. Cost O(1), or
 * O(entries noted) if objects were released or all was undone. */
SLM_MUST_USE enum slm_status slm_journal_commit(struct slm_journal *journal);

/* Undoes everything since the last commit. Cost O(entries noted). */
void slm_journal_abort(struct slm_journal *journal);

/* Whether anything was noted since the last commit. */
bool slm_journal_is_dirty(const struct slm_journal *journal);

/*
 * Repairs what a dead owner left: rebuilds the slab, then undoes or finishes the transaction. A
 * death at any point of it is repaired by calling it again. An entry that no call notes, left by a
 * program that overwrote the log, is skipped, and the others are followed. Fails, with no entry
 * used: SLM_E_IMAGE (page words and bitmaps of the slab contradict each other, or the log's number
 * of entries is damaged, which no death causes), SLM_E_STATE (the slab's view has not seen a
 * growth), SLM_E_OWNER (see Misuse).
 * Cost O(pages + bitmap words + entries).
 */
enum slm_status slm_journal_recover(struct slm_journal *journal);

/* 0, or the number of a broken invariant (listed at the top of allocator/journal/check.c). Reads
 * only; safe for any content of the log. Cost O(entries noted). */
unsigned slm_journal_check(const struct slm_journal *journal);

/* How many transactions of dead owners were undone, and how many of their commits were finished.
 * Callable without the lock. */
uint64_t slm_journal_n_undone(const struct slm_journal *journal);
uint64_t slm_journal_n_finished(const struct slm_journal *journal);

/* A cast that neither language warns about. */
#ifdef __cplusplus
#define SLM_JOURNAL_CAST(type, value) static_cast<type>(value)
#else
#define SLM_JOURNAL_CAST(type, value) ((type)(value))
#endif

/* Offsets that mean the same in every mapping; 0 stands for NULL. They are not checked. */
static inline uint64_t slm_journal_offset(const struct slm_journal *journal, const void *p)
{
    const unsigned char *byte = SLM_JOURNAL_CAST(const unsigned char *, p);
    return journal == NULL || p == NULL ? 0 : SLM_JOURNAL_CAST(uint64_t, byte - journal->base);
}

/* The address of an offset; see slm_journal_offset. */
static inline void *slm_journal_pointer(const struct slm_journal *journal, uint64_t offset)
{
    return journal == NULL || offset == 0 ? NULL : journal->base + offset;
}

#undef SLM_JOURNAL_CAST

#ifdef __cplusplus
}
#endif
#endif
