/* SPDX-License-Identifier: Apache-2.0 */
/* Children of fork: the lock's state is a copy, the lock file is not. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif
#include <errno.h>
#include <inttypes.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/lock/identity.h"
#include "allocator/lock/word.h"
#include "fuzz/lock/model.h"

enum { FORKS_MAX = 1, NOT_FORKED_ERRNO = 5 };

static unsigned n_left;

void hrn_lock_begin_forks(void)
{
    n_left = FORKS_MAX;
}

/* What the first namespaces of the child are. Without /proc it counts as being in its parent's: that
 * is alive. */
static uint64_t namespaces_in_child(void)
{
    uint64_t here = hrn_lock_namespaces_now();
    return here == SLM_LOCK_NAMESPACES_UNKNOWN ? LOCK_HOME : here;
}

static void expect_identity(void)
{
    bool is_known = hrn_lock_namespaces_now() != SLM_LOCK_NAMESPACES_UNKNOWN &&
                    hrn_lock_system.self.read == FAKE_READABLE;
    uint64_t start = is_known ? hrn_lock_system.self.start : 0;
    uint64_t expected = start << 32 | (uint32_t)syscall(SYS_gettid);
    if (slm_lock_self() != expected || slm_lock_namespaces() != namespaces_in_child()) {
        hrn_lock_law_fork("identity %" PRIx64 ", expected %" PRIx64 "; namespaces %" PRIx64,
                          slm_lock_self(), expected, slm_lock_namespaces());
    }
    if (errno != NOT_FORKED_ERRNO) {
        hrn_lock_law_fork("errno is %d", errno);
    }
}

/* The child opens the file again, if it can, and if it is the one that its parent had open. */
static void expect_file(const struct handle *handle, bool is_here)
{
    const struct lock_model *model = &hrn_lock_model;
    const struct slm_lock_file *file = handle->lock->file;
    bool is_open = is_here && model->file == FILE_GOOD && model->inode == handle->inode;
    if ((file->fd >= 0) != is_open || slm_lock_file_is_open(file) != is_open || file->holder != 0) {
        hrn_lock_law_fork("the lock file is open: %d, expected %d", file->fd >= 0, is_open);
    }
    if (is_open && hrn_lock_is_file_taken(handle) &&
        slm_lock_trylock(handle->lock) != SLM_E_LOCKED) {
        hrn_lock_law_fork("the child took its parent's lock");
    }
}

static void expect_handle(unsigned actor)
{
    const struct handle *handle = &hrn_lock_model.handles[actor];
    bool is_here = namespaces_in_child() == LOCK_HOME;
    if (slm_lock_is_mine(handle->lock) || handle->lock->events.n != 0) {
        hrn_lock_law_fork("the child holds its parent's lock, or has its events");
    }
    if (handle->lock->file != NULL) {
        expect_file(handle, is_here);
    }
    if (!is_here && slm_lock_trylock(handle->lock) != SLM_E_STATE) {
        hrn_lock_law_fork("a child in other namespaces is not refused");
    }
    bool is_free = is_here && handle->lock->file == NULL && hrn_lock_state->word == 0;
    if (is_free &&
        (slm_lock_trylock(handle->lock) != SLM_OK || hrn_lock_state->word != slm_lock_self() ||
         slm_lock_unlock(handle->lock) != SLM_OK)) {
        hrn_lock_law_fork("the child does not get a free lock");
    }
}

/* The first handle of a process makes forks known to the library. */
static bool has_handle(void)
{
    bool has = false;
    for (unsigned i = 0; i < LOCK_N_ACTORS; i++) {
        has = has || hrn_lock_model.handles[i].lock != NULL;
    }
    return has;
}

void hrn_lock_fork(const struct op *op)
{
    int how = 0;
    (void)op;
    if (n_left == 0 || !has_handle()) {
        return;
    }
    n_left--;
    errno = NOT_FORKED_ERRNO;
    pid_t child = fork();
    if (child == 0) {
        expect_identity();
        for (unsigned i = 0; i < LOCK_N_ACTORS; i++) {
            if (hrn_lock_model.handles[i].lock != NULL) {
                expect_handle(i);
            }
        }
        hrn_lock_detach_all(); /* waits for ever if fork left the list of handles locked */
        _exit(0);
    }
    if (child < 0 || waitpid(child, &how, 0) != child || how != 0) {
        hrn_lock_law_fork("the child ended with %#x", (unsigned)how);
    }
}
