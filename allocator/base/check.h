/* SPDX-License-Identifier: Apache-2.0 */
/* Broken invariants: how the library stops when its own state is wrong. */
#ifndef SLM_BASE_CHECK_H
#define SLM_BASE_CHECK_H

#include "allocator/base/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A broken invariant is a bug of the library, or memory that another part of the program
 *          overwrote, never an input error. The unit's slm_<unit>_check() returns its number. The
 *          assertions below stop the process. Each kind has a function of its own, so that crashes
 *          are sorted by their top frame.
 * Safety   The functions print to descriptor 2 with write() and abort(): safe in signal handlers.
 */
#if defined(__GNUC__)
#define SLM_NORETURN    __attribute__((noreturn, noinline, cold))
#define SLM_LIKELY(x)   __builtin_expect(!!(x), 1)
#define SLM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define SLM_NOINLINE    __attribute__((noinline))
#else
#error "a compiler with GNU C extensions (gcc, clang) is needed"
#endif

/* What could be wrong. Each has its own slm_broken_<kind>(). */
SLM_NORETURN void slm_broken_index(const char *where);  /* a link or index out of range */
SLM_NORETURN void slm_broken_bitmap(const char *where); /* a bitmap disagrees with a counter */
SLM_NORETURN void slm_broken_list(const char *where);   /* a list whose links do not match */
SLM_NORETURN void slm_broken_page(const char *where);   /* a page of the wrong kind or length */
SLM_NORETURN void slm_broken_pool(const char *where);   /* blocks or records that do not match */
/* A whole check failed. */
SLM_NORETURN void slm_broken_check(const char *where, unsigned invariant);

/* Local assertion: SLM_ASSERT(bitmap, cond). When off it is compiled and costs nothing. */
#define SLM_ASSERT_ON (SLM_CHECKS >= 2)
#define SLM_ASSERT(kind, cond)                                                                     \
    do {                                                                                           \
        if (SLM_ASSERT_ON && SLM_UNLIKELY(!(cond))) {                                              \
            slm_broken_##kind(__func__);                                                           \
        }                                                                                          \
    } while (0)

/* Whole check after a call: SLM_CHECK_ALL(slm_slab_check(slab)). */
#define SLM_CHECK_ALL(call)                                                                        \
    do {                                                                                           \
        if (SLM_CHECKS >= 3) {                                                                     \
            unsigned broken_invariant = (call);                                                    \
            if (broken_invariant != 0) {                                                           \
                slm_broken_check(__func__, broken_invariant);                                      \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
