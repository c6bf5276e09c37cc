/* SPDX-License-Identifier: Apache-2.0 */
/* The system under a lock: futex, clock, pause, file lock. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall, F_OFD_SETLK */
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "allocator/lock/system.h"
#include <slabmill/lock.h>

/* Not FUTEX_PRIVATE: sleepers of other processes share the word. */
static void futex_wait(uint32_t *half, uint32_t value, unsigned timeout_ms)
{
    struct timespec timeout = {.tv_sec = timeout_ms / 1000u,
                               .tv_nsec = (long)(timeout_ms % 1000u) * 1000000L};
    int kept_errno = errno;
    (void)syscall(SYS_futex, half, FUTEX_WAIT, value, &timeout, NULL, 0);
    errno = kept_errno;
}

static void futex_wake(uint32_t *half, int n_most)
{
    int kept_errno = errno;
    (void)syscall(SYS_futex, half, FUTEX_WAKE, n_most, NULL, NULL, 0);
    errno = kept_errno;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void cpu_pause(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#else
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
#endif
    }
}

static int set_file_lock(int fd, short type)
{
    struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole) == 0 ? 0 : errno;
}

#if !SLM_SCHED
const
#endif
    struct slm_lock_system slm_lock_system = {
        .find_life = slm_lock_find_life,
        .is_own_thread = slm_lock_is_own_thread,
        .find_maps = slm_lock_find_maps,
        .wait = futex_wait,
        .wake = futex_wake,
        .now_ms = now_ms,
        .pause = cpu_pause,
        .patience_ms = SLM_LOCK_PATIENCE_MS,
        .set_file_lock = set_file_lock,
};
