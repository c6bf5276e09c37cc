/* SPDX-License-Identifier: Apache-2.0 */
/* Segments with a descriptor: POSIX, memfd, files. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_NOFOLLOW, MFD_HUGETLB */
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"
#include "allocator/segment/trust.h"

/* Opening must have no side effect if the path is a FIFO, terminal or link. */
#define OPEN_FLAGS (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

static bool has_name(const struct slm_segment *segment)
{
    return segment->kind != SLM_SEGMENT_MEMFD;
}

static void label_memfd(struct slm_segment *segment, int fd)
{
    if (!has_name(segment)) {
        (void)snprintf(segment->label, SLM_SEGMENT_LABEL_BYTES, "memfd %d", fd);
    }
}

static void close_file(struct slm_segment *segment)
{
    slm_segment_release(segment);
    slm_segment_forget_unnamed(segment);
    slm_segment_close(segment);
}

static enum slm_status find_page_bytes(struct slm_segment *segment, struct slm_error *error)
{
    size_t huge;
    if (slm_segment_sys.huge_page(segment->fd, &huge) != 0) {
        return slm_segment_fail(error, segment->label, "cannot look at its file system");
    }
    segment->page_bytes = huge == 0 ? slm_segment_system_page_bytes() : huge;
    return SLM_OK;
}

/*
 * Makes a file of size_bytes, mapped up to segment->bytes, at least as long as `to`. The length
 * changes last: other processes see all of the growth or none, and a failure takes nothing from
 * them. SLM_UNCHANGED: the file system cannot reserve.
 */
static enum slm_status extend(struct slm_segment *segment, size_t size_bytes, size_t to,
                              struct slm_error *error)
{
    if (size_bytes >= to) {
        return slm_segment_show(segment, segment->bytes, to, error);
    }
    enum slm_status status = slm_segment_backing_reserve(segment, size_bytes, to, error);
    if (status == SLM_UNCHANGED) {
        return status;
    }
    if (status == SLM_OK) {
        status = slm_segment_show(segment, segment->bytes, to, error);
    }
    if (status == SLM_OK) {
        status = slm_segment_backing_lengthen(segment, to, error);
        if (status != SLM_OK) {
            slm_segment_hide(segment, segment->bytes, to);
        }
    }
    if (status != SLM_OK) {
        slm_segment_backing_give_back(segment);
    }
    return status;
}

/* The same where the file system cannot reserve. No other process changes the length meanwhile. */
static enum slm_status extend_by_writing(struct slm_segment *segment, size_t size_bytes, size_t to,
                                         struct slm_error *error)
{
    if (size_bytes >= to) {
        return slm_segment_show(segment, segment->bytes, to, error);
    }
    enum slm_status status = slm_segment_backing_write(segment, size_bytes, to, error);
    if (status == SLM_OK) {
        status = slm_segment_show(segment, segment->bytes, to, error);
    }
    if (status != SLM_OK) {
        (void)slm_segment_sys.ftruncate(segment->fd, (off_t)size_bytes);
    }
    return status;
}

static enum slm_status open_new(struct slm_segment *segment,
                                const struct slm_segment_options *options, bool huge,
                                struct slm_error *error)
{
    if (has_name(segment)) {
        return slm_segment_open_unnamed(segment, error);
    }
    int fd = slm_segment_sys.memfd_create(options->name == NULL ? "slabmill" : options->name,
                                          MFD_CLOEXEC | (huge ? MFD_HUGETLB : 0));
    return slm_segment_keep(segment, fd) == 0
               ? SLM_OK
               : slm_segment_fail(error, segment->label, "cannot create");
}

static enum slm_status fill_file(struct slm_segment *segment, struct slm_error *error)
{
    size_t bytes = segment->bytes;
    segment->bytes = 0;
    enum slm_status status = extend(segment, 0, bytes, error);
    if (status == SLM_UNCHANGED) {
        status = extend_by_writing(segment, 0, bytes, error);
    }
    segment->bytes = bytes;
    return status;
}

static enum slm_status fill_new(struct slm_segment *segment,
                                const struct slm_segment_options *options, struct slm_error *error)
{
    mode_t mode = options->mode == 0 ? 0600 : options->mode;
    enum slm_status status = find_page_bytes(segment, error);
    if (status == SLM_OK) {
        status = slm_segment_set_sizes(segment, options->bytes, options->max_bytes, error);
    }
    if (status == SLM_OK) {
        status = slm_segment_check_memory(segment, segment->bytes, error);
    }
    if (status == SLM_OK) {
        status = slm_segment_reserve(segment, segment->page_bytes, error);
    }
    if (status == SLM_OK) {
        status = fill_file(segment, error);
    }
    /* The file was opened with the owner's rights only. */
    if (status == SLM_OK && slm_segment_sys.fchmod(segment->fd, mode) != 0) {
        status = slm_segment_fail(error, segment->label, "cannot set permissions");
    }
    return status;
}

enum slm_status slm_segment_file_create(struct slm_segment *segment,
                                        const struct slm_segment_options *options, bool huge,
                                        struct slm_error *error)
{
    enum slm_status status = open_new(segment, options, huge, error);
    if (status != SLM_OK) {
        return status;
    }
    label_memfd(segment, segment->fd);
    status = fill_new(segment, options, error);
    if (status == SLM_OK && has_name(segment) && !options->unnamed) {
        status = slm_segment_name_file(segment, error);
    }
    if (status != SLM_OK) {
        close_file(segment);
    }
    return status;
}

/* While slm_segment_check_unused has a lease of the file, it cannot be opened. */
static int open_patiently(const char *path, int flags)
{
    int fd = slm_segment_sys.open(path, flags, 0);
    for (unsigned n = 1; fd < 0 && errno == EAGAIN && n < SLM_SEGMENT_TRIES; n++) {
        slm_segment_sys.nap();
        fd = slm_segment_sys.open(path, flags, 0);
    }
    return fd;
}

/* Opening a device can have side effects. So the file is checked before, and again once it is open
 * and cannot be replaced. */
static enum slm_status open_existing(struct slm_segment *segment,
                                     const struct slm_segment_options *options,
                                     struct slm_error *error)
{
    struct stat stat;
    if (!has_name(segment)) {
        label_memfd(segment, options->id); /* for the text of an error */
        segment->is_open_shared = true;
        return slm_segment_keep(segment, slm_segment_sys.dup_cloexec(options->id, 0)) == 0
                   ? SLM_OK
                   : slm_segment_fail(error, segment->label, "no such descriptor");
    }
    if (slm_segment_sys.lstat(segment->label, &stat) != 0) {
        return slm_segment_fail(error, segment->label, "cannot look at it");
    }
    enum slm_status status = slm_segment_check_file(&stat, segment->label, options, error);
    if (status != SLM_OK) {
        return status;
    }
    int access = segment->read_only ? O_RDONLY : O_RDWR;
    int fd = open_patiently(segment->label, access | OPEN_FLAGS);
    if (fd < 0 && errno == EAGAIN) {
        return slm_error_set(error, SLM_E_LOCKED, errno, "%s: a process has a lease of it",
                             segment->label);
    }
    return slm_segment_keep(segment, fd) == 0
               ? SLM_OK
               : slm_segment_fail(error, segment->label, "cannot open");
}

/* Whether it may be mapped, and in which pages. */
static enum slm_status judge_file(struct slm_segment *segment,
                                  const struct slm_segment_options *options,
                                  struct slm_error *error)
{
    struct stat stat;
    enum slm_status status = slm_segment_check_descriptor(segment, &stat, error);
    if (status == SLM_OK) {
        status = slm_segment_check_file(&stat, segment->label, options, error);
    }
    if (status == SLM_OK) {
        status = find_page_bytes(segment, error);
    }
    return status == SLM_OK ? slm_segment_check_size(segment, slm_segment_stat_bytes(&stat),
                                                     options->max_bytes, error)
                            : status;
}

enum slm_status slm_segment_file_open(struct slm_segment *segment,
                                      const struct slm_segment_options *options,
                                      struct slm_error *error)
{
    enum slm_status status = open_existing(segment, options, error);
    if (status == SLM_OK) {
        status = judge_file(segment, options, error);
    }
    if (status == SLM_OK) {
        label_memfd(segment, segment->fd);
    } else {
        close_file(segment);
    }
    return status;
}

enum slm_status slm_segment_file_share(struct slm_segment *again, const struct slm_segment *segment,
                                       struct slm_error *error)
{
    struct stat stat;
    enum slm_status status = slm_segment_check_descriptor(segment, &stat, error);
    if (status != SLM_OK) {
        return status;
    }
    again->is_open_shared = true;
    int result = slm_segment_keep(again, slm_segment_sys.dup_cloexec(segment->fd, 0));
    if (result != 0 && errno != EBADF) {
        return slm_segment_fail(error, segment->label, "cannot duplicate its descriptor");
    }
    /* Another thread may have closed it, or replaced it, since it was compared. */
    return result == 0 && again->device == segment->device && again->inode == segment->inode
               ? SLM_OK
               : slm_error_set(error, SLM_E_STATE, 0, "%s: its descriptor %d is another file now",
                               segment->label, segment->fd);
}

static enum slm_status fill_holes(struct slm_segment *segment, size_t bytes,
                                  struct slm_error *error)
{
    enum slm_status status = slm_segment_check_memory(segment, bytes, error);
    return status == SLM_OK ? slm_segment_backing_fill(segment, bytes, error) : status;
}

/* A copy may have holes, for which there may be no space. A file system that reports how many
 * blocks a file has counts those past its end too: so the system is asked to fill all holes. */
enum slm_status slm_segment_file_map(struct slm_segment *segment, size_t max_bytes, bool is_whole,
                                     struct slm_error *error)
{
    size_t bytes = 0;
    enum slm_status status = slm_segment_file_size(segment, &bytes, error);
    if (status == SLM_OK) {
        status = slm_segment_check_size(segment, bytes, 0, error);
    }
    if (status == SLM_OK && !is_whole && !segment->read_only) {
        status = fill_holes(segment, bytes, error);
    }
    if (status == SLM_OK) {
        status = slm_segment_set_sizes(segment, bytes, max_bytes, error);
    }
    if (status == SLM_OK) {
        status = slm_segment_reserve(segment, segment->page_bytes, error);
    }
    return status == SLM_OK ? slm_segment_show(segment, 0, bytes, error) : status;
}

enum slm_status slm_segment_file_size(const struct slm_segment *segment, size_t *size_bytes,
                                      struct slm_error *error)
{
    struct stat stat;
    enum slm_status status = slm_segment_check_descriptor(segment, &stat, error);
    if (status != SLM_OK) {
        return status;
    }
    *size_bytes = slm_segment_stat_bytes(&stat);
    return *size_bytes < segment->bytes
               ? slm_segment_cut(error, segment->label, *size_bytes, segment->bytes)
               : SLM_OK;
}

typedef enum slm_status extend_any(struct slm_segment *segment, size_t size_bytes, size_t to,
                                   struct slm_error *error);

static enum slm_status grow_locked(struct slm_segment *segment, size_t to, extend_any *extend_it,
                                   struct slm_error *error)
{
    size_t size_bytes = 0;
    enum slm_status status = slm_segment_file_size(segment, &size_bytes, error);
    if (status == SLM_OK) {
        status = extend_it(segment, size_bytes, to, error);
    }
    if (status == SLM_OK) {
        segment->bytes = to;
    }
    slm_segment_backing_unlock(segment);
    return status;
}

enum slm_status slm_segment_file_grow(struct slm_segment *segment, size_t to,
                                      struct slm_error *error)
{
    enum slm_status status = slm_segment_backing_share(segment, error);
    if (status == SLM_OK) {
        status = grow_locked(segment, to, extend, error);
    }
    if (status != SLM_UNCHANGED) {
        return status;
    }
    status = slm_segment_backing_lock(segment, SLM_SEGMENT_TRIES, error);
    return status == SLM_OK ? grow_locked(segment, to, extend_by_writing, error) : status;
}

/* Fails rather than cut off what another process added at the end. */
static enum slm_status shrink_locked(struct slm_segment *segment, size_t to,
                                     struct slm_error *error)
{
    size_t size_bytes = 0;
    enum slm_status status = slm_segment_file_size(segment, &size_bytes, error);
    if (status != SLM_OK) {
        return status;
    }
    if (size_bytes != segment->bytes) {
        return slm_error_set(error, SLM_E_STATE, 0, "%s: %zu bytes now, not %zu", segment->label,
                             size_bytes, segment->bytes);
    }
    if (slm_segment_sys.ftruncate(segment->fd, (off_t)to) != 0) {
        return slm_segment_fail(error, segment->label, "cannot shrink");
    }
    slm_segment_hide(segment, to, segment->bytes);
    segment->bytes = to;
    return SLM_OK;
}

enum slm_status slm_segment_file_shrink(struct slm_segment *segment, size_t to,
                                        struct slm_error *error)
{
    enum slm_status status = slm_segment_backing_lock(segment, 1, error);
    if (status == SLM_OK) {
        status = shrink_locked(segment, to, error);
        slm_segment_backing_unlock(segment);
    }
    return status;
}
