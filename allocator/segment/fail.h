/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of segments: from the errno of a call that failed to a status and a text. */
#ifndef SLM_SEGMENT_FAIL_H
#define SLM_SEGMENT_FAIL_H

#include <stddef.h>

#include <slabmill/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fills in the error for a call that failed with errno; text: "LABEL: WHAT: what errno means". */
enum slm_status slm_segment_fail(struct slm_error *error, const char *label, const char *what);
/* SLM_E_TRUNCATED: the segment is now_bytes long, and was expected_bytes long. */
enum slm_status slm_segment_cut(struct slm_error *error, const char *label, size_t now_bytes,
                                size_t expected_bytes);

#ifdef __cplusplus
}
#endif
#endif
