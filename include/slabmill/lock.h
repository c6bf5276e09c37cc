/* SPDX-License-Identifier: Apache-2.0 */
/* Lock: mutual exclusion between threads of any processes; a holder may die at any moment. */
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
 * Model    The state is SLM_LOCK_BYTES of shared memory. Its word holds the owner's identity, so
 *          one store both takes the lock and records who has it. An identity is a thread's id and
 *          start time, so it stays unique when the system reuses ids. A word with an owner that no
 *          longer lives means that the owner died holding the lock.
 * Kinds    ROBUST: a waiter finds out that the owner died, takes the lock over, and its call
 *          returns SLM_OWNER_DIED. SPIN_SEM: as nginx does; waiters do not look for deaths, a
 *          parent that reaps a dead process calls slm_lock_force_unlock. FILE: a lock of a file is
 *          taken before the word, for where nothing else is trusted: the system releases it when
 *          its process ends, and the next locker gets SLM_OWNER_DIED. The state records the file: a
 *          handle that opened another file under the same path is refused.
 * Repair   A caller that gets SLM_OWNER_DIED holds the lock and must repair the protected data,
 *          then call slm_lock_mark_repaired. If it unlocks or dies before, the mark for repair
 *          stays, and the next locker gets SLM_OWNER_DIED again.
 * Safety   Threads own locks; all threads of a process may use one handle. Processes: one state, a
 *          handle each. Fork: the child may use the handle, and owns nothing that threads of its
 *          parent own. Not recursive. Signals: a handler may call these; for a lock that its own
 *          thread holds it gets SLM_E_HELD. Cancellation: no call is a cancellation point; a thread
 *          that ends while it holds the lock is a dead owner.
 * Failure  Lost wake-ups only delay: no sleep is longer than SLM_LOCK_SLEEP_MS, and after each the
 *          waiter reads the word again. NULL: as status.h says.
 * Fairness The first to try gets the lock; a running thread comes before one that has to be woken,
 *          which is fast. A waiter that has been passed over for SLM_LOCK_PATIENCE_MS asks for its
 *          turn: until a waiter has had the lock, newcomers go to sleep first. FILE: never asks.
 *          There is no bound for a given waiter: any waiter may take that turn, so the others may
 *          wait again. 32 threads that lock all the time on two processors have kept one of them
 *          waiting for 2.6 seconds. slm_lock_timedlock limits the wait.
 * Owners   An owner counts only if its thread lives and its process has the state's memory mapped.
 *          So neither a copy of a file nor a program that called exec keeps others out; waiters
 *          find that out after eight looks. A thread whose process writes a core file is dead as
 *          soon as it can run no more (FILE: once the core is written, since the system keeps the
 *          file's lock until then). What a process cannot find out counts as alive: struct
 *          slm_lock_owner says why.
 * Limits   - Thread ids mean nothing in another pid namespace, and start times differ in another
 *            time namespace: only processes of the same two use a lock, and a fork child elsewhere
 *            is refused. Without /proc a process cannot find out where it is: it goes on with the
 *            handles that it has, and attaches with is_unused only.
 *          - A process made by a raw clone or _Fork, without fork handlers, keeps its parent's
 *            identity.
 *          - /proc is believed only if it is this pid namespace's own (NSpid, since Linux 4.1).
 *            Without one, or without a free descriptor to read it, only a missing thread is dead: a
 *            zombie and a thread with a reused id count as the owner. The same is true of an id
 *            that is reused within the clock tick (10 ms) in which its first owner started.
 *          - A file has one device and one inode number: a file that two file systems show, such as
 *            both layers of an overlay, is two objects.
 *          - A word that names a thread whose process has the state mapped, and that did not lock
 *            it, keeps others out: attach with is_unused. The same is needed for a copy of a FILE
 *            lock that is to have a lock file of its own.
 *          - The futex compares the half of the word without the start time: a waiter may sleep on
 *            the word of another owner with the same id and marks, for SLM_LOCK_SLEEP_MS at most.
 *          - FILE: after a lock file was removed or replaced, new handles are refused until the
 *            system restarts or a caller sets is_unused (for good, if the system has no boot id);
 *            handles of the first file go on, those of earlier fork children too. A program that
 *            closes the lock's descriptor while it holds the lock gives the lock away. A thread
 *            that ends without its destructors, or locks in the last round of them, keeps the lock
 *            until its process ends. A child of fork opens the file again by its path: a child of a
 *            process that has given up the right to do so, or entered a chroot without the file,
 *            gets SLM_E_IO or SLM_E_REPLACED.
 * Cost     Uncontended: one compare-and-swap to lock, one to unlock. Contended: spins with
 *          exponential back-off, then sleeps on a futex.
 * Source   Futexes: futex(2), Drepper's "Futexes Are Tricky" (the state with waiters); the owner
 *          in the word: nginx's ngx_shmtx.
 */
#define SLM_LOCK_BYTES       64u  /* of shared memory, 64-aligned */
#define SLM_LOCK_SLEEP_MS    20u  /* longest single sleep of a waiter */
#define SLM_LOCK_PATIENCE_MS 100u /* how long a waiter lets newcomers pass it */

/* How a dead holder is found: see Kinds. */
enum slm_lock_kind {
    SLM_LOCK_ROBUST,   /* a waiter finds a dead holder */
    SLM_LOCK_SPIN_SEM, /* as nginx's: a parent frees it after a death */
    SLM_LOCK_FILE,     /* a lock of a file as well */
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
    slm_word namespaces; /* in which the word's ids and start times are valid, mixed with the boot:
                            pid below, time above bit 32; 0: not agreed on yet */
    uint64_t unused;     /* 0 */
};

struct slm_lock; /* a process's handle */

/* Options of slm_lock_attach. */
struct slm_lock_options {
    enum slm_lock_kind kind; /* attach: what the state was made with */
    const char *path;        /* FILE: a file of its own. The first attach creates it, mode 0600; an
                                existing file has no rights for group and others: a user who may
                                read it could keep it locked. No call removes the file, not even
                                one that fails after it made it: another lock may depend on it
                                by then, even one that no process has open. A relative path is
                                below the working folder of that moment */
    unsigned spins;          /* most pauses between two reads of the word; 0: 1024; a machine with
                                one processor does not spin */
    bool is_unused;          /* the caller knows that no process uses the lock; see attach */
};

/*
 * Makes [state, + SLM_LOCK_BYTES) a free lock. What it held is lost. Fails, changing nothing:
 * SLM_E_ALIGN, SLM_E_OPTION (kind).
 */
enum slm_status slm_lock_init(struct slm_lock_state *state, enum slm_lock_kind kind);

/*
 * Opens a handle on a lock that exists. If the state comes from an earlier boot of the system (a
 * zone in a file), its owner is dead: the lock is freed and marked for repair. is_unused does the
 * same to any owner; then the lock belongs to the caller's namespaces, and FILE to
 * the file that is there now: a handle of an earlier file is refused once, then uses the new one.
 * Fails, *out NULL: SLM_E_ALIGN, SLM_E_OPTION (kind is not the state's; FILE without a path),
 * SLM_E_STATE (the lock belongs to another pid or time namespace, or nothing shows that it does
 * not), SLM_E_ACCESS (the lock file is a link, another user's, or one that others have rights to),
 * SLM_E_REPLACED (not the file that the lock was used with since init, or since the system
 * started), SLM_E_MISSING (the folder), SLM_E_NOMEM, SLM_E_IO.
 */
enum slm_status slm_lock_attach(struct slm_lock **out, struct slm_lock_state *state,
                                const struct slm_lock_options *options, struct slm_error *error);

/* Closes a handle. No thread of this process holds the lock through it. */
void slm_lock_detach(struct slm_lock *lock);

/*
 * Takes the lock. SLM_OK, or SLM_OWNER_DIED (see Repair): the caller holds it. Each of the three
 * finds a dead holder (SPIN_SEM: none does; call slm_lock_force_unlock first).
 * Fails, taking nothing: SLM_E_HELD (the caller holds it already); SLM_E_STATE (this process was
 * forked into a namespace other than the lock's); trylock: SLM_E_LOCKED, at once;
 * timedlock: SLM_E_TIMEOUT, after timeout_ms; FILE only: SLM_E_REPLACED (as attach), SLM_E_IO
 * (errno has the reason).
 */
enum slm_status slm_lock_lock(struct slm_lock *lock);
enum slm_status slm_lock_trylock(struct slm_lock *lock);
enum slm_status slm_lock_timedlock(struct slm_lock *lock, unsigned timeout_ms);

/* Unlocks, and wakes a waiter. Fails, changing nothing: SLM_E_OWNER (not the caller's). */
enum slm_status slm_lock_unlock(struct slm_lock *lock);

/* Clears the mark for repair: the protected data are repaired. Fails, changing nothing: SLM_E_OWNER
 * (the caller does not hold the lock). */
enum slm_status slm_lock_mark_repaired(struct slm_lock *lock);

/* Whether the calling thread holds the lock. */
bool slm_lock_is_mine(const struct slm_lock *lock);

/* Why an owner counts as alive that may be dead. */
enum slm_lock_doubt {
    SLM_LOCK_NO_DOUBT,        /* nothing is unknown */
    SLM_LOCK_DOUBT_NAMESPACE, /* its thread id is of another pid namespace */
    SLM_LOCK_DOUBT_PROC,      /* /proc cannot be read, or is another pid namespace's */
    SLM_LOCK_DOUBT_HIDDEN,    /* /proc does not show the thread to this process */
    SLM_LOCK_DOUBT_START,     /* its start time is unknown, or of another time namespace */
    SLM_LOCK_DOUBT_MAPPINGS,  /* it lives; what its process has mapped cannot be read */
};

/* "its thread id is of another pid namespace"; of SLM_LOCK_NO_DOUBT "". */
const char *slm_lock_doubt_text(enum slm_lock_doubt doubt);

/* The owner of a lock, as one read of the word shows it. */
struct slm_lock_owner {
    uint64_t identity; /* 0: unowned */
    pid_t thread_id;   /* 0: unowned */
    bool is_alive;     /* and has the lock mapped, as far as this process can find out */
    bool needs_repair;
    bool has_waiters;          /* waiters may be asleep */
    enum slm_lock_doubt doubt; /* is_alive: what this process cannot find out */
};

/* A snapshot, which may be out of date when the call returns. Any thread. Reads only. Cost O(the
 * owner's mappings). */
void slm_lock_get_owner(const struct slm_lock *lock, struct slm_lock_owner *owner);
/* The same without a handle, of a state or a copy of one: whether the owner lives, not what it has
 * mapped. An owner of an earlier boot is dead. */
void slm_lock_get_state_owner(const struct slm_lock_state *state, struct slm_lock_owner *owner);

/*
 * Frees a lock whose owner is dead or has it no longer mapped, marks it for repair, and wakes all
 * waiters. identity: the owner's, from slm_lock_get_owner; 0: any owner. SLM_OK: it was freed, or
 * was unowned. Fails: SLM_E_OWNER (the owner lives, or is another one); only the waiters are woken
 * then.
 */
enum slm_status slm_lock_force_unlock(struct slm_lock *lock, uint64_t identity);

/* The calling thread's identity, never 0. Cost: after a thread's first call a load. */
uint64_t slm_lock_self(void);

/* Whether the thread of that identity, in the caller's namespaces, lives. What cannot be found out
 * counts as alive. */
bool slm_lock_is_alive(uint64_t identity);

#ifdef __cplusplus
}
#endif
#endif
