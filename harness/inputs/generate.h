/* SPDX-License-Identifier: Apache-2.0 */
/* Generates inputs from a seed alone, by weights. */
#ifndef HRN_GENERATE_H
#define HRN_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An input is a function of seed, number and max_bytes. Programs are
 *          harness/inputs/random.h's, with new heads, weights and share of edge sizes for each.
 *          Other records are made byte by byte, and some columns keep their value for a while. Text
 *          is the text of generated programs, two thirds of it damaged. The logarithm of lengths is
 *          evenly distributed up to max_bytes. With HRN_FUZZ_GENERATE=SEED the engine's mutations
 *          are inputs 0, 1, 2, ... of that seed. libFuzzer makes exactly these inputs with
 *          -mutate_depth=1 -len_control=0 and the same -max_len: then each mutation is an input
 *          that runs, and max_bytes never changes.
 * Safety   One thread.
 * Failure  A seed that is no number is reported and ends the process with status 2.
 */
size_t hrn_generate(const struct hrn_shape *shape, uint64_t seed, uint64_t number, uint8_t *bytes,
                    size_t max_bytes);

/* Whether HRN_FUZZ_GENERATE is set; *seed is its number. */
bool hrn_generate_is_on(uint64_t *seed);

#ifdef __cplusplus
}
#endif
#endif
