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
 * Model    Bytes are a head and whole records, as hrn_shape_now says; a step inserts, removes,
 *          repeats, moves or changes records, or a field of the head. Of programs it knows the
 *          fields, of others only bytes and words. One call makes one to four steps; one in five
 *          leaves the bytes to the engine's own mutator, and so does every call for text. libFuzzer
 *          calls these by name, AFL++ through afl.c.
 *          With HRN_FUZZ_GENERATE set both make no use of what they are given: see generate.h.
 * Safety   One thread. The same seed and bytes give the same result, as far as the engine's own
 *          mutator is so too.
 * Failure  None: the result is never longer than max_bytes.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n_bytes, size_t max_bytes, unsigned seed);

/* Head and first records of one, some in the middle of the other, and so on. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b,
                                 uint8_t *out, size_t max_bytes, unsigned seed);

/* The engine's. Not there in some. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n_bytes, size_t max_bytes);

#ifdef __cplusplus
}
#endif
#endif
