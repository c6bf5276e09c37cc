/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of segments: what each errno means here. */
#include "allocator/segment/fail.h"

#include <errno.h>
#include <string.h>

/* Statuses that differ from those of slm_error_of_errno. */
static enum slm_status status_of(int os_errno)
{
    switch (os_errno) {
    case ENAMETOOLONG:
        return SLM_E_NAME;
    case ENOTDIR:
    case EBADF: /* a descriptor that the caller handed over */
        return SLM_E_MISSING;
    case EISDIR:
    case EROFS:
        return SLM_E_ACCESS;
    default:
        return slm_error_of_errno(os_errno);
    }
}

enum slm_status slm_segment_fail(struct slm_error *error, const char *label, const char *what)
{
    int os_errno = errno;
    return slm_error_set(error, status_of(os_errno), os_errno, "%s: %s: %s", label, what,
                         strerror(os_errno));
}

enum slm_status slm_segment_cut(struct slm_error *error, const char *label, size_t now_bytes,
                                size_t expected_bytes)
{
    return slm_error_set(error, SLM_E_TRUNCATED, 0, "%s: cut to %zu bytes, where %zu were", label,
                         now_bytes, expected_bytes);
}
