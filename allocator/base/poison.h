/* SPDX-License-Identifier: Apache-2.0 */
/* Reports to sanitizers which bytes are part of an object. */
#ifndef SLM_BASE_POISON_H
#define SLM_BASE_POISON_H

#include <stddef.h>

#include "allocator/base/config.h"

/*
 * Model    slm_poison_hide: these bytes belong to no object, and any access is a bug.
 *          slm_poison_show: an object of exactly these bytes starts here, its contents undefined.
 *          slm_poison_open: accessible and defined again, for the allocator's own use.
 *          Memory starts at a multiple of 8, since AddressSanitizer tracks granules of 8 bytes. So
 *          it finds an access to hidden bytes after an object only if the hidden range reaches the
 *          granule's end.
 * Safety   The marks belong to the calling process and mapping. Memory that other processes, or a
 *          second mapping, allocate from must not be hidden (see slm_slab_view.exclusive).
 * Cost     Nothing in plain builds: the calls compile to nothing. O(bytes) under a sanitizer.
 */
#if SLM_ASAN
#include <sanitizer/asan_interface.h>
#define SLM_ASAN_HIDE(p, n) __asan_poison_memory_region((p), (n))
#define SLM_ASAN_SHOW(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define SLM_ASAN_HIDE(p, n) ((void)(p), (void)(n))
#define SLM_ASAN_SHOW(p, n) ((void)(p), (void)(n))
#endif

#if SLM_MSAN
#include <sanitizer/msan_interface.h>
#define SLM_MSAN_UNDEFINED(p, n) __msan_allocated_memory((p), (n))
#define SLM_MSAN_DEFINED(p, n)   __msan_unpoison((p), (n))
#else
#define SLM_MSAN_UNDEFINED(p, n) ((void)(p), (void)(n))
#define SLM_MSAN_DEFINED(p, n)   ((void)(p), (void)(n))
#endif

#if SLM_VALGRIND
#include <valgrind/memcheck.h>
#define SLM_VG_HIDE(p, n)                   ((void)VALGRIND_MAKE_MEM_NOACCESS((p), (n)))
#define SLM_VG_UNDEFINED(p, n)              ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (n)))
#define SLM_VG_DEFINED(p, n)                ((void)VALGRIND_MAKE_MEM_DEFINED((p), (n)))
#define SLM_VG_POOL_CREATE(anchor)          VALGRIND_CREATE_MEMPOOL((anchor), 0, 0)
#define SLM_VG_POOL_DESTROY(anchor)         VALGRIND_DESTROY_MEMPOOL((anchor))
#define SLM_VG_POOL_ALLOC(anchor, p, n)     VALGRIND_MEMPOOL_ALLOC((anchor), (p), (n))
#define SLM_VG_POOL_FREE(anchor, p)         VALGRIND_MEMPOOL_FREE((anchor), (p))
#define SLM_VG_POOL_CHANGE(anchor, p, q, n) VALGRIND_MEMPOOL_CHANGE((anchor), (p), (q), (n))
#define SLM_VG_WIDEN(p, n)                  slm_vg_widen((p), (n))

/* Makes the inaccessible part of [p, p + n), which is at its end, accessible and undefined. */
static inline void slm_vg_widen(const unsigned char *p, size_t n)
{
    unsigned char bits;
    size_t at = 0;
    while (at < n && VALGRIND_GET_VBITS(p + at, &bits, 1) == 1) {
        at++;
    }
    SLM_VG_UNDEFINED(p + at, n - at);
}
#else
#define SLM_VG_HIDE(p, n)                   ((void)(p), (void)(n))
#define SLM_VG_UNDEFINED(p, n)              ((void)(p), (void)(n))
#define SLM_VG_DEFINED(p, n)                ((void)(p), (void)(n))
#define SLM_VG_POOL_CREATE(anchor)          ((void)(anchor))
#define SLM_VG_POOL_DESTROY(anchor)         ((void)(anchor))
#define SLM_VG_POOL_ALLOC(anchor, p, n)     ((void)(anchor), (void)(p), (void)(n))
#define SLM_VG_POOL_FREE(anchor, p)         ((void)(anchor), (void)(p))
#define SLM_VG_POOL_CHANGE(anchor, p, q, n) ((void)(anchor), (void)(p), (void)(q), (void)(n))
#define SLM_VG_WIDEN(p, n)                  ((void)(p), (void)(n))
#endif

/* No object in [p, p + n). */
static inline void slm_poison_hide(const void *p, size_t n)
{
    SLM_MSAN_UNDEFINED(p, n);
    SLM_VG_HIDE(p, n);
    SLM_ASAN_HIDE(p, n);
}

/* An object of n bytes at p, contents undefined. */
static inline void slm_poison_show(const void *p, size_t n)
{
    SLM_ASAN_SHOW(p, n);
    SLM_VG_UNDEFINED(p, n);
    SLM_MSAN_UNDEFINED(p, n);
}

/* slm_poison_show; Valgrind also learns that the object belongs to the pool at anchor. */
static inline void slm_poison_object(const void *anchor, const void *p, size_t n)
{
    SLM_ASAN_SHOW(p, n);
    SLM_VG_POOL_ALLOC(anchor, p, n);
    SLM_MSAN_UNDEFINED(p, n);
}

/* The object at p in the pool at anchor is n bytes long now, not fewer than before; the bytes it
 * had keep their contents. */
static inline void slm_poison_widen(const void *anchor, const void *p, size_t n)
{
    SLM_ASAN_SHOW(p, n);
    SLM_VG_POOL_CHANGE(anchor, p, p, n);
    SLM_VG_WIDEN(p, n);
}

/* The allocator itself, or the region's owner, may use [p, p + n) as plain memory again. */
static inline void slm_poison_open(const void *p, size_t n)
{
    SLM_ASAN_SHOW(p, n);
    SLM_VG_DEFINED(p, n);
    SLM_MSAN_DEFINED(p, n);
}

#endif
