/* SPDX-License-Identifier: Apache-2.0 */
/* Large files: the build stops where a program of 32 bits would see half of a file's length. */
#ifndef SLM_BASE_LARGE_FILES_H
#define SLM_BASE_LARGE_FILES_H

#include <sys/types.h>

/*
 * Segments lock a byte that no file reaches, and other programs may have made a file longer than 2
 * GiB. Files that include this share struct stat, off_t and ino_t, so all are compiled alike.
 */
#ifdef __cplusplus
static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");
#else
_Static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");
#endif

#endif
