/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of nginx's pool: calls as a module of nginx compiles them. */
#include <ngx_config.h>
#include <ngx_core.h>

#include "peers/nginx/zone.h"

#define BLOCK_BYTES 4096u

typedef ngx_pool_t bench_pool;

static ngx_log_t quiet_log;

static inline bench_pool *pool_create(void)
{
    return ngx_create_pool(BLOCK_BYTES, &quiet_log);
}

static inline void pool_destroy(bench_pool *pool)
{
    ngx_destroy_pool(pool);
}

static inline void pool_reset(bench_pool *pool)
{
    ngx_reset_pool(pool);
}

static inline void *pool_alloc(bench_pool *pool, size_t size_bytes)
{
    return ngx_palloc(pool, size_bytes);
}

static inline void *pool_alloc_packed(bench_pool *pool, size_t size_bytes)
{
    return ngx_pnalloc(pool, size_bytes);
}

#include "bench/kernel/pool_loops.h"
