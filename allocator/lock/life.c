/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a thread lives: what proves its death, and what proves nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif
#include "allocator/lock/life.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocator/lock/proc.h"
#include "allocator/lock/word.h"

/*
 * A missing thread is dead. A zombie is dead, a thread that ends while its process writes a core
 * file, and a thread whose id the system gave to another thread, with another start time; but only a /proc of this pid namespace shows that, since
 * another one has other threads under the same numbers. What cannot be judged counts as alive: a
 * wait that is too long does less harm than two owners.
 */

/* A thread that may not be signalled exists. */
static bool exists(pid_t thread)
{
    return slm_lock_proc_calls.signal(thread) == 0 || errno != ESRCH;
}

/* What the dead thread stored is seen by every load from here on, on each machine: the system has a
 * barrier between a thread's last store and its end, and this is the one of the thread that saw it
 * (docs/design.md, Weakly ordered machines). */
static struct slm_lock_life dead(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return (struct slm_lock_life){false, SLM_LOCK_NO_DOUBT};
}

static struct slm_lock_life alive(enum slm_lock_doubt doubt)
{
    return (struct slm_lock_life){true, doubt};
}

static bool is_time_namespace(uint32_t time_namespace)
{
    return slm_lock_find_namespaces() >> 32 == time_namespace;
}

/* A core of much memory takes long to write: waiters need not wait for its end. */
static bool has_stopped(pid_t thread, const struct slm_lock_stat *stat)
{
    return stat->state == 'Z' || stat->state == 'X' ||
           (stat->has_signal && slm_lock_is_dumped(thread));
}

/* A thread that looks alive costs one file; only a thread that looks dead is doubted. */
static struct slm_lock_life find_life(pid_t thread, uint32_t start, uint32_t time_namespace)
{
    struct slm_lock_stat stat;
    if (!exists(thread)) {
        return dead();
    }
    bool is_read = slm_lock_read_stat(thread, &stat);
    bool is_gone = is_read && has_stopped(thread, &stat);
    if (is_read && !is_gone && start != 0 && start == stat.start) {
        return alive(SLM_LOCK_NO_DOUBT);
    }
    if (!slm_lock_is_own_proc()) {
        return alive(SLM_LOCK_DOUBT_PROC);
    }
    if (!is_read) {
        return exists(thread) ? alive(SLM_LOCK_DOUBT_HIDDEN) : dead();
    }
    return is_gone || (start != 0 && is_time_namespace(time_namespace))
               ? dead()
               : alive(SLM_LOCK_DOUBT_START);
}

struct slm_lock_life slm_lock_find_life(uint64_t identity, uint32_t time_namespace)
{
    pid_t thread = (pid_t)(identity & SLM_LOCK_TID);
    if (thread == 0) {
        return dead();
    }
    int kept_errno = errno;
    struct slm_lock_life life = find_life(thread, (uint32_t)(identity >> 32), time_namespace);
    errno = kept_errno;
    return life;
}

bool slm_lock_is_own_thread(pid_t thread)
{
    int kept_errno = errno;
    bool is_own = syscall(SYS_tgkill, getpid(), thread, 0) == 0;
    errno = kept_errno;
    return is_own;
}
