/* SPDX-License-Identifier: Apache-2.0 */
/* Lease: a count in a zone of which each unit belongs to a worker, and is given back if it dies. */
#ifndef SLM_LEASE_H
#define SLM_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/lru.h>
#include <slabmill/status.h>
#include <slabmill/word.h>
#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A plain counter in shared memory does not record which worker raised it: when a worker is
 *          killed, its share stays for ever. So each unit of a count is an object, the lease, in two
 *          lists: that of the count, and that of the worker that has it. A count is the length of
 *          its list, slm_lease_n. A worker is a thread that joined a book: its slot in the book has
 *          its identity (slm_lock_self). A caller that finds a slot of a dead thread gives back the
 *          slot's leases, one transaction each. If it dies while it does that, the next caller gives
 *          back the rest.
 *
 *              struct head { struct slm_table keys; struct slm_lease_book book; };
 *              head = slm_journal_calloc(journal, sizeof *head + SLM_LEASE_SLOTS_BYTES(64));
 *              status = slm_lease_init_locked(zone, &head->book, 64);
 *
 * Found    A joining worker examines every slot; so does slm_lease_reclaim_locked, which a program
 *          calls before it refuses something because a count is too high.
 * Place    A worker's identity means something in this file, this boot and these namespaces. A slot
 *          that was taken elsewhere, for example in the zone that this one is a copy of, is a dead
 *          worker's.
 * Safety   The caller holds the zone's lock, also to read; any thread or process. Only the thread
 *          that joined uses a slot, so a child of fork joins by itself. A program that calls exec
 *          leaves first: its identity stays, so its leases would too, and join refuses it
 *          (SLM_E_DUPLICATE). Signals: no.
 * Change   Every change goes through the zone's journal. take and give are parts of the caller's
 *          transaction. join, leave and reclaim commit, so they are the first change of a turn: they
 *          return SLM_E_STATE, and change nothing, if something was noted before.
 * Failure  A call needs as many free entries of the journal as are listed with it, however few it
 *          takes: otherwise SLM_E_FULL. Through a zone that is attached read-only, every call that
 *          changes something returns SLM_E_READ_ONLY, also to a thread that has no slot. NULL: as
 *          status.h says.
 * Limits   1 to SLM_LEASE_WORKERS_MAX workers in a book, as many as it was made for.
 */
#define SLM_LEASE_WORKERS_MAX  65536u                      /* in one book */
#define SLM_LEASE_TAKE_ENTRIES (2u * SLM_LRU_ENTRIES + 2u) /* journal entries that a take needs */
#define SLM_LEASE_GIVE_ENTRIES (2u * SLM_LRU_ENTRIES + 2u) /* journal entries that a give needs */

/* In shared memory. Its slots follow it, within its object; it may be the end of a user's struct. */
struct slm_lease_book {
    slm_word n_slots;
    slm_word n_taken; /* leases so far; also the last serial number */
    slm_word n_reclaimed;
};

/* In shared memory: a worker's place in a book. */
struct slm_lease_slot {
    slm_word identity; /* 0: the slot is free */
    slm_word place;    /* where the identity means something */
    struct slm_lru leases;
};

/* What the slots of so many workers add to a book's object, bytes. */
#define SLM_LEASE_SLOTS_BYTES(n_workers) ((n_workers) * sizeof(struct slm_lease_slot))

/* In shared memory, in an object of the user, all 0: a count of 0. Not freed before it is 0. */
struct slm_lease_count {
    struct slm_lru leases;
};

/* A worker's name for its lease: plain data, all 0 for none. */
struct slm_lease {
    uint64_t offset;
    uint64_t serial;
};

/* A worker's slot in a book: plain data of the thread that joined. */
struct slm_lease_worker {
    uint32_t slot_idx;
};

/* Called under the lock for a count that lost a lease of a worker that died or leaves, before that
 * is committed. It may change what the count is in, and free it if the count is 0 now; it does not
 * commit, abort or unlock. If a slot has as many leases after it as before, by an abort or a take,
 * the call that reclaims or leaves ends with SLM_E_STATE. */
typedef void slm_lease_given(struct slm_zone *zone, struct slm_lease_count *count, void *data);

/* Makes the book ready for so many workers; it and its slots are all 0. Fails, changing nothing:
 * SLM_E_SIZE (n_workers, or the book's object does not hold so many slots), SLM_E_STATE (it is
 * ready already), and as slm_journal_write. Takes 1 entry, none in a new object. */
enum slm_status slm_lease_init_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                      uint32_t n_workers);

/* Gets a slot for the calling thread, after it gave back what dead workers have. Commits; fails,
 * with nothing changed but that: SLM_E_DUPLICATE (the thread has one), SLM_E_SPACE (living threads
 * have all), SLM_E_STATE, and as slm_lease_reclaim_locked. given may be NULL. Cost O(slots) and as
 * slm_lease_reclaim_locked. */
enum slm_status slm_lease_join_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                      slm_lease_given *given, void *data,
                                      struct slm_lease_worker *worker);

/* Gives back all that the worker has, a transaction each, and its slot. Fails: SLM_E_OWNER (the slot
 * is not the calling thread's), SLM_E_STATE, and as slm_zone_commit_locked: then the lease whose
 * transaction failed and those after it stay. given may be NULL. */
enum slm_status slm_lease_leave_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                       slm_lease_given *given, void *data,
                                       const struct slm_lease_worker *worker);

/* Whether the slot is the calling thread's. */
bool slm_lease_is_mine_locked(const struct slm_lease_book *book,
                              const struct slm_lease_worker *worker);

/* Raises the count by a lease of the worker. Fails, changing nothing: SLM_E_OWNER (the slot is not
 * the calling thread's), SLM_E_NOMEM (and as slm_zone_alloc), SLM_E_FULL, and as slm_lru_insert. Needs
 * SLM_LEASE_TAKE_ENTRIES. O(1). */
enum slm_status slm_lease_take_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                      const struct slm_lease_worker *worker,
                                      struct slm_lease_count *count, struct slm_lease *lease);

/* Gives a lease back; *count (count may be NULL) is the count that was lowered. Fails, changing
 * nothing: SLM_E_NOT_MEMBER (the worker has no such lease, or gave it back already), SLM_E_OWNER,
 * SLM_E_FULL. Needs SLM_LEASE_GIVE_ENTRIES. O(1). */
enum slm_status slm_lease_give_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                      const struct slm_lease_worker *worker,
                                      const struct slm_lease *lease,
                                      struct slm_lease_count **count);

/* Gives back the leases of dead workers; *n (n may be NULL) is how many there were. given may be
 * NULL. Commits; fails: SLM_E_STATE, and as slm_zone_commit_locked, with the leases given back that
 * *n says. Cost: a question to the system for each slot in use. */
enum slm_status slm_lease_reclaim_locked(struct slm_zone *zone, struct slm_lease_book *book,
                                         slm_lease_given *given, void *data, size_t *n);

/* The count. O(1). */
static inline uint64_t slm_lease_n(const struct slm_lease_count *count)
{
    return count == NULL ? 0 : count->leases.n_nodes;
}

/* How many leases and how many workers the book has. Cost O(slots). */
uint64_t slm_lease_n_all_locked(const struct slm_lease_book *book);
uint32_t slm_lease_n_workers_locked(const struct slm_lease_book *book);

/*
 * 0, or the number of a broken invariant, 211 to 216 (listed at the top of allocator/lease/check.c).
 * The second one checks a count, and that the book has its leases. When all counts were checked, the
 * first one checks the book, and compares the sum of the counts with what the workers have. Both
 * read only, are bounded, and safe for any content. Cost: as slm_zone_check_locked and O(leases);
 * O(leases of the count).
 */
unsigned slm_lease_check_locked(struct slm_zone *zone, const struct slm_lease_book *book,
                                uint64_t n_counted);
unsigned slm_lease_check_count_locked(struct slm_zone *zone, const struct slm_lease_book *book,
                                      const struct slm_lease_count *count);

#ifdef __cplusplus
}
#endif
#endif
