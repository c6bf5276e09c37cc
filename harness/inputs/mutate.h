/* SPDX-License-Identifier: Apache-2.0 */
/* Structure-aware mutation of inputs that are a head and records. */
#ifndef HRN_MUTATE_H
#define HRN_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Bytes are a head and whole records, of the shape hrn_shape_now; a step inserts, removes,
 *          repeats, moves or changes records, or a field of the head. It knows the fields of
 *          programs; in other inputs it changes bytes and words. One call makes one to four steps.
 *          One call in five, and every call for text, uses the engine's own mutator. libFuzzer
 *          calls these functions by name, AFL++ through afl.c. With HRN_FUZZ_GENERATE set, both
 *          ignore the bytes they are given: see generate.h.
 * Safety   One thread. The same seed and bytes give the same result if the engine's own mutator is
 *          deterministic.
 * Failure  None: the result is never longer than max_bytes.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n_bytes, size_t max_bytes, unsigned seed);

/* Takes the head and first records of one input, some records from the middle of the other, and so
 * on. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b,
                                 uint8_t *out, size_t max_bytes, unsigned seed);

/* The engine's own mutator. Some engines have none. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n_bytes, size_t max_bytes);

#ifdef __cplusplus
}
#endif
#endif
