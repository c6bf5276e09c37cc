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
#include "allocator/lock/system.h"
#include <slabmill/word.h>

__thread uint64_t slm_lock_self_cached;

static pthread_once_t fork_handlers = PTHREAD_ONCE_INIT;
static slm_word namespaces; /* of this process, as first found; 0: not asked yet */

void slm_lock_set_self(uint64_t identity)
{
    slm_lock_self_cached = identity;
}

/* The child's only thread has a copy of its parent's variable, and is another thread. */
static void forget_self(void)
{
    slm_lock_self_cached = 0;
}

static void install_fork_handlers(void)
{
    (void)pthread_atfork(NULL, NULL, forget_self);
}

uint64_t slm_lock_namespaces(void)
{
    uint64_t known = __atomic_load_n(&namespaces, __ATOMIC_RELAXED);
    if (known == 0) {
        known = slm_lock_system.namespaces();
        __atomic_store_n(&namespaces, known, __ATOMIC_RELAXED);
    }
    return known;
}

static uint64_t find_self(void)
{
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    return (uint64_t)slm_lock_find_own_start() << 32 | tid;
}

uint64_t slm_lock_self(void)
{
    if (SLM_UNLIKELY(slm_lock_self_cached == 0)) {
        int kept_errno = errno;
        (void)pthread_once(&fork_handlers, install_fork_handlers);
        slm_lock_self_cached = find_self();
        errno = kept_errno;
    }
    return slm_lock_self_cached;
}
