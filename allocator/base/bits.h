/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on words: alignment, logarithms, bits. Pure functions, any thread, no failure. */
#ifndef SLM_BASE_BITS_H
#define SLM_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/word.h>

#define SLM_WORD_BITS 64u

static inline bool slm_is_pow2(size_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

/* Rounds up to a multiple of align, a power of two. Wraps to 0 near SIZE_MAX. */
static inline size_t slm_align_up(size_t x, size_t align)
{
    return (x + align - 1) & ~(align - 1);
}

/* Division that rounds up; b is not 0, and a + b does not wrap. */
static inline size_t slm_div_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* Position of the lowest bit set; x is not 0. */
static inline unsigned slm_bit_lowest(uint64_t x)
{
    return (unsigned)__builtin_ctzll(x);
}

/* Position of the highest bit set; x is not 0. */
static inline unsigned slm_bit_highest(uint64_t x)
{
    return 63u - (unsigned)__builtin_clzll(x);
}

static inline unsigned slm_bit_count(uint64_t x)
{
    return (unsigned)__builtin_popcountll(x);
}

/* A word with its n lowest bits set, n <= 64. */
static inline uint64_t slm_bits_below(unsigned n)
{
    return n >= 64u ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

#endif
