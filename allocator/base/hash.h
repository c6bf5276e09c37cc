/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a with 64 bits (Fowler, Noll and Vo): for checksums and for numbers made of text. */
#ifndef SLM_BASE_HASH_H
#define SLM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * The hash of n_bytes at data. It finds chance damage and truncation. It stops no attacker, who
 * can compute it too. Checksums in shared memory are made of it, so it never changes. Cost
 * O(n_bytes).
 */
static inline uint64_t slm_hash(const void *data, size_t n_bytes)
{
    const unsigned char *bytes = (const unsigned char *)data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n_bytes; i++) {
        /* clang-tidy does not see that each byte of a number is initialised with it. */
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

#endif
