/* SPDX-License-Identifier: Apache-2.0 */
/* Lock: mutual exclusion between threads of any processes, whoever dies when. */
#ifndef SLM_LOCK_H
#define SLM_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <slabmill/error.h>
#include <slabmill/word.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The state is SLM_LOCK_BYTES of shared memory: a word that holds the owner's identity
 *          itself, so that taking the lock and saying who took it are one store. An identity is a
 *          thread's id and when the thread started: it survives that the system uses ids again. A
 *          word with an owner that no longer lives is a lock that its owner died with.
 * Kinds    ROBUST: a waiter finds out that the owner died, takes the lock over and is told
 *          SLM_OWNER_DIED. SPIN_SEM: nginx's way; waiters do not look, a parent that reaps the dead
 *          calls slm_lock_force_unlock. FILE: the system's file lock under the word, for where
 *          nothing else is trusted: it is released by the system, and the next locker is told.
 *          The state knows the file: a handle of another one under the same path gets nothing.
 * Repair   Who is told SLM_OWNER_DIED holds the lock and repairs what it guards, then calls
 *          slm_lock_mark_repaired. Unlocking without it, or dying, leaves the mark: the next one is
 *          told again.
 * Safety   Threads are owners; a handle may be used by all threads of a process. Processes: one
 *          state, a handle each. Fork: the child may use the handle, and owns nothing that its
 *          parent's threads own. Not recursive. Signals: a handler that takes a lock which its
 *          thread holds is told so; otherwise as safe as anywhere. Cancellation: no call is a point
 *          of it; a thread that ends with the lock is a dead owner. Process ids of different pid
 *          namespaces do not mix: the zone refuses that.
 * Failure  A lost wake-up is impossible by construction: no sleep is longer than
 *          SLM_LOCK_SLEEP_MS, and after each the word is looked at anew.
 *          NULL: as status.h says.
 * Fairness The next locker is the first to come, a running thread before one that has to be woken:
 *          that is fast. A waiter that was passed over for SLM_LOCK_PATIENCE_MS asks for its turn:
 *          from then on newcomers sleep first, until a waiter has had the lock. FILE: never asks.
 * Limits   - Thread ids mean nothing in another pid namespace, and start times differ in another
 *            time namespace. Zones refuse to be attached from one; a bare lock does not check.
 *          - A process made by a raw clone or _Fork, without fork handlers, keeps its parent's
 *            identity. A program that calls exec while it holds a lock lives on as its owner (FILE:
 *            the system frees the lock).
 *          - Without /proc, or a free descriptor to read it when a thread first asks, start times
 *            are 0: a thread with a reused id then counts as the owner, and a zombie as alive. So
 *            does an id that is used again within the clock tick (10 ms) in which its first owner
 *            started.
 *          - The futex compares the half of the word without the start time: a waiter may sleep on
 *            the word of another owner with the same id and marks, for SLM_LOCK_SLEEP_MS at most.
 *          - FILE: after a lock file was removed or replaced newcomers are refused until the system
 *            restarts or a caller sets file_is_new (for good, if the system has no boot id);
 *            handles of the first file go on. A program that closes the lock's descriptor while it
 *            holds the lock gives the lock away. A thread that ends without its destructors, or
 *            locks in the last round of them, keeps the lock until its process ends.
 * Cost     Uncontended: one compare-and-swap to lock, one to unlock. Contended: spins with
 *          exponential back-off, then sleeps on a futex.
 * Source   Futexes: futex(2), Drepper's "Futexes Are Tricky" (the state with waiters); the owner
 *          in the word: nginx's ngx_shmtx.
 */
#define SLM_LOCK_BYTES       64u  /* of shared memory, 64-aligned */
#define SLM_LOCK_SLEEP_MS    20u  /* longest single sleep of a waiter */
#define SLM_LOCK_PATIENCE_MS 100u /* how long a waiter lets newcomers pass it */

enum slm_lock_kind {
    SLM_LOCK_ROBUST,
    SLM_LOCK_SPIN_SEM,
    SLM_LOCK_FILE,
};

/* The shared state; its fields are for allocator/lock/ and its tests. */
struct slm_lock_state {
    slm_word word;       /* bits 32-63 start, 31-29 marks, 0-28 thread id; 0: free */
    uint32_t kind;       /* enum slm_lock_kind */
    uint32_t n_deaths;   /* owners found dead so far */
    slm_word n_waits;    /* lockers that had to sleep so far; a hint, not exact */
    slm_word boot;       /* of the system that the word's ids belong to */
    slm_word file_inode; /* FILE: which file is locked, mixed with the boot; 0: not agreed on yet */
    slm_word file_device;
    uint64_t unused[2]; /* 0 */
};

struct slm_lock; /* a process's handle */

struct slm_lock_options {
    enum slm_lock_kind kind; /* attach: what the state was made with */
    const char *path;        /* FILE: a file of its own, created with mode 0600 by the first one */
    unsigned spins;          /* most pauses between two looks at the word; 0: 1024; a machine with
                                one processor does not spin */
    bool file_is_new;        /* FILE: the file that is there now is agreed on from here on. The
                                caller knows that nobody uses the lock: handles of the file before
                                are refused once, then follow */
};

/*
 * Makes [state, + SLM_LOCK_BYTES) a free lock: whatever it held is gone. Fails, changing nothing:
 * SLM_E_ALIGN, SLM_E_OPTION (kind).
 */
enum slm_status slm_lock_init(struct slm_lock_state *state, enum slm_lock_kind kind);

/*
 * A handle on a lock that exists. If the state was left by another boot of the system (a zone in a
 * file), its owner is dead: the mark for repair is set and the lock free. Fails:
 * SLM_E_ALIGN, SLM_E_OPTION (kind is not the state's; no path for FILE), SLM_E_ACCESS (the lock
 * file: a link, or another user's), SLM_E_REPLACED (it is not the one that the lock was used with
 * since init, or since the system started), SLM_E_LOCKED (file_is_new, and the lock's owner lives),
 * SLM_E_NOMEM, SLM_E_IO.
 */
enum slm_status slm_lock_attach(struct slm_lock **out, struct slm_lock_state *state,
                                const struct slm_lock_options *options, struct slm_error *error);

/* Closes a handle, which no thread of this process holds the lock through. */
void slm_lock_detach(struct slm_lock *lock);

/*
 * Takes the lock. SLM_OK, or SLM_OWNER_DIED (see Repair): the caller holds it. Fails, not holding
 * it: SLM_E_HELD (the caller does already); FILE only: SLM_E_REPLACED (as for attach), SLM_E_IO,
 * errno tells why. slm_lock_trylock fails besides with SLM_E_LOCKED at once, slm_lock_timedlock with
 * SLM_E_TIMEOUT after timeout_ms. A holder that died is found by each of them (SPIN_SEM: by none;
 * force-unlock first).
 */
enum slm_status slm_lock_lock(struct slm_lock *lock);
enum slm_status slm_lock_trylock(struct slm_lock *lock);
enum slm_status slm_lock_timedlock(struct slm_lock *lock, unsigned timeout_ms);

/* Gives it back, and wakes a waiter. SLM_E_OWNER, changing nothing: the caller does not hold it. */
enum slm_status slm_lock_unlock(struct slm_lock *lock);

/* What the lock guards is whole again. SLM_E_OWNER, changing nothing: the caller does not hold it.
 */
enum slm_status slm_lock_mark_repaired(struct slm_lock *lock);

/* Whether the calling thread holds it. */
bool slm_lock_is_mine(const struct slm_lock *lock);

/* Who holds a lock, as far as one look tells. */
struct slm_lock_owner {
    uint64_t identity; /* 0: nobody */
    pid_t thread_id;   /* 0: nobody */
    bool is_alive;
    bool needs_repair;
    bool has_waiters; /* somebody may be asleep */
};

/* A snapshot: it may be over when the call returns. Any thread, holder or not. Reads only. */
void slm_lock_get_owner(const struct slm_lock *lock, struct slm_lock_owner *owner);
/* The same of a bare state, without a handle. */
void slm_lock_get_state_owner(const struct slm_lock_state *state, struct slm_lock_owner *owner);

/*
 * Frees a lock whose owner is dead, for those who wait, with the mark for repair, and wakes all of
 * them in any case. identity: the owner's as slm_lock_get_owner told it; 0: whoever it is. SLM_OK: it
 * was freed, or was free; SLM_E_OWNER, nothing changed but that waiters look again: the owner
 * lives, or is another one.
 */
enum slm_status slm_lock_force_unlock(struct slm_lock *lock, uint64_t identity);

/* The calling thread's identity, never 0. Cost: after a thread's first call a load. */
uint64_t slm_lock_self(void);

/* Whether the thread of that identity lives. Where /proc does not tell when it started, a thread of
 * the same id counts. */
bool slm_lock_is_alive(uint64_t identity);

#ifdef __cplusplus
}
#endif
#endif
