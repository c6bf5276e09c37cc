/* SPDX-License-Identifier: Apache-2.0 */
/* Runs programs without checks. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mincore, MAP_ANONYMOUS */
#endif

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "tools/slabmill/measure.h"

#define PAGE_BYTES 4096u

struct arena {
    void *self; /* NULL: not made */
    struct slm_adapter_env env;
    unsigned char *map;
    size_t map_bytes;
};

struct object {
    void *p; /* NULL: not live */
    size_t size_bytes;
    uint32_t arena;
};

struct world {
    const struct slm_adapter *adapter;
    const struct hrn_program *program;
    struct mill_cost *cost;
    struct arena *arenas;
    struct object *objects;
    struct slm_adapter_source source;
    struct slm_adapter_pool_shape pool_shape;
    struct slm_adapter_slab_shape slab_shape;
    size_t live_bytes;
    size_t source_bytes;
    size_t source_peak_bytes;
};

static void *need(void *p)
{
    if (p == NULL || p == MAP_FAILED) {
        exit(mill_complain("replay: no memory for the run"));
    }
    return p;
}

/* --- What arenas are made from --- */

static void *source_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    struct world *world = data;
    void *p = NULL;
    size_t align = align_bytes < sizeof(void *) ? sizeof(void *) : align_bytes;
    if (posix_memalign(&p, align, size_bytes) != 0) {
        return NULL;
    }
    world->source_bytes += size_bytes;
    if (world->source_bytes > world->source_peak_bytes) {
        world->source_peak_bytes = world->source_bytes;
    }
    return p;
}

static void source_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    struct world *world = data;
    (void)align_bytes;
    world->source_bytes -= size_bytes;
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

static void open_region(struct world *world, struct arena *arena, size_t size_bytes)
{
    size_t wanted = size_bytes != 0 ? size_bytes : world->program->head.region_bytes;
    size_t lead = world->adapter->region_align_bytes % PAGE_BYTES;
    arena->env.region_bytes = hrn_region_length(world->adapter, wanted);
    arena->map_bytes = arena->env.region_bytes + lead;
    arena->map = need(mmap(NULL, arena->map_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    arena->env.region = arena->map + lead;
}

static void create(struct world *world, uint32_t idx, size_t size_bytes)
{
    struct arena *arena = &world->arenas[idx];
    world->pool_shape.block_bytes = size_bytes != 0 ? size_bytes : world->program->head.block_bytes;
    arena->env = (struct slm_adapter_env){.source = &world->source,
                                          .source_live_bytes = &world->source_bytes,
                                          .arena = idx,
                                          .fail = fail,
                                          .pool_shape = &world->pool_shape,
                                          .slab_shape = &world->slab_shape};
    if (world->adapter->memory == SLM_ADAPTER_REGION && arena->map == NULL) {
        open_region(world, arena, size_bytes);
    }
    arena->self = world->adapter->create(&arena->env);
}

/* The pages that were touched. */
static size_t touched_bytes(const struct arena *arena)
{
    size_t n_pages = (arena->map_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    unsigned char *is_there = need(malloc(n_pages + 1));
    size_t n = 0;
    if (mincore(arena->map, arena->map_bytes, is_there) == 0) {
        for (size_t i = 0; i < n_pages; i++) {
            n += is_there[i] & 1u;
        }
    }
    free(is_there);
    return n * PAGE_BYTES;
}

static void drop_objects(struct world *world, uint32_t arena, bool by_free)
{
    for (uint32_t id = 0; id < world->program->n_ids; id++) {
        struct object *o = &world->objects[id];
        if (o->p != NULL && o->arena == arena) {
            if (by_free) {
                (void)world->adapter->free(world->arenas[arena].self, o->p, o->size_bytes);
                world->cost->n_calls++;
            }
            world->live_bytes -= o->size_bytes;
            o->p = NULL;
        }
    }
}

static void destroy(struct world *world, uint32_t idx)
{
    struct arena *arena = &world->arenas[idx];
    if (arena->self == NULL) {
        return;
    }
    drop_objects(world, idx, world->adapter->destroy_needs_empty);
    if (arena->map != NULL) {
        size_t touched = touched_bytes(arena);
        struct mill_cost *cost = world->cost;
        cost->taken_bytes = touched > cost->taken_bytes ? touched : cost->taken_bytes;
    }
    if (world->adapter->destroy != NULL) {
        world->adapter->destroy(arena->self);
    }
    if (arena->map != NULL) {
        (void)munmap(arena->map, arena->map_bytes);
    }
    *arena = (struct arena){0};
}

/* --- Operations --- */

static void touch(unsigned char *p, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i += PAGE_BYTES) {
        p[i] = 1;
    }
    if (size_bytes > 0) {
        p[size_bytes - 1] = 1;
    }
}

static void count_live(struct world *world, size_t size_bytes)
{
    world->live_bytes += size_bytes;
    if (world->live_bytes > world->cost->asked_bytes) {
        world->cost->asked_bytes = world->live_bytes;
    }
}

static void *call_alloc(const struct world *world, void *self, const struct hrn_op *op, size_t size)
{
    const struct slm_adapter *adapter = world->adapter;
    switch (op->kind) {
    case HRN_CALLOC:
        return adapter->alloc_zeroed(self, 1, size);
    case HRN_MEMALIGN:
        return adapter->alloc_aligned(self, hrn_asked_align(adapter, op->align_bytes), size);
    case HRN_NALLOC:
        return adapter->pool->alloc_packed(self, size);
    default:
        return adapter->alloc(self, size);
    }
}

static void do_alloc(struct world *world, const struct hrn_op *op, uint32_t id)
{
    size_t size = hrn_asked_size(world->adapter, op->size_bytes);
    void *p = call_alloc(world, world->arenas[op->arena].self, op, size);
    world->cost->n_calls++;
    if (p == NULL) {
        world->cost->n_refused++;
        return;
    }
    touch(p, size);
    world->objects[id] = (struct object){p, size, op->arena};
    count_live(world, size);
}

/* What a user does with an allocator that cannot resize. */
static void *replace(const struct slm_adapter *adapter, void *self, const struct object *o,
                     size_t size)
{
    void *p = adapter->alloc(self, size);
    if (p != NULL) {
        memcpy(p, o->p, size < o->size_bytes ? size : o->size_bytes);
        (void)adapter->free(self, o->p, o->size_bytes);
    }
    return p;
}

static void do_resize(struct world *world, const struct hrn_op *op)
{
    const struct slm_adapter *adapter = world->adapter;
    struct object *o = &world->objects[op->id];
    void *self = world->arenas[op->arena].self;
    size_t size = hrn_asked_size(adapter, op->size_bytes == 0 ? 1 : op->size_bytes);
    void *p = adapter->resize != NULL ? adapter->resize(self, o->p, o->size_bytes, size)
                                      : replace(adapter, self, o, size);
    world->cost->n_calls++;
    if (p == NULL) {
        world->cost->n_refused++;
        return;
    }
    touch(p, size);
    world->live_bytes -= o->size_bytes;
    *o = (struct object){p, size, op->arena};
    count_live(world, size);
}

static void do_free(struct world *world, const struct hrn_op *op)
{
    struct object *o = &world->objects[op->id];
    (void)world->adapter->free(world->arenas[op->arena].self, o->p, o->size_bytes);
    world->cost->n_calls++;
    world->live_bytes -= o->size_bytes;
    o->p = NULL;
}

static void do_other(struct world *world, const struct hrn_op *op)
{
    switch (op->kind) {
    case HRN_BURST:
        for (uint32_t i = 0; i < op->count; i++) {
            do_alloc(world, op, op->id + i);
        }
        break;
    case HRN_DRAIN:
        drop_objects(world, op->arena, true);
        break;
    case HRN_RESET:
        drop_objects(world, op->arena, false);
        world->adapter->reset(world->arenas[op->arena].self);
        break;
    case HRN_TRIM:
        (void)world->adapter->trim(world->arenas[op->arena].self);
        break;
    default:
        break;
    }
}

static void do_with_arena(struct world *world, const struct hrn_op *op)
{
    bool live = op->id < world->program->n_ids && world->objects[op->id].p != NULL;
    switch (op->kind) {
    case HRN_ALLOC:
    case HRN_NALLOC:
    case HRN_CALLOC:
    case HRN_MEMALIGN:
        do_alloc(world, op, op->id);
        break;
    case HRN_FREE:
        if (live) {
            do_free(world, op);
        }
        break;
    case HRN_RESIZE:
        if (live) {
            do_resize(world, op);
        }
        break;
    default:
        do_other(world, op);
        break;
    }
}

static void do_op(struct world *world, const struct hrn_op *op)
{
    if (op->kind == HRN_CREATE || op->kind == HRN_DESTROY) {
        destroy(world, op->arena);
    }
    if (op->kind == HRN_DESTROY) {
        return;
    }
    if (world->arenas[op->arena].self == NULL) {
        create(world, op->arena, op->kind == HRN_CREATE ? op->size_bytes : 0);
    }
    if (world->arenas[op->arena].self != NULL) {
        do_with_arena(world, op);
    } else {
        world->cost->n_refused++;
    }
}

static void run_ops(struct world *world)
{
    const struct hrn_program *program = world->program;
    uint32_t can = hrn_can(world->adapter) | HRN_BIT(HRN_RESIZE);
    for (size_t i = 0; i < program->n_ops; i++) {
        const struct hrn_op *op = &program->ops[i];
        if ((can >> op->kind & 1u) != 0 && !(world->adapter->one_arena && op->arena != 0)) {
            do_op(world, op);
        }
    }
}

/* --- The run --- */

static struct slm_adapter_slab_shape slab_shape(const struct hrn_head *head)
{
    return (struct slm_adapter_slab_shape){.page_bytes = head->page_bytes,
                                           .min_object_bytes = head->min_object_bytes,
                                           .gap_bytes = head->gap_bytes,
                                           .per_doubling = head->per_doubling};
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

void mill_cost_run(struct mill_cost *cost, const struct slm_adapter *adapter,
                   const struct hrn_program *program)
{
    struct world world = {.adapter = adapter, .program = program, .cost = cost};
    struct timespec start;
    memset(cost, 0, sizeof *cost);
    world.arenas = need(calloc((size_t)program->n_arenas + 1, sizeof *world.arenas));
    world.objects = need(calloc((size_t)program->n_ids + 1, sizeof *world.objects));
    world.source = (struct slm_adapter_source){source_alloc, source_free, &world};
    world.slab_shape = slab_shape(&program->head);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    run_ops(&world);
    cost->nanoseconds = seconds_since(&start) * 1e9;
    for (uint32_t i = 0; i < program->n_arenas; i++) {
        destroy(&world, i);
    }
    cost->knows_taken = adapter->memory != SLM_ADAPTER_SYSTEM;
    if (adapter->memory == SLM_ADAPTER_SOURCE) {
        cost->taken_bytes = world.source_peak_bytes;
    }
    free(world.arenas);
    free(world.objects);
}
