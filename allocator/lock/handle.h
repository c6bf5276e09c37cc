/* SPDX-License-Identifier: Apache-2.0 */
/* What a process holds of a lock, and what the files of this room do for each other. */
#ifndef SLM_LOCK_HANDLE_H
#define SLM_LOCK_HANDLE_H

#include "allocator/base/large_files.h"
#include "allocator/lock/event.h"
#include <slabmill/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Never equals an owner or 0, so a fast path always falls through. */
#define SLM_LOCK_NEVER UINT64_MAX

/* What a handle keeps of a lock file. */
struct slm_lock_file {
    slm_word holder; /* the thread of this process that has, or is about to have, the lock */
    int fd;          /* -1: to be opened */
    dev_t device;    /* of the file that was opened last */
    ino_t inode;
    struct slm_lock_state *state;
    char *path;  /* absolute where it can be; after the struct */
    char *given; /* the path that attach was given: the end of path */
};

struct slm_lock {
    slm_word *fast_word; /* what the fast paths work on: the state's word, or never */
    struct slm_lock_state *state;
    struct slm_lock_file *file; /* FILE only, else NULL */
    slm_word never;             /* SLM_LOCK_NEVER */
    unsigned spins;             /* 0: does not spin */
    bool is_robust;
    uint64_t namespaces;   /* the lock's: processes of others are refused */
    slm_word suspect;      /* the owner that waiters saw last */
    unsigned n_looks;      /* at it */
    struct slm_lock *next; /* of all handles of this process */
    const char *name;      /* for events; NULL: none */
    struct slm_lock_events events;
};

#define SLM_LOCK_FOR_EVER UINT64_MAX

/* --- wait.c --- */

/* Takes the lock of a robust or spinning kind: until deadline_ms by now_ms; 0: tries once. */
enum slm_status slm_lock_contend(struct slm_lock *lock, uint64_t deadline_ms);

/* Sets the waiters' bit of a word that was just read, and sleeps until the word changes or a wake,
 * for at most SLM_LOCK_SLEEP_MS and not much longer than deadline_ms. */
void slm_lock_nap(struct slm_lock *lock, uint64_t word, uint64_t deadline_ms);

/* --- file.c: the lock of a file --- */

/* Makes lock->file, which is still to be opened. Fails: SLM_E_NOMEM. */
enum slm_status slm_lock_file_make(struct slm_lock *lock, const char *path,
                                   struct slm_error *error);
/* Reports an errno of slm_lock_file_open_agreed. */
enum slm_status slm_lock_file_refuse(const char *path, int os_errno, struct slm_error *error);
/* As slm_lock_contend. */
enum slm_status slm_lock_file_take(struct slm_lock *lock, uint64_t deadline_ms);
/* Whether the calling thread holds the system's lock through this handle. */
bool slm_lock_file_is_mine(const struct slm_lock *lock);
/* Gives the system's lock back; the caller holds it. */
void slm_lock_file_give(struct slm_lock *lock);

/* Whether attach was given that path. */
bool slm_lock_file_was_given(const struct slm_lock *lock, const char *path);

/* --- handles.c: all handles of this process --- */

extern struct slm_lock *slm_lock_handles; /* newest first */

/* While a thread is between these, no other thread is, no thread forks, and neither a signal
 * handler nor a cancellation interrupts it. */
void slm_lock_enter_handles(void);
void slm_lock_leave_handles(void);

/* Frees the lock of an owner that is left over (owner.h), opens the file, and adds the handle.
 * Returns 0 or an errno. */
int slm_lock_add_handle(struct slm_lock *lock);
void slm_lock_remove_handle(struct slm_lock *lock);

/* The file was just opened. If a program had closed another handle's descriptor, and this one has
 * its number, that handle would take it for its own: both would have the lock. Call it between
 * slm_lock_enter_handles and slm_lock_leave_handles. */
void slm_lock_claim_descriptor(const struct slm_lock_file *file);

/* --- agreed_file.c: which file that is --- */

/* Whether the descriptor is still that of the file: programs close descriptors at random. */
bool slm_lock_file_is_open(const struct slm_lock_file *file);
void slm_lock_file_close(struct slm_lock_file *file);

/* Opens the file that the state records; if it records none, records the file that is there, which
 * it creates if there is none. Returns 0 or an errno; ESTALE: the recorded file has been removed or
 * replaced. */
int slm_lock_file_open_agreed(struct slm_lock_file *file);
/* Opens the file that was opened last, if the path still leads to it. Does not touch the state,
 * which may be in a file that was cut. Returns 0 or an errno. */
int slm_lock_file_open_again(struct slm_lock_file *file);
/* Whether the file that was opened is the one that the state records; if the state records none, it
 * records this file. */
bool slm_lock_file_is_agreed(const struct slm_lock_file *file);

#ifdef __cplusplus
}
#endif
#endif
