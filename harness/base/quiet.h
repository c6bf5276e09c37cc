/* SPDX-License-Identifier: Apache-2.0 */
/* Code that fuzzers are not to be guided by: the harness's own books, at twice the speed. */
#ifndef HRN_QUIET_H
#define HRN_QUIET_H

/*
 * Between HRN_QUIET_BEGIN and HRN_QUIET_END clang records no coverage: branches taken while
 * checking say nothing about the allocator, and telling the engine of each comparison costs more
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
 * The same, for code that reads and writes nothing but the harness's own books: in fuzz binaries it
 * goes without AddressSanitizer and UBSan too. Every other build, the sanitized tests and corpus
 * replays among them, has them there as everywhere. Never for code that touches a byte which an
 * allocator handed out, or calls memory functions on one: sanitizers would lose sight of it.
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
