/* SPDX-License-Identifier: Apache-2.0 */
/* Percentiles of single operations. */
#include <stdlib.h>

#include "bench/bench.h"

#define N_CLOCK_SAMPLES 10001u

void bench_latency_init(struct bench_latency *latency, size_t n_max)
{
    latency->samples = bench_need(n_max, sizeof *latency->samples);
    latency->n = 0;
    latency->n_max = n_max;
}

void bench_latency_add(struct bench_latency *latency, double start)
{
    double ns = bench_clock_ns() - start;
    if (latency->n < latency->n_max) {
        latency->samples[latency->n++] = ns < (double)UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double percentile(const struct bench_latency *latency, double share)
{
    if (latency->n == 0) {
        return 0;
    }
    qsort(latency->samples, latency->n, sizeof *latency->samples, compare);
    return latency->samples[(size_t)(share * (double)(latency->n - 1))];
}

/* The median cost of reading the clock twice with nothing in between. */
static double clock_cost(void)
{
    static double cost = -1;
    if (cost < 0) {
        struct bench_latency empty;
        bench_latency_init(&empty, N_CLOCK_SAMPLES);
        for (unsigned i = 0; i < N_CLOCK_SAMPLES; i++) {
            bench_latency_add(&empty, bench_clock_ns());
        }
        cost = percentile(&empty, .5);
        free(empty.samples);
    }
    return cost;
}

double bench_latency_fini(struct bench_latency *latency, double share)
{
    double ns = percentile(latency, share) - clock_cost();
    free(latency->samples);
    return ns < 1 ? 1 : ns;
}
