/* SPDX-License-Identifier: Apache-2.0 */
/* Trust: owners and permissions are compared before a segment is mapped or removed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SHM_* */
#endif
#include "allocator/segment/trust.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "allocator/segment/fail.h"
#include "allocator/segment/for_zone.h"
#include "allocator/segment/sys.h"

static enum slm_status check_owner(uid_t owner, mode_t mode, const char *label,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error)
{
    mode_t asked = options->mode == 0 ? 0600 : options->mode;
    if (!options->read_only && owner != geteuid() && owner != 0) {
        return slm_error_set(error, SLM_E_ACCESS, 0, "%s: it belongs to user %u", label,
                             (unsigned)owner);
    }
    if ((mode & 0022 & ~asked) != 0) {
        return slm_error_set(error, SLM_E_ACCESS, 0, "%s: others may write to it (%03o)", label,
                             (unsigned)mode & 0777u);
    }
    return SLM_OK;
}

enum slm_status slm_segment_check_file(const struct stat *stat, const char *label,
                                       const struct slm_segment_options *options,
                                       struct slm_error *error)
{
    if (!S_ISREG(stat->st_mode)) {
        return slm_error_set(error, SLM_E_ACCESS, 0, "%s: a link, folder, FIFO or device", label);
    }
    return check_owner(stat->st_uid, stat->st_mode, label, options, error);
}

/* Its creator may do with it what its owner may. */
enum slm_status slm_segment_check_sysv(struct shmid_ds *data, const char *label,
                                       const struct slm_segment_options *options,
                                       struct slm_error *error)
{
    if (slm_segment_sys.shmctl(options->id, IPC_STAT, data) != 0) {
        if (errno == EINVAL || errno == EIDRM) {
            errno = ENOENT;
        }
        return slm_segment_fail(error, label, "cannot look at it");
    }
    mode_t mode = (mode_t)data->shm_perm.mode;
    enum slm_status status = check_owner(data->shm_perm.uid, mode, label, options, error);
    if (status == SLM_OK) {
        status = check_owner(data->shm_perm.cuid, mode, label, options, error);
    }
    return status;
}

bool slm_segment_file_begins_with(const char *path, const void *bytes, size_t n_bytes)
{
    char seen[64];
    struct stat about;
    return n_bytes <= sizeof seen && slm_segment_sys.stat(path, &about) == 0 &&
           S_ISREG(about.st_mode) &&
           slm_segment_sys.read_file(path, seen, n_bytes) == (ssize_t)n_bytes &&
           memcmp(seen, bytes, n_bytes) == 0;
}
