/* SPDX-License-Identifier: Apache-2.0 */
/* Names of segments: which are allowed, and the paths that they lead to. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* PATH_MAX */
#endif
#include "allocator/segment/name.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MEMFD_NAME_BYTES 250u /* memfd_create(2), with the final zero */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

bool slm_segment_is_name(enum slm_segment_kind kind, const char *name)
{
    size_t n = name == NULL ? 0 : strlen(name);
    switch (kind) {
    case SLM_SEGMENT_POSIX:
        return n != 0 && n < SLM_SEGMENT_NAME_BYTES && strchr(name, '/') == NULL && !is_dots(name);
    case SLM_SEGMENT_FILE:
        return n != 0 && n < PATH_MAX && name[n - 1] != '/';
    case SLM_SEGMENT_MEMFD:
        return n < MEMFD_NAME_BYTES;
    default:
        return true;
    }
}

enum slm_status slm_segment_check_name(const struct slm_segment_options *options,
                                       struct slm_error *error)
{
    if (slm_segment_is_name(options->kind, options->name)) {
        return SLM_OK;
    }
    return slm_error_set(error, SLM_E_NAME, 0, "%s: no name for a segment",
                         options->name == NULL ? "NULL" : options->name);
}

int slm_segment_path(char *buffer, size_t buffer_bytes, const struct slm_segment_options *options)
{
    switch (options->kind) {
    case SLM_SEGMENT_POSIX:
        return snprintf(buffer, buffer_bytes, "%s/%s", SLM_SEGMENT_POSIX_FOLDER, options->name);
    case SLM_SEGMENT_FILE:
        return snprintf(buffer, buffer_bytes, "%s", options->name);
    case SLM_SEGMENT_MEMFD:
        return snprintf(buffer, buffer_bytes, "memfd");
    case SLM_SEGMENT_SYSV:
        return snprintf(buffer, buffer_bytes, "sysv");
    default:
        return snprintf(buffer, buffer_bytes, "anonymous");
    }
}
