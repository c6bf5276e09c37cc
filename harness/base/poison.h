/* SPDX-License-Identifier: Apache-2.0 */
/* Marks for sanitizers which bytes of the memory under test may be accessed. */
#ifndef HRN_POISON_H
#define HRN_POISON_H

#include <stddef.h>

#include "harness/base/sanitizers.h"

/*
 * Model    hrn_poison_hide: any access is a bug. hrn_poison_show: addressable, contents undefined.
 *          hrn_poison_open: addressable and defined, for the harness itself. Memory is 8-aligned at
 *          its start.
 * Cost     Nothing in plain builds. Linear in the bytes under a sanitizer.
 */
#if HRN_ASAN
#include <sanitizer/asan_interface.h>
#define HRN_ASAN_HIDE(p, n) __asan_poison_memory_region((p), (n))
#define HRN_ASAN_SHOW(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define HRN_ASAN_HIDE(p, n) ((void)(p), (void)(n))
#define HRN_ASAN_SHOW(p, n) ((void)(p), (void)(n))
#endif

#if HRN_MSAN
#include <sanitizer/msan_interface.h>
#define HRN_MSAN_UNDEFINED(p, n) __msan_allocated_memory((p), (n))
#define HRN_MSAN_DEFINED(p, n)   __msan_unpoison((p), (n))
#else
#define HRN_MSAN_UNDEFINED(p, n) ((void)(p), (void)(n))
#define HRN_MSAN_DEFINED(p, n)   ((void)(p), (void)(n))
#endif

static inline void hrn_poison_hide(const void *p, size_t n)
{
    HRN_MSAN_UNDEFINED(p, n);
    HRN_ASAN_HIDE(p, n);
}

static inline void hrn_poison_show(const void *p, size_t n)
{
    HRN_ASAN_SHOW(p, n);
    HRN_MSAN_UNDEFINED(p, n);
}

static inline void hrn_poison_open(const void *p, size_t n)
{
    HRN_ASAN_SHOW(p, n);
    HRN_MSAN_DEFINED(p, n);
}

#endif
