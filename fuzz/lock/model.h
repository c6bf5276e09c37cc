/* SPDX-License-Identifier: Apache-2.0 */
/* The model of the lock: its state, its handles, the clock, the file. */
#ifndef HRN_FUZZ_LOCK_MODEL_H
#define HRN_FUZZ_LOCK_MODEL_H

#include "fuzz/lock/world.h"

enum { LOCK_EVENTS_MAX = 16, LOCK_FOR_EVER = -1, LOCK_ONCE = -2 };

/* A handle, and what the model knows of it. */
struct handle {
    struct slm_lock *lock; /* NULL: not attached */
    unsigned spins;
    uint64_t suspect;
    unsigned n_looks;
    unsigned n_noted;
    struct slm_event noted[SLM_EVENTS_MAX];
    /* FILE */
    bool is_open;
    bool has_lock; /* as the handle sees it; while is_open, the system's too */
    uint64_t inode;
};

enum fake_file { FILE_NONE, FILE_GOOD, FILE_RIGHTS, FILE_LINK, FILE_PIPE, FILE_FOLDER };

struct lock_model {
    struct slm_lock_state want;
    struct handle handles[LOCK_N_ACTORS];
    uint64_t clock;
    uint64_t n_pauses;
    int wake;          /* how many sleepers the call must wake; 0: it wakes none */
    unsigned n_events; /* that the call must deliver */
    struct slm_event events[LOCK_EVENTS_MAX];
    /* The file at the path. */
    enum fake_file file;
    uint64_t inode;
    uint64_t device;
    int os_errno; /* that the call leaves in errno; 0: any */
    struct handle
        *creator; /* the present call makes the file with this handle; NULL: it does not */
};

extern struct lock_model hrn_lock_model;
extern struct slm_lock_state *hrn_lock_state;

/* --- lock.c --- */

/* The actor is about to call the library. What the model says next is compared by the second. */
void hrn_lock_begin_call(unsigned actor);
void hrn_lock_end_call(const char *call, enum slm_status status, enum slm_status expected);

/* --- handles.c --- */

void hrn_lock_init(unsigned kind);
void hrn_lock_attach(const struct op *op);
void hrn_lock_detach(const struct op *op);
void hrn_lock_detach_all(void);

/* --- model.c --- */

/* Predicts what a call that takes the lock returns, and changes the model. timeout_ms: of
 * timedlock, or LOCK_FOR_EVER, or LOCK_ONCE. *would_hang: it would never return, and the model has
 * not changed. */
enum slm_status hrn_lock_predict_take(unsigned actor, int timeout_ms, bool *would_hang);
enum slm_status hrn_lock_predict_unlock(unsigned actor);

/* Whether a handle has the system's lock of that handle's file. After a file was replaced, and a caller
 * said that no process uses the first one, each of the two may be locked. */
bool hrn_lock_is_file_taken(const struct handle *handle);

/* How the state lets this process see the owner. */
struct slm_lock_life hrn_lock_judge_thread(uint64_t owner);
struct slm_lock_life hrn_lock_judge_owner(uint64_t owner);

/* The holder notes an event: only the first four of a hold are kept. */
void hrn_lock_expect_note(unsigned actor, struct slm_event event);
/* The thread that took the lock of a file has ended. */
void hrn_lock_end_thread(unsigned actor);
struct slm_event hrn_lock_event(unsigned actor, enum slm_event_kind kind, pid_t thread);
void hrn_lock_expect_event(unsigned actor, enum slm_event_kind kind, pid_t thread);
const char *hrn_lock_name_of(unsigned actor);

/* --- The file (file.c) --- */

/* A folder for the file; made once. */
const char *hrn_lock_file_path(void);
void hrn_lock_begin_file(void);
void hrn_lock_change_file(const struct op *op);
/* Predicts an open of the agreed file by the handle. Returns 0 or an errno. */
int hrn_lock_predict_open(struct handle *handle);
/* After a call that made the file: finds out its numbers. */
void hrn_lock_settle_file(void);
/* Whether the file that the handle has open is the one that the state records, or is recorded now. */
bool hrn_lock_agree_on_file(const struct handle *handle);

#endif
