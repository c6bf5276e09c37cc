/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs made from a seed alone: the blind, weighted generator. */
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
 * Model    An input is a function of seed, number and max_bytes. Programs are harness/inputs/random.h's, with
 *          heads, weights and the share of edge sizes drawn anew for each; other records come byte
 *          by byte, with columns that keep their value for a while; text is that of generated
 *          programs, two thirds of it damaged. Lengths are even in the logarithm up to the most.
 *          With HRN_FUZZ_GENERATE=SEED the engine's mutations are inputs 0, 1, 2, ... of that seed.
 *          libFuzzer is replayed exactly with -mutate_depth=1 -len_control=0 and the same -max_len:
 *          then each mutation is an input that runs, and max_bytes never changes.
 * Safety   One thread.
 * Failure  A seed that is no number is said, and ends the process with status 2.
 */
size_t hrn_generate(const struct hrn_shape *shape, uint64_t seed, uint64_t number, uint8_t *bytes,
                    size_t max_bytes);

/* Whether HRN_FUZZ_GENERATE is set; *seed is its number. */
bool hrn_generate_is_on(uint64_t *seed);

#ifdef __cplusplus
}
#endif
#endif
