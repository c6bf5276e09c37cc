/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets share: one input run, the account of what was done, sanitizer settings. */
#ifndef HRN_FUZZ_H
#define HRN_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/adapters/adapter.h"
#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A target is one constant that says what it is and which function takes its inputs
 *          (harness/inputs/target.h): hrn_fuzz_one, or another like it, which tests call too. Every
 *          process counts what it really executed, and says so in one line on standard error when it ends,
 *          also after a crash: "slabmill: ops=<N> execs=<N> seconds=<S>". What else it says when
 *          asked to is in harness/failure/say.h.
 * Safety   One thread. Failure: broken laws abort.
 */

/* What engines call for each input, by name: runs it as hrn_fuzz_target says. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* Decodes and runs; always 0, as libFuzzer wants it. */
int hrn_fuzz_one(const struct hrn_adapter *adapter, const uint8_t *bytes, size_t n_bytes);

/* For targets that are no program of one adapter: counts an input's operations. */
void hrn_fuzz_count(uint64_t n_ops);

/*
 * Called by the replay engine behind the last input. 0 if the corpus did something: at least
 * HRN_FUZZ_MIN_OPS operations, and each that the target's adapter can do at least once.
 * Else 1, having said on standard error what is missing.
 */
int hrn_fuzz_replay_end(void);

#define HRN_FUZZ_MIN_OPS 1000u

#ifdef __cplusplus
}
#endif
#endif
