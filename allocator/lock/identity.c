/* SPDX-License-Identifier: Apache-2.0 */
/* The calling thread's identity, and the namespaces of its process. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocator/base/check.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/proc.h"
#include <slabmill/word.h>

/*
 * A process never changes its pid namespace, and its time namespace only by setns(2). So the
 * process remembers both. A fork child, which may be in others, asks for both and for its identity
 * again, at once: it may be about to enter a chroot without /proc.
 */

__thread uint64_t slm_lock_self_cached;

static pthread_once_t fork_handler = PTHREAD_ONCE_INIT;
static int fork_errno;      /* why a child would keep its parent's identity; 0: it does not */
static slm_word namespaces; /* of this process, as first found; 0: not asked yet */
static pid_t parent;        /* of a child that is forked now */

/* No process's, and not SLM_LOCK_NAMESPACES_UNKNOWN: nothing is shared with the parent. */
#define NAMESPACES_OTHER UINT64_MAX

void slm_lock_set_self(uint64_t identity)
{
    slm_lock_self_cached = identity;
}

uint64_t slm_lock_namespaces(void)
{
    uint64_t known = __atomic_load_n(&namespaces, __ATOMIC_RELAXED);
    if (known == 0) {
        known = slm_lock_find_namespaces();
        __atomic_store_n(&namespaces, known, __ATOMIC_RELAXED);
    }
    return known;
}

/* A start time is worth nothing if it may be of another time namespace than the process's. */
static uint64_t find_self(void)
{
    struct slm_lock_stat stat;
    uint64_t here = slm_lock_find_namespaces();
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    bool is_known = here != SLM_LOCK_NAMESPACES_UNKNOWN && here == slm_lock_namespaces() &&
                    slm_lock_read_stat(0, &stat);
    return (uint64_t)(is_known ? stat.start : 0) << 32 | tid;
}

/* Without /proc: in another pid namespace than the parent's, neither the parent nor the leader of
 * the session has an id. Both ids are 0 then; the parent may have ended meanwhile. */
static bool is_in_parents_pid_namespace(void)
{
    return getppid() == parent || getsid(0) > 0;
}

static void renew_in_child(void)
{
    int kept_errno = errno;
    uint64_t here = slm_lock_find_namespaces();
    if (here == SLM_LOCK_NAMESPACES_UNKNOWN) {
        here = is_in_parents_pid_namespace() ? slm_lock_namespaces() : NAMESPACES_OTHER;
    }
    __atomic_store_n(&namespaces, here, __ATOMIC_RELAXED);
    parent = getpid();
    slm_lock_self_cached = find_self();
    errno = kept_errno;
}

static void install_fork_handler(void)
{
    parent = getpid();
    fork_errno = pthread_atfork(NULL, NULL, renew_in_child);
}

int slm_lock_follow_forks(void)
{
    (void)pthread_once(&fork_handler, install_fork_handler);
    return fork_errno;
}

uint64_t slm_lock_self(void)
{
    if (SLM_UNLIKELY(slm_lock_self_cached == 0)) {
        int kept_errno = errno;
        (void)slm_lock_follow_forks();
        slm_lock_self_cached = find_self();
        errno = kept_errno;
    }
    return slm_lock_self_cached;
}
