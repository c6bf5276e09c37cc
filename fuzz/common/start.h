/* SPDX-License-Identifier: Apache-2.0 */
/* Where libFuzzer has no corpus, it starts from generated inputs instead of an empty one. */
#ifndef HRN_FUZZ_START_H
#define HRN_FUZZ_START_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    libFuzzer calls LLVMFuzzerInitialize before it reads its options. If no file and no folder
 *          with a file in it is named, this adds -seed_inputs with inputs of
 *          harness/inputs/generate.h, seed 1, in memory files. Otherwise nothing changes: with -fork,
 *          -jobs, -merge and the like, with -seed_inputs, with -runs=1 to 48, with
 *          HRN_FUZZ_GENERATE, in other engines.
 * Failure  Without memory files it starts as libFuzzer does, with a message.
 */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* How many of these files are open. */
uint64_t hrn_fuzz_n_starts(void);

/* Closes them, once the engine has read them. */
void hrn_fuzz_started(void);

#ifdef __cplusplus
}
#endif
#endif
