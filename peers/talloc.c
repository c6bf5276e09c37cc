/* SPDX-License-Identifier: Apache-2.0 */
/* talloc: an arena is a context, its objects are children of it. */
#include <talloc.h>

#include "peers/peer.h"

/* "talloc_size ... fails if size is MAX_TALLOC_SIZE or more": 256 MiB. The cap is below. */
static void *create(const struct slm_adapter_env *env)
{
    (void)env;
    return talloc_new(NULL);
}

/* A context whose first children share one block. */
static void *create_pool(const struct slm_adapter_env *env)
{
    return talloc_pool(NULL, env->pool_shape->block_bytes);
}

static void destroy(void *self)
{
    (void)talloc_free(self);
}

static void *allocate(void *self, size_t size_bytes)
{
    return size_bytes > PEER_SIZE_MAX ? NULL : talloc_size(self, size_bytes);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    size_t product = peer_product(n, size_bytes);
    return product > PEER_SIZE_MAX ? NULL : talloc_zero_size(self, product);
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)size_bytes;
    return talloc_free(p) == 0 ? SLM_ADAPTER_OK : SLM_ADAPTER_BAD;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    (void)old_bytes;
    return new_bytes > PEER_SIZE_MAX ? NULL : talloc_realloc_size(self, p, new_bytes);
}

static size_t usable_bytes(void *self, void *p)
{
    (void)self;
    return talloc_get_size(p);
}

static void reset(void *self)
{
    talloc_free_children(self);
}

/* The context counts as a block, of 0 bytes. */
static void statistics(void *self, struct slm_adapter_statistics *statistics)
{
    statistics->n_objects = talloc_total_blocks(self) - 1;
    statistics->object_bytes = talloc_total_size(self);
}

#define TALLOC                                                                                     \
    .destroy = destroy, .alloc = allocate, .free = release, .alloc_zeroed = allocate_zeroed,       \
    .resize = resize, .usable_bytes = usable_bytes, .reset = reset, .statistics = statistics,      \
    .zero = SLM_ADAPTER_ZERO_UNIQUE, .size_max_bytes = PEER_SIZE_MAX, .resize_null = true,         \
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_FREES, .memory = SLM_ADAPTER_SYSTEM,                    \
    .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD)},                    \
    .freed_serves = true, .empty_serves = true

SLM_ADAPTER(talloc) = {TALLOC, .create = create};
SLM_ADAPTER(talloc_pool) = {TALLOC, .create = create_pool};
