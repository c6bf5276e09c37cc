/* SPDX-License-Identifier: Apache-2.0 */
/* When a file was made. */
#ifndef SLM_SEGMENT_BIRTH_H
#define SLM_SEGMENT_BIRTH_H

#include <stdint.h>

/* ns since 1970; 0: the system (before Linux 4.11) or the file system does not know it. */
uint64_t slm_segment_birth(int fd);

#endif
