/* SPDX-License-Identifier: Apache-2.0 */
/* Runs programs. */
#include "harness/run/run.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/run/call.h"
#include "harness/run/state.h"

struct hrn_run hrn_run_state;

#define WALKS_DENSE        8u /* walks of a program until the interval between them doubles */
#define DOUBLINGS_MAX      10u
#define WALK_SHARE         4u /* objects, pages, classes examined for each operation, at most */
#define BURST_REFUSALS_MAX 2u /* the same request would not succeed a third time */

/* --- Operations --- */

static enum slm_adapter_call call_of(enum hrn_kind kind)
{
    switch (kind) {
    case HRN_NALLOC:
        return SLM_ADAPTER_CALL_ALLOC_PACKED;
    case HRN_CALLOC:
        return SLM_ADAPTER_CALL_ALLOC_ZEROED;
    case HRN_MEMALIGN:
        return SLM_ADAPTER_CALL_ALLOC_ALIGNED;
    case HRN_REUSE_GET:
        return SLM_ADAPTER_CALL_REUSE_GET;
    default:
        return SLM_ADAPTER_CALL_ALLOC;
    }
}

static void do_alloc(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    struct slm_adapter_request rq = {call_of(op->kind), op->size_bytes, op->align_bytes};
    if (op->kind == HRN_REUSE_GET) {
        rq.size_bytes = run->adapter->pool->reuse_bytes(arena->self);
    }
    run->alloc_by = op->kind == HRN_ALLOC ? op->aux : HRN_BY_ANY;
    (void)hrn_object_alloc(run, arena, op->id, rq);
    run->alloc_by = HRN_BY_ANY;
    hrn_run_done(run, op->kind, 1);
}

static void do_burst(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC, op->size_bytes, 0};
    unsigned n_refused = 0;
    uint32_t n = 0;
    while (n < op->count && n_refused < BURST_REFUSALS_MAX) {
        n_refused += hrn_object_alloc(run, arena, op->id + n, rq) ? 0 : 1;
        n++;
    }
    hrn_run_done(run, HRN_BURST, n);
}

static void do_with_object(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    if (hrn_object_live(run, op) == NULL) {
        return;
    }
    hrn_run_done(run, op->kind, 1);
    switch (op->kind) {
    case HRN_FREE:
        run->is_elsewhere = op->aux == HRN_FREE_ELSEWHERE && run->adapter->any_thread;
        (void)hrn_object_free(run, arena, op->id);
        run->is_elsewhere = false;
        break;
    case HRN_RESIZE:
        hrn_object_resize(run, arena, op->id, op);
        break;
    case HRN_GIVE_BACK:
        hrn_object_give_back(run, arena, op->id);
        break;
    default:
        hrn_object_reuse_put(run, arena, op->id, op->aux != 0);
        break;
    }
}

static void set_fault(struct hrn_source *source, uint64_t nth, uint64_t count)
{
    source->fail_at = nth == 0 ? 0 : source->n_calls + nth;
    source->fail_count = count;
}

static void look(struct hrn_run *run, struct hrn_arena *arena, enum hrn_look what)
{
    if (what == HRN_LOOK_ALL) {
        hrn_arena_walk(run, arena);
    } else {
        hrn_arena_ask(run, arena, what);
    }
}

static void do_with_arena(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    switch (op->kind) {
    case HRN_DRAIN:
        hrn_arena_drain(run, arena, op->aux);
        break;
    case HRN_RESET:
        hrn_arena_reset(run, arena);
        break;
    case HRN_CLEANUP:
        hrn_cleanup_add(run, arena, op);
        break;
    case HRN_FILE:
        hrn_run_done(run, HRN_FILE, hrn_file_add(run, arena, op) ? 1 : 0);
        return;
    case HRN_RUN_FILE:
        hrn_file_run(run, arena, op);
        break;
    case HRN_CANCEL:
        hrn_run_done(run, HRN_CANCEL, hrn_cleanup_cancel(run, arena, op) ? 1 : 0);
        return;
    case HRN_MISUSE:
        hrn_misuse_try(run, arena, op);
        return;
    case HRN_FAULT:
        set_fault(&arena->source, op->count, op->aux == 255 ? UINT64_MAX : op->aux);
        break;
    case HRN_TRIM:
        run->adapter->trim(arena->self);
        hrn_promise_changed(arena);
        break;
    case HRN_GROW:
    case HRN_SHRINK:
    case HRN_ADD_REGION:
        hrn_arena_change_region(run, arena, op);
        break;
    default:
        look(run, arena, op->aux);
        break;
    }
    hrn_run_done(run, op->kind, 1);
}

static void do_op(struct hrn_run *run, const struct hrn_op *op)
{
    struct hrn_arena *arena = &run->arenas[op->arena];
    if (op->kind == HRN_CREATE || op->kind == HRN_DESTROY) {
        if (arena->self != NULL) {
            bool is_live = op->kind == HRN_DESTROY && op->aux == HRN_END_LIVE;
            hrn_arena_destroy(run, arena, is_live ? HRN_END_LIVE : HRN_END_EMPTY);
        }
        if (op->kind == HRN_CREATE) {
            bool is_sparse = op->aux == HRN_MAKE_SPARSE && run->adapter->sparse_regions;
            hrn_arena_create(run, op->arena, op->size_bytes, is_sparse);
        }
        hrn_run_done(run, op->kind, 1);
        return;
    }
    arena = hrn_arena_need(run, op->arena);
    if (arena == NULL) {
        return;
    }
    switch (op->kind) {
    case HRN_ALLOC:
    case HRN_NALLOC:
    case HRN_CALLOC:
    case HRN_MEMALIGN:
    case HRN_REUSE_GET:
        do_alloc(run, arena, op);
        break;
    case HRN_BURST:
        do_burst(run, arena, op);
        break;
    case HRN_FREE:
    case HRN_RESIZE:
    case HRN_GIVE_BACK:
    case HRN_REUSE_PUT:
        do_with_object(run, arena, op);
        break;
    default:
        do_with_arena(run, arena, op);
        break;
    }
}

/* --- Programs --- */

static void begin_arena(struct hrn_run *run, struct hrn_arena *arena)
{
    const struct hrn_head *head = &run->program->head;
    if (hrn_fault_on(HRN_FAULT_KEEP_ARENAS) && arena->self != NULL) {
        return;
    }
    hrn_source_init(&arena->source, &run->source_total, hrn_junk(head->content_seed));
    set_fault(&arena->source, head->fault_nth,
              head->fault_count == UINT32_MAX ? UINT64_MAX : head->fault_count);
    arena->hopeless = false;
    arena->n_refused = 0;
    arena->n_stale = 0;
    arena->n_tokens = 0;
}

static void begin_arenas(struct hrn_run *run)
{
    size_t old_cap = run->cap_arenas;
    run->n_arenas = run->program->n_arenas;
    run->arenas = hrn_array_grow(run->arenas, &run->cap_arenas, run->n_arenas, sizeof *run->arenas);
    if (run->cap_arenas > old_cap) {
        memset(run->arenas + old_cap, 0, (run->cap_arenas - old_cap) * sizeof *run->arenas);
    }
    for (size_t i = 0; i < run->n_arenas; i++) {
        begin_arena(run, &run->arenas[i]);
    }
}

/* Room to grow costs calls of the system for each region. */
static bool has_grow(const struct hrn_program *program)
{
    size_t i = 0;
    while (i < program->n_ops && program->ops[i].kind != HRN_GROW) {
        i++;
    }
    return i < program->n_ops;
}

static void begin(struct hrn_run *run, const struct slm_adapter *adapter,
                  const struct hrn_program *program, struct hrn_result *result)
{
    memset(result, 0, sizeof *result);
    hrn_scene.adapter = adapter->name;
    hrn_scene.program = program;
    run->adapter = adapter;
    run->can = hrn_can(adapter);
    run->program = program;
    run->grows = has_grow(program);
    run->head = program->head;
    run->result = result;
    run->live_bytes = 0;
    run->alloc_by = HRN_BY_ANY;
    run->is_elsewhere = false;
    run->n_walks = 0;
    run->n_deletes = 0;
    run->ending = NULL;
    run->source_total = (struct hrn_source_total){0};
    hrn_promise_begin(run);
    hrn_heap_restart();
    begin_arenas(run);
    hrn_model_begin(&run->model, (size_t)program->n_ids + HRN_PROBE_IDS,
                    program->head.content_seed);
}

/* True if the allocator itself examines the arena at each walk. */
static bool has_own_walk(const struct slm_adapter *adapter)
{
    return adapter->check != NULL || adapter->statistics != NULL || adapter->walk != NULL ||
           (adapter->checks != NULL && adapter->checks->walk != NULL);
}

/* How many things a walk over the arena examines. */
static size_t walk_size(const struct hrn_run *run, const struct hrn_arena *arena)
{
    const struct slm_adapter_checks *checks = run->adapter->checks;
    /* Of a sparse region few pages are in use. */
    size_t n_pages = arena->is_sparse ? 0 : arena->env.region_bytes / run->head.page_bytes;
    if (checks != NULL && checks->walk_size != NULL) {
        return arena->live.n + checks->walk_size(arena->self);
    }
    return arena->live.n + (has_own_walk(run->adapter) ? n_pages : 0);
}

/* How often the interval between walks has doubled. What a walk costs is known only where the
 * adapter says it; elsewhere a check may be slow, so a program has few walks after its first ones. */
static unsigned n_doublings(const struct hrn_run *run)
{
    const struct slm_adapter *adapter = run->adapter;
    bool says_size = adapter->checks != NULL && adapter->checks->walk_size != NULL;
    size_t n = run->n_walks / WALKS_DENSE;
    return says_size || adapter->check == NULL ? 0
                                               : (unsigned)(n < DOUBLINGS_MAX ? n : DOUBLINGS_MAX);
}

/* Operations until the next walk: as the head says, or more, so that even long walks stay a small
 * part of the work. */
static size_t walk_interval(const struct hrn_run *run)
{
    size_t n_looked_at = run->n_arenas;
    for (size_t i = 0; i < run->n_arenas; i++) {
        const struct hrn_arena *arena = &run->arenas[i];
        n_looked_at += arena->self != NULL ? walk_size(run, arena) : 0;
    }
    size_t least = n_looked_at / WALK_SHARE;
    least = run->head.check_every > least ? run->head.check_every : least;
    return least << n_doublings(run);
}

static void walk_all(struct hrn_run *run)
{
    for (size_t i = 0; i < run->n_arenas; i++) {
        if (run->arenas[i].self != NULL) {
            hrn_arena_walk(run, &run->arenas[i]);
        }
    }
}

static bool is_possible(const struct hrn_run *run, const struct hrn_op *op)
{
    return (run->can >> op->kind & 1u) != 0 && !(run->adapter->one_arena && op->arena != 0);
}

static void run_ops(struct hrn_run *run)
{
    const struct hrn_program *program = run->program;
    size_t until_walk = program->head.check_every;
    for (size_t i = 0; i < program->n_ops; i++) {
        const struct hrn_op *op = &program->ops[i];
        hrn_scene.op_idx = i;
        if (!is_possible(run, op)) {
            continue;
        }
        if (__builtin_expect(hrn_scene.about != NULL, 0)) {
            hrn_scene.about(op);
        }
        do_op(run, op);
        if (until_walk > 0 && --until_walk == 0) {
            walk_all(run);
            run->n_walks++;
            until_walk = walk_interval(run);
        }
    }
    hrn_scene.op_idx = program->n_ops;
}

static void finish(struct hrn_run *run)
{
    for (size_t i = 0; i < run->n_arenas; i++) {
        struct hrn_arena *arena = &run->arenas[i];
        if (arena->self != NULL && hrn_fault_on(HRN_FAULT_KEEP_ARENAS)) {
            hrn_arena_drain(run, arena, HRN_ORDER_OLDEST);
        } else if (arena->self != NULL) {
            hrn_arena_destroy(run, arena, HRN_END_EMPTY);
        } else {
            hrn_source_drop(&arena->source);
        }
    }
}

void hrn_run(const struct slm_adapter *adapter, const struct hrn_program *program,
             struct hrn_result *result)
{
    struct hrn_result own;
    struct hrn_run *run = &hrn_run_state;
    begin(run, adapter, program, result == NULL ? &own : result);
    run_ops(run);
    finish(run);
    hrn_elsewhere_end();
    run->result->peak_source_bytes = run->source_total.peak_bytes;
    hrn_run_count(run->result);
}

static void abandon(struct hrn_run *run, const struct hrn_catcher *catcher)
{
    struct hrn_result *result = run->result;
    hrn_elsewhere_end();
    result->law = catcher->law;
    result->op_idx = catcher->op_idx;
    memcpy(result->text, catcher->text, sizeof result->text);
    result->peak_source_bytes = run->source_total.peak_bytes;
    for (size_t i = 0; i < run->n_arenas; i++) {
        hrn_arena_abandon(run, &run->arenas[i]);
    }
}

enum hrn_law hrn_run_probe(const struct slm_adapter *adapter, const struct hrn_program *program,
                           struct hrn_result *result, struct hrn_promise_probe *probe)
{
    hrn_run_state.probe = probe;
    enum hrn_law law = hrn_run_catch(adapter, program, result);
    hrn_run_state.probe = NULL;
    return law;
}

enum hrn_law hrn_run_catch(const struct slm_adapter *adapter, const struct hrn_program *program,
                           struct hrn_result *result)
{
    static struct hrn_catcher catcher;
    static struct hrn_result own;
    struct hrn_result *volatile out = result == NULL ? &own : result;
    hrn_scene.catcher = &catcher;
    if (setjmp(catcher.back) == 0) {
        hrn_run(adapter, program, out);
    } else {
        abandon(&hrn_run_state, &catcher);
    }
    hrn_scene.catcher = NULL;
    return out->law;
}

void hrn_run_fini(void)
{
    struct hrn_run *run = &hrn_run_state;
    for (size_t i = 0; i < run->cap_arenas; i++) {
        struct hrn_arena *arena = &run->arenas[i];
        hrn_region_fini(&arena->region);
        for (unsigned k = 0; k < HRN_ADDED_MAX; k++) {
            hrn_region_fini(&arena->added[k]);
        }
        free(arena->live.ids);
        free(arena->reuse.ids);
        free(arena->handlers);
        free(arena->spares);
        free(arena->files.list);
        free(arena->files.decoys);
    }
    hrn_region_fini(&run->spare.region);
    free(run->arenas);
    free(run->snapshot);
    hrn_model_fini(&run->model);
    memset(run, 0, sizeof *run);
}
