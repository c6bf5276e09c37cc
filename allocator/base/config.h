/* SPDX-License-Identifier: Apache-2.0 */
/* Every compile-time switch of the library, always defined to a number. */
#ifndef SLM_BASE_CONFIG_H
#define SLM_BASE_CONFIG_H

/*
 * SLM_CHECKS   how much the library checks:
 *              1  misuse by the caller (default)
 *              2  also local assertions; freed memory is reused as late as possible;
 *                 what a slab frees is filled with junk
 *              3  also the whole check after every call
 * SLM_ASAN     1 when AddressSanitizer sees pool and slab objects (the compiler says so).
 * SLM_MSAN     1 when MemorySanitizer sees them (the compiler says so).
 * SLM_VALGRIND 1 when Valgrind's client requests are compiled in (-DSLM_VALGRIND=1).
 * SLM_POISON   1 when any of the three is.
 */
#ifndef SLM_CHECKS
#define SLM_CHECKS 1
#endif
#if SLM_CHECKS < 1 || SLM_CHECKS > 3
#error "SLM_CHECKS must be 1, 2 or 3 (allocator/base/config.h)"
#endif

#ifndef __has_feature
#define SLM_HAS_FEATURE(x) 0
#else
#define SLM_HAS_FEATURE(x) __has_feature(x)
#endif

#ifndef SLM_ASAN
#if defined(__SANITIZE_ADDRESS__) || SLM_HAS_FEATURE(address_sanitizer)
#define SLM_ASAN 1
#else
#define SLM_ASAN 0
#endif
#endif

#ifndef SLM_MSAN
#if SLM_HAS_FEATURE(memory_sanitizer)
#define SLM_MSAN 1
#else
#define SLM_MSAN 0
#endif
#endif

#ifndef SLM_VALGRIND
#define SLM_VALGRIND 0
#endif

#define SLM_POISON (SLM_ASAN || SLM_MSAN || SLM_VALGRIND)

#endif
