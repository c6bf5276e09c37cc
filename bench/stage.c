/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas for measurements: no fences, no checks. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bench/bench.h"

#define REGION_ALIGN_BYTES 4096u

static double read_clock(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double bench_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

double bench_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint32_t bench_mixed_size(double share)
{
    return (uint32_t)(8 * pow(512, share));
}

void *bench_need(size_t n, size_t bytes)
{
    void *p = calloc(n == 0 ? 1 : n, bytes);
    if (p == NULL) {
        fputs("bench: no memory\n", stderr);
        exit(2);
    }
    return p;
}

static void *source_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    void *p = NULL;
    (void)data;
    if (align_bytes <= _Alignof(max_align_t)) {
        return malloc(size_bytes);
    }
    return posix_memalign(&p, align_bytes, size_bytes) == 0 ? p : NULL;
}

static void source_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    (void)data;
    (void)size_bytes;
    (void)align_bytes;
    free(block);
}

__attribute__((noreturn, format(printf, 2, 3))) static void fail(const struct slm_adapter_env *env,
                                                                 const char *format, ...)
{
    va_list args;
    (void)env;
    va_start(args, format);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

static size_t region_length(const struct slm_adapter *adapter, size_t wanted_bytes)
{
    size_t multiple = adapter->region_multiple_bytes;
    size_t bytes =
        adapter->region_bytes != NULL ? adapter->region_bytes(wanted_bytes) : wanted_bytes;
    return multiple == 0 ? bytes : bytes / multiple * multiple;
}

static bool open_region(struct bench_stage *stage, size_t region_bytes)
{
    size_t lead = stage->adapter->region_align_bytes % REGION_ALIGN_BYTES;
    stage->env.region_bytes = region_length(stage->adapter, region_bytes);
    stage->map_bytes = stage->env.region_bytes + lead;
    stage->map = mmap(NULL, stage->map_bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    stage->env.region = (unsigned char *)stage->map + lead;
    return stage->map != MAP_FAILED;
}

bool bench_stage_open_blocks(struct bench_stage *stage, const struct slm_adapter *adapter,
                             size_t region_bytes, size_t block_bytes)
{
    *stage = (struct bench_stage){.adapter = adapter,
                                  .source = {source_alloc, source_free, NULL},
                                  .pool_shape = {.block_bytes = block_bytes}};
    stage->env = (struct slm_adapter_env){.source = &stage->source,
                                          .source_live_bytes = &stage->source_live_bytes,
                                          .fail = fail,
                                          .pool_shape = &stage->pool_shape,
                                          .slab_shape = &stage->slab_shape};
    if (adapter->memory == SLM_ADAPTER_REGION && !open_region(stage, region_bytes)) {
        return false;
    }
    stage->self = adapter->create(&stage->env);
    if (stage->self == NULL && stage->map != NULL) {
        (void)munmap(stage->map, stage->map_bytes);
    }
    return stage->self != NULL;
}

bool bench_stage_open(struct bench_stage *stage, const struct slm_adapter *adapter,
                      size_t region_bytes)
{
    return bench_stage_open_blocks(stage, adapter, region_bytes, BENCH_BLOCK_BYTES);
}

bool bench_drops_all(const struct slm_adapter *adapter)
{
    return adapter->destroy != NULL && !adapter->destroy_needs_empty;
}

bool bench_stage_renew(struct bench_stage *stage)
{
    if (stage->adapter->destroy != NULL) {
        stage->adapter->destroy(stage->self);
    }
    stage->self = stage->adapter->create(&stage->env);
    return stage->self != NULL;
}

void bench_stage_close(struct bench_stage *stage, void **live, size_t n, size_t bytes)
{
    for (size_t i = 0; i < n && !bench_drops_all(stage->adapter); i++) {
        if (live[i] != NULL) {
            (void)stage->adapter->free(stage->self, live[i], bytes);
        }
    }
    if (stage->adapter->destroy != NULL) {
        stage->adapter->destroy(stage->self);
    }
    if (stage->map != NULL) {
        (void)munmap(stage->map, stage->map_bytes);
    }
}
