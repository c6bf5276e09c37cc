/* SPDX-License-Identifier: Apache-2.0 */
/* Backing of files: reserved when a segment is made or grows, not when a page is touched. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* FALLOC_FL_KEEP_SIZE */
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "allocator/base/bits.h"
#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"

/* The system's record locks belong to a process, and are lost when it closes any descriptor of the
 * file. So threads need this mutex too, held while a descriptor is closed. Fork waits for it, so
 * that a child never inherits it locked. */
static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void lock_threads(void)
{
    (void)pthread_mutex_lock(&threads_lock);
}

static void unlock_threads(void)
{
    (void)pthread_mutex_unlock(&threads_lock);
}

static void mind_forks(void)
{
    (void)pthread_atfork(lock_threads, unlock_threads, unlock_threads);
}

enum slm_status slm_segment_backing_lock(struct slm_segment *segment, struct slm_error *error)
{
    (void)pthread_once(&fork_once, mind_forks);
    lock_threads();
    if (slm_segment_sys.lock(segment->fd) != 0) {
        enum slm_status status = slm_segment_fail(error, segment->label, "cannot lock");
        unlock_threads();
        return status;
    }
    return SLM_OK;
}

void slm_segment_backing_unlock(struct slm_segment *segment)
{
    (void)slm_segment_sys.unlock(segment->fd);
    unlock_threads();
}

void slm_segment_backing_close(struct slm_segment *segment)
{
    if (segment->fd < 0) {
        return;
    }
    (void)pthread_once(&fork_once, mind_forks);
    lock_threads();
    (void)slm_segment_sys.close(segment->fd);
    unlock_threads();
    segment->fd = -1;
}

/* File systems start again after a signal: with a timer running, a long range would never end. */
static int reserve(int fd, size_t from, size_t to, size_t page_bytes)
{
    size_t step = to - from;
    while (from < to) {
        size_t n_bytes = step < to - from ? step : to - from;
        if (slm_segment_sys.fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)n_bytes) == 0) {
            from += n_bytes;
        } else if (errno == EINTR) {
            step = slm_align_up(n_bytes / 2, page_bytes);
        } else {
            return -1;
        }
    }
    return 0;
}

/* For file systems that cannot reserve. Some report a lack of space only at fsync. */
static int write_zeros(int fd, size_t from, size_t to)
{
    static const char zeros[16384];
    while (from < to) {
        size_t n_bytes = to - from < sizeof zeros ? to - from : sizeof zeros;
        ssize_t n_written = slm_segment_sys.pwrite(fd, zeros, n_bytes, (off_t)from);
        if (n_written < 0) {
            return -1;
        }
        from += (size_t)n_written;
    }
    return slm_segment_sys.fsync(fd);
}

/* Above RLIMIT_FSIZE the system would send SIGXFSZ, which kills by default. */
static int check_limit(size_t to)
{
    struct rlimit limit;
    if (slm_segment_sys.file_limit(&limit) != 0) {
        return -1;
    }
    if (limit.rlim_cur != RLIM_INFINITY && to > limit.rlim_cur) {
        errno = EFBIG;
        return -1;
    }
    return 0;
}

static enum slm_status no_room(const struct slm_segment *segment, struct slm_error *error)
{
    if (errno == ENOSPC && segment->page_bytes > slm_segment_system_page_bytes()) {
        errno = ENOMEM; /* hugetlbfs: no huge page is left */
    }
    return slm_segment_fail(error, segment->label, "cannot reserve the room");
}

enum slm_status slm_segment_backing_reserve(struct slm_segment *segment, size_t from, size_t to,
                                            struct slm_error *error)
{
    int result = check_limit(to);
    if (result == 0) {
        result = reserve(segment->fd, from, to, segment->page_bytes);
        if (result != 0 && errno == EOPNOTSUPP) {
            result = write_zeros(segment->fd, from, to);
        }
    }
    return result == 0 ? SLM_OK : no_room(segment, error);
}

enum slm_status slm_segment_backing_fill(struct slm_segment *segment, size_t size_bytes,
                                         struct slm_error *error)
{
    if (reserve(segment->fd, 0, size_bytes, segment->page_bytes) != 0 && errno != EOPNOTSUPP) {
        return no_room(segment, error);
    }
    return SLM_OK;
}
