/* SPDX-License-Identifier: Apache-2.0 */
/* Names of segments: which are allowed, and the paths that they lead to. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* PATH_MAX */
#endif
#include "allocator/segment/name.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MEMFD_NAME_BYTES 250u /* memfd_create(2), with the final zero */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Bytes that the name of such a segment may have, with its final zero. */
static size_t name_bytes_of(enum slm_segment_kind kind)
{
    switch (kind) {
    case SLM_SEGMENT_POSIX:
        return SLM_SEGMENT_NAME_BYTES;
    case SLM_SEGMENT_FILE:
        return PATH_MAX;
    case SLM_SEGMENT_MEMFD:
        return MEMFD_NAME_BYTES;
    default:
        return SIZE_MAX;
    }
}

static bool must_have_name(enum slm_segment_kind kind)
{
    return kind == SLM_SEGMENT_POSIX || kind == SLM_SEGMENT_FILE;
}

/* What is wrong with a name that is neither too short nor too long; NULL: nothing. */
static const char *find_fault(enum slm_segment_kind kind, const char *name, size_t n)
{
    if (kind == SLM_SEGMENT_POSIX && strchr(name, '/') != NULL) {
        return "has a slash in it";
    }
    if (kind == SLM_SEGMENT_POSIX && is_dots(name)) {
        return "is that of a folder";
    }
    return kind == SLM_SEGMENT_FILE && name[n - 1] == '/' ? "ends with a slash" : NULL;
}

bool slm_segment_is_name(enum slm_segment_kind kind, const char *name)
{
    size_t n = name == NULL ? 0 : strlen(name);
    if (n == 0) {
        return !must_have_name(kind);
    }
    return n < name_bytes_of(kind) && find_fault(kind, name, n) == NULL;
}

enum slm_status slm_segment_check_name(const struct slm_segment_options *options,
                                       struct slm_error *error)
{
    if (slm_segment_is_name(options->kind, options->name)) {
        return SLM_OK;
    }
    size_t n = options->name == NULL ? 0 : strlen(options->name);
    size_t name_bytes = name_bytes_of(options->kind);
    if (n == 0) {
        return slm_error_set(error, SLM_E_NAME, 0, "a segment's name is %s",
                             options->name == NULL ? "NULL" : "empty");
    }
    if (n >= name_bytes) {
        return slm_error_set(error, SLM_E_NAME, 0,
                             "segment %.100s...: its name has %zu bytes, more than %zu",
                             options->name, n, name_bytes - 1);
    }
    return slm_error_set(error, SLM_E_NAME, 0, "segment %.100s: its name %s", options->name,
                         find_fault(options->kind, options->name, n));
}

bool slm_segment_is_temporary(const char *name)
{
    size_t n = sizeof SLM_SEGMENT_TEMPORARY_PREFIX - 1;
    return strncmp(name, SLM_SEGMENT_TEMPORARY_PREFIX, n) == 0 &&
           strlen(name) == SLM_SEGMENT_TEMPORARY_BYTES - 1 && name[n + 16] == '-' &&
           strspn(name + n, "0123456789abcdef") == 16 &&
           strspn(name + n + 17, "0123456789abcdef") == 16;
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
