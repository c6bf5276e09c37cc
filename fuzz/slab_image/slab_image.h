/* SPDX-License-Identifier: Apache-2.0 */
/* The body of slab_image_fuzz. */
#ifndef HRN_FUZZ_SLAB_IMAGE_H
#define HRN_FUZZ_SLAB_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Decodes changes to a formatted, partly used slab region. Attaching, checking and rebuilding must
 * handle any of them, and a region found sound must work. Always returns 0. Byte 0: geometry; then
 * records of 16 bytes: offset (4), length and manner (1 each), zero (2), value (8).
 */
int hrn_fuzz_image(const uint8_t *bytes, size_t n_bytes);
bool hrn_image_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
