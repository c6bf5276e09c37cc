/* SPDX-License-Identifier: Apache-2.0 */
/* The loops of a pool's kernels, the same for each competitor. */
#ifndef BENCH_POOL_LOOPS_H
#define BENCH_POOL_LOOPS_H

#include <malloc.h>
#include <stdlib.h>

#include "bench/kernel/kernel.h"

/*
 * A competitor includes this file once, after it has defined the type bench_pool, and as inline
 * functions pool_create, pool_destroy, pool_reset, pool_alloc and pool_alloc_packed. The loops are
 * compiled with them: no call through a pointer is counted. They are declared in the competitor's
 * own header.
 */
#define OBJECT_BYTES  32u
#define STRING_MAX    64u
#define REQUEST_SMALL 50u
#define N_SIZES       1024u

/* The result is used, as far as the compiler knows. */
static inline void keep(void *p)
{
    __asm__ volatile("" : : "r"(p));
}

struct pool_work {
    bench_pool *pool;
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
    w->pool = pool_create();
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
    pool_destroy(w->pool);
    free(w);
}

static void renew(struct pool_work *w)
{
    pool_destroy(w->pool);
    w->pool = pool_create();
}

void bench_pool_run_request(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    size_t at = 0;
    for (size_t done = 0; done < n_ops; done += REQUEST_SMALL) {
        for (size_t i = 0; i < REQUEST_SMALL; i++) {
            keep(pool_alloc(w->pool, w->sizes[at++ % N_SIZES]));
        }
        renew(w);
    }
}

void bench_pool_run_many(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    for (size_t done = 0; done < n_ops; done += w->n) {
        for (size_t i = 0; i < w->n; i++) {
            keep(pool_alloc(w->pool, OBJECT_BYTES));
        }
        renew(w);
    }
}

void bench_pool_run_strings(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    for (size_t done = 0; done < n_ops; done += w->n) {
        for (size_t i = 0; i < w->n; i++) {
            keep(pool_alloc_packed(w->pool, w->sizes[i % N_SIZES]));
        }
        renew(w);
    }
}

void bench_pool_run_reset(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    for (size_t done = 0; done < n_ops; done += w->n) {
        pool_reset(w->pool);
        for (size_t i = 0; i < w->n; i++) {
            keep(pool_alloc(w->pool, OBJECT_BYTES));
        }
    }
}

#endif
