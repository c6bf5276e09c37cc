/* SPDX-License-Identifier: Apache-2.0 */
/* Whether other processes have a segment. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* struct sigaction, in sys.h */
#endif
#include <errno.h>
#include <linux/magic.h>
#include <string.h>

#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"

#define XFS_MAGIC UINT32_C(0x58465342) /* "XFSB"; linux/magic.h lacks it */

static enum slm_status report_unknown(const struct slm_segment *segment, const char *why,
                                      struct slm_error *error)
{
    return slm_error_set(error, SLM_E_STATE, 0, "%s: whether others use it is unknown: %s",
                         segment->label, why);
}

static enum slm_status report_in_use(const struct slm_segment *segment, struct slm_error *error)
{
    return slm_error_set(error, SLM_E_LOCKED, 0, "%s: others use it", segment->label);
}

/* Elsewhere a mapping may outlive what a lease looks at, or another machine may have the file. */
static bool counts_users(uint32_t file_system)
{
    switch (file_system) {
    case TMPFS_MAGIC:
    case EXT4_SUPER_MAGIC:
    case XFS_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}

/* The system grants a write lease if no other open file, nor one that only a mapping keeps, leads
 * to the same data. The caller gives the lease back. */
static enum slm_status lease_file(const struct slm_segment *segment, struct slm_error *error)
{
    uint32_t file_system = 0;
    if (segment->maker != slm_segment_sys.getpid()) {
        return report_unknown(segment, "the handle was inherited by fork", error);
    }
    struct stat stat;
    enum slm_status status = slm_segment_check_descriptor(segment, &stat, error);
    if (status != SLM_OK) {
        return status;
    }
    if (slm_segment_sys.file_system(segment->fd, &file_system) != 0) {
        return slm_segment_fail(error, segment->label, "cannot look at its file system");
    }
    if (!counts_users(file_system)) {
        return report_unknown(segment, "its file system does not count them", error);
    }
    if (slm_segment_sys.lease(segment->fd) == 0) {
        return SLM_OK;
    }
    return errno == EAGAIN ? report_in_use(segment, error)
                           : report_unknown(segment, strerror(errno), error);
}

static enum slm_status check_file(const struct slm_segment *segment, struct slm_error *error)
{
    enum slm_status status = lease_file(segment, error);
    if (status == SLM_OK) {
        (void)slm_segment_sys.unlease(segment->fd);
    }
    return status;
}

ino_t slm_segment_id_space(void)
{
    struct stat about;
    return slm_segment_sys.stat("/proc/thread-self/ns/ipc", &about) == 0 ? about.st_ino : 0;
}

/* The system counts each part of a range with rights of its own as an attachment: here, what is
 * shown and what is hidden. Some versions still count two when a segment that grew hides nothing
 * any more; then the answer is the cautious one. */
static enum slm_status check_sysv(const struct slm_segment *segment, struct slm_error *error)
{
    struct shmid_ds data;
    ino_t space = slm_segment_id_space();
    if (space == 0 || space != segment->id_space) {
        return report_unknown(segment, "its id may be of another IPC namespace", error);
    }
    if (slm_segment_sys.shmctl(segment->id, IPC_STAT, &data) != 0) {
        return slm_segment_fail(error, segment->label, "cannot look at it");
    }
    shmatt_t own = segment->bytes < segment->max_bytes ? 2 : 1;
    return data.shm_nattch <= own ? SLM_OK : report_in_use(segment, error);
}

enum slm_status slm_segment_check_unused(const struct slm_segment *segment, struct slm_error *error)
{
    (void)slm_error_clear(error);
    if (segment == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "NULL where a segment is needed");
    }
    switch (segment->kind) {
    case SLM_SEGMENT_POSIX:
    case SLM_SEGMENT_FILE:
        return check_file(segment, error);
    case SLM_SEGMENT_SYSV:
        return check_sysv(segment, error);
    default:
        return report_unknown(segment, "processes share its descriptor or inherit it", error);
    }
}

enum slm_status slm_segment_claim(const struct slm_segment *segment, struct slm_error *error)
{
    (void)slm_error_clear(error);
    if (segment == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "NULL where a segment is needed");
    }
    return segment->kind == SLM_SEGMENT_POSIX || segment->kind == SLM_SEGMENT_FILE
               ? lease_file(segment, error)
               : report_unknown(segment, "its kind cannot be claimed", error);
}

void slm_segment_unclaim(const struct slm_segment *segment)
{
    if (segment != NULL) {
        (void)slm_segment_sys.unlease(segment->fd);
    }
}
