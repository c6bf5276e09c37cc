/* SPDX-License-Identifier: Apache-2.0 */
/* Names of segments: which are allowed, and the paths that they lead to. */
#ifndef SLM_SEGMENT_NAME_H
#define SLM_SEGMENT_NAME_H

#include <slabmill/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLM_SEGMENT_POSIX_FOLDER "/dev/shm"

/* A temporary name: the prefix, 16 digits made of the name to come, a dash, and 16 digits that no
 * other maker has. */
#define SLM_SEGMENT_TEMPORARY_PREFIX ".slm-"
#define SLM_SEGMENT_TEMPORARY_BYTES  (sizeof SLM_SEGMENT_TEMPORARY_PREFIX + 33)

/* Whether a segment of that kind may have the name; kinds without a name accept any. */
bool slm_segment_is_name(enum slm_segment_kind kind, const char *name);
/* SLM_E_NAME unless slm_segment_is_name. */
enum slm_status slm_segment_check_name(const struct slm_segment_options *options,
                                       struct slm_error *error);
/* Whether a file of that name is a segment that is still being made; see unnamed.c. */
bool slm_segment_is_temporary(const char *name);
/* Writes a POSIX or FILE segment's path, a few letters for other kinds; returns its length. */
int slm_segment_path(char *buffer, size_t buffer_bytes, const struct slm_segment_options *options);

#ifdef __cplusplus
}
#endif
#endif
