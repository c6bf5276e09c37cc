/* SPDX-License-Identifier: Apache-2.0 */
/* Which sanitizers the compiler was asked for. */
#ifndef HRN_SANITIZERS_H
#define HRN_SANITIZERS_H

/* Each is 0 or 1: HRN_ASAN, HRN_MSAN, HRN_TSAN, HRN_UBSAN. gcc does not say that UBSan is on: 0. */
#ifdef __has_feature
#define HRN_HAS_FEATURE(x) __has_feature(x)
#else
#define HRN_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HRN_HAS_FEATURE(address_sanitizer)
#define HRN_ASAN 1
#else
#define HRN_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || HRN_HAS_FEATURE(thread_sanitizer)
#define HRN_TSAN 1
#else
#define HRN_TSAN 0
#endif

#if HRN_HAS_FEATURE(memory_sanitizer)
#define HRN_MSAN 1
#else
#define HRN_MSAN 0
#endif

#if HRN_HAS_FEATURE(undefined_behavior_sanitizer)
#define HRN_UBSAN 1
#else
#define HRN_UBSAN 0
#endif

#endif
