/* SPDX-License-Identifier: Apache-2.0 */
/* File locks: the system excludes others; the word records the owner and its death. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_SETLK */
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/base/yield.h"
#include "allocator/lock/handle.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"

/*
 * The lock belongs to the open file description (fcntl(2), F_OFD_SETLK), of which each handle has
 * one: that excludes other handles. `holder` excludes the other threads of this handle. The holder
 * of both owns the word; any other owner recorded in it died holding the lock, and counts as dead
 * without a check. That requires that all processes lock one file: agreed_file.c.
 *
 * The system frees the lock when the description's last descriptor is closed. Two cases would keep
 * it open after its owner died, and are handled through the list of all handles (handles.c). A fork
 * child has a copy of every descriptor, so it closes them at once and opens its own. And a thread
 * may exit while its process goes on, so a destructor of its own gives back what it still holds,
 * without touching the word.
 */

#define SHORT_NAP_MS 1u /* while the lock's new holder has not written its name yet */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int start_errno;        /* why there is no exit_key; 0: there is */
static pthread_key_t exit_key; /* not NULL in a thread that ever held a file lock */

/* Answers 0 or an errno. */
static int set_lock(int fd, short type)
{
    int os_errno;
    do {
        os_errno = slm_lock_system.set_file_lock(fd, type);
    } while (os_errno == EINTR);
    return os_errno;
}

static void give(struct slm_lock_file *file)
{
    SLM_YIELD("file: give the file");
    if (slm_lock_file_is_open(file)) { /* else the system freed it when the program closed it */
        (void)set_lock(file->fd, F_UNLCK);
    }
    SLM_YIELD("file: give the handle");
    __atomic_store_n(&file->holder, 0, __ATOMIC_RELEASE);
}

static void give_all_at_exit(void *ignored)
{
    (void)ignored;
    slm_lock_enter_handles();
    for (struct slm_lock *lock = slm_lock_handles; lock != NULL; lock = lock->next) {
        if (lock->file != NULL && slm_lock_file_is_mine(lock)) {
            give(lock->file);
            slm_lock_system.wake(slm_lock_half(lock->state), 1);
        }
    }
    slm_lock_leave_handles();
}

static void start(void)
{
    start_errno = pthread_key_create(&exit_key, give_all_at_exit);
}

enum slm_status slm_lock_file_refuse(const char *path, int os_errno, struct slm_error *error)
{
    if (os_errno == ESTALE) {
        return slm_error_set(error, SLM_E_REPLACED, 0,
                             "%s: not the lock file that others may be using: that one was removed "
                             "or replaced",
                             path);
    }
    return slm_error_set(error, slm_error_of_errno(os_errno), os_errno,
                         "%s: cannot be opened as a lock file of this user alone: %s", path,
                         strerror(os_errno));
}

/*
 * A child of fork opens the file again, and the program may have changed its working folder by then.
 * So a relative path is completed. Writes the folder with a slash after it, or nothing: for an
 * absolute path, and for a folder that cannot be reached by its path.
 */
static size_t write_folder(char folder[PATH_MAX], const char *path)
{
    size_t n = 0;
    if (path[0] != '/' && getcwd(folder, PATH_MAX) != NULL && folder[0] == '/' &&
        access(folder, X_OK) == 0) {
        n = strlen(folder);
        folder[n++] = '/';
    }
    return n + strlen(path) < PATH_MAX ? n : 0;
}

enum slm_status slm_lock_file_make(struct slm_lock *lock, const char *path, struct slm_error *error)
{
    (void)pthread_once(&once, start);
    if (start_errno != 0) {
        return slm_error_set(error, slm_error_of_errno(start_errno), start_errno,
                             "%s: the ends of threads cannot be followed: %s", path,
                             strerror(start_errno));
    }
    char folder[PATH_MAX];
    size_t n_folder = write_folder(folder, path);
    size_t path_bytes = strlen(path) + 1;
    struct slm_lock_file *file = calloc(1, sizeof *file + n_folder + path_bytes);
    if (file == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "%s: no memory for a handle", path);
    }
    file->path = memcpy(file + 1, folder, n_folder);
    file->given = memcpy(file->path + n_folder, path, path_bytes);
    file->fd = -1;
    file->state = lock->state;
    lock->file = file;
    return SLM_OK;
}

bool slm_lock_file_was_given(const struct slm_lock *lock, const char *path)
{
    return lock != NULL && lock->file != NULL && strcmp(lock->file->given, path) == 0;
}

/* --- Taking it --- */

bool slm_lock_file_is_mine(const struct slm_lock *lock)
{
    return __atomic_load_n(&lock->file->holder, __ATOMIC_RELAXED) == slm_lock_self();
}

void slm_lock_file_give(struct slm_lock *lock)
{
    give(lock->file);
}

/* When the descriptor was lost, or a fork child could not open the file. Returns 0 or an errno. */
static int reopen(struct slm_lock_file *file)
{
    slm_lock_enter_handles();
    file->fd = -1;
    int os_errno = slm_lock_file_open_agreed(file);
    if (os_errno == 0) {
        slm_lock_claim_descriptor(file);
    }
    slm_lock_leave_handles();
    return os_errno;
}

/* The next call opens the file that is there then. */
static void drop(struct slm_lock_file *file)
{
    slm_lock_enter_handles();
    slm_lock_file_close(file);
    slm_lock_leave_handles();
}

static enum slm_status refusal(int os_errno)
{
    errno = os_errno;
    return os_errno == ESTALE ? SLM_E_REPLACED : SLM_E_IO;
}

static enum slm_status take_file(struct slm_lock_file *file)
{
    int os_errno = slm_lock_file_is_open(file) ? 0 : reopen(file);
    if (os_errno != 0) {
        return refusal(os_errno);
    }
    SLM_YIELD("file: take the file");
    os_errno = set_lock(file->fd, F_WRLCK);
    if (os_errno != 0) {
        bool is_taken = os_errno == EAGAIN || os_errno == EACCES;
        return is_taken ? SLM_E_LOCKED : refusal(os_errno);
    }
    if (!slm_lock_file_is_agreed(file)) {
        drop(file);
        return refusal(ESTALE);
    }
    return SLM_OK;
}

/* Takes both locks, without waiting. SLM_E_LOCKED: another thread or process has one of them. */
static enum slm_status take_both(struct slm_lock_file *file, uint64_t self)
{
    uint64_t unowned = 0;
    SLM_YIELD("file: take the handle");
    if (!__atomic_compare_exchange_n(&file->holder, &unowned, self, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        return SLM_E_LOCKED;
    }
    enum slm_status status = take_file(file);
    if (status != SLM_OK) {
        __atomic_store_n(&file->holder, 0, __ATOMIC_RELEASE);
    }
    return status;
}

/* The caller has both locks, so besides it only waiters change the word: they mark it.
 * kept: SLM_LOCK_WAITERS if it slept, since other waiters may still be asleep. */
static enum slm_status take_word(struct slm_lock *lock, uint64_t self, uint64_t kept)
{
    struct slm_lock_state *state = lock->state;
    SLM_YIELD("file: look at the word");
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_RELAXED);
    uint64_t wanted;
    do {
        SLM_YIELD("file: swap the word");
        bool is_dead = slm_lock_owner_in(word) != 0;
        uint64_t repair = is_dead ? SLM_LOCK_REPAIR : word & SLM_LOCK_REPAIR;
        wanted = self | repair | (word & SLM_LOCK_WAITERS) | kept;
    } while (!__atomic_compare_exchange_n(&state->word, &word, wanted, false, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    if (slm_lock_owner_in(word) != 0) {
        (void)__atomic_fetch_add(&state->n_deaths, 1, __ATOMIC_RELAXED);
        slm_lock_note_event(lock, SLM_EVENT_OWNER_DIED, SLM_OK, (pid_t)(word & SLM_LOCK_TID));
    }
    return (wanted & SLM_LOCK_REPAIR) != 0 ? SLM_OWNER_DIED : SLM_OK;
}

static void nap(struct slm_lock *lock, uint64_t deadline_ms, uint64_t *since_ms)
{
    struct slm_lock_state *state = lock->state;
    SLM_YIELD("file: look at the word");
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_RELAXED);
    slm_lock_report_wait(lock, word, since_ms);
    if (slm_lock_owner_in(word) != 0) {
        slm_lock_nap(lock, word, deadline_ms);
    } else {
        SLM_YIELD("file: sleep shortly");
        slm_lock_system.wait(slm_lock_half(state), (uint32_t)word, SHORT_NAP_MS);
    }
}

/* The caller was refused. It may itself hold the lock, through another handle. */
static bool waits_for_itself(const struct slm_lock *lock, uint64_t self)
{
    SLM_YIELD("file: look at the word");
    return slm_lock_owner_in(__atomic_load_n(&lock->state->word, __ATOMIC_RELAXED)) == self;
}

static enum slm_status look(struct slm_lock *lock, uint64_t self)
{
    enum slm_status status = take_both(lock->file, self);
    return status == SLM_E_LOCKED && waits_for_itself(lock, self) ? SLM_E_HELD : status;
}

static enum slm_status wait_for_both(struct slm_lock *lock, uint64_t self, uint64_t deadline_ms,
                                     uint64_t *kept)
{
    enum slm_status status = look(lock, self);
    uint64_t since_ms = 0;
    if (status == SLM_E_LOCKED && deadline_ms != 0) {
        (void)__atomic_fetch_add(&lock->state->n_waits, 1, __ATOMIC_RELAXED);
    }
    while (status == SLM_E_LOCKED && deadline_ms != 0) {
        if (deadline_ms != SLM_LOCK_FOR_EVER && slm_lock_system.now_ms() >= deadline_ms) {
            SLM_YIELD("lock: pass the wake on");
            slm_lock_system.wake(slm_lock_half(lock->state), 1);
            return SLM_E_TIMEOUT;
        }
        nap(lock, deadline_ms, &since_ms);
        *kept = SLM_LOCK_WAITERS;
        status = look(lock, self);
    }
    return status;
}

enum slm_status slm_lock_file_take(struct slm_lock *lock, uint64_t deadline_ms)
{
    uint64_t self = slm_lock_self();
    if (slm_lock_file_is_mine(lock)) {
        return SLM_E_HELD;
    }
    uint64_t kept = 0;
    enum slm_status status = wait_for_both(lock, self, deadline_ms, &kept);
    if (status != SLM_OK) {
        return status;
    }
    (void)pthread_setspecific(exit_key, lock);
    return take_word(lock, self, kept);
}
