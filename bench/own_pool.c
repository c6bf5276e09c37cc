/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of this library's pool: calls as a program compiles them, the inline ones inlined. */
#include <slabmill/pool.h>

#include "bench/own_kernels.h"

#define BLOCK_BYTES 4096u

typedef struct slm_pool bench_pool;

static inline bench_pool *pool_create(void)
{
    bench_pool *pool = NULL;
    bench_must(slm_pool_create(&pool, BLOCK_BYTES, slm_source_heap(), 0), "pool");
    return pool;
}

static inline void pool_destroy(bench_pool *pool)
{
    (void)slm_pool_destroy(pool);
}

static inline void pool_reset(bench_pool *pool)
{
    (void)slm_pool_reset(pool);
}

static inline void *pool_alloc(bench_pool *pool, size_t size_bytes)
{
    return slm_pool_alloc(pool, size_bytes);
}

static inline void *pool_alloc_packed(bench_pool *pool, size_t size_bytes)
{
    return slm_pool_alloc_packed(pool, size_bytes);
}

#include "bench/kernel/pool_loops.h"
