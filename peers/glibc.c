/* SPDX-License-Identifier: Apache-2.0 */
/* glibc's malloc, as malloc(3) and posix_memalign(3) of Linux man-pages describe it. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>

#include "peers/peer.h"

static void *allocate(void *self, size_t size_bytes)
{
    (void)self;
    return size_bytes > PEER_SIZE_MAX ? NULL : malloc(size_bytes);
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)size_bytes;
    free(p);
    return SLM_ADAPTER_OK;
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    (void)self;
    size_t product = peer_product(n, size_bytes);
    return product != SIZE_MAX && product > PEER_SIZE_MAX ? NULL : calloc(n, size_bytes);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    (void)self;
    void *p = NULL;
    bool served = size_bytes <= PEER_SIZE_MAX && posix_memalign(&p, align_bytes, size_bytes) == 0;
    return served ? p : NULL;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    return new_bytes > PEER_SIZE_MAX ? NULL : realloc(p, new_bytes);
}

static size_t usable_bytes(void *self, void *p)
{
    (void)self;
    return malloc_usable_size(p);
}

static size_t trim(void *self)
{
    (void)self;
    return (size_t)malloc_trim(0);
}

SLM_ADAPTER(glibc) = {
    .create = peer_arena,
    .alloc = allocate,
    .free = release,
    .alloc_zeroed = allocate_zeroed,
    .alloc_aligned = allocate_aligned,
    .resize = resize,
    .usable_bytes = usable_bytes,
    .trim = trim,
    .align_min_bytes = sizeof(void *),
    .align_max_bytes = PEER_ALIGN_MAX,
    .zero = SLM_ADAPTER_ZERO_UNIQUE,
    .size_max_bytes = PEER_SIZE_MAX,
    .resize_null = true,
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_FREES,
    .memory = SLM_ADAPTER_SYSTEM,
    .any_thread = true,
    .destroy_needs_empty = true,
    .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)},
    .freed_serves = true,
    .empty_serves = true,
};
