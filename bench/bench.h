/* SPDX-License-Identifier: Apache-2.0 */
/* Bench: workloads, and what is measured with them. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/adapter.h>

#include "bench/kernel/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A row is one workload. A subject is one competitor in it: an adapter, a list of kernels,
 *          or both. A process measures one subject. Rows of one group need the same subject.
 *          A row is timed (begin, run, end) or has a figure, which is measured as a whole.
 * Safety   One thread; rows with several processes fork.
 * Failure  begin returns NULL, and figure returns NAN, where the subject cannot do this work.
 */

struct bench_subject {
    const struct slm_adapter *adapter;  /* NULL: none */
    const struct bench_kernel *kernels; /* NULL: none */
    void (*new_process)(void);          /* a child calls it after fork; NULL: nothing to do */
    const char *traces;                 /* the folder of recordings; NULL: none */
    bool quick;                         /* short measurements */
};

enum {
    BENCH_SLOW = 1,    /* not in a quick run */
    BENCH_NO_COUNT = 2 /* instructions are not counted: too slow, or no meaning */
};

struct bench_row {
    const char *name; /* GROUP/WORKLOAD */
    const char *text; /* for readers */
    const char *unit; /* of a figure; NULL: the row is timed */
    bool higher_is_better;
    double goal;  /* ours divided by nginx's; 0: none */
    size_t n;     /* parameters of the functions */
    size_t bytes; /* of an object, or of a zone */
    size_t region_bytes;
    size_t batch;      /* operations of a run */
    unsigned flags;    /* BENCH_... */
    const char *param; /* of traces: the file, without .trace */
    void *(*begin)(const struct bench_row *row, const struct bench_subject *subject,
                   const struct bench_meter *meter);
    void (*run)(void *work, size_t n_ops);
    void (*end)(void *work);
    double (*figure)(const struct bench_row *row, const struct bench_subject *subject);
};

/* Each ends with a row without a name. */
extern const struct bench_row bench_pool_rows[];
extern const struct bench_row bench_slab_rows[];
extern const struct bench_row bench_density_rows[];
extern const struct bench_row bench_shared_rows[];
extern const struct bench_row bench_zone_rows[];
extern const struct bench_row bench_own_rows[];
extern const struct bench_row bench_trace_rows[];

/* Kernels of this library. */
extern const struct bench_kernel bench_own_kernels[];

/* --- Arenas of adapters (stage.c) --- */

struct bench_stage {
    const struct slm_adapter *adapter;
    void *self; /* NULL: not made */
    struct slm_adapter_env env;
    struct slm_adapter_source source;
    struct slm_adapter_pool_shape pool_shape;
    struct slm_adapter_slab_shape slab_shape;
    size_t source_live_bytes; /* not counted */
    void *map;
    size_t map_bytes;
};

#define BENCH_BLOCK_BYTES 4096u /* blocks of pools */

/* region_bytes: of adapters that have a region, which processes share. False: refused. */
bool bench_stage_open(struct bench_stage *stage, const struct slm_adapter *adapter,
                      size_t region_bytes);
/* The same, with blocks of block_bytes. */
bool bench_stage_open_blocks(struct bench_stage *stage, const struct slm_adapter *adapter,
                             size_t region_bytes, size_t block_bytes);
/* Frees the n objects at live, NULL ones left out, unless destroying the arena does. */
void bench_stage_close(struct bench_stage *stage, void **live, size_t n, size_t bytes);
/* Makes the arena again; its objects are gone. */
bool bench_stage_renew(struct bench_stage *stage);
/* Whether objects go when the arena is destroyed, so that nothing is freed before. */
bool bench_drops_all(const struct slm_adapter *adapter);

/* calloc, which ends the process instead of failing. */
void *bench_need(size_t n, size_t bytes);

/* A size of 8 to 4095 bytes: each doubling is as frequent as any other. share: 0 to 1, without 1. */
uint32_t bench_mixed_size(double share);

/* CPU time of the calling thread, and time, in ns. */
double bench_cpu_ns(void);
double bench_clock_ns(void);

/* --- Latency (latency.c) --- */

struct bench_latency {
    uint32_t *samples;
    size_t n, n_max;
};

void bench_latency_init(struct bench_latency *latency, size_t n_max);
/* From `start`, a result of bench_clock_ns, to now. */
void bench_latency_add(struct bench_latency *latency, double start);
/* In ns, without the clock's own cost. share: .5, .99, .999. Frees the samples. */
double bench_latency_fini(struct bench_latency *latency, double share);

#ifdef __cplusplus
}
#endif
#endif
