/* SPDX-License-Identifier: Apache-2.0 */
/* The mutator as AFL++ loads it. */
#ifndef HRN_AFL_MUTATOR_H
#define HRN_AFL_MUTATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    //harness:afl_mutator.so, for AFL_CUSTOM_MUTATOR_LIBRARY, knows no target. It reads the
 *          shape of inputs from HRN_FUZZ_SHAPE (harness/inputs/target.h), which has the numbers
 *          that the target prints for HRN_FUZZ_SAY=shape: "<head>,<record>,<programs>,<can>". Each
 *          call is a step of harness/inputs/mutate.h's mutator, or a child of two inputs.
 *          HRN_FUZZ_GENERATE works here too. It changes text very little, since AFL++'s own stages
 *          do better; so do not use AFL_CUSTOM_MUTATOR_ONLY with trace_fuzz.
 * Safety   One thread. The same seed, the same sequence.
 * Failure  Without HRN_FUZZ_SHAPE, or with one that cannot be read, the process ends with status 2
 *          and a message. Out of memory, calls return 0, and AFL++ goes on without this mutator.
 * Source   AFL++'s interface, with the names and parameters of version 4.04c.
 */
void *afl_custom_init(void *afl, unsigned seed);

/* *out is valid until the next call; its length, at most max_bytes. other may be NULL. */
size_t afl_custom_fuzz(void *data, uint8_t *bytes, size_t n_bytes, uint8_t **out, uint8_t *other,
                       size_t n_other, size_t max_bytes);

void afl_custom_deinit(void *data);

#ifdef __cplusplus
}
#endif
#endif
