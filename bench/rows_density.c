/* SPDX-License-Identifier: Apache-2.0 */
/* Density: how much of a region objects can have. */
#include <math.h>
#include <stdlib.h>

#include "bench/bench.h"

#define REGION_BYTES ((size_t)64 << 20)
#define OBJECTS_MAX  (REGION_BYTES / 8)
#define NGINX_FILL   .705
#define N_TURNS      3u

struct fill {
    struct bench_stage stage;
    void **live;
    uint32_t *bytes_of;
    size_t n_live;
    size_t live_bytes;
    uint64_t seed;
};

static bool begin_fill(struct fill *f, const struct bench_subject *subject)
{
    *f = (struct fill){.seed = 3};
    if (subject->adapter == NULL || subject->adapter->memory != SLM_ADAPTER_REGION ||
        !bench_stage_open(&f->stage, subject->adapter, REGION_BYTES)) {
        return false;
    }
    f->live = bench_need(OBJECTS_MAX, sizeof *f->live);
    f->bytes_of = bench_need(OBJECTS_MAX, sizeof *f->bytes_of);
    return true;
}

static void end_fill(struct fill *f)
{
    bench_stage_close(&f->stage, f->live, f->n_live, 0);
    free(f->live);
    free(f->bytes_of);
}

static bool add_object(struct fill *f, size_t bytes)
{
    void *p = f->n_live < OBJECTS_MAX ? f->stage.adapter->alloc(f->stage.self, bytes) : NULL;
    if (p == NULL) {
        return false;
    }
    f->live[f->n_live] = p;
    f->bytes_of[f->n_live++] = (uint32_t)bytes;
    f->live_bytes += bytes;
    return true;
}

static void remove_at(struct fill *f, size_t i)
{
    (void)f->stage.adapter->free(f->stage.self, f->live[i], f->bytes_of[i]);
    f->live_bytes -= f->bytes_of[i];
    f->live[i] = f->live[--f->n_live];
    f->bytes_of[i] = f->bytes_of[f->n_live];
}

static size_t any_size(struct fill *f)
{
    return bench_mixed_size((double)bench_random(&f->seed) / 4294967296.0);
}

/* The largest size that is served now, to a page. */
static double largest_share(const struct fill *f)
{
    size_t low = 0;
    size_t high = REGION_BYTES;
    while (high - low > 4096) {
        size_t middle = low + (high - low) / 2;
        void *p = f->stage.adapter->alloc(f->stage.self, middle);
        if (p != NULL) {
            (void)f->stage.adapter->free(f->stage.self, p, middle);
            low = middle;
        } else {
            high = middle;
        }
    }
    return (double)low / (double)REGION_BYTES;
}

static double measure_size(const struct bench_row *row, const struct bench_subject *subject)
{
    struct fill f;
    if (!begin_fill(&f, subject)) {
        return NAN;
    }
    while (add_object(&f, row->bytes)) {
    }
    double share = (double)f.live_bytes / (double)REGION_BYTES;
    end_fill(&f);
    return share;
}

static double measure_mix(const struct bench_row *row, const struct bench_subject *subject)
{
    struct fill f;
    (void)row;
    if (!begin_fill(&f, subject)) {
        return NAN;
    }
    while (add_object(&f, any_size(&f))) {
    }
    double share = (double)f.live_bytes / (double)REGION_BYTES;
    end_fill(&f);
    return share;
}

/* Each turn replaces as many objects as there are. */
static void churn(struct fill *f, size_t limit_bytes)
{
    for (size_t i = N_TURNS * f->n_live; i > 0; i--) {
        size_t bytes = any_size(f);
        while (f->live_bytes + bytes > limit_bytes) {
            remove_at(f, bench_below(&f->seed, f->n_live));
        }
        (void)add_object(f, bytes);
    }
}

static double measure_largest(const struct bench_row *row, const struct bench_subject *subject)
{
    struct fill f;
    size_t limit = (size_t)((double)REGION_BYTES * NGINX_FILL);
    if (!begin_fill(&f, subject)) {
        return NAN;
    }
    while (f.live_bytes < limit && add_object(&f, any_size(&f))) {
    }
    churn(&f, f.live_bytes);
    while (row->n != 0 && f.n_live > 0) {
        remove_at(&f, bench_below(&f.seed, f.n_live));
    }
    double share = largest_share(&f);
    end_fill(&f);
    return share;
}

/* Of nginx; goals are shares of the region, so ratios to it. */
#define SIZE(size, nginx, wanted)                                                                  \
    {                                                                                              \
        .name = "density/" #size "B", .text = "density: payload of " #size " B objects",           \
        .unit = "share", .higher_is_better = true, .bytes = (size), .goal = (wanted) / (nginx),    \
        .figure = measure_size                                                                     \
    }

const struct bench_row bench_density_rows[] = {
    SIZE(8, .979, .97),
    SIZE(24, .740, .97),
    SIZE(33, .513, .80),
    SIZE(65, .505, .87),
    SIZE(100, .777, .88),
    SIZE(129, .501, .88),
    SIZE(257, .499, .88),
    SIZE(513, .498, .88),
    SIZE(1025, .498, .88),
    SIZE(1500, .728, .95),
    SIZE(2049, .497, .88),
    SIZE(3000, .728, .95),
    SIZE(4097, .497, .88),
    SIZE(6000, .728, .95),
    SIZE(10000, .809, .90),
    {.name = "density/mixed",
     .text = "density: 8 B to 4 KiB until the first refusal",
     .unit = "share",
     .higher_is_better = true,
     .goal = .92 / .705,
     .figure = measure_mix},
    {.name = "density/largest",
     .text = "density: largest free block after churn",
     .unit = "share",
     .higher_is_better = true,
     .goal = .23 / .0002,
     .figure = measure_largest},
    {.name = "density/emptied",
     .text = "density: largest block after all is freed",
     .unit = "share",
     .higher_is_better = true,
     .n = 1,
     .figure = measure_largest},
    {0},
};
