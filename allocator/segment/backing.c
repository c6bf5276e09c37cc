/* SPDX-License-Identifier: Apache-2.0 */
/* Backing of files: reserved when a segment is made or grows, not when a page is touched. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* FALLOC_FL_KEEP_SIZE, F_OFD_SETLK */
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>

#include "allocator/base/bits.h"
#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

/*
 * Growing needs no exclusion: fallocate reserves, and then makes the file longer but never shorter,
 * so each of many growers gets what it asked for. What must not happen meanwhile is that another
 * process frees what a grower has reserved past the end. So growers share a lock on one byte that
 * no segment reaches, and a process frees only if it has the lock alone.
 *
 * A process that may only read the file can share the lock, but not have it alone: so it delays no
 * grower. It can hinder a shrink, which does not wait.
 *
 * The lock belongs to the open file (F_OFD_SETLK), so it excludes threads too, and ends with its
 * holders. Where several processes have one open file, it would exclude none of them: a handle that
 * was inherited, or attached by descriptor, takes a lock of the process instead. The system lets
 * the two kinds exclude each other. A process loses its lock if it closes any descriptor of the
 * file; then a failure of another grower at that moment can free what this one reserved.
 */
static int lock_once(struct slm_segment *segment, int type)
{
    int command = F_OFD_SETLK;
    int result = -1;
    errno = EINVAL;
    if (!segment->is_open_shared && segment->maker == slm_segment_sys.getpid()) {
        result = slm_segment_sys.lock(segment->fd, command, type);
    }
    /* EINVAL: the system is older than such locks. */
    if (result != 0 && errno == EINVAL) {
        command = F_SETLK;
        result = slm_segment_sys.lock(segment->fd, command, type);
    }
    if (result == 0) {
        segment->lock_command = command;
    }
    return result;
}

static bool is_held(int os_errno)
{
    return os_errno == EAGAIN || os_errno == EACCES;
}

static enum slm_status lock_patiently(struct slm_segment *segment, int type, unsigned tries,
                                      struct slm_error *error)
{
    int result = lock_once(segment, type);
    for (unsigned n = 1; result != 0 && is_held(errno) && n < tries; n++) {
        slm_segment_sys.nap();
        result = lock_once(segment, type);
    }
    if (result != 0 && is_held(errno)) {
        return slm_error_set(error, SLM_E_LOCKED, errno,
                             "%s: another process has a lock on its length", segment->label);
    }
    return result == 0 ? SLM_OK : slm_segment_fail(error, segment->label, "cannot lock");
}

enum slm_status slm_segment_backing_share(struct slm_segment *segment, struct slm_error *error)
{
    return lock_patiently(segment, F_RDLCK, SLM_SEGMENT_TRIES, error);
}

enum slm_status slm_segment_backing_lock(struct slm_segment *segment, unsigned tries,
                                         struct slm_error *error)
{
    return lock_patiently(segment, F_WRLCK, tries, error);
}

void slm_segment_backing_unlock(struct slm_segment *segment)
{
    (void)slm_segment_sys.lock(segment->fd, segment->lock_command, F_UNLCK);
}

/* File systems start again after a signal: with a timer running, a long range would never end. */
static int reserve(int fd, int mode, size_t from, size_t to, size_t page_bytes)
{
    size_t step = to - from;
    while (from < to) {
        size_t n_bytes = step < to - from ? step : to - from;
        if (slm_segment_sys.fallocate(fd, mode, (off_t)from, (off_t)n_bytes) == 0) {
            from += n_bytes;
        } else if (errno == EINTR) {
            step = slm_align_up(n_bytes / 2, page_bytes);
        } else {
            return -1;
        }
    }
    return 0;
}

/* Some file systems report a lack of space only at fsync. */
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

/* Of a file that becomes longer: above RLIMIT_FSIZE the system would send SIGXFSZ, which kills by
 * default. Within its length the system applies no limit. */
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

/* SLM_UNCHANGED: the file system cannot reserve. */
static enum slm_status reserve_part(struct slm_segment *segment, size_t from, size_t to,
                                    struct slm_error *error)
{
    if (reserve(segment->fd, FALLOC_FL_KEEP_SIZE, from, to, segment->page_bytes) == 0) {
        return SLM_OK;
    }
    return errno == EOPNOTSUPP ? SLM_UNCHANGED : no_room(segment, error);
}

enum slm_status slm_segment_backing_reserve(struct slm_segment *segment, size_t from, size_t to,
                                            struct slm_error *error)
{
    return check_limit(to) == 0 ? reserve_part(segment, from, to, error) : no_room(segment, error);
}

enum slm_status slm_segment_backing_lengthen(struct slm_segment *segment, size_t to,
                                             struct slm_error *error)
{
    size_t page_bytes = segment->page_bytes;
    return reserve(segment->fd, 0, to - page_bytes, to, page_bytes) == 0
               ? SLM_OK
               : slm_segment_fail(error, segment->label, "cannot make it longer");
}

enum slm_status slm_segment_backing_write(struct slm_segment *segment, size_t from, size_t to,
                                          struct slm_error *error)
{
    return write_zeros(segment->fd, from, to) == 0 ? SLM_OK : no_room(segment, error);
}

void slm_segment_backing_give_back(struct slm_segment *segment)
{
    struct stat stat;
    if (lock_once(segment, F_WRLCK) == 0 &&
        slm_segment_check_descriptor(segment, &stat, NULL) == SLM_OK) {
        (void)slm_segment_sys.ftruncate(segment->fd, stat.st_size);
    }
}

enum slm_status slm_segment_backing_fill(struct slm_segment *segment, size_t size_bytes,
                                         struct slm_error *error)
{
    int result = reserve(segment->fd, FALLOC_FL_KEEP_SIZE, 0, size_bytes, segment->page_bytes);
    if (result == 0 || errno == EOPNOTSUPP) {
        return SLM_OK;
    }
    errno = errno == EBADF ? EACCES : errno; /* the descriptor was handed over, for reading only */
    return no_room(segment, error);
}

/* EFAULT: touching a page would raise SIGBUS. EINVAL: the system is older than this advice. */
enum slm_status slm_segment_backing_read(const struct slm_segment *segment, struct slm_error *error)
{
    uint32_t file_system = 0;
    if (slm_segment_sys.file_system(segment->fd, &file_system) != 0) {
        return slm_segment_fail(error, segment->label, "cannot look at its file system");
    }
    if (file_system != TMPFS_MAGIC ||
        slm_segment_sys.madvise(segment->base, segment->bytes, MADV_POPULATE_READ) == 0 ||
        errno == EINVAL) {
        return SLM_OK;
    }
    errno = errno == EFAULT ? ENOSPC : errno;
    return no_room(segment, error);
}

/* --- Parts without backing --- */

static bool can_have_holes(enum slm_segment_kind kind)
{
    return kind == SLM_SEGMENT_POSIX || kind == SLM_SEGMENT_MEMFD || kind == SLM_SEGMENT_FILE;
}

/* Bytes of a file's blocks. */
static uint64_t backed_bytes(const struct stat *stat)
{
    return (uint64_t)stat->st_blocks * 512;
}

enum slm_status slm_segment_give_back(struct slm_segment *segment, size_t from, size_t to,
                                      uint64_t *n_bytes, struct slm_error *error)
{
    struct stat before;
    struct stat after;
    *n_bytes = 0;
    if (!can_have_holes(segment->kind)) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "%s: its memory cannot be given back: it has no file", segment->label);
    }
    from = slm_align_up(from, segment->page_bytes);
    to -= to % segment->page_bytes;
    enum slm_status status = slm_segment_check_descriptor(segment, &before, error);
    if (status != SLM_OK || from >= to) {
        return status;
    }
    if (reserve(segment->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to,
                segment->page_bytes) != 0) {
        return errno == EOPNOTSUPP
                   ? slm_error_set(error, SLM_E_OPTION, errno,
                                   "%s: its file system cannot give memory back", segment->label)
                   : slm_segment_fail(error, segment->label, "cannot give memory back");
    }
    if (slm_segment_sys.fstat(segment->fd, &after) == 0 &&
        backed_bytes(&after) < backed_bytes(&before)) {
        *n_bytes = backed_bytes(&before) - backed_bytes(&after);
    }
    return SLM_OK;
}

enum slm_status slm_segment_back(struct slm_segment *segment, size_t from, size_t to,
                                 struct slm_error *error)
{
    struct stat stat;
    from -= from % segment->page_bytes;
    to = slm_align_up(to, segment->page_bytes);
    enum slm_status status = slm_segment_check_descriptor(segment, &stat, error);
    if (status == SLM_OK && slm_segment_stat_bytes(&stat) < to) {
        status = slm_segment_cut(error, segment->label, slm_segment_stat_bytes(&stat), to);
    }
    if (status == SLM_OK) {
        status = reserve_part(segment, from, to, error);
    }
    return status == SLM_UNCHANGED ? SLM_OK
                                   : status; /* such a file system has given nothing back */
}
