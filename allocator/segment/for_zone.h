/* SPDX-License-Identifier: Apache-2.0 */
/* What zones need of a segment besides the public calls. */
#ifndef SLM_SEGMENT_FOR_ZONE_H
#define SLM_SEGMENT_FOR_ZONE_H

#include <slabmill/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the SIGBUS guard has put zeros in place of what was cut off. No system call. */
bool slm_segment_was_mended(const struct slm_segment *segment);
/* SLM_OK if the segment is as long as what is mapped, whatever became of its name; also if that is
 * unknown, since the descriptor is lost. SLM_E_TRUNCATED, SLM_E_IO. */
enum slm_status slm_segment_check_cut(const struct slm_segment *segment, struct slm_error *error);
/* POSIX, FILE: removes the name, if it is this segment's. SLM_E_MISSING: it is not. */
enum slm_status slm_segment_remove_own(const struct slm_segment *segment, struct slm_error *error);

#ifdef __cplusplus
}
#endif
#endif
