/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets share: one input run, the account of what was done, sanitizer settings. */
#ifndef HRN_FUZZ_H
#define HRN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "harness/adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A target hands its bytes to hrn_fuzz_one. Every process counts what it really executed,
 *          and says so in one line on standard error when it ends, also after a crash:
 *          "slabmill: ops=<N> execs=<N> seconds=<S>".
 * Safety   One thread. Failure: broken laws abort.
 */

/* Decodes and runs; always 0, as libFuzzer wants it. */
int hrn_fuzz_one(const struct hrn_adapter *adapter, const uint8_t *bytes, size_t n_bytes);

/*
 * Takes the bytes for changes to a formatted, partly used slab region: attaching, checking and
 * rebuilding must stand any of them, and a region found sound must work. Always 0.
 * Byte 0: geometry; then records of 16 bytes: offset (4), length and manner (1 each), zero (2),
 * value (8).
 */
int hrn_fuzz_image(const uint8_t *bytes, size_t n_bytes);

/* For targets that are no program of one adapter: counts an input and its operations. */
void hrn_fuzz_count(uint64_t n_ops);

/*
 * Called by the replay engine behind the last input. 0 if the corpus did something: at least
 * HRN_FUZZ_MIN_OPS operations, and each that the adapter of hrn_fuzz_one can do at least once.
 * Else 1, having said on standard error what is missing.
 */
int hrn_fuzz_replay_end(void);

/*
 * For a target whose inputs are no programs: once, at file scope, so that the linked-in mutator
 * leaves the bytes to the engine.
 */
#define HRN_FUZZ_PLAIN_BYTES const char hrn_fuzz_plain_bytes = 1
extern const char hrn_fuzz_plain_bytes;

/* What the adapter of hrn_fuzz_one can do, for the mutator; everything while there was none. */
uint32_t hrn_fuzz_can(void);
#define HRN_FUZZ_MIN_OPS 1000u

#ifdef __cplusplus
}
#endif
#endif
