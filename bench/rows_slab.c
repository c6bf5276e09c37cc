/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs: allocate and free in a region that is nearly full. */
#include <math.h>
#include <stdlib.h>

#include "bench/bench.h"

#define MIB           ((size_t)1 << 20)
#define PAGE_BYTES    4096u
#define N_SIZES       4096u
#define LIFO_DEPTH    16u
#define N_RUN_STEPS   200000u
#define RUN_PAGES_MAX 64u
#define HOLE_RUNS     2048u
#define SAMPLES       100000u
#define QUICK_SAMPLES 20000u

struct slab_work {
    struct bench_stage stage;
    const struct bench_row *row;
    const struct bench_meter *meter;
    uint32_t *sizes;    /* N_SIZES to choose from, or NULL: row->bytes */
    uint32_t *bytes_of; /* of live objects, with sizes */
    void **live;
    size_t n_live;
    size_t n_max;
    size_t live_bytes;
    size_t limit_bytes;
    size_t n_refused;
    uint64_t seed;
};

static struct slab_work *begin_slab(const struct bench_row *row,
                                    const struct bench_subject *subject,
                                    const struct bench_meter *meter, size_t n_max)
{
    struct slab_work *w = bench_need(1, sizeof *w);
    w->row = row;
    w->meter = meter;
    w->seed = 7;
    if (subject->adapter == NULL ||
        !bench_stage_open(&w->stage, subject->adapter, row->region_bytes)) {
        free(w);
        return NULL;
    }
    w->live = bench_need(n_max, sizeof *w->live);
    return w;
}

static void end_slab(void *work)
{
    struct slab_work *w = work;
    bench_stage_close(&w->stage, w->live, w->n_live, 0);
    free(w->sizes);
    free(w->bytes_of);
    free(w->live);
    free(w);
}

static void *take(struct slab_work *w, size_t bytes)
{
    return w->stage.adapter->alloc(w->stage.self, bytes);
}

static void give(struct slab_work *w, void *p, size_t bytes)
{
    (void)w->stage.adapter->free(w->stage.self, p, bytes);
}

/* --- Objects of one size --- */

/* Fills the region to `share`, by what the smallest class would hold, with objects freed at
 * random. */
static void fill(struct slab_work *w, double share)
{
    size_t bytes = w->row->bytes;
    size_t n_max = w->row->region_bytes / bytes;
    void *p;
    while (w->n_live < n_max && (p = take(w, bytes)) != NULL) {
        w->live[w->n_live++] = p;
    }
    size_t n = (size_t)(share * (double)w->n_live);
    while (w->n_live > n) {
        size_t i = bench_below(&w->seed, w->n_live);
        give(w, w->live[i], bytes);
        w->live[i] = w->live[--w->n_live];
    }
}

static void *begin_lifo(const struct bench_row *row, const struct bench_subject *subject,
                        const struct bench_meter *meter)
{
    struct slab_work *w = begin_slab(row, subject, meter, row->region_bytes / row->bytes);
    if (w != NULL) {
        fill(w, .5);
    }
    return w;
}

static void run_lifo(void *work, size_t n_ops)
{
    struct slab_work *w = work;
    void *stack[LIFO_DEPTH];
    for (size_t done = 0; done < n_ops; done += LIFO_DEPTH) {
        for (size_t i = 0; i < LIFO_DEPTH; i++) {
            stack[i] = take(w, w->row->bytes);
        }
        for (size_t i = LIFO_DEPTH; i-- > 0;) {
            give(w, stack[i], w->row->bytes);
        }
    }
}

/* row->n: the fill in 1/100; 0: 90. */
static void *begin_random(const struct bench_row *row, const struct bench_subject *subject,
                          const struct bench_meter *meter)
{
    struct slab_work *w = begin_slab(row, subject, meter, row->region_bytes / row->bytes);
    if (w != NULL) {
        fill(w, row->n != 0 ? (double)row->n / 100 : .9);
    }
    return w;
}

static void run_random(void *work, size_t n_ops)
{
    struct slab_work *w = work;
    for (size_t done = 0; done < n_ops; done++) {
        size_t i = bench_below(&w->seed, w->n_live);
        give(w, w->live[i], w->row->bytes);
        w->live[i] = take(w, w->row->bytes);
    }
}

/* --- Objects of many sizes, and runs: row->n per mille of the region are live --- */

static void give_any(struct slab_work *w)
{
    size_t i = bench_below(&w->seed, w->n_live);
    give(w, w->live[i], w->bytes_of[i]);
    w->live_bytes -= w->bytes_of[i];
    w->live[i] = w->live[--w->n_live];
    w->bytes_of[i] = w->bytes_of[w->n_live];
}

static void take_sized(struct slab_work *w, uint32_t bytes)
{
    void *p = take(w, bytes);
    if (p == NULL) {
        w->n_refused++;
        return;
    }
    w->live[w->n_live] = p;
    w->bytes_of[w->n_live++] = bytes;
    w->live_bytes += bytes;
}

/* An allocation of another size than what was freed: as many releases as it needs come first. */
static void step_mixed(struct slab_work *w)
{
    uint32_t bytes = w->sizes[bench_below(&w->seed, N_SIZES)];
    while (w->n_live > 0 && (w->live_bytes + bytes > w->limit_bytes || w->n_live == w->n_max)) {
        give_any(w);
    }
    take_sized(w, bytes);
}

static void run_mixed(void *work, size_t n_ops)
{
    for (size_t done = 0; done < n_ops; done++) {
        step_mixed(work);
    }
}

static struct slab_work *begin_sizes(const struct bench_row *row,
                                     const struct bench_subject *subject,
                                     const struct bench_meter *meter, size_t mean_bytes)
{
    size_t limit = row->region_bytes / 1000 * row->n;
    struct slab_work *w = begin_slab(row, subject, meter, 2 * (limit / mean_bytes));
    if (w == NULL) {
        return NULL;
    }
    w->n_max = 2 * (limit / mean_bytes);
    w->limit_bytes = limit;
    w->sizes = bench_need(N_SIZES, sizeof *w->sizes);
    w->bytes_of = bench_need(w->n_max, sizeof *w->bytes_of);
    return w;
}

/* Fills in order, then replaces each object once on average. */
static struct slab_work *settle(struct slab_work *w)
{
    for (size_t i = 0; i < 2 * w->n_max; i++) {
        step_mixed(w);
    }
    w->n_refused = 0;
    return w;
}

/* 8 to 4096 bytes: each doubling is as frequent as any other. */
static void *begin_mixed(const struct bench_row *row, const struct bench_subject *subject,
                         const struct bench_meter *meter)
{
    struct slab_work *w = begin_sizes(row, subject, meter, 655);
    for (size_t i = 0; w != NULL && i < N_SIZES; i++) {
        w->sizes[i] = bench_mixed_size((double)i / N_SIZES);
    }
    return w == NULL ? NULL : settle(w);
}

static void *begin_runs(const struct bench_row *row, const struct bench_subject *subject,
                        const struct bench_meter *meter)
{
    struct slab_work *w = begin_sizes(row, subject, meter, 33 * PAGE_BYTES);
    for (size_t i = 0; w != NULL && i < N_SIZES; i++) {
        w->sizes[i] = (uint32_t)(PAGE_BYTES * (2 + i % (RUN_PAGES_MAX - 1)));
    }
    return w == NULL ? NULL : settle(w);
}

static double count_failures(const struct bench_row *row, const struct bench_subject *subject)
{
    bool can = subject->adapter != NULL && subject->adapter->memory == SLM_ADAPTER_REGION;
    struct slab_work *w = can ? begin_runs(row, subject, NULL) : NULL;
    if (w == NULL) {
        return NAN;
    }
    run_mixed(w, N_RUN_STEPS);
    double n = (double)w->n_refused;
    end_slab(w);
    return n;
}

/* --- One run, or one object --- */

static void *begin_one(const struct bench_row *row, const struct bench_subject *subject,
                       const struct bench_meter *meter)
{
    return begin_slab(row, subject, meter, 0);
}

static void run_one(void *work, size_t n_ops)
{
    struct slab_work *w = work;
    for (size_t done = 0; done < n_ops; done++) {
        give(w, take(w, w->row->bytes), w->row->bytes);
    }
}

/* Pages are taken, and every second one is freed: holes in front of all that is free. */
static void *begin_holes(const struct bench_row *row, const struct bench_subject *subject,
                         const struct bench_meter *meter)
{
    bool can = subject->adapter != NULL && subject->adapter->memory == SLM_ADAPTER_REGION;
    struct slab_work *w = can ? begin_slab(row, subject, meter, 2 * row->n) : NULL;
    if (w == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < 2 * row->n; i++) {
        w->live[i] = take(w, PAGE_BYTES);
    }
    w->n_live = 2 * row->n;
    return w;
}

/* Only allocations are measured. The holes are made just before, so that a free list has them
 * first. */
static void run_holes(void *work, size_t n_ops)
{
    struct slab_work *w = work;
    void *runs[HOLE_RUNS];
    for (size_t done = 0; done < n_ops; done += HOLE_RUNS) {
        w->meter->pause(w->meter->data);
        for (size_t i = 0; i < w->n_live; i += 2) {
            give(w, w->live[i], PAGE_BYTES);
        }
        w->meter->resume(w->meter->data);
        for (size_t i = 0; i < HOLE_RUNS; i++) {
            runs[i] = take(w, 2 * PAGE_BYTES);
        }
        w->meter->pause(w->meter->data);
        for (size_t i = 0; i < w->n_live; i += 2) {
            w->live[i] = take(w, PAGE_BYTES);
        }
        for (size_t i = HOLE_RUNS; i-- > 0;) {
            give(w, runs[i], 2 * PAGE_BYTES);
        }
        w->meter->resume(w->meter->data);
    }
}

/* --- Latency: allocations and releases, each on its own. row->batch: percentile in 1/1000 --- */

static void sample_free(struct slab_work *w, struct bench_latency *latency)
{
    size_t i = bench_below(&w->seed, w->n_live);
    double start = bench_clock_ns();
    give(w, w->live[i], w->row->bytes);
    bench_latency_add(latency, start);
    w->live[i] = take(w, w->row->bytes);
}

static void sample_alloc(struct slab_work *w, struct bench_latency *latency)
{
    size_t i = bench_below(&w->seed, w->n_live);
    give(w, w->live[i], w->row->bytes);
    double start = bench_clock_ns();
    w->live[i] = take(w, w->row->bytes);
    bench_latency_add(latency, start);
}

static void sample_run(struct slab_work *w, struct bench_latency *latency)
{
    uint32_t bytes = w->sizes[bench_below(&w->seed, N_SIZES)];
    while (w->n_live > 0 && w->live_bytes + bytes > w->limit_bytes) {
        give_any(w);
    }
    double start = bench_clock_ns();
    take_sized(w, bytes);
    bench_latency_add(latency, start);
}

static double percentile_of(struct slab_work *w, const struct bench_subject *subject,
                            void (*sample)(struct slab_work *, struct bench_latency *))
{
    struct bench_latency latency;
    if (w == NULL) {
        return NAN;
    }
    size_t n = subject->quick ? QUICK_SAMPLES : SAMPLES;
    bench_latency_init(&latency, n);
    for (size_t i = 0; i < n; i++) {
        sample(w, &latency);
    }
    double share = (double)w->row->batch / 1000;
    end_slab(w);
    return bench_latency_fini(&latency, share);
}

static double alloc_latency(const struct bench_row *row, const struct bench_subject *subject)
{
    return percentile_of(begin_random(row, subject, NULL), subject, sample_alloc);
}

static double free_latency(const struct bench_row *row, const struct bench_subject *subject)
{
    return percentile_of(begin_random(row, subject, NULL), subject, sample_free);
}

static double run_latency(const struct bench_row *row, const struct bench_subject *subject)
{
    return percentile_of(begin_runs(row, subject, NULL), subject, sample_run);
}

#define LIFO   .begin = begin_lifo, .run = run_lifo, .end = end_slab, .batch = 256
#define RANDOM .begin = begin_random, .run = run_random, .end = end_slab, .batch = 256
#define MIXED  .begin = begin_mixed, .run = run_mixed, .end = end_slab, .batch = 256
#define RUNS   .begin = begin_runs, .run = run_mixed, .end = end_slab, .batch = 256
#define ONE    .begin = begin_one, .run = run_one, .end = end_slab, .batch = 256
#define HOLES  .begin = begin_holes, .run = run_holes, .end = end_slab, .batch = HOLE_RUNS
#define FILL(percent)                                                                              \
    {                                                                                              \
        RANDOM, .name = "slab/64B_fill_" #percent,                                                 \
                .text = "slab: 64 B, random, 1 MiB, " #percent " % full", .n = (percent),          \
                .bytes = 64, .region_bytes = MIB                                                   \
    }
#define LATENCY .unit = "ns", .bytes = 64, .region_bytes = MIB

const struct bench_row bench_slab_rows[] = {
    {LIFO, .name = "slab/64B_lifo", .text = "slab: 64 B, last in first out, 1 MiB", .bytes = 64,
     .region_bytes = MIB, .goal = .33},
    {RANDOM, .name = "slab/64B_random", .text = "slab: 64 B, random, 1 MiB", .bytes = 64,
     .region_bytes = MIB, .goal = .19},
    FILL(50),
    FILL(75),
    FILL(95),
    FILL(99),
    {RANDOM, .name = "slab/8B_random", .text = "slab: 8 B, random, 1 MiB", .bytes = 8,
     .region_bytes = MIB, .goal = .15},
    {RANDOM, .name = "slab/512B_random", .text = "slab: 512 B, random, 1 MiB", .bytes = 512,
     .region_bytes = MIB, .goal = .4},
    {RANDOM, .name = "slab/2KiB_random", .text = "slab: 2 KiB, random, 1 MiB", .bytes = 2048,
     .region_bytes = MIB, .goal = .4},
    {RANDOM, .name = "slab/64B_random_64MiB", .text = "slab: 64 B, random, 64 MiB", .bytes = 64,
     .region_bytes = 64 * MIB, .goal = .17, .flags = BENCH_NO_COUNT},
    {MIXED, .name = "slab/mixed_64MiB", .text = "slab: 8 B to 4 KiB, 64 MiB", .n = 600,
     .region_bytes = 64 * MIB, .goal = .22, .flags = BENCH_NO_COUNT},
    {MIXED, .name = "slab/mixed_4MiB", .text = "slab: 8 B to 4 KiB, 4 MiB", .n = 600,
     .region_bytes = 4 * MIB, .goal = .2},
    {RUNS, .name = "slab/runs_75", .text = "slab: runs of 2 to 64 pages, 75 % full", .n = 750,
     .region_bytes = 64 * MIB, .goal = .6},
    {RUNS, .name = "slab/runs_85", .text = "slab: runs of 2 to 64 pages, 85 % full", .n = 850,
     .region_bytes = 64 * MIB, .goal = .6},
    {.name = "slab/runs_75_failed",
     .text = "slab: the same, failed of 200,000",
     .unit = "failures",
     .n = 750,
     .region_bytes = 64 * MIB,
     .figure = count_failures},
    {.name = "slab/runs_85_failed",
     .text = "slab: the same, 85 %, failed of 200,000",
     .unit = "failures",
     .n = 850,
     .region_bytes = 64 * MIB,
     .figure = count_failures},
    {HOLES, .name = "slab/run_holes_0", .text = "slab: a run of 2 pages, no holes", .n = 0,
     .region_bytes = 64 * MIB},
    {HOLES, .name = "slab/run_holes_1000", .text = "slab: a run after 1,000 holes", .n = 1000,
     .region_bytes = 64 * MIB},
    {HOLES, .name = "slab/run_holes_5000", .text = "slab: a run after 5,000 holes", .n = 5000,
     .region_bytes = 64 * MIB},
    {ONE, .name = "slab/run_16MiB", .text = "slab: a run of 16 MiB", .bytes = 16 * MIB,
     .region_bytes = 64 * MIB, .goal = .02},
    {ONE, .name = "slab/one_8B", .text = "slab: one 8 B object, empty region", .bytes = 8,
     .region_bytes = MIB, .goal = .5},
    {LATENCY, .name = "slab/alloc_p50", .text = "slab: 64 B allocation, p50", .batch = 500,
     .figure = alloc_latency},
    {LATENCY, .name = "slab/alloc_p99", .text = "slab: 64 B allocation, p99", .batch = 990,
     .figure = alloc_latency},
    {LATENCY, .name = "slab/alloc_p999", .text = "slab: 64 B allocation, p99.9", .batch = 999,
     .figure = alloc_latency},
    {LATENCY, .name = "slab/free_p50", .text = "slab: 64 B release, p50", .batch = 500,
     .figure = free_latency},
    {LATENCY, .name = "slab/free_p99", .text = "slab: 64 B release, p99", .batch = 990,
     .figure = free_latency},
    {LATENCY, .name = "slab/free_p999", .text = "slab: 64 B release, p99.9", .batch = 999,
     .figure = free_latency},
    {.name = "slab/run_p999",
     .text = "slab: allocation of a run, 75 % full, p99.9",
     .unit = "ns",
     .n = 750,
     .region_bytes = 64 * MIB,
     .batch = 999,
     .goal = .1,
     .figure = run_latency},
    {0},
};
