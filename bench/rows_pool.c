/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: requests, many small objects, strings, resets, large blocks. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <math.h>
#include <stdlib.h>

#include "bench/bench.h"

#define N_SIZES        1024u
#define REQUEST_SMALL  50u
#define REQUEST_LARGE  2u
#define STRING_MAX     64u
#define N_RECORD_STEPS 8000u

struct pool_work {
    struct bench_stage stage;
    const struct bench_row *row;
    uint32_t sizes[N_SIZES];
    void **live;
    size_t n_live;
    uint64_t seed;
    bool keeps; /* objects are freed one by one */
};

static struct pool_work *begin_pool(const struct bench_row *row,
                                    const struct bench_subject *subject, size_t n_live)
{
    struct pool_work *w = bench_need(1, sizeof *w);
    /* Freed memory stays in the process: what is measured is no page fault. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    w->row = row;
    w->seed = 1;
    w->n_live = n_live;
    w->keeps = subject->adapter != NULL && !bench_drops_all(subject->adapter);
    w->live = bench_need(n_live, sizeof *w->live);
    if (subject->adapter == NULL || !bench_stage_open(&w->stage, subject->adapter, 0)) {
        free(w->live);
        free(w);
        return NULL;
    }
    return w;
}

static void end_pool(void *work)
{
    struct pool_work *w = work;
    bench_stage_close(&w->stage, w->live, w->n_live, 0);
    free(w->live);
    free(w);
}

static void fill_sizes(struct pool_work *w, size_t min_bytes, size_t max_bytes)
{
    for (size_t i = 0; i < N_SIZES; i++) {
        w->sizes[i] = (uint32_t)(min_bytes + bench_below(&w->seed, max_bytes - min_bytes + 1));
    }
}

/* Frees what the arena does not drop by itself, and makes it again. */
static void renew(struct pool_work *w, size_t n)
{
    const struct slm_adapter *a = w->stage.adapter;
    for (size_t i = 0; i < n && !bench_drops_all(a); i++) {
        (void)a->free(w->stage.self, w->live[i], 0);
        w->live[i] = NULL;
    }
    (void)bench_stage_renew(&w->stage);
}

/* --- Requests: create, allocate, destroy --- */

static void *begin_request(const struct bench_row *row, const struct bench_subject *subject,
                           const struct bench_meter *meter)
{
    struct pool_work *w = begin_pool(row, subject, REQUEST_SMALL + REQUEST_LARGE);
    (void)meter;
    if (w != NULL) {
        fill_sizes(w, 16, 512);
    }
    return w;
}

/* Pools: the arena is made again for each request. */
static void run_request(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    const struct slm_adapter *a = w->stage.adapter;
    size_t n_large = w->row->n;
    size_t at = 0;
    for (size_t done = 0; done < n_ops; done += REQUEST_SMALL + n_large) {
        for (size_t i = 0; i < REQUEST_SMALL; i++) {
            w->live[i] = a->alloc(w->stage.self, w->sizes[at++ % N_SIZES]);
        }
        for (size_t i = 0; i < n_large; i++) {
            w->live[REQUEST_SMALL + i] = a->alloc(w->stage.self, 8192 + 4096 * i);
        }
        renew(w, REQUEST_SMALL + n_large);
    }
}

/* --- One million objects, and strings --- */

static void *begin_many(const struct bench_row *row, const struct bench_subject *subject,
                        const struct bench_meter *meter)
{
    struct pool_work *w = begin_pool(row, subject, row->n);
    (void)meter;
    if (w != NULL) {
        fill_sizes(w, 1, STRING_MAX);
    }
    return w;
}

static void run_many(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    const struct slm_adapter *a = w->stage.adapter;
    for (size_t done = 0; done < n_ops; done += w->row->n) {
        for (size_t i = 0; i < w->row->n; i++) {
            void *p = a->alloc(w->stage.self, w->row->bytes);
            if (w->keeps) {
                w->live[i] = p;
            }
        }
        renew(w, w->row->n);
    }
}

static void run_strings(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    const struct slm_adapter *a = w->stage.adapter;
    void *(*alloc)(void *, size_t) =
        a->pool != NULL && a->pool->alloc_packed != NULL ? a->pool->alloc_packed : a->alloc;
    for (size_t done = 0; done < n_ops; done += w->row->n) {
        for (size_t i = 0; i < w->row->n; i++) {
            void *p = alloc(w->stage.self, w->sizes[i % N_SIZES]);
            if (w->keeps) {
                w->live[i] = p;
            }
        }
        renew(w, w->row->n);
    }
}

/* The system's pages, too: the heap has given back what it had. */
static double measure_fresh(const struct bench_row *row, const struct bench_subject *subject)
{
    struct pool_work *w = begin_pool(row, subject, row->n);
    if (w == NULL) {
        return NAN;
    }
    (void)malloc_trim(0);
    double start = bench_cpu_ns();
    for (size_t i = 0; i < row->n; i++) {
        void *p = subject->adapter->alloc(w->stage.self, row->bytes);
        if (w->keeps) {
            w->live[i] = p;
        }
    }
    double ns = (bench_cpu_ns() - start) / (double)row->n;
    end_pool(w);
    return ns;
}

/* --- After a reset --- */

static void run_reset(void *work, size_t n_ops)
{
    struct pool_work *w = work;
    const struct slm_adapter *a = w->stage.adapter;
    for (size_t done = 0; done < n_ops; done += w->row->n) {
        a->reset(w->stage.self);
        for (size_t i = 0; i < w->row->n; i++) {
            (void)a->alloc(w->stage.self, w->row->bytes);
        }
    }
}

static void *begin_reset(const struct bench_row *row, const struct bench_subject *subject,
                         const struct bench_meter *meter)
{
    (void)meter;
    bool can = subject->adapter != NULL && subject->adapter->reset != NULL;
    struct pool_work *w = can ? begin_pool(row, subject, 0) : NULL;
    if (w != NULL) {
        run_reset(w, row->n);
    }
    return w;
}

/* --- Large blocks --- */

static void step_large(struct pool_work *w)
{
    const struct slm_adapter *a = w->stage.adapter;
    uint64_t random = bench_random(&w->seed);
    size_t i = random % w->n_live;
    (void)a->free(w->stage.self, w->live[i], 0);
    w->live[i] = a->alloc(w->stage.self, w->sizes[(random >> 12) % N_SIZES]);
}

static void run_large(void *work, size_t n_ops)
{
    for (size_t i = 0; i < n_ops; i++) {
        step_large(work);
    }
}

static bool frees_one(const struct pool_work *w)
{
    const struct slm_adapter *a = w->stage.adapter;
    void *p = a->alloc(w->stage.self, 8192);
    return p != NULL && a->free(w->stage.self, p, 8192) == SLM_ADAPTER_OK;
}

static void *begin_large(const struct bench_row *row, const struct bench_subject *subject,
                         const struct bench_meter *meter)
{
    (void)meter;
    struct pool_work *w = begin_pool(row, subject, row->n);
    if (w == NULL) {
        return NULL;
    }
    if (!frees_one(w)) {
        w->n_live = 0;
        end_pool(w);
        return NULL;
    }
    fill_sizes(w, 5000, 16000);
    for (size_t i = 0; i < row->n; i++) {
        w->live[i] = subject->adapter->alloc(w->stage.self, w->sizes[i % N_SIZES]);
    }
    return w;
}

static double count_records(const struct bench_row *row, const struct bench_subject *subject)
{
    const struct slm_adapter *a = subject->adapter;
    bool can = a != NULL && a->checks != NULL && a->checks->walk_size != NULL;
    struct pool_work *w = can ? begin_large(row, subject, NULL) : NULL;
    if (w == NULL) {
        return NAN;
    }
    run_large(w, N_RECORD_STEPS);
    double n = (double)a->checks->walk_size(w->stage.self);
    end_pool(w);
    return n;
}

#define REQUEST .begin = begin_request, .run = run_request, .end = end_pool
#define MANY    .begin = begin_many, .run = run_many, .end = end_pool, .bytes = 32
#define STRINGS .begin = begin_many, .run = run_strings, .end = end_pool
#define RESET   .begin = begin_reset, .run = run_reset, .end = end_pool, .bytes = 32
#define LARGE   .begin = begin_large, .run = run_large, .end = end_pool, .batch = 256

const struct bench_row bench_pool_rows[] = {
    {REQUEST, .name = "pool/request_large",
     .text = "pool: request with 2 large blocks, an allocation", .n = REQUEST_LARGE,
     .batch = REQUEST_SMALL + REQUEST_LARGE, .goal = .45},
    {REQUEST, .name = "pool/request_small", .text = "pool: request without large, an allocation",
     .batch = REQUEST_SMALL, .goal = .28},
    {MANY, .name = "pool/many_1M", .text = "pool: 1 M x 32 B, create to destroy", .n = 1000000,
     .batch = 1000000, .goal = .18},
    {STRINGS, .name = "pool/strings_1k", .text = "pool: 1,000 packed strings, in cache", .n = 1000,
     .batch = 1000, .goal = .18},
    {STRINGS, .name = "pool/strings_1M", .text = "pool: 1 M packed strings, 32 MB", .n = 1000000,
     .batch = 1000000, .goal = .18, .flags = BENCH_NO_COUNT},
    {.name = "pool/fresh",
     .text = "pool: fresh memory, 1 M x 32 B",
     .unit = "ns",
     .n = 1000000,
     .bytes = 32,
     .goal = .32,
     .figure = measure_fresh},
    {RESET, .name = "pool/reset_1k", .text = "pool: 1,000 objects after a reset", .n = 1000,
     .batch = 1000, .goal = .25},
    {RESET, .name = "pool/reset_10k", .text = "pool: 10,000 objects after a reset", .n = 10000,
     .batch = 10000, .goal = .02},
    {RESET, .name = "pool/reset_100k", .text = "pool: 100,000 objects after a reset", .n = 100000,
     .batch = 100000, .goal = .001, .flags = BENCH_NO_COUNT},
    {RESET, .name = "pool/reset_1M", .text = "pool: 1 M objects after a reset", .n = 1000000,
     .batch = 1000000, .goal = .0001, .flags = BENCH_SLOW | BENCH_NO_COUNT},
    {LARGE, .name = "pool/large_1", .text = "pool: large blocks, 1 live", .n = 1},
    {LARGE, .name = "pool/large_16", .text = "pool: large blocks, 16 live", .n = 16},
    {LARGE, .name = "pool/large_1000", .text = "pool: large blocks, 1,000 live", .n = 1000},
    {.name = "pool/records",
     .text = "pool: records after 8,000 large blocks, 1,000 live",
     .unit = "records",
     .n = 1000,
     .goal = .11,
     .figure = count_records},
    {0},
};
