/* SPDX-License-Identifier: Apache-2.0 */
/* Lease: a count in a zone that belongs to a worker, and is given back if the worker dies. */
#ifndef SLM_EXAMPLES_LEASE_H
#define SLM_EXAMPLES_LEASE_H

#include "examples/common/keyed.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A plain counter in shared memory does not record which worker raised it: when a worker
 *          is killed, its share stays for ever. So each count is an object, the lease, in two
 *          lists: that of the entry which it counts for, and that of the worker that has it. The
 *          count is the length of the entry's list. A worker is a thread that joined: its slot in
 *          the library's head has its identity (slm_lock_self). A caller that finds a slot of a
 *          dead thread gives back the slot's leases, one transaction each. If it dies while doing
 *          that, the next caller gives back the rest.
 * Found    A joining worker examines every slot; so does a call that is about to be refused.
 * Safety   As keyed.h. Only its own thread uses a slot.
 * Boot     Identities mean nothing after a reboot, so leases do not suit zones in files that
 *          outlive one.
 */
#define SLM_LEASE_WORKERS_MAX  64u
#define SLM_LEASE_TAKE_ENTRIES (2u * SLM_LRU_ENTRIES + 2u)
#define SLM_LEASE_GIVE_ENTRIES (2u * SLM_LRU_ENTRIES + 1u)

struct slm_lease_slot {
    uint64_t identity; /* 0: the slot is free */
    struct slm_lru leases;
};

/* In a head, after its struct slm_keyed. */
struct slm_lease_book {
    uint64_t n_taken; /* leases so far; also the last serial number */
    uint64_t n_reclaimed;
    struct slm_lease_slot slots[SLM_LEASE_WORKERS_MAX];
};

/* Start of entries that have leases, in shared memory. */
struct slm_lease_entry {
    struct slm_keyed_entry keyed;
    struct slm_lru leases;
};

/* A worker's name for its lease: plain data, 0 for none. */
struct slm_lease {
    uint64_t offset;
    uint64_t serial;
};

/* A worker's slot in the book: plain data of the thread that joined. */
struct slm_lease_worker {
    unsigned slot_idx;
};

/* Called under the lock for an entry that lost a lease. The transaction is open; the caller commits
 * it after the call. May remove the entry. */
typedef void slm_lease_given(const struct slm_keyed_view *view, struct slm_lease_entry *entry);

/* Gets a slot for the calling thread, after giving back what dead workers have. SLM_E_DUPLICATE:
 * the thread has one; SLM_E_SPACE: living threads have all. Commits. */
enum slm_status slm_lease_join_locked(const struct slm_keyed_view *view,
                                      struct slm_lease_book *book, slm_lease_given *given,
                                      struct slm_lease_worker *worker);

/* Gives back all that the worker has, and its slot. SLM_E_OWNER: the slot is not the calling
 * thread's. Commits. */
enum slm_status slm_lease_leave_locked(const struct slm_keyed_view *view,
                                       struct slm_lease_book *book, slm_lease_given *given,
                                       const struct slm_lease_worker *worker);

/* Whether the slot is the calling thread's. */
bool slm_lease_is_mine(const struct slm_lease_book *book, const struct slm_lease_worker *worker);

/* Adds a lease to the entry. SLM_E_NOMEM, SLM_E_OWNER, changing nothing. At most
 * SLM_LEASE_TAKE_ENTRIES. */
enum slm_status slm_lease_take(const struct slm_keyed_view *view, struct slm_lease_book *book,
                               const struct slm_lease_worker *worker, struct slm_lease_entry *entry,
                               struct slm_lease *lease);

/*
 * Gives a lease back; *entry is the entry that it counted for. SLM_E_NOT_MEMBER, changing nothing:
 * no such lease of this worker, or it was given back already. SLM_E_OWNER. At most
 * SLM_LEASE_GIVE_ENTRIES.
 */
enum slm_status slm_lease_give(const struct slm_keyed_view *view, struct slm_lease_book *book,
                               const struct slm_lease_worker *worker, const struct slm_lease *lease,
                               struct slm_lease_entry **entry);

/* Gives back the leases of dead workers and returns how many there were. Commits. Cost: one query
 * of the system for each slot in use. */
size_t slm_lease_reclaim_locked(const struct slm_keyed_view *view, struct slm_lease_book *book,
                                slm_lease_given *given);

/* The number of leases: objects besides head and entries. */
size_t slm_lease_count(const struct slm_lease_book *book);

/* The number of slots in use. */
unsigned slm_lease_n_workers(const struct slm_lease_book *book);

/*
 * 0, or the number of a broken invariant, 211 to 214, listed at the top of lease_check.c. Call it
 * after slm_keyed_check_entries_locked found nothing. Reads only. Cost O(n).
 */
unsigned slm_lease_check_locked(const struct slm_keyed_view *view,
                                const struct slm_lease_book *book);

#ifdef __cplusplus
}
#endif
#endif
