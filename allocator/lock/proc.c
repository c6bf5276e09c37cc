/* SPDX-License-Identifier: Apache-2.0 */
/* What the system says about threads and namespaces. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memrchr, syscall, O_CLOEXEC */
#endif
#include "allocator/lock/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocator/base/hash.h"
#include "allocator/lock/word.h"

/*
 * Nothing here allocates or prints: waiters call it, and signal handlers may. Paths are put
 * together by hand for the same reason.
 */
#define STAT_BYTES 1024u /* a stat line has 52 numbers and a name of at most 64 bytes */
#define PATH_BYTES 64u

static int open_to_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}

#if !SLM_SCHED
const
#endif
    struct slm_lock_proc_calls slm_lock_proc_calls = {
        .open = open_to_read,
        .stat = stat,
};

/* Reads a file of /proc, which never blocks. Returns the length; 0: it cannot be read. */
static size_t read_file(const char *path, char *text, size_t n_bytes)
{
    int cancel;
    ssize_t length = -1;
    /* A thread that is cancelled in between would leave the descriptor. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    int fd = slm_lock_proc_calls.open(path);
    if (fd >= 0) {
        length = read(fd, text, n_bytes);
        (void)close(fd);
    }
    (void)pthread_setcancelstate(cancel, NULL);
    return length < 0 ? 0 : (size_t)length;
}

static char *append(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length + 1);
    return at + length;
}

static char *append_number(char *at, uint32_t number)
{
    char digits[11];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return append(at, first);
}

/*
 * "tid (name) S ppid ...": the state is field 3, the start field 22. The name may hold any bytes,
 * so the last ')' ends it.
 */
bool slm_lock_parse_stat(const char *text, size_t length, char *state, uint32_t *start)
{
    const char *end = text + length;
    const char *at = memrchr(text, ')', length);
    if (at == NULL || end - at < 3) {
        return false;
    }
    *state = at[2];
    for (unsigned field = 2; field < 22; field++) {
        at = memchr(at, ' ', (size_t)(end - at));
        if (at == NULL || ++at == end) {
            return false;
        }
    }
    uint64_t ticks = 0;
    const char *first = at;
    while (at < end && *at >= '0' && *at <= '9') {
        ticks = ticks * 10 + (uint64_t)(*at++ - '0');
    }
    *start = (uint32_t)ticks;
    return at > first;
}

static bool stat_of(const char *path, char *state, uint32_t *start)
{
    char text[STAT_BYTES];
    size_t length = read_file(path, text, sizeof text);
    return length != 0 && slm_lock_parse_stat(text, length, state, start);
}

uint32_t slm_lock_find_own_start(void)
{
    char state;
    uint32_t start;
    return stat_of("/proc/thread-self/stat", &state, &start) ? start : 0;
}

/*
 * Signal 0 comes first: it is cheaper than /proc, and works without it. A thread that may not be
 * signalled exists.
 */
static bool find_alive(uint32_t tid, uint32_t start)
{
    if (syscall(SYS_tkill, tid, 0) != 0 && errno == ESRCH) {
        return false;
    }
    char path[PATH_BYTES];
    char state;
    uint32_t start_now;
    append(append_number(append(path, "/proc/"), tid), "/stat");
    if (!stat_of(path, &state, &start_now)) {
        return true;
    }
    return state != 'Z' && state != 'X' && (start == 0 || start == start_now);
}

bool slm_lock_find_alive(uint64_t identity)
{
    uint32_t tid = (uint32_t)(identity & SLM_LOCK_TID);
    if (tid == 0) {
        return false;
    }
    int kept_errno = errno;
    bool is_alive = find_alive(tid, (uint32_t)(identity >> 32));
    errno = kept_errno;
    return is_alive;
}

/* The hash of the boot's UUID. */
uint64_t slm_lock_boot(void)
{
    char text[PATH_BYTES];
    int kept_errno = errno;
    size_t length = read_file("/proc/sys/kernel/random/boot_id", text, sizeof text);
    errno = kept_errno;
    return length == 0 ? 0 : slm_hash(text, length) | 1;
}

/* 0: unknown. A kernel without such namespaces has one for all. */
static uint32_t namespace_number(const char *path)
{
    struct stat about;
    if (slm_lock_proc_calls.stat(path, &about) == 0) {
        return (uint32_t)about.st_ino;
    }
    return errno == ENOENT && slm_lock_proc_calls.stat("/proc/self/ns", &about) == 0 ? 1 : 0;
}

uint64_t slm_lock_find_namespaces(void)
{
    int kept_errno = errno;
    uint32_t pid = namespace_number("/proc/self/ns/pid");
    uint32_t time = namespace_number("/proc/self/ns/time");
    errno = kept_errno;
    return pid == 0 || time == 0 ? SLM_LOCK_NAMESPACES_UNKNOWN : (uint64_t)time << 32 | pid;
}
