/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nginx for measurements: its pool and slab as adapters that add nothing to nginx's own calls, and
 * its lock, tree and zones as kernels. The mill has other adapters of them, which check.
 */
#include <ngx_config.h>
#include <ngx_core.h>

#include <stdlib.h>
#include <string.h>

#include <slabmill/adapter.h>

#include "peers/nginx/zone.h"

/* --- Slab. `self` is nginx's own. --- */

static void *create_slab(const struct slm_adapter_env *env)
{
    return bench_slab_init(env->region, env->region_bytes);
}

static void destroy_slab(void *self)
{
    ngx_slab_pool_t *slab = self;
    ngx_shmtx_destroy(&slab->mutex);
}

static void *slab_alloc(void *self, size_t size_bytes)
{
    return ngx_slab_alloc(self, size_bytes);
}

static enum slm_adapter_answer slab_free(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    ngx_slab_free(self, p);
    return SLM_ADAPTER_OK;
}

static void *slab_alloc_locked(void *self, size_t size_bytes)
{
    return ngx_slab_alloc_locked(self, size_bytes);
}

static enum slm_adapter_answer slab_free_locked(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    ngx_slab_free_locked(self, p);
    return SLM_ADAPTER_OK;
}

#define SLAB                                                                                       \
    .create = create_slab, .destroy = destroy_slab, .align_bytes = 8,                              \
    .memory = SLM_ADAPTER_REGION, .region_min_bytes = 65536

SLM_ADAPTER(nginx_bench_slab) = {SLAB, .alloc = slab_alloc, .free = slab_free};
/* The caller holds the lock. */
SLM_ADAPTER(nginx_bench_slab_nl) = {SLAB, .alloc = slab_alloc_locked, .free = slab_free_locked};

/* --- Pool, with blocks of the C heap, as nginx has them --- */

static ngx_log_t quiet_log;

static void *create_pool(const struct slm_adapter_env *env)
{
    return ngx_create_pool(env->pool_shape->block_bytes, &quiet_log);
}

static void destroy_pool(void *self)
{
    ngx_destroy_pool(self);
}

static void reset_pool(void *self)
{
    ngx_reset_pool(self);
}

static void *pool_alloc(void *self, size_t size_bytes)
{
    return ngx_palloc(self, size_bytes);
}

static void *pool_alloc_packed(void *self, size_t size_bytes)
{
    return ngx_pnalloc(self, size_bytes);
}

static enum slm_adapter_answer pool_free(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    return ngx_pfree(self, p) == NGX_OK ? SLM_ADAPTER_OK : SLM_ADAPTER_UNCHANGED;
}

static size_t count_records(void *self)
{
    const ngx_pool_t *pool = self;
    size_t n = 0;
    for (const ngx_pool_large_t *large = pool->large; large != NULL; large = large->next) {
        n++;
    }
    return n;
}

static const struct slm_adapter_checks pool_checks = {.walk_size = count_records};
static const struct slm_adapter_pool pool_more = {.alloc_packed = pool_alloc_packed,
                                                  .packed_align_bytes = 1};

SLM_ADAPTER(nginx_bench_pool) = {.create = create_pool,
                                 .destroy = destroy_pool,
                                 .reset = reset_pool,
                                 .alloc = pool_alloc,
                                 .free = pool_free,
                                 .align_bytes = NGX_ALIGNMENT,
                                 .zero = SLM_ADAPTER_ZERO_UNASKED,
                                 .memory = SLM_ADAPTER_SOURCE,
                                 .checks = &pool_checks,
                                 .pool = &pool_more};
