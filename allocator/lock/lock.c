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
#include "allocator/lock/handle.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/origin.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"

/*
 * Structure
 *
 *   lock          the public calls and the fast paths: one compare-and-swap each
 *     wait        the slow path: spin, take over from a dead owner, sleep, ask for a turn
 *     file        the FILE kind: the system's lock of a file, under the word
 *       agreed_file   which file that is
 *   origin        the boot and the namespaces that a state belongs to
 *   identity      of the calling thread, and the namespaces of its process
 *   system        futex, clock, pause, file lock: a table that a scheduler can replace
 *     proc        what the system says about threads and namespaces
 *
 * Stored      struct slm_lock_state (64 bytes) in shared memory: the word, its kind, two counters,
 *             the boot, the namespaces, the file. word.h draws the word and lists every change of it.
 * In process  struct slm_lock (handle.h): where the state is mapped, how long to spin, the file.
 * Calls       lock -> wait -> system; lock -> file -> agreed_file, wait, system. A fast path knows
 *             the word only. FILE has the fast path look at a word that never changes, so that one
 *             branch serves all kinds.
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

static enum slm_status check_attach(struct slm_lock **out, const struct slm_lock_state *state,
                                    const struct slm_lock_options *options, struct slm_error *error)
{
    if (out == NULL || state == NULL || options == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "lock: no state, options or place for a handle");
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

/* The caller knows that no process uses the lock: whatever owner is recorded is none. */
static void free_unused(struct slm_lock_state *state)
{
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_RELAXED);
    bool had_owner = slm_lock_owner_in(word) != 0;
    uint64_t repair = had_owner ? SLM_LOCK_REPAIR : word & SLM_LOCK_REPAIR;
    if (had_owner) {
        (void)__atomic_fetch_add(&state->n_deaths, 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&state->word, repair, __ATOMIC_RELEASE);
    slm_lock_set_origin(state);
}

static enum slm_status open_handle(struct slm_lock *lock, const struct slm_lock_options *options,
                                   struct slm_error *error)
{
    if (options->is_unused) {
        free_unused(lock->state);
    } else if (!slm_lock_agree_on_origin(lock->state)) {
        return slm_error_set(error, SLM_E_STATE, 0, "lock: %s", SLM_LOCK_ELSEWHERE_TEXT);
    }
    lock->fast_word = &lock->state->word;
    if (options->kind == SLM_LOCK_FILE) {
        lock->never = SLM_LOCK_NEVER;
        lock->fast_word = &lock->never;
        return slm_lock_file_open(lock, options->path, error);
    }
    return SLM_OK;
}

enum slm_status slm_lock_attach(struct slm_lock **out, struct slm_lock_state *state,
                                const struct slm_lock_options *options, struct slm_error *error)
{
    if (out != NULL) {
        *out = NULL;
    }
    enum slm_status status = check_attach(out, state, options, error);
    if (status != SLM_OK) {
        return status;
    }
    struct slm_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "lock: no memory for a handle");
    }
    lock->state = state;
    lock->spins = spins_of(options->spins);
    lock->is_robust = options->kind == SLM_LOCK_ROBUST;
    status = open_handle(lock, options, error);
    if (status != SLM_OK) {
        free(lock);
        return status;
    }
    /* Asked now, so that a signal handler is never the first to ask. */
    (void)slm_lock_self();
    *out = lock;
    return slm_error_clear(error);
}

void slm_lock_detach(struct slm_lock *lock)
{
    if (lock == NULL) {
        return;
    }
    if (lock->file != NULL) {
        slm_lock_file_close(lock);
    }
    free(lock);
}

/* The fast paths leave all else to functions of their own, so they need no stack frame. */
static SLM_NOINLINE enum slm_status take_slowly(struct slm_lock *lock, uint64_t deadline_ms)
{
    return lock->file != NULL ? slm_lock_file_take(lock, deadline_ms)
                              : slm_lock_contend(lock, deadline_ms);
}

/* A thread without a cached identity must not compare 0 with 0. */
static inline bool take_fast(struct slm_lock *lock)
{
    uint64_t self = slm_lock_self_cached;
    uint64_t unowned = 0;
    SLM_YIELD("lock: take");
    return SLM_LIKELY(self != 0) &&
           SLM_LIKELY(__atomic_compare_exchange_n(lock->fast_word, &unowned, self, false,
                                                  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
}

enum slm_status slm_lock_lock(struct slm_lock *lock)
{
    if (SLM_UNLIKELY(lock == NULL)) {
        return SLM_E_NULL;
    }
    return take_fast(lock) ? SLM_OK : take_slowly(lock, SLM_LOCK_FOR_EVER);
}

enum slm_status slm_lock_trylock(struct slm_lock *lock)
{
    if (SLM_UNLIKELY(lock == NULL)) {
        return SLM_E_NULL;
    }
    return take_fast(lock) ? SLM_OK : take_slowly(lock, 0);
}

enum slm_status slm_lock_timedlock(struct slm_lock *lock, unsigned timeout_ms)
{
    if (SLM_UNLIKELY(lock == NULL)) {
        return SLM_E_NULL;
    }
    if (take_fast(lock)) {
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
        return SLM_E_OWNER;
    }
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
    return SLM_OK;
}

enum slm_status slm_lock_unlock(struct slm_lock *lock)
{
    uint64_t self = slm_lock_self_cached;
    if (SLM_UNLIKELY(lock == NULL)) {
        return SLM_E_NULL;
    }
    SLM_YIELD("unlock: give");
    if (SLM_LIKELY(self != 0) &&
        SLM_LIKELY(__atomic_compare_exchange_n(lock->fast_word, &self, 0, false, __ATOMIC_RELEASE,
                                               __ATOMIC_RELAXED))) {
        return SLM_OK;
    }
    return unlock_slowly(lock);
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

void slm_lock_get_state_owner(const struct slm_lock_state *state, struct slm_lock_owner *owner)
{
    if (state == NULL || owner == NULL) {
        return;
    }
    SLM_YIELD("lock: snapshot");
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_ACQUIRE);
    owner->identity = slm_lock_owner_in(word);
    owner->thread_id = (pid_t)(word & SLM_LOCK_TID);
    owner->is_alive = owner->identity != 0 && slm_lock_is_alive(owner->identity);
    owner->needs_repair = (word & SLM_LOCK_REPAIR) != 0;
    owner->has_waiters = (word & SLM_LOCK_WAITERS) != 0;
}

void slm_lock_get_owner(const struct slm_lock *lock, struct slm_lock_owner *owner)
{
    slm_lock_get_state_owner(lock == NULL ? NULL : lock->state, owner);
}

/* As slm_lock_force_unlock; SLM_E_BUSY: the word changed meanwhile. */
static enum slm_status free_dead(struct slm_lock_state *state, uint64_t identity)
{
    SLM_YIELD("force: look at the word");
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_RELAXED);
    uint64_t owner = slm_lock_owner_in(word);
    if (owner == 0) {
        return SLM_OK;
    }
    if ((identity != 0 && owner != identity) || slm_lock_is_alive(owner)) {
        return SLM_E_OWNER;
    }
    SLM_YIELD("force: swap the word");
    if (!__atomic_compare_exchange_n(&state->word, &word, SLM_LOCK_REPAIR, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        return SLM_E_BUSY;
    }
    (void)__atomic_fetch_add(&state->n_deaths, 1, __ATOMIC_RELAXED);
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
        status = free_dead(lock->state, identity);
    } while (status == SLM_E_BUSY);
    SLM_YIELD("force: wake all");
    slm_lock_system.wake(slm_lock_half(lock->state), INT_MAX);
    return status;
}
