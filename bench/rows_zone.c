/* SPDX-License-Identifier: Apache-2.0 */
/* Locks, trees and zones: rows over kernels. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

#define N_MOVES       500000u
#define QUICK_MOVES   100000u
#define SAMPLES       50000u
#define QUICK_SAMPLES 10000u

static const struct bench_kernel *find_kernel(const struct bench_subject *subject, const char *name)
{
    const struct bench_kernel *k = subject->kernels;
    while (k != NULL && k->name != NULL && strcmp(k->name, name) != 0) {
        k++;
    }
    return k != NULL && k->name != NULL ? k : NULL;
}

struct kernel_work {
    const struct bench_kernel *kernel;
    void *work;
};

/* A row's name is zone/KERNEL, or zone/KERNEL:N. */
static const struct bench_kernel *kernel_of(const struct bench_row *row,
                                            const struct bench_subject *subject)
{
    char name[64];
    const char *start = strchr(row->name, '/') + 1;
    size_t n = strcspn(start, ":");
    n = n < sizeof name - 1 ? n : sizeof name - 1;
    memcpy(name, start, n);
    name[n] = '\0';
    return find_kernel(subject, name);
}

static void *begin_kernel(const struct bench_row *row, const struct bench_subject *subject,
                          const struct bench_meter *meter)
{
    const struct bench_kernel *kernel = kernel_of(row, subject);
    void *work = kernel == NULL ? NULL : kernel->begin(meter, row->n);
    if (work == NULL) {
        return NULL;
    }
    struct kernel_work *w = bench_need(1, sizeof *w);
    *w = (struct kernel_work){kernel, work};
    return w;
}

static void run_kernel(void *work, size_t n_ops)
{
    struct kernel_work *w = work;
    w->kernel->run(w->work, n_ops);
}

static void end_kernel(void *work)
{
    struct kernel_work *w = work;
    w->kernel->end(w->work);
    free(w);
}

/* --- Transactions of several processes --- */

static pid_t start_mover(const struct bench_subject *subject, const struct bench_kernel *kernel,
                         void *work, size_t n)
{
    pid_t child = fork();
    if (child == 0) {
        if (subject->new_process != NULL) {
            subject->new_process();
        }
        kernel->run(work, n);
        _exit(0);
    }
    return child;
}

/* Million transactions a second, of all processes. */
static double measure_processes(const struct bench_row *row, const struct bench_subject *subject)
{
    const struct bench_kernel *kernel = find_kernel(subject, "zone_move");
    void *work = kernel == NULL ? NULL : kernel->begin(NULL, row->bytes);
    if (work == NULL) {
        return NAN;
    }
    size_t n = subject->quick ? QUICK_MOVES : N_MOVES;
    bool good = true;
    double start = bench_clock_ns();
    for (size_t i = 0; i < row->n; i++) {
        good = start_mover(subject, kernel, work, n) > 0 && good;
    }
    int status = 0;
    while (wait(&status) > 0) {
        good = good && status == 0;
    }
    double ns = bench_clock_ns() - start;
    kernel->end(work);
    return good ? (double)(n * row->n) / ns * 1e3 : NAN;
}

/* row->batch: the percentile in 1/1000. */
static double measure_latency(const struct bench_row *row, const struct bench_subject *subject)
{
    struct bench_latency latency;
    const struct bench_kernel *kernel = find_kernel(subject, "zone_move");
    void *work = kernel == NULL ? NULL : kernel->begin(NULL, row->bytes);
    if (work == NULL) {
        return NAN;
    }
    size_t n = subject->quick ? QUICK_SAMPLES : SAMPLES;
    bench_latency_init(&latency, n);
    for (size_t i = 0; i < n; i++) {
        double start = bench_clock_ns();
        kernel->run(work, 1);
        bench_latency_add(&latency, start);
    }
    kernel->end(work);
    return bench_latency_fini(&latency, (double)row->batch / 1000);
}

/* --- Objects that fit a zone --- */

static double count_fit(const struct bench_row *row, const struct bench_subject *subject)
{
    const struct bench_kernel *kernel = find_kernel(subject, "zone_fit");
    void *work = kernel == NULL ? NULL : kernel->begin(NULL, row->n);
    if (work == NULL) {
        return NAN;
    }
    kernel->run(work, BENCH_FIT_ZONE_BYTES);
    const struct bench_fit *fit = work;
    double n = (double)fit->n_objects;
    kernel->end(work);
    return n;
}

#define KERNEL .begin = begin_kernel, .run = run_kernel, .end = end_kernel
#define PAIR   KERNEL, .batch = 1000
#define TREE   KERNEL, .batch = 1024
#define MOVERS                                                                                     \
    .unit = "M/s", .higher_is_better = true, .bytes = 1000, .goal = 1, .figure = measure_processes
#define LATENCY .unit = "ns", .bytes = 1000, .figure = measure_latency
#define FIT(size)                                                                                  \
    {                                                                                              \
        .name = "zone/fit:" #size, .text = "zone: objects of " #size " bytes that fit in 10 MiB",  \
        .unit = "objects", .higher_is_better = true, .n = (size), .figure = count_fit              \
    }

const struct bench_row bench_zone_rows[] = {
    {KERNEL, .name = "inline/pool_request", .text = "pool, inlined: request without large",
     .batch = 50, .goal = .28},
    {KERNEL, .name = "inline/pool_many", .text = "pool, inlined: 1 M x 32 B, create to destroy",
     .n = 1000000, .batch = 1000000, .goal = .18},
    {KERNEL, .name = "inline/pool_strings", .text = "pool, inlined: 1,000 packed strings",
     .n = 1000, .batch = 1000, .goal = .18},
    {KERNEL, .name = "inline/pool_reset", .text = "pool, inlined: 10,000 objects after a reset",
     .n = 10000, .batch = 10000, .goal = .02},
    {PAIR, .name = "zone/lock", .text = "lock and unlock", .goal = 26.0 / 51},
    {PAIR, .name = "zone/zone_lock", .text = "zone: lock and unlock", .goal = 1.2},
    {PAIR, .name = "zone/zone_alloc_free", .text = "zone: allocate and free, a transaction each",
     .goal = 1},
    {PAIR, .name = "zone/zone_move", .text = "zone: delete and insert in tree and list, 1,000 keys",
     .n = 1000, .goal = 1.5},
    {PAIR, .name = "zone/limit_known", .text = "limit_req: known key", .n = 1000, .goal = 1.2},
    {PAIR, .name = "zone/limit_new", .text = "limit_req: new key in a full zone", .n = 30000,
     .goal = 1.5},
    {KERNEL, .name = "zone/zone_frees:1000", .text = "zone: 1,000 releases in a transaction, each",
     .n = 1000, .batch = 1000, .goal = 1.5},
    {KERNEL, .name = "zone/zone_frees:10000",
     .text = "zone: 10,000 releases in a transaction, each", .n = 10000, .batch = 10000,
     .goal = 1.5},
    {KERNEL, .name = "zone/zone_frees:100000",
     .text = "zone: 100,000 releases in a transaction, each", .n = 100000, .batch = 100000,
     .goal = 1.5, .flags = BENCH_SLOW | BENCH_NO_COUNT},
    {TREE, .name = "zone/tree_find:1000", .text = "tree: find, 1,000 keys", .n = 1000,
     .goal = 1.05},
    {TREE, .name = "zone/tree_find:10000", .text = "tree: find, 10,000 keys", .n = 10000,
     .goal = 1.05},
    {TREE, .name = "zone/tree_find:100000", .text = "tree: find, 100,000 keys", .n = 100000,
     .goal = 1.05},
    {TREE, .name = "zone/tree_find:1000000", .text = "tree: find, 1 M keys", .n = 1000000,
     .goal = 1.05, .flags = BENCH_NO_COUNT},
    {TREE, .name = "zone/tree_find:3000000", .text = "tree: find, 3 M keys", .n = 3000000,
     .goal = 1.05, .flags = BENCH_SLOW | BENCH_NO_COUNT},
    {TREE, .name = "zone/tree_insert:10000", .text = "tree: insert, 10,000 keys, no journal",
     .n = 10000, .goal = 1.5},
    {TREE, .name = "zone/tree_delete:10000", .text = "tree: delete, 10,000 keys, no journal",
     .n = 10000, .goal = 1.5},
    {TREE, .name = "zone/tree_insert_journal:10000", .text = "tree: insert, 10,000 keys, journal",
     .n = 10000, .goal = 2.5},
    {TREE, .name = "zone/tree_delete_journal:10000", .text = "tree: delete, 10,000 keys, journal",
     .n = 10000, .goal = 2.5},
    {TREE, .name = "zone/tree_insert:1000000", .text = "tree: insert, 1 M keys, no journal",
     .n = 1000000, .goal = 1.5, .flags = BENCH_SLOW | BENCH_NO_COUNT},
    {TREE, .name = "zone/tree_delete:1000000", .text = "tree: delete, 1 M keys, no journal",
     .n = 1000000, .goal = 1.5, .flags = BENCH_SLOW | BENCH_NO_COUNT},
    {MOVERS, .name = "zone/move_processes:1", .text = "zone: transactions, 1 process", .n = 1},
    {MOVERS, .name = "zone/move_processes:2", .text = "zone: transactions, 2 processes", .n = 2},
    {MOVERS, .name = "zone/move_processes:4", .text = "zone: transactions, 4 processes", .n = 4},
    {MOVERS, .name = "zone/move_processes:8", .text = "zone: transactions, 8 processes", .n = 8},
    {LATENCY, .name = "zone/move_p50", .text = "zone: a transaction, p50", .batch = 500},
    {LATENCY, .name = "zone/move_p99", .text = "zone: a transaction, p99", .batch = 990},
    {LATENCY, .name = "zone/move_p999", .text = "zone: a transaction, p99.9", .batch = 999},
    FIT(8),
    FIT(24),
    FIT(64),
    FIT(100),
    FIT(200),
    FIT(500),
    FIT(1000),
    FIT(2000),
    FIT(4000),
    FIT(10000),
    {0},
};
