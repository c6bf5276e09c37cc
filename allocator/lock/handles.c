/* SPDX-License-Identifier: Apache-2.0 */
/* All handles of this process: attach adds them, and a fork child makes them its own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_sigmask */
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "allocator/base/cancel.h"
#include "allocator/base/yield.h"
#include "allocator/lock/handle.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/owner.h"
#include "allocator/lock/word.h"

/*
 * What a fork child inherits. Its handles work if its namespaces are those of the lock; else they
 * never take the fast path, and the slow path refuses. A descriptor of a lock file is a copy of its
 * parent's, which would keep the lock of a parent that died. So the child closes it, and opens the
 * file again at once, since it may be about to give up the rights or the folders for that. fork
 * waits while a descriptor is open and not on the list yet.
 */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* No signal handler may wait for the mutex, and a cancelled thread would keep it. */
static sigset_t mask_before;
static int cancel_before;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int start_errno; /* why forks cannot be followed; 0: they are */
struct slm_lock *slm_lock_handles;

void slm_lock_enter_handles(void)
{
    sigset_t every;
    sigset_t before;
    (void)sigfillset(&every);
    int cancel = slm_cancel_off();
    (void)pthread_sigmask(SIG_BLOCK, &every, &before);
    (void)pthread_mutex_lock(&mutex);
    mask_before = before;
    cancel_before = cancel;
}

void slm_lock_leave_handles(void)
{
    sigset_t before = mask_before;
    int cancel = cancel_before;
    (void)pthread_mutex_unlock(&mutex);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    slm_cancel_restore(cancel);
}

void slm_lock_claim_descriptor(const struct slm_lock_file *file)
{
    for (struct slm_lock *lock = slm_lock_handles; lock != NULL; lock = lock->next) {
        if (lock->file != NULL && lock->file != file && lock->file->fd == file->fd) {
            lock->file->fd = -1;
        }
    }
}

/* The next lock call opens a file that cannot be opened now. The state is not touched: a child that
 * only calls exec must not die of a zone whose file was cut. */
static void renew(struct slm_lock *lock)
{
    bool is_here = lock->namespaces == slm_lock_namespaces();
    lock->events.n = 0; /* those of the parent's threads */
    if (lock->file == NULL) {
        lock->fast_word = is_here ? &lock->state->word : &lock->never;
        return;
    }
    slm_lock_file_close(lock->file);
    lock->file->holder = 0;
    if (is_here && slm_lock_file_open_again(lock->file) == 0) {
        slm_lock_claim_descriptor(lock->file);
    }
}

/* identity.c renews the namespaces first: child handlers run in the order of their registration. */
static void after_fork_in_child(void)
{
    int kept_errno = errno;
    for (struct slm_lock *lock = slm_lock_handles; lock != NULL; lock = lock->next) {
        renew(lock);
    }
    errno = kept_errno;
    slm_lock_leave_handles();
}

static void start(void)
{
    start_errno = slm_lock_follow_forks();
    if (start_errno == 0) {
        start_errno =
            pthread_atfork(slm_lock_enter_handles, slm_lock_leave_handles, after_fork_in_child);
    }
}

static bool has_handle(const struct slm_lock_state *state)
{
    const struct slm_lock *lock = slm_lock_handles;
    while (lock != NULL && lock->state != state) {
        lock = lock->next;
    }
    return lock != NULL;
}

static void free_left_over(struct slm_lock_state *state)
{
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_RELAXED);
    uint64_t owner = slm_lock_owner_in(word);
    if (has_handle(state) || !slm_lock_is_left_over(state, owner)) {
        return;
    }
    do {
        SLM_YIELD("attach: free what is left over");
        if (__atomic_compare_exchange_n(&state->word, &word, SLM_LOCK_REPAIR, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            (void)__atomic_fetch_add(&state->n_deaths, 1, __ATOMIC_RELAXED);
            return;
        }
    } while (slm_lock_owner_in(word) == owner);
}

int slm_lock_add_handle(struct slm_lock *lock)
{
    (void)pthread_once(&once, start);
    if (start_errno != 0) {
        return start_errno;
    }
    slm_lock_enter_handles();
    free_left_over(lock->state);
    int os_errno = lock->file == NULL ? 0 : slm_lock_file_open_agreed(lock->file);
    if (os_errno == 0) {
        if (lock->file != NULL) {
            slm_lock_claim_descriptor(lock->file);
        }
        lock->next = slm_lock_handles;
        slm_lock_handles = lock;
    }
    slm_lock_leave_handles();
    return os_errno;
}

void slm_lock_remove_handle(struct slm_lock *lock)
{
    slm_lock_enter_handles();
    struct slm_lock **link = &slm_lock_handles;
    while (*link != lock) {
        link = &(*link)->next;
    }
    *link = lock->next;
    if (lock->file != NULL) {
        slm_lock_file_close(lock->file);
    }
    slm_lock_leave_handles();
}
