/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a with 64 bits (Fowler, Noll and Vo): digests of what the harness saw. */
#ifndef HRN_HASH_H
#define HRN_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HRN_HASH_START UINT64_C(0xcbf29ce484222325)

/*
 * Continues `hash`, which starts as HRN_HASH_START, with n_bytes more. The library has another copy
 * in a private header, which the harness does not include.
 */
static inline uint64_t hrn_hash(uint64_t hash, const void *data, size_t n_bytes)
{
    const unsigned char *bytes = (const unsigned char *)data;
    for (size_t i = 0; i < n_bytes; i++) {
        /* clang-tidy knows words as words only, and takes all but their first byte for unset. */
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

#endif
