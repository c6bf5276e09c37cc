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

#endif
