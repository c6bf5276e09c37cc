/* SPDX-License-Identifier: Apache-2.0 */
/* Trust: which files and System V segments may be mapped or removed. */
#ifndef SLM_SEGMENT_TRUST_H
#define SLM_SEGMENT_TRUST_H

#include <sys/shm.h>
#include <sys/stat.h>

#include <slabmill/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A process that can write to a segment can break all processes that use it. So it must belong to
 * the caller's effective user or to root (a reader trusts any owner), and no other user may write to
 * it unless options->mode grants it. Both calls fail with SLM_E_ACCESS otherwise.
 */

/* A regular file; SLM_E_ACCESS for a link, a folder, a FIFO or a device too. */
enum slm_status slm_segment_check_file(const struct stat *stat, const char *label,
                                       const struct slm_segment_options *options,
                                       struct slm_error *error);
/* The System V segment options->id, whose data it fills in. SLM_E_MISSING: there is none. */
enum slm_status slm_segment_check_sysv(struct shmid_ds *data, const char *label,
                                       const struct slm_segment_options *options,
                                       struct slm_error *error);

#ifdef __cplusplus
}
#endif
#endif
