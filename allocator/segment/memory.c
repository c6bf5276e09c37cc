/* SPDX-License-Identifier: Apache-2.0 */
/* Segments without a file: anonymous memory, System V. The whole range is mapped from the start;
 * its part past `bytes` has no access rights. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_HUGETLB, SHM_HUGETLB, SHM_REMAP */
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "allocator/base/bits.h"
#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"
#include "allocator/segment/trust.h"

#define MAKER_MODE 0600 /* what mapping a new System V segment takes */

/* The system's default size of huge pages; 0: it has none. */
static size_t huge_page_bytes(void)
{
    size_t bytes = 0;
    int fd = slm_segment_sys.memfd_create("slabmill", MFD_CLOEXEC | MFD_HUGETLB);
    if (fd < 0) {
        return 0;
    }
    (void)slm_segment_sys.huge_page(fd, &bytes);
    (void)slm_segment_sys.close(fd);
    return bytes;
}

/* Maps all of the range, untouchable, and shows its first bytes. */
static enum slm_status map_anonymous(struct slm_segment *segment, bool huge,
                                     struct slm_error *error)
{
    int flags = MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0);
    void *mapped = slm_segment_sys.mmap(segment->base, segment->max_bytes, PROT_NONE, flags, -1, 0);
    if (mapped == MAP_FAILED) {
        return slm_segment_fail(error, segment->label, "cannot map");
    }
    enum slm_status status = slm_segment_leave_out_of_cores(segment, 0, segment->max_bytes, error);
    return status == SLM_OK ? slm_segment_show(segment, 0, segment->bytes, error) : status;
}

/* SHM_REMAP: over what is reserved. */
static enum slm_status map_sysv(struct slm_segment *segment, struct slm_error *error)
{
    int flags = SHM_REMAP | (segment->read_only ? SHM_RDONLY : 0);
    segment->id_space = slm_segment_id_space();
    if (slm_segment_sys.shmat(segment->id, segment->base, flags) == (void *)-1) {
        return slm_segment_fail(error, segment->label, "cannot map");
    }
    size_t hidden = segment->max_bytes - segment->bytes;
    if (hidden != 0 &&
        slm_segment_sys.mprotect(segment->base + segment->bytes, hidden, PROT_NONE) != 0) {
        return slm_segment_fail(error, segment->label, "cannot hide the rest");
    }
    return slm_segment_leave_out_of_cores(segment, 0, segment->max_bytes, error);
}

/* The system reports EINVAL for a size above its limit. */
static enum slm_status get_sysv(struct slm_segment *segment, mode_t mode, bool huge,
                                struct slm_error *error)
{
    int flags = IPC_CREAT | IPC_EXCL | MAKER_MODE | (int)mode | (huge ? SHM_HUGETLB : 0);
    segment->id = slm_segment_sys.shmget(IPC_PRIVATE, segment->max_bytes, flags);
    if (segment->id >= 0) {
        (void)snprintf(segment->label, SLM_SEGMENT_LABEL_BYTES, "sysv %d", segment->id);
        return SLM_OK;
    }
    if (errno == EINVAL) {
        errno = ENOSPC;
    }
    return slm_segment_fail(error, segment->label, "cannot make it");
}

/* For a mode that does not let the maker itself map the segment. */
static enum slm_status set_mode(const struct slm_segment *segment, mode_t mode,
                                struct slm_error *error)
{
    struct shmid_ds data;
    if ((mode & MAKER_MODE) == MAKER_MODE) {
        return SLM_OK;
    }
    if (slm_segment_sys.shmctl(segment->id, IPC_STAT, &data) == 0) {
        data.shm_perm.mode = (unsigned short)mode;
        if (slm_segment_sys.shmctl(segment->id, IPC_SET, &data) == 0) {
            return SLM_OK;
        }
    }
    return slm_segment_fail(error, segment->label, "cannot set permissions");
}

/* A segment that is marked for removal lives as long as a process has it attached. Only a process
 * that is killed between shmget and here leaves it in the system, which has no call for both. */
static enum slm_status make_sysv(struct slm_segment *segment, mode_t mode, bool huge,
                                 struct slm_error *error)
{
    enum slm_status status = get_sysv(segment, mode, huge, error);
    if (status != SLM_OK) {
        return status;
    }
    status = map_sysv(segment, error);
    if (status == SLM_OK) {
        status = set_mode(segment, mode, error);
    }
    if (slm_segment_sys.shmctl(segment->id, IPC_RMID, NULL) == 0) {
        return status;
    }
    status = slm_segment_fail(error, segment->label, "cannot mark it for removal");
    (void)slm_segment_sys.shmctl(segment->id, IPC_RMID, NULL);
    return status;
}

static enum slm_status map_new(struct slm_segment *segment,
                               const struct slm_segment_options *options, bool huge,
                               struct slm_error *error)
{
    return segment->kind == SLM_SEGMENT_SYSV
               ? make_sysv(segment, options->mode == 0 ? 0600 : options->mode, huge, error)
               : map_anonymous(segment, huge, error);
}

enum slm_status slm_segment_memory_create(struct slm_segment *segment,
                                          const struct slm_segment_options *options, bool huge,
                                          struct slm_error *error)
{
    segment->page_bytes = huge ? huge_page_bytes() : slm_segment_system_page_bytes();
    if (segment->page_bytes == 0) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "%s: the system has no huge pages",
                             segment->label);
    }
    enum slm_status status =
        slm_segment_set_sizes(segment, options->bytes, options->max_bytes, error);
    if (status == SLM_OK) {
        status = slm_segment_check_memory(segment, segment->bytes, error);
    }
    if (status == SLM_OK) {
        status = slm_segment_reserve(segment, segment->page_bytes, error);
    }
    if (status == SLM_OK) {
        status = map_new(segment, options, huge, error);
    }
    if (status != SLM_OK) {
        slm_segment_release(segment);
    }
    return status;
}

/* The system does not say whether a segment is made of huge pages. So it aligns for huge pages
 * always; options->huge sets the unit of sizes. */
static enum slm_status reserve_sysv(struct slm_segment *segment,
                                    const struct slm_segment_options *options, size_t size_bytes,
                                    struct slm_error *error)
{
    size_t align = huge_page_bytes();
    segment->page_bytes = slm_segment_system_page_bytes();
    if (align == 0 || size_bytes % align != 0) {
        align = segment->page_bytes;
    }
    if (options->huge != SLM_SEGMENT_HUGE_NO) {
        segment->page_bytes = align;
    }
    enum slm_status status = slm_segment_check_size(segment, size_bytes, options->max_bytes, error);
    if (status == SLM_OK) {
        /* It cannot grow, so a larger range is useless. */
        status = slm_segment_set_sizes(segment, size_bytes, size_bytes, error);
    }
    return status == SLM_OK ? slm_segment_reserve(segment, align, error) : status;
}

enum slm_status slm_segment_sysv_attach(struct slm_segment *segment,
                                        const struct slm_segment_options *options,
                                        struct slm_error *error)
{
    struct shmid_ds data;
    segment->id = options->id;
    (void)snprintf(segment->label, SLM_SEGMENT_LABEL_BYTES, "sysv %d", segment->id);
    enum slm_status status = slm_segment_check_sysv(&data, segment->label, options, error);
    if (status == SLM_OK) {
        status = reserve_sysv(segment, options, data.shm_segsz, error);
    }
    if (status == SLM_OK) {
        status = map_sysv(segment, error);
    }
    if (status != SLM_OK) {
        slm_segment_release(segment);
    }
    return status;
}

/* MADV_REMOVE: the bytes are 0 if they are made accessible again. */
enum slm_status slm_segment_memory_shrink(struct slm_segment *segment, size_t to,
                                          struct slm_error *error)
{
    unsigned char *first = segment->base + to;
    size_t n_bytes = segment->bytes - to;
    if (slm_segment_sys.madvise(first, n_bytes, MADV_REMOVE) != 0 ||
        slm_segment_sys.mprotect(first, n_bytes, PROT_NONE) != 0) {
        return slm_segment_fail(error, segment->label, "cannot shrink");
    }
    segment->bytes = to;
    return SLM_OK;
}
