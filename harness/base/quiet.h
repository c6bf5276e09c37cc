/* SPDX-License-Identifier: Apache-2.0 */
/* Turns coverage instrumentation off for the harness's bookkeeping, which is twice as fast then. */
#ifndef HRN_QUIET_H
#define HRN_QUIET_H

/*
 * Between HRN_QUIET_BEGIN and HRN_QUIET_END clang records no coverage: branches taken while
 * checking show nothing about the allocator, and reporting each comparison to the engine costs more
 * than making it.
 */
#if defined(__clang__)
#define HRN_PRAGMA(text) _Pragma(#text)
#define HRN_UNSEEN       __attribute__((no_sanitize("coverage")))
#define HRN_QUIET_BEGIN  HRN_PRAGMA(clang attribute push(HRN_UNSEEN, apply_to = function))
#define HRN_QUIET_END    HRN_PRAGMA(clang attribute pop)
#else
#define HRN_QUIET_BEGIN
#define HRN_QUIET_END
#endif

/*
 * The same, for code that accesses only the harness's own bookkeeping: fuzz binaries compile it
 * without AddressSanitizer and UBSan too. All other builds, including sanitized tests and corpus
 * replays, instrument it. Never use it for code that accesses memory which an allocator returned:
 * sanitizers would miss that access.
 */
#if defined(__clang__) && defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
#define HRN_UNWATCHED   __attribute__((no_sanitize("coverage", "address", "undefined")))
#define HRN_BOOKS_BEGIN HRN_PRAGMA(clang attribute push(HRN_UNWATCHED, apply_to = function))
#define HRN_BOOKS_END   HRN_PRAGMA(clang attribute pop)
#else
#define HRN_BOOKS_BEGIN HRN_QUIET_BEGIN
#define HRN_BOOKS_END   HRN_QUIET_END
#endif

#endif
