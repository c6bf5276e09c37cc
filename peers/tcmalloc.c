/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gperftools' tcmalloc, by the names that only it has (tc_malloc and so on): its malloc, which the
 * library exports too, does not replace that of the process, since the mill loads plugins with
 * local symbols.
 */
#include <gperftools/tcmalloc.h>

#include "peers/peer.h"

static void *allocate(void *self, size_t size_bytes)
{
    (void)self;
    return size_bytes > PEER_SIZE_MAX ? NULL : tc_malloc(size_bytes);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    (void)self;
    size_t product = peer_product(n, size_bytes);
    return product != SIZE_MAX && product > PEER_SIZE_MAX ? NULL : tc_calloc(n, size_bytes);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    (void)self;
    void *p = NULL;
    bool served =
        size_bytes <= PEER_SIZE_MAX && tc_posix_memalign(&p, align_bytes, size_bytes) == 0;
    return served ? p : NULL;
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)size_bytes;
    tc_free(p);
    return SLM_ADAPTER_OK;
}

/* tc_free_sized wants the size of an object that tc_malloc made; there is no form for those of
 * tc_posix_memalign. */
static enum slm_adapter_answer release_sized(void *self, void *p, size_t size_bytes,
                                             size_t align_bytes)
{
    (void)self;
    if (align_bytes == 0) {
        tc_free_sized(p, size_bytes);
    } else {
        tc_free(p);
    }
    return SLM_ADAPTER_OK;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    return new_bytes > PEER_SIZE_MAX ? NULL : tc_realloc(p, new_bytes);
}

static size_t usable_bytes(void *self, void *p)
{
    (void)self;
    return tc_malloc_size(p);
}

static size_t align_of(void *self, size_t size_bytes)
{
    (void)self;
    return size_bytes < 16 ? 8 : 16;
}

#define TCMALLOC                                                                                   \
    .create = peer_arena, .alloc = allocate, .free = release, .alloc_zeroed = allocate_zeroed,     \
    .alloc_aligned = allocate_aligned, .resize = resize, .usable_bytes = usable_bytes,             \
    .align_of = align_of, .align_min_bytes = sizeof(void *), .align_max_bytes = PEER_ALIGN_MAX,    \
    .zero = SLM_ADAPTER_ZERO_UNIQUE, .size_max_bytes = PEER_SIZE_MAX, .resize_null = true,         \
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_FREES, .memory = SLM_ADAPTER_SYSTEM,                    \
    .any_thread = true, .destroy_needs_empty = true,                                               \
    .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)},                     \
    .freed_serves = true, .empty_serves = true

SLM_ADAPTER(tcmalloc) = {TCMALLOC};

/* With tc_free_sized. */
SLM_ADAPTER(tcmalloc_sized) = {TCMALLOC, .free_sized = release_sized};
