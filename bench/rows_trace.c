/* SPDX-License-Identifier: Apache-2.0 */
/* What was recorded from nginx, replayed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "harness/trace/trace.h"

#define N_REPLAYS      3u /* the fastest counts */
#define REGION_BYTES   262144u
#define FILE_BYTES_MAX ((size_t)4 << 20)
#define PATH_BUF_BYTES 4096u

struct object {
    void *p; /* NULL: not live */
    size_t bytes;
};

struct replay {
    const struct slm_adapter *adapter;
    const struct hrn_program *program;
    struct bench_stage *stages; /* by arena */
    struct object *objects;     /* by id */
    size_t n_refused;
};

/* --- Reading --- */

static char *read_file(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    char *text = bench_need(FILE_BYTES_MAX, 1);
    *n_bytes = fread(text, 1, FILE_BYTES_MAX, file);
    (void)fclose(file);
    return text;
}

/* False: there is no such trace here. A malformed one ends the process. */
static bool read_trace(struct hrn_trace *trace, const char *folder, const char *name)
{
    char path[PATH_BUF_BYTES];
    struct hrn_trace_error error;
    size_t n_bytes = 0;
    snprintf(path, sizeof path, "%s/%s.trace", folder, name);
    char *text = read_file(path, &n_bytes);
    if (text == NULL) {
        return false;
    }
    hrn_trace_init(trace);
    if (!hrn_trace_parse(trace, text, n_bytes, &error)) {
        char why[HRN_TRACE_ERROR_BYTES];
        hrn_trace_error_text(&error, path, why, sizeof why);
        fprintf(stderr, "bench: %s\n", why);
        exit(2);
    }
    free(text);
    return true;
}

/* --- Replay --- */

static void create_arena(struct replay *r, const struct hrn_op *op)
{
    struct bench_stage *stage = &r->stages[op->arena];
    if (!bench_stage_open_blocks(stage, r->adapter, REGION_BYTES, op->size_bytes)) {
        fputs("bench: no arena for a trace\n", stderr);
        exit(2);
    }
}

static void destroy_arena(struct replay *r, uint32_t arena)
{
    if (r->stages[arena].self != NULL) {
        bench_stage_close(&r->stages[arena], NULL, 0, 0);
        r->stages[arena].self = NULL;
    }
}

static void allocate(struct replay *r, const struct hrn_op *op)
{
    const struct slm_adapter *a = r->adapter;
    void *self = r->stages[op->arena].self;
    bool packed = op->kind == HRN_NALLOC && a->pool != NULL && a->pool->alloc_packed != NULL;
    void *p = packed ? a->pool->alloc_packed(self, op->size_bytes) : a->alloc(self, op->size_bytes);
    r->objects[op->id] = (struct object){p, op->size_bytes};
    r->n_refused += p == NULL;
}

static void release(struct replay *r, const struct hrn_op *op)
{
    struct object *o = &r->objects[op->id];
    if (o->p != NULL) {
        (void)r->adapter->free(r->stages[op->arena].self, o->p, o->bytes);
        o->p = NULL;
    }
}

static void replay_op(struct replay *r, const struct hrn_op *op)
{
    switch (op->kind) {
    case HRN_CREATE:
        create_arena(r, op);
        break;
    case HRN_DESTROY:
        destroy_arena(r, op->arena);
        break;
    case HRN_ALLOC:
    case HRN_NALLOC:
    case HRN_CALLOC:
        allocate(r, op);
        break;
    case HRN_FREE:
        release(r, op);
        break;
    default:
        break; /* handlers of cleanups */
    }
}

/* ns of CPU time for an operation. */
static double replay_once(struct replay *r)
{
    const struct hrn_program *program = r->program;
    r->n_refused = 0;
    double start = bench_cpu_ns();
    for (size_t i = 0; i < program->n_ops; i++) {
        replay_op(r, &program->ops[i]);
    }
    double ns = bench_cpu_ns() - start;
    for (uint32_t i = 0; i < program->n_arenas; i++) {
        destroy_arena(r, i);
    }
    return ns / (double)program->n_ops;
}

/* A heap would need to free each object of a pool: then it is not what was recorded. */
static bool can_replay(const struct slm_adapter *adapter, const struct hrn_program *program)
{
    return bench_drops_all(adapter) && !(adapter->one_arena && program->n_arenas > 1);
}

static bool replay_all(const struct bench_row *row, const struct bench_subject *subject,
                       double *fastest_ns, size_t *n_refused)
{
    struct hrn_trace trace;
    const struct slm_adapter *a = subject->adapter;
    if (a == NULL || subject->traces == NULL || !read_trace(&trace, subject->traces, row->param)) {
        return false;
    }
    bool can = can_replay(a, &trace.program);
    struct replay r = {.adapter = a, .program = &trace.program};
    r.stages = bench_need(trace.program.n_arenas, sizeof *r.stages);
    r.objects = bench_need(trace.program.n_ids, sizeof *r.objects);
    *fastest_ns = INFINITY;
    for (unsigned i = 0; can && i < N_REPLAYS; i++) {
        double ns = replay_once(&r);
        *fastest_ns = ns < *fastest_ns ? ns : *fastest_ns;
    }
    *n_refused = r.n_refused;
    free(r.stages);
    free(r.objects);
    hrn_trace_fini(&trace);
    return can;
}

static double measure_time(const struct bench_row *row, const struct bench_subject *subject)
{
    double ns;
    size_t n_refused;
    return replay_all(row, subject, &ns, &n_refused) ? ns : NAN;
}

static double count_refused(const struct bench_row *row, const struct bench_subject *subject)
{
    double ns;
    size_t n_refused;
    return replay_all(row, subject, &ns, &n_refused) ? (double)n_refused : NAN;
}

const struct bench_row bench_trace_rows[] = {
    {.name = "trace_slab/limit_req",
     .text = "recorded slab: limit_req, an operation",
     .unit = "ns",
     .param = "limit_req.slab",
     .figure = measure_time},
    {.name = "trace_slab/limit_req_refused",
     .text = "recorded slab: limit_req, refused",
     .unit = "refusals",
     .param = "limit_req.slab",
     .figure = count_refused},
    {.name = "trace_slab/proxy_cache",
     .text = "recorded slab: proxy_cache, an operation",
     .unit = "ns",
     .param = "proxy_cache.slab",
     .figure = measure_time},
    {.name = "trace_slab/proxy_cache_refused",
     .text = "recorded slab: proxy_cache, refused",
     .unit = "refusals",
     .param = "proxy_cache.slab",
     .figure = count_refused},
    {.name = "trace_pool/requests_limit",
     .text = "recorded pools: limit_req, an operation",
     .unit = "ns",
     .param = "requests_limit.pool",
     .figure = measure_time},
    {.name = "trace_pool/requests_cache",
     .text = "recorded pools: cache, an operation",
     .unit = "ns",
     .param = "requests_cache.pool",
     .figure = measure_time},
    {0},
};
