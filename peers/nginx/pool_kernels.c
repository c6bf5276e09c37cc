/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of nginx's pool: calls as a module of nginx compiles them. */
#include <ngx_config.h>
#include <ngx_core.h>

#include <malloc.h>
#include <stdlib.h>

#include "peers/nginx/zone.h"

#define BLOCK_BYTES   4096u
#define OBJECT_BYTES  32u
#define STRING_MAX    64u
#define REQUEST_SMALL 50u
#define N_SIZES       1024u

/* The result is used, as far as the compiler knows. */
static inline void keep(void *p)
{
    __asm__ volatile("" : : "r"(p));
}

static ngx_log_t quiet_log;

static ngx_pool_t *create_pool(void)
{
    return ngx_create_pool(BLOCK_BYTES, &quiet_log);
}

struct pool_work {
    ngx_pool_t *pool;
    size_t n;
    uint64_t seed;
    uint32_t sizes[N_SIZES];
};

static struct pool_work *begin_sizes(size_t n, size_t min_bytes, size_t max_bytes)
{
    struct pool_work *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return NULL;
    }
    /* Freed memory stays in the process: what is measured is no page fault. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    w->n = n;
    w->pool = create_pool();
    for (size_t i = 0; i < N_SIZES; i++) {
        w->sizes[i] = (uint32_t)(min_bytes + bench_below(&w->seed, max_bytes - min_bytes + 1));
    }
    return w;
}

void *bench_pool_begin(const struct bench_meter *meter, size_t n)
{
    (void)meter;
    return begin_sizes(n, 1, STRING_MAX);
}

void *bench_pool_begin_request(const struct bench_meter *meter, size_t n)
{
    (void)meter;
    return begin_sizes(n, 16, 512);
}

void bench_pool_end(void *work)
{
    struct pool_work *w = work;
    ngx_destroy_pool(w->pool);
    free(w);
}

static void renew(struct pool_work *w)
{
    ngx_destroy_pool(w->pool);
    w->pool = create_pool();
}

void bench_pool_run_request(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    size_t at = 0;
    for (size_t done = 0; done < n_ops; done += REQUEST_SMALL) {
        for (size_t i = 0; i < REQUEST_SMALL; i++) {
            keep(ngx_palloc(w->pool, w->sizes[at++ % N_SIZES]));
        }
        renew(w);
    }
}

void bench_pool_run_many(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    for (size_t done = 0; done < n_ops; done += w->n) {
        for (size_t i = 0; i < w->n; i++) {
            keep(ngx_palloc(w->pool, OBJECT_BYTES));
        }
        renew(w);
    }
}

void bench_pool_run_strings(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    for (size_t done = 0; done < n_ops; done += w->n) {
        for (size_t i = 0; i < w->n; i++) {
            keep(ngx_pnalloc(w->pool, w->sizes[i % N_SIZES]));
        }
        renew(w);
    }
}

void bench_pool_run_reset(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    for (size_t done = 0; done < n_ops; done += w->n) {
        ngx_reset_pool(w->pool);
        for (size_t i = 0; i < w->n; i++) {
            keep(ngx_palloc(w->pool, OBJECT_BYTES));
        }
    }
}
