/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by fuzz targets: running one input, counting operations, sanitizer settings. */
#ifndef HRN_FUZZ_H
#define HRN_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/adapters/adapters.h"
#include "harness/inputs/target.h"
#include "harness/registry/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A target is one constant that describes it and names the function that runs its inputs
 *          (harness/inputs/target.h): hrn_fuzz_one or a similar one, which tests call too. Every
 *          process counts what it executes, and prints one line on standard error when it ends,
 *          even after a crash: "slabmill: ops=<N> execs=<N> seconds=<S>". harness/failure/say.h
 *          describes what it prints on request.
 * Safety   One thread. Failure: broken laws abort.
 */

/* Engines call this by name for each input. Runs the input with hrn_fuzz_target's function. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* Decodes and runs an input. Always returns 0, as libFuzzer requires. */
int hrn_fuzz_one(const struct slm_adapter *adapter, const uint8_t *bytes, size_t n_bytes);

/* For targets that do not run programs of one adapter: counts an input's operations. */
void hrn_fuzz_count(uint64_t n_ops);

/*
 * The replay engine calls this after the last input. Returns 0 if the corpus ran at least
 * HRN_FUZZ_MIN_OPS operations, and each operation that the target's adapter supports at least once.
 * Otherwise prints on standard error what is missing and returns 1.
 */
int hrn_fuzz_replay_end(void);

#define HRN_FUZZ_MIN_OPS 1000u

#ifdef __cplusplus
}
#endif
#endif
