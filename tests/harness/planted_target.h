/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of a fuzz target, with and without a planted bug. */
#ifndef TESTS_PLANTED_TARGET_H
#define TESTS_PLANTED_TARGET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Programs against HRN_BUG_page_edge, and against the same allocator without a bug. */
int hrn_fuzz_planted(const uint8_t *bytes, size_t n_bytes);
int hrn_fuzz_sound(const uint8_t *bytes, size_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif
