/* SPDX-License-Identifier: Apache-2.0 */
/* Lease: something of a zone that is counted while a worker has it, and given back if it dies. */
#ifndef SLM_EXAMPLES_LEASE_H
#define SLM_EXAMPLES_LEASE_H

#include "examples/common/keyed.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A plain counter in shared memory does not know who raised it: when a worker is killed
 *          its share stays for ever. So each count is an object, the lease, in two lists: that of
 *          the entry which it counts for, and that of the worker who has it. The count is the
 *          length of the entry's list. A worker is a thread that joined: its slot in the library's
 *          head has its identity (slm_lock_self). Whoever finds a slot whose thread no longer lives
 *          walks its list and gives all back, one transaction a lease, so that whoever dies while
 *          doing that leaves the rest to the next one.
 * Found    A joining worker looks at every slot; so does a caller who is about to be refused.
 * Safety   As keyed.h. A slot is its thread's alone.
 * Boot     Identities mean nothing after a reboot of the system: not for zones in files that are to
 *          outlive it.
 */
#define SLM_LEASE_WORKERS_MAX  64u
#define SLM_LEASE_TAKE_ENTRIES (2u * SLM_LRU_ENTRIES + 2u)
#define SLM_LEASE_GIVE_ENTRIES (2u * SLM_LRU_ENTRIES + 1u)

struct slm_lease_slot {
    uint64_t identity; /* 0: nobody's */
    struct slm_lru leases;
};

/* In a head, behind its struct slm_keyed. */
struct slm_lease_book {
    uint64_t n_taken; /* leases so far: the last one's serial number */
    uint64_t n_reclaimed;
    struct slm_lease_slot slots[SLM_LEASE_WORKERS_MAX];
};

/* Start of entries that are counted, in shared memory. */
struct slm_lease_entry {
    struct slm_keyed_entry keyed;
    struct slm_lru leases;
};

/* How a worker names its lease: plain data, 0 for none. */
struct slm_lease {
    uint64_t offset;
    uint64_t serial;
};

/* A worker's place in the book: plain data of the thread that joined. */
struct slm_lease_worker {
    unsigned slot_idx;
};

/* Called under the lock for an entry that lost a lease; the transaction is open, and what is done
 * is committed behind it. May take out the entry. */
typedef void slm_lease_given(const struct slm_keyed_view *view, struct slm_lease_entry *entry);

/* A slot for the calling thread. SLM_E_DUPLICATE: it has one; SLM_E_SPACE: all are taken by the living.
 * Gives back first what the dead have. Commits. */
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

/* One more for the entry. SLM_E_NOMEM, SLM_E_OWNER, changing nothing. At most
 * SLM_LEASE_TAKE_ENTRIES. */
enum slm_status slm_lease_take(const struct slm_keyed_view *view, struct slm_lease_book *book,
                               const struct slm_lease_worker *worker, struct slm_lease_entry *entry,
                               struct slm_lease *lease);

/*
 * One less; *entry is whose it was. SLM_E_NOT_MEMBER, changing nothing: no such lease of this worker,
 * or it was given back. SLM_E_OWNER. At most SLM_LEASE_GIVE_ENTRIES.
 */
enum slm_status slm_lease_give(const struct slm_keyed_view *view, struct slm_lease_book *book,
                               const struct slm_lease_worker *worker, const struct slm_lease *lease,
                               struct slm_lease_entry **entry);

/* Gives back what dead workers have; returns how many leases that were. Commits. Cost: a look at
 * the system for each slot that is somebody's. */
size_t slm_lease_reclaim_locked(const struct slm_keyed_view *view, struct slm_lease_book *book,
                                slm_lease_given *given);

/* Leases there are: objects besides head and entries. */
size_t slm_lease_count(const struct slm_lease_book *book);

/* Slots that are somebody's. */
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
