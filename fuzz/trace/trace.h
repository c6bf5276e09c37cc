/* SPDX-License-Identifier: Apache-2.0 */
/* The body of trace_fuzz. */
#ifndef HRN_FUZZ_TRACE_H
#define HRN_FUZZ_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parses the bytes as trace text. A text that can be parsed is printed and parsed again, which must
 * give the same. Always returns 0. */
int hrn_fuzz_trace(const uint8_t *bytes, size_t n_bytes);
bool hrn_trace_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
