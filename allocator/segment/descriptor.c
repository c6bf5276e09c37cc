/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of segments: taken over, compared before each use, closed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* struct sigaction, in sys.h */
#endif
#include <errno.h>
#include <string.h>

#include "allocator/base/hash.h"
#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"

/*
 * A program may close descriptors that it does not know (closefrom, a daemon that starts), and its
 * own files may get the numbers. So the file's device and inode are remembered, and compared before
 * each use. Numbers 0 to 2 are never kept: a program that opens its standard streams again would
 * replace them.
 */
#define FIRST_KEPT 3

/* The descriptor, or one above the standard streams in its place; -1: none is left. */
static int move_up(int fd)
{
    if (fd < 0 || fd >= FIRST_KEPT) {
        return fd;
    }
    int kept = slm_segment_sys.dup_cloexec(fd, FIRST_KEPT);
    int os_errno = errno;
    (void)slm_segment_sys.close(fd);
    errno = os_errno;
    return kept;
}

int slm_segment_keep(struct slm_segment *segment, int fd)
{
    struct stat stat;
    fd = move_up(fd);
    if (fd < 0) {
        return -1;
    }
    if (slm_segment_sys.fstat(fd, &stat) != 0) {
        int os_errno = errno;
        (void)slm_segment_sys.close(fd);
        errno = os_errno;
        return -1;
    }
    segment->fd = fd;
    segment->device = stat.st_dev;
    segment->inode = stat.st_ino;
    segment->birth = slm_segment_sys.birth(fd);
    return 0;
}

bool slm_segment_is_file(const struct slm_segment *segment, const struct stat *stat)
{
    return stat->st_dev == segment->device && stat->st_ino == segment->inode;
}

enum slm_status slm_segment_check_descriptor(const struct slm_segment *segment, struct stat *stat,
                                             struct slm_error *error)
{
    int result = slm_segment_sys.fstat(segment->fd, stat);
    if (result != 0 && errno != EBADF) {
        return slm_segment_fail(error, segment->label, "cannot look at it");
    }
    return result == 0 && slm_segment_is_file(segment, stat)
               ? SLM_OK
               : slm_error_set(error, SLM_E_STATE, 0,
                               "%s: its descriptor %d was closed, or is another file now",
                               segment->label, segment->fd);
}

enum slm_status slm_segment_count_names(const struct slm_segment *segment, size_t *n,
                                        struct slm_error *error)
{
    struct stat stat;
    enum slm_status status = slm_segment_check_descriptor(segment, &stat, error);
    *n = status == SLM_OK ? (size_t)stat.st_nlink : 0;
    return status;
}

void slm_segment_close(struct slm_segment *segment)
{
    struct stat stat;
    if (segment->fd >= 0 && slm_segment_check_descriptor(segment, &stat, NULL) == SLM_OK) {
        (void)slm_segment_sys.close(segment->fd);
    }
    segment->fd = -1;
}

struct slm_segment_place slm_segment_file_place(const struct slm_segment *segment)
{
    return (struct slm_segment_place){(uint64_t)segment->device, (uint64_t)segment->inode,
                                      segment->birth};
}

uint64_t slm_segment_file_version(const struct slm_segment *segment)
{
    struct stat stat;
    if (segment->fd < 0 || slm_segment_check_descriptor(segment, &stat, NULL) != SLM_OK) {
        return 0;
    }
    const uint64_t parts[] = {
        (uint64_t)stat.st_dev,
        (uint64_t)stat.st_ino,
        (uint64_t)stat.st_ctim.tv_sec,
        (uint64_t)stat.st_ctim.tv_nsec,
    };
    return slm_hash(parts, sizeof parts);
}

enum slm_status slm_segment_read_head(const struct slm_segment *segment, void *buffer,
                                      size_t n_bytes, size_t *n_read, struct slm_error *error)
{
    if (segment->fd < 0) {
        *n_read = segment->bytes < n_bytes ? segment->bytes : n_bytes;
        memcpy(buffer, segment->base, *n_read);
        return SLM_OK;
    }
    unsigned char *to = buffer;
    for (*n_read = 0; *n_read < n_bytes;) {
        ssize_t n =
            slm_segment_sys.pread(segment->fd, to + *n_read, n_bytes - *n_read, (off_t)*n_read);
        if (n < 0) {
            return slm_segment_fail(error, segment->label, "cannot read");
        }
        if (n == 0) {
            break;
        }
        *n_read += (size_t)n;
    }
    return SLM_OK;
}
