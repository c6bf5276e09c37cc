/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes that share a region and its lock. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

#define REGION_BYTES  ((size_t)16 << 20)
#define N_LIVE        1000u /* of a process */
#define N_SIZES       1024u
#define N_AT_ONCE     64u
#define PROCESSES_MAX 8u
#define RUN_NS        400e6
#define QUICK_RUN_NS  100e6
#define SAMPLES       20000u
#define SAMPLE_EVERY  16u

/* Shared by all processes. */
struct board {
    _Atomic unsigned n_ready;
    _Atomic unsigned go;
    double millions[PROCESSES_MAX]; /* operations a second */
    double p99_ns[PROCESSES_MAX];
};

struct worker {
    const struct slm_adapter *adapter;
    void *self;
    uint32_t sizes[N_SIZES];
    void *live[N_LIVE];
    uint64_t seed;
};

static void step(struct worker *w)
{
    size_t i = bench_below(&w->seed, N_LIVE);
    if (w->live[i] != NULL) {
        (void)w->adapter->free(w->self, w->live[i], w->sizes[i % N_SIZES]);
    }
    w->live[i] = w->adapter->alloc(w->self, w->sizes[i % N_SIZES]);
}

static void work(struct worker *w, struct board *board, unsigned idx, double run_ns, bool samples)
{
    struct bench_latency latency;
    bench_latency_init(&latency, SAMPLES);
    atomic_fetch_add(&board->n_ready, 1);
    while (atomic_load(&board->go) == 0) {
    }
    double start = bench_clock_ns();
    double now = start;
    uint64_t n = 0;
    for (; now - start < run_ns; now = bench_clock_ns()) {
        for (unsigned i = 0; i < N_AT_ONCE; i++) {
            double before = samples && i % SAMPLE_EVERY == 0 ? bench_clock_ns() : 0;
            step(w);
            if (before > 0) {
                bench_latency_add(&latency, before);
            }
        }
        n += N_AT_ONCE;
    }
    board->millions[idx] = (double)n / (now - start) * 1e3;
    board->p99_ns[idx] = bench_latency_fini(&latency, .99);
}

static void start_worker(const struct bench_row *row, const struct bench_subject *subject,
                         struct bench_stage *stage, struct board *board, unsigned idx)
{
    struct worker *w = bench_need(1, sizeof *w);
    w->adapter = subject->adapter;
    w->self = stage->self;
    w->seed = idx + 1;
    for (size_t i = 0; i < N_SIZES; i++) {
        w->sizes[i] =
            row->bytes != 0 ? (uint32_t)row->bytes : bench_mixed_size((double)i / N_SIZES);
    }
    if (subject->new_process != NULL) {
        subject->new_process();
    }
    work(w, board, idx, subject->quick ? QUICK_RUN_NS : RUN_NS, row->batch != 0);
    _exit(0);
}

static double sum_of(const struct board *board, const struct bench_row *row)
{
    double sum = 0;
    double worst = 0;
    for (unsigned i = 0; i < row->n; i++) {
        sum += board->millions[i];
        worst = board->p99_ns[i] > worst ? board->p99_ns[i] : worst;
    }
    return row->batch != 0 ? worst : sum;
}

static bool run_workers(const struct bench_row *row, const struct bench_subject *subject,
                        struct bench_stage *stage, struct board *board)
{
    pid_t children[PROCESSES_MAX];
    bool good = true;
    for (unsigned i = 0; i < row->n; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            start_worker(row, subject, stage, board, i);
        }
        good = good && children[i] > 0;
    }
    while (good && atomic_load(&board->n_ready) < row->n) {
        (void)usleep(1000);
    }
    atomic_store(&board->go, 1);
    for (unsigned i = 0; i < row->n; i++) {
        int status = -1;
        good = children[i] > 0 && waitpid(children[i], &status, 0) == children[i] && status == 0 &&
               good;
    }
    return good;
}

static double measure(const struct bench_row *row, const struct bench_subject *subject)
{
    struct bench_stage stage;
    if (subject->adapter == NULL || subject->adapter->memory != SLM_ADAPTER_REGION ||
        !bench_stage_open(&stage, subject->adapter, REGION_BYTES)) {
        return NAN;
    }
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool good = board != MAP_FAILED && run_workers(row, subject, &stage, board);
    double figure = good ? sum_of(board, row) : NAN;
    bench_stage_close(&stage, NULL, 0, 0);
    (void)munmap(board, sizeof *board);
    return figure;
}

#define SHARED .unit = "M/s", .higher_is_better = true, .figure = measure

const struct bench_row bench_shared_rows[] = {
    {SHARED, .name = "shared/64B_1", .text = "shared slab: 64 B, 1 process", .n = 1, .bytes = 64,
     .goal = 2.6},
    {SHARED, .name = "shared/64B_2", .text = "shared slab: 64 B, 2 processes", .n = 2, .bytes = 64,
     .goal = 2.6},
    {SHARED, .name = "shared/64B_4", .text = "shared slab: 64 B, 4 processes", .n = 4, .bytes = 64,
     .goal = 2.6},
    {SHARED, .name = "shared/64B_8", .text = "shared slab: 64 B, 8 processes", .n = 8, .bytes = 64,
     .goal = 2.6},
    {SHARED, .name = "shared/mixed_1", .text = "shared slab: mixed, 1 process", .n = 1,
     .goal = 2.6},
    {SHARED, .name = "shared/mixed_2", .text = "shared slab: mixed, 2 processes", .n = 2,
     .goal = 2.6},
    {SHARED, .name = "shared/mixed_4", .text = "shared slab: mixed, 4 processes", .n = 4,
     .goal = 2.6},
    {SHARED, .name = "shared/mixed_8", .text = "shared slab: mixed, 8 processes", .n = 8,
     .goal = 2.6},
    {.name = "shared/64B_2_p99",
     .text = "shared slab: 64 B, 2 processes, pair, p99",
     .unit = "ns",
     .n = 2,
     .bytes = 64,
     .batch = 1,
     .goal = .2,
     .figure = measure},
    {0},
};
