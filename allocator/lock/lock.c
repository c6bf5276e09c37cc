/* SPDX-License-Identifier: Apache-2.0 */
/* Lock: how the room is built; the fast paths, and the calls that report on a lock. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sysconf names */
#endif
#include <slabmill/lock.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/base/check.h"
#include "allocator/base/yield.h"
#include "allocator/lock/fast.h"
#include "allocator/lock/handle.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/origin.h"
#include "allocator/lock/owner.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"

/*
 * Structure
 *
 *   lock          the public calls; fast.h has their fast paths: one compare-and-swap each
 *     wait        the slow path: spin, take over from a dead owner, sleep, ask for a turn
 *     file        the FILE kind: the system's lock of a file, under the word
 *   handles       all handles of this process, which a fork child makes its own
 *     agreed_file the file of a FILE lock
 *     owner       whether a recorded owner holds the lock
 *   event         what a listener gets: noted under the lock, delivered after it
 *   origin        the boot and the namespaces that a state belongs to
 *   identity      of the calling thread, and the namespaces of its process
 *   system        futex, clock, pause, file lock: a table that a scheduler can replace
 *     life        whether a thread lives
 *       proc      what /proc says about threads, namespaces and mappings
 *
 * Stored      struct slm_lock_state (64 bytes) in shared memory: the word, its kind, two counters,
 *             the boot, the namespaces, the file. word.h draws the word and lists its changes.
 * In process  struct slm_lock (handle.h): where the state is mapped, how long to spin, the file.
 * Calls       lock -> wait -> owner -> system; lock -> file -> handles, wait, system. A fast path
 *             knows the word only. FILE, and a handle whose process was forked into other
 *             namespaces, have the fast path look at a word that never changes, so that one branch
 *             serves all.
 *
 * The owner is in the word: thread id and start time. So taking the lock and saying who took it are
 * one store, no instant has an unknown owner, and a word found in a file can be judged after a
 * reboot. A robust pthread mutex keeps its list in the owner's memory, which is gone then.
 * The price: no waiter is notified of a death. Waiters check for it after spinning and each sleep.
 *
 * No sleep is longer than SLM_LOCK_SLEEP_MS. An unlocker that is killed between its store and its
 * wake takes the wake along, and no code in shared memory can prevent that: a store and a system
 * call are not one step. So wakes only save time; correctness rests on the word alone.
 *
 * tests/spin/lock.pml checks this protocol with a death between any two accesses; tests/sched runs
 * this code under a scheduler that chooses every switch, wake and death.
 */
#define DEFAULT_SPINS 1024u
#define KEPT_MARKS    (SLM_LOCK_REPAIR | SLM_LOCK_TURN) /* by unlock */

enum slm_status slm_lock_init(struct slm_lock_state *state, enum slm_lock_kind kind)
{
    if (state == NULL) {
        return SLM_E_NULL;
    }
    if ((uintptr_t)state % SLM_LOCK_BYTES != 0) {
        return SLM_E_ALIGN;
    }
    if ((unsigned)kind > SLM_LOCK_FILE) {
        return SLM_E_OPTION;
    }
    memset(state, 0, sizeof *state);
    state->kind = (uint32_t)kind;
    slm_lock_set_origin(state);
    return SLM_OK;
}

static unsigned spins_of(unsigned wanted)
{
    if (sysconf(_SC_NPROCESSORS_ONLN) == 1) {
        return 0;
    }
    return wanted == 0 ? DEFAULT_SPINS : wanted;
}

static enum slm_status check_attach(const struct slm_lock_state *state,
                                    const struct slm_lock_options *options, struct slm_error *error)
{
    if (state == NULL || options == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "lock: no state, or no options");
    }
    if ((uintptr_t)state % SLM_LOCK_BYTES != 0) {
        return slm_error_set(error, SLM_E_ALIGN, 0, "lock: a state that is not %u-aligned",
                             SLM_LOCK_BYTES);
    }
    if ((unsigned)options->kind > SLM_LOCK_FILE || state->kind != (uint32_t)options->kind) {
        return slm_error_set(error, SLM_E_OPTION, 0, "lock: kind %u asked for, of kind %u",
                             (unsigned)options->kind, state->kind);
    }
    if (options->kind == SLM_LOCK_FILE && options->path == NULL) {
        return slm_error_set(error, SLM_E_OPTION, 0, "lock: path is NULL, and kind FILE needs one");
    }
    return SLM_OK;
}

void slm_lock_bury_owner(struct slm_lock_state *state)
{
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_RELAXED);
    bool had_owner = slm_lock_owner_in(word) != 0;
    uint64_t repair = had_owner ? SLM_LOCK_REPAIR : word & SLM_LOCK_REPAIR;
    if (had_owner) {
        (void)__atomic_fetch_add(&state->n_deaths, 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&state->word, repair, __ATOMIC_RELEASE);
}

static enum slm_status open_handle(struct slm_lock *lock, const struct slm_lock_options *options,
                                   struct slm_error *error)
{
    if (options->is_unused) {
        slm_lock_bury_owner(lock->state);
        slm_lock_set_origin(lock->state);
    } else if (!slm_lock_agree_on_origin(lock->state)) {
        return slm_error_set(error, SLM_E_STATE, 0, "lock: %s", SLM_LOCK_ELSEWHERE_TEXT);
    }
    lock->namespaces = slm_lock_namespaces();
    lock->fast_word = options->kind == SLM_LOCK_FILE ? &lock->never : &lock->state->word;
    enum slm_status status =
        options->kind == SLM_LOCK_FILE ? slm_lock_file_make(lock, options->path, error) : SLM_OK;
    int os_errno = status == SLM_OK ? slm_lock_add_handle(lock) : 0;
    if (os_errno == 0) {
        return status;
    }
    return options->kind == SLM_LOCK_FILE
               ? slm_lock_file_refuse(options->path, os_errno, error)
               : slm_error_set(error, slm_error_of_errno(os_errno), os_errno,
                               "lock: forks cannot be followed: %s", strerror(os_errno));
}

static void free_handle(struct slm_lock *lock)
{
    free(lock->file);
    free(lock);
}

enum slm_status slm_lock_attach(struct slm_lock **out, struct slm_lock_state *state,
                                const struct slm_lock_options *options, struct slm_error *error)
{
    if (out == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "lock: no place for a handle");
    }
    *out = NULL;
    enum slm_status status = check_attach(state, options, error);
    if (status != SLM_OK) {
        return status;
    }
    struct slm_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "lock: no memory for a handle");
    }
    lock->state = state;
    lock->never = SLM_LOCK_NEVER;
    lock->spins = spins_of(options->spins);
    lock->is_robust = options->kind == SLM_LOCK_ROBUST;
    /* Asked now, so that a signal handler is never the first to ask. */
    (void)slm_lock_self();
    status = open_handle(lock, options, error);
    if (status != SLM_OK) {
        free_handle(lock);
        return status;
    }
    *out = lock;
    return slm_error_clear(error);
}

void slm_lock_detach(struct slm_lock *lock)
{
    if (lock != NULL) {
        slm_lock_remove_handle(lock);
        free_handle(lock);
    }
}

/* The fast paths leave all else to functions of their own, so they need no stack frame. */
static SLM_NOINLINE enum slm_status take_slowly(struct slm_lock *lock, uint64_t deadline_ms)
{
    if (lock->namespaces != slm_lock_namespaces()) {
        return SLM_E_STATE;
    }
    return lock->file != NULL ? slm_lock_file_take(lock, deadline_ms)
                              : slm_lock_contend(lock, deadline_ms);
}

enum slm_status slm_lock_lock(struct slm_lock *lock)
{
    if (SLM_UNLIKELY(lock == NULL)) {
        return SLM_E_NULL;
    }
    return slm_lock_take_fast(lock) ? SLM_OK : take_slowly(lock, SLM_LOCK_FOR_EVER);
}

enum slm_status slm_lock_trylock(struct slm_lock *lock)
{
    if (SLM_UNLIKELY(lock == NULL)) {
        return SLM_E_NULL;
    }
    return slm_lock_take_fast(lock) ? SLM_OK : take_slowly(lock, 0);
}

enum slm_status slm_lock_timedlock(struct slm_lock *lock, unsigned timeout_ms)
{
    if (SLM_UNLIKELY(lock == NULL)) {
        return SLM_E_NULL;
    }
    if (slm_lock_take_fast(lock)) {
        return SLM_OK;
    }
    /* The clock may be at 0, and a deadline of 0 means to try once. */
    uint64_t now_ms = slm_lock_system.now_ms();
    enum slm_status status = take_slowly(lock, timeout_ms == 0 ? 0 : now_ms + timeout_ms);
    return status == SLM_E_LOCKED ? SLM_E_TIMEOUT : status;
}

bool slm_lock_is_mine(const struct slm_lock *lock)
{
    if (SLM_UNLIKELY(lock == NULL)) {
        return false;
    }
    SLM_YIELD("lock: is it mine");
    uint64_t word = __atomic_load_n(&lock->state->word, __ATOMIC_RELAXED);
    return slm_lock_owner_in(word) == slm_lock_self() &&
           (lock->file == NULL || slm_lock_file_is_mine(lock));
}

/* Keeps the marks for repair and for a sleeper's turn, and drops the waiters' mark: the waiter that
 * wakes sets it again. */
static SLM_NOINLINE enum slm_status unlock_slowly(struct slm_lock *lock)
{
    if (!slm_lock_is_mine(lock)) {
        if (lock->file != NULL && slm_lock_file_is_mine(lock)) {
            slm_lock_file_give(lock); /* the word was lost: another process took the lock */
        }
        return SLM_E_OWNER;
    }
    struct slm_lock_events events;
    slm_lock_take_events(lock, &events);
    slm_word *shared = &lock->state->word;
    SLM_YIELD("unlock: look at the word");
    uint64_t word = __atomic_load_n(shared, __ATOMIC_RELAXED);
    do {
        SLM_YIELD("unlock: swap the word");
    } while (!__atomic_compare_exchange_n(shared, &word, word & KEPT_MARKS, false, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
    if (lock->file != NULL) {
        slm_lock_file_give(lock);
    }
    if ((word & SLM_LOCK_WAITERS) != 0) {
        SLM_YIELD("unlock: wake");
        slm_lock_system.wake(slm_lock_half(lock->state), 1);
    }
    slm_lock_deliver_events(&events);
    return SLM_OK;
}

enum slm_status slm_lock_unlock(struct slm_lock *lock)
{
    if (SLM_UNLIKELY(lock == NULL)) {
        return SLM_E_NULL;
    }
    return slm_lock_give_fast(lock) ? SLM_OK : unlock_slowly(lock);
}

enum slm_status slm_lock_mark_repaired(struct slm_lock *lock)
{
    if (lock == NULL) {
        return SLM_E_NULL;
    }
    if (!slm_lock_is_mine(lock)) {
        return SLM_E_OWNER;
    }
    SLM_YIELD("lock: drop the mark for repair");
    (void)__atomic_fetch_and(&lock->state->word, ~SLM_LOCK_REPAIR, __ATOMIC_RELEASE);
    return SLM_OK;
}

bool slm_lock_is_alive(uint64_t identity)
{
    return slm_lock_system.find_life(identity, (uint32_t)(slm_lock_namespaces() >> 32)).is_alive;
}

const char *slm_lock_doubt_text(enum slm_lock_doubt doubt)
{
    static const char *const texts[] = {
        [SLM_LOCK_NO_DOUBT] = "",
        [SLM_LOCK_DOUBT_NAMESPACE] = "its thread id is of another pid namespace",
        [SLM_LOCK_DOUBT_PROC] = "/proc cannot be read, or is another pid namespace's",
        [SLM_LOCK_DOUBT_HIDDEN] = "/proc does not show the thread to this process",
        [SLM_LOCK_DOUBT_START] = "its start time is unknown, or of another time namespace",
        [SLM_LOCK_DOUBT_MAPPINGS] = "what its process has mapped cannot be read",
    };
    return (size_t)doubt < sizeof texts / sizeof texts[0] ? texts[doubt] : "";
}

/* All but whether it lives. */
static void fill_owner(struct slm_lock_owner *owner, const struct slm_lock_state *state)
{
    SLM_YIELD("lock: snapshot");
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_ACQUIRE);
    owner->identity = slm_lock_owner_in(word);
    owner->thread_id = (pid_t)(word & SLM_LOCK_TID);
    owner->needs_repair = (word & SLM_LOCK_REPAIR) != 0;
    owner->has_waiters = (word & SLM_LOCK_WAITERS) != 0;
    owner->is_alive = false;
    owner->doubt = SLM_LOCK_NO_DOUBT;
}

void slm_lock_get_state_owner(const struct slm_lock_state *state, struct slm_lock_owner *owner)
{
    if (state == NULL || owner == NULL) {
        return;
    }
    fill_owner(owner, state);
    if (owner->identity != 0 && !slm_lock_is_of_another_boot(state)) {
        struct slm_lock_life life = slm_lock_judge_thread(state, owner->identity);
        owner->is_alive = life.is_alive;
        owner->doubt = life.doubt;
    }
}

void slm_lock_get_owner(const struct slm_lock *lock, struct slm_lock_owner *owner)
{
    if (lock == NULL || owner == NULL) {
        return;
    }
    fill_owner(owner, lock->state);
    if (owner->identity != 0) {
        struct slm_lock_life life = slm_lock_judge_owner(lock->state, owner->identity);
        owner->is_alive = life.is_alive;
        owner->doubt = life.doubt;
    }
}

/* As slm_lock_force_unlock; SLM_E_BUSY: the word changed meanwhile. */
static enum slm_status free_dead(const struct slm_lock *lock, uint64_t identity)
{
    struct slm_lock_state *state = lock->state;
    SLM_YIELD("force: look at the word");
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_RELAXED);
    uint64_t owner = slm_lock_owner_in(word);
    if (owner == 0) {
        return SLM_OK;
    }
    if ((identity != 0 && owner != identity) || slm_lock_judge_owner(state, owner).is_alive) {
        return SLM_E_OWNER;
    }
    SLM_YIELD("force: swap the word");
    if (!__atomic_compare_exchange_n(&state->word, &word, SLM_LOCK_REPAIR, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        return SLM_E_BUSY;
    }
    (void)__atomic_fetch_add(&state->n_deaths, 1, __ATOMIC_RELAXED);
    slm_lock_report_event(lock, SLM_EVENT_OWNER_DIED, SLM_OK, (pid_t)(owner & SLM_LOCK_TID));
    return SLM_OK;
}

/* Wakes even if the lock was free: a holder may have died between its store and its wake. */
enum slm_status slm_lock_force_unlock(struct slm_lock *lock, uint64_t identity)
{
    enum slm_status status;
    if (lock == NULL) {
        return SLM_E_NULL;
    }
    do {
        status = free_dead(lock, identity);
    } while (status == SLM_E_BUSY);
    SLM_YIELD("force: wake all");
    slm_lock_system.wake(slm_lock_half(lock->state), INT_MAX);
    return status;
}
