/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jemalloc, by the names that only it has (mallocx and so on): its malloc, which the library
 * exports too, is not called, and does not replace that of the process, since the mill loads
 * plugins with local symbols. Its thread-local variables need room that glibc keeps for libraries
 * loaded late: GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384, as mill.sh sets it.
 */
#include <jemalloc/jemalloc.h>

#include "peers/peer.h"

/* The flags of an alignment; MALLOCX_ALIGN(0) would be undefined. */
static int align_flags(size_t align_bytes)
{
    return align_bytes == 0 ? 0 : MALLOCX_ALIGN(align_bytes);
}

static void *allocate_with(size_t size_bytes, int flags)
{
    return size_bytes > PEER_SIZE_MAX ? NULL : mallocx(size_bytes, flags);
}

static void *allocate(void *self, size_t size_bytes)
{
    (void)self;
    return allocate_with(size_bytes, 0);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    (void)self;
    return allocate_with(peer_product(n, size_bytes), MALLOCX_ZERO);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    (void)self;
    return allocate_with(size_bytes, align_flags(align_bytes));
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)size_bytes;
    dallocx(p, 0);
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer release_sized(void *self, void *p, size_t size_bytes,
                                             size_t align_bytes)
{
    (void)self;
    sdallocx(p, size_bytes, align_flags(align_bytes));
    return SLM_ADAPTER_OK;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    return new_bytes > PEER_SIZE_MAX ? NULL : rallocx(p, new_bytes, 0);
}

static void *resize_aligned(void *self, void *p, size_t align_bytes, size_t old_bytes,
                            size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    return new_bytes > PEER_SIZE_MAX ? NULL : rallocx(p, new_bytes, align_flags(align_bytes));
}

/* xallocx returns the size that the object has after the call. An object that stays in a larger
 * class has not been resized: sdallocx would not find its class by the new size. */
static enum slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    bool done = new_bytes <= PEER_SIZE_MAX && xallocx(p, new_bytes, 0, 0) == nallocx(new_bytes, 0);
    return done ? SLM_ADAPTER_OK : SLM_ADAPTER_UNCHANGED;
}

static size_t usable_bytes(void *self, void *p)
{
    (void)self;
    return sallocx(p, 0);
}

/* Its smallest class has 8 bytes, and starts at any multiple of them. */
static size_t align_of(void *self, size_t size_bytes)
{
    (void)self;
    return size_bytes <= 8 ? 8 : 16;
}

SLM_ADAPTER(jemalloc) = {
    .create = peer_arena,
    .alloc = allocate,
    .free = release,
    .alloc_zeroed = allocate_zeroed,
    .alloc_aligned = allocate_aligned,
    .resize = resize,
    .resize_aligned = resize_aligned,
    .resize_in_place = resize_in_place,
    .free_sized = release_sized,
    .usable_bytes = usable_bytes,
    .align_of = align_of,
    .align_max_bytes = PEER_ALIGN_MAX,
    /* "undefined if size is 0" (jemalloc(3), mallocx and rallocx) */
    .zero = SLM_ADAPTER_ZERO_UNASKED,
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_UNASKED,
    .size_max_bytes = PEER_SIZE_MAX,
    .memory = SLM_ADAPTER_SYSTEM,
    .any_thread = true,
    .destroy_needs_empty = true,
    .freed_serves = true,
    .empty_serves = true,
};
