/* SPDX-License-Identifier: Apache-2.0 */
/* File locks: the system's exclusion, with the word saying who and how it ended. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allocator/lock_priv.h"

/*
 * The lock belongs to the open file description (fcntl(2), F_OFD_SETLK), of which each handle has
 * one: that excludes other handles. `holder` excludes the threads of this one. Who has both owns
 * the word: whatever owner stands there has lost the lock without giving it back, and is taken for
 * dead without a look.
 *
 * The system frees the lock when the description's last descriptor is closed. Two cases would keep
 * it open behind a dead owner, and are handled through the list of all handles: a fork child has a
 * copy of every descriptor, so the child closes them at once, and opens its own when it first
 * locks (fork waits while one is being opened, or closed, and is not on the list); and a thread may
 * exit while its process goes on, so a destructor of its own gives back what it still holds,
 * without touching the word.
 */
struct slm_lock_file {
    slm_word holder; /* the thread of this process that has, or is about to have, the lock */
    int fd;          /* -1: to be opened */
    dev_t device;    /* of the file that was first opened */
    ino_t inode;
    struct slm_lock_state *state;
    struct slm_lock_file *next; /* of all handles, under all_mutex */
    char path[];
};

#define SHORT_NAP_MS 1u /* while the lock's new holder has not written its name yet */

static pthread_mutex_t all_mutex = PTHREAD_MUTEX_INITIALIZER;
static sigset_t mask_before; /* the signal mask of who has all_mutex: no handler may wait for it */
static struct slm_lock_file *all;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key; /* not NULL in a thread that ever held a file lock */

static int set_lock(int fd, short type)
{
    struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
    int result;
    do {
        result = fcntl(fd, F_OFD_SETLK, &whole);
    } while (result != 0 && errno == EINTR);
    return result;
}

static void lock_all(void)
{
    sigset_t every;
    sigset_t before;
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_BLOCK, &every, &before);
    (void)pthread_mutex_lock(&all_mutex);
    mask_before = before;
}

static void unlock_all(void)
{
    sigset_t before = mask_before;
    (void)pthread_mutex_unlock(&all_mutex);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void after_fork_in_child(void)
{
    for (struct slm_lock_file *file = all; file != NULL; file = file->next) {
        if (file->fd >= 0) {
            (void)close(file->fd);
        }
        file->fd = -1;
        file->holder = 0;
    }
    (void)pthread_setspecific(exit_key, NULL);
    unlock_all();
}

static void give(struct slm_lock_file *file)
{
    SLM_YIELD("file: give the file");
    (void)set_lock(file->fd, F_UNLCK);
    __atomic_store_n(&file->holder, 0, __ATOMIC_RELEASE);
}

static void give_all_at_exit(void *ignored)
{
    (void)ignored;
    uint64_t self = slm_lock_self();
    lock_all();
    for (struct slm_lock_file *file = all; file != NULL; file = file->next) {
        if (__atomic_load_n(&file->holder, __ATOMIC_RELAXED) == self) {
            give(file);
            slm_lock_system.wake(slm_lock_half(file->state), 1);
        }
    }
    unlock_all();
}

static void start(void)
{
    (void)pthread_key_create(&exit_key, give_all_at_exit);
    (void)pthread_atfork(lock_all, unlock_all, after_fork_in_child);
}

/* Answers a descriptor, or -1 with errno. A FIFO of that name must not keep us waiting. */
static int open_path(const char *path, struct stat *found)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, found) != 0 || !S_ISREG(found->st_mode) || found->st_uid != geteuid()) {
        (void)close(fd);
        errno = EPERM;
        return -1;
    }
    return fd;
}

/* Opens the file, and puts it on the list of those that a fork child closes, in one step. */
static bool open_first(struct slm_lock_file *file)
{
    struct stat found;
    lock_all();
    file->fd = open_path(file->path, &found);
    int os_errno = errno;
    if (file->fd >= 0) {
        file->device = found.st_dev;
        file->inode = found.st_ino;
        file->next = all;
        all = file;
    }
    unlock_all();
    errno = os_errno;
    return file->fd >= 0;
}

enum slm_status slm_lock_file_open(struct slm_lock *lock, const char *path, struct slm_error *error)
{
    (void)pthread_once(&once, start);
    size_t path_bytes = strlen(path) + 1;
    struct slm_lock_file *file = calloc(1, sizeof *file + path_bytes);
    if (file == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "%s: no memory for a handle", path);
    }
    memcpy(file->path, path, path_bytes);
    file->state = lock->state;
    if (!open_first(file)) {
        int os_errno = errno;
        free(file);
        return slm_error_set(error, slm_error_of_errno(os_errno), os_errno,
                             "%s: cannot be opened as a lock file of this user: %s", path,
                             strerror(os_errno));
    }
    lock->file = file;
    return SLM_OK;
}

void slm_lock_file_close(struct slm_lock *lock)
{
    struct slm_lock_file *file = lock->file;
    lock_all();
    struct slm_lock_file **link = &all;
    while (*link != file) {
        link = &(*link)->next;
    }
    *link = file->next;
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    unlock_all();
    free(file);
}

bool slm_lock_file_is_mine(const struct slm_lock *lock)
{
    return __atomic_load_n(&lock->file->holder, __ATOMIC_RELAXED) == slm_lock_self();
}

void slm_lock_file_give(struct slm_lock *lock)
{
    give(lock->file);
}

/* In a fork child, the first time. Another file under that path would exclude nobody. */
static bool reopen(struct slm_lock_file *file)
{
    struct stat found;
    lock_all();
    int fd = open_path(file->path, &found);
    int os_errno = errno;
    if (fd >= 0 && (found.st_dev != file->device || found.st_ino != file->inode)) {
        (void)close(fd);
        fd = -1;
        os_errno = ESTALE;
    }
    file->fd = fd;
    unlock_all();
    errno = os_errno;
    return fd >= 0;
}

/* Both locks, without waiting. SLM_E_LOCKED: another thread or process has one of them. */
static enum slm_status take_both(struct slm_lock_file *file, uint64_t self)
{
    uint64_t nobody = 0;
    if (!__atomic_compare_exchange_n(&file->holder, &nobody, self, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        return SLM_E_LOCKED;
    }
    if (file->fd >= 0 || reopen(file)) {
        SLM_YIELD("file: take the file");
        if (set_lock(file->fd, F_WRLCK) == 0) {
            return SLM_OK;
        }
    }
    bool is_taken = file->fd >= 0 && (errno == EAGAIN || errno == EACCES);
    __atomic_store_n(&file->holder, 0, __ATOMIC_RELEASE);
    return is_taken ? SLM_E_LOCKED : SLM_E_IO;
}

/* The caller has both locks: the word is its own now, but for those who mark it as waited for.
 * kept: SLM_LOCK_WAITERS if it slept, as others may still do. */
static enum slm_status take_word(struct slm_lock_state *state, uint64_t self, uint64_t kept)
{
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
    }
    return (wanted & SLM_LOCK_REPAIR) != 0 ? SLM_OWNER_DIED : SLM_OK;
}

static void nap(struct slm_lock *lock, uint64_t deadline_ms)
{
    struct slm_lock_state *state = lock->state;
    SLM_YIELD("file: look at the word");
    uint64_t word = __atomic_load_n(&state->word, __ATOMIC_RELAXED);
    if (slm_lock_owner_in(word) != 0) {
        slm_lock_nap(lock, word, deadline_ms);
    } else {
        slm_lock_system.wait(slm_lock_half(state), (uint32_t)word, SHORT_NAP_MS);
    }
}

static enum slm_status wait_for_both(struct slm_lock *lock, uint64_t self, uint64_t deadline_ms,
                                     uint64_t *kept)
{
    enum slm_status status = take_both(lock->file, self);
    if (status == SLM_E_LOCKED && deadline_ms != 0) {
        (void)__atomic_fetch_add(&lock->state->n_waits, 1, __ATOMIC_RELAXED);
    }
    while (status == SLM_E_LOCKED && deadline_ms != 0) {
        if (deadline_ms != SLM_LOCK_FOR_EVER && slm_lock_system.now_ms() >= deadline_ms) {
            slm_lock_system.wake(slm_lock_half(lock->state), 1);
            return SLM_E_TIMEOUT;
        }
        nap(lock, deadline_ms);
        *kept = SLM_LOCK_WAITERS;
        status = take_both(lock->file, self);
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
    return take_word(lock->state, self, kept);
}
