/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mimalloc, with a heap of its own for each arena, by the names that only it has (mi_malloc and so
 * on): its malloc, which the library exports too, does not replace that of the process, since the
 * mill loads plugins with local symbols.
 */
#include <mimalloc.h>

#include "peers/peer.h"

static void *create(const struct slm_adapter_env *env)
{
    (void)env;
    return mi_heap_new();
}

static void destroy(void *self)
{
    mi_heap_destroy(self);
}

static void *allocate(void *self, size_t size_bytes)
{
    return size_bytes > PEER_SIZE_MAX ? NULL : mi_heap_malloc(self, size_bytes);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    size_t product = peer_product(n, size_bytes);
    return product != SIZE_MAX && product > PEER_SIZE_MAX ? NULL
                                                          : mi_heap_calloc(self, n, size_bytes);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    return size_bytes > PEER_SIZE_MAX ? NULL
                                      : mi_heap_malloc_aligned(self, size_bytes, align_bytes);
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)size_bytes;
    mi_free(p);
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer release_sized(void *self, void *p, size_t size_bytes,
                                             size_t align_bytes)
{
    (void)self;
    if (align_bytes == 0) {
        mi_free_size(p, size_bytes);
    } else {
        mi_free_size_aligned(p, size_bytes, align_bytes);
    }
    return SLM_ADAPTER_OK;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    (void)old_bytes;
    return new_bytes > PEER_SIZE_MAX ? NULL : mi_heap_realloc(self, p, new_bytes);
}

static void *resize_aligned(void *self, void *p, size_t align_bytes, size_t old_bytes,
                            size_t new_bytes)
{
    (void)old_bytes;
    return new_bytes > PEER_SIZE_MAX ? NULL
                                     : mi_heap_realloc_aligned(self, p, new_bytes, align_bytes);
}

static enum slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    return mi_expand(p, new_bytes) != NULL ? SLM_ADAPTER_OK : SLM_ADAPTER_UNCHANGED;
}

static size_t usable_bytes(void *self, void *p)
{
    (void)self;
    return mi_usable_size(p);
}

static size_t trim(void *self)
{
    mi_heap_collect(self, true);
    return 0;
}

struct visitor {
    slm_adapter_visit_fn visit;
    void *data;
};

/* It is called for each area of blocks, without a block, and then for its blocks. */
static bool visit_block(const mi_heap_t *heap, const mi_heap_area_t *area, void *block,
                        size_t block_bytes, void *data)
{
    const struct visitor *visitor = data;
    (void)heap;
    (void)area;
    if (block != NULL) {
        visitor->visit(visitor->data, block, block_bytes);
    }
    return true;
}

static void walk(void *self, slm_adapter_visit_fn visit, void *data)
{
    struct visitor visitor = {visit, data};
    (void)mi_heap_visit_blocks(self, true, visit_block, &visitor);
}

/* Its smallest class has 8 bytes, and starts at any multiple of them. */
static size_t align_of(void *self, size_t size_bytes)
{
    (void)self;
    return size_bytes <= 8 ? 8 : 16;
}

#define MIMALLOC                                                                                   \
    .create = create, .destroy = destroy, .alloc = allocate, .free = release,                      \
    .alloc_zeroed = allocate_zeroed, .resize = resize, .resize_in_place = resize_in_place,         \
    .free_sized = release_sized, .usable_bytes = usable_bytes, .trim = trim, .align_of = align_of, \
    .zero = SLM_ADAPTER_ZERO_UNIQUE, .size_max_bytes = PEER_SIZE_MAX, .resize_null = true,         \
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES, .memory = SLM_ADAPTER_SYSTEM,                  \
    .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)},                     \
    .freed_serves = true, .empty_serves = true

#define ALIGNED .alloc_aligned = allocate_aligned, .align_max_bytes = PEER_ALIGN_MAX

SLM_ADAPTER(mimalloc) = {MIMALLOC, .any_thread = true};

/* With mi_heap_malloc_aligned. */
SLM_ADAPTER(mimalloc_aligned) = {MIMALLOC, ALIGNED};

/* With mi_heap_realloc_aligned. */
SLM_ADAPTER(mimalloc_realigned) = {MIMALLOC, .resize_aligned = resize_aligned,
                                   .align_max_bytes = PEER_ALIGN_MAX};

/* With mi_heap_visit_blocks, which reports where a block starts: an aligned object may start later.
 * It visits what another thread freed until this one collects it, so no other thread frees here. */
SLM_ADAPTER(mimalloc_walk) = {MIMALLOC, .walk = walk};
