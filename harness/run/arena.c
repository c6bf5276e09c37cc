/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: made, checked, emptied, destroyed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/base/quiet.h"
#include "harness/run/state.h"
#include "harness/run/watch.h"

HRN_QUIET_BEGIN

/* --- Made --- */

/* After this many refused attempts to make an arena, further attempts are only counted. Otherwise a
 * program whose source refuses everything would make one at each operation, and do nothing else. */
#define REFUSED_MAX 4u

/* env->fail of every arena. */
__attribute__((noreturn, format(printf, 2, 3))) static void fail(const struct slm_adapter_env *env,
                                                                 const char *format, ...)
{
    char text[HRN_LAW_TEXT_BYTES + 32];
    va_list args;
    (void)env;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    hrn_law_by_text(text);
}

/* The size to which a slab with a reserve could grow; 0: it has none. */
static size_t most_bytes(const struct hrn_head *head)
{
    return (head->flags & HRN_HEAD_RESERVE) != 0 ? 2 * (size_t)head->region_bytes : 0;
}

static void fill_shapes(const struct hrn_head *head, struct hrn_arena *arena, size_t size_bytes)
{
    arena->pool_shape = (struct slm_adapter_pool_shape){
        .block_bytes = size_bytes != 0 ? size_bytes : head->block_bytes,
        .pass_through = (head->flags & HRN_HEAD_PASS_THROUGH) != 0};
    arena->slab_shape =
        (struct slm_adapter_slab_shape){.page_bytes = head->page_bytes,
                                        .min_object_bytes = head->min_object_bytes,
                                        .gap_bytes = head->gap_bytes,
                                        .per_doubling = head->per_doubling,
                                        .shared = (head->flags & HRN_HEAD_SHARED) != 0,
                                        .max_bytes = most_bytes(head),
                                        .locked = (head->flags & HRN_HEAD_LOCKED) != 0};
}

static void fill_env(const struct hrn_run *run, struct hrn_arena *arena, uint32_t idx,
                     size_t size_bytes)
{
    fill_shapes(&run->head, arena, size_bytes);
    arena->env = (struct slm_adapter_env){.source = &arena->source.source,
                                          .source_live_bytes = &arena->source.live_bytes,
                                          .arena = idx,
                                          .fail = fail,
                                          .pool_shape = &arena->pool_shape,
                                          .slab_shape = &arena->slab_shape};
    if (arena->region.base != NULL) {
        arena->env.region = arena->region.base + arena->region.lead_bytes;
        arena->env.region_bytes = arena->region.bytes - arena->region.lead_bytes;
    }
}

static void check_source(const struct hrn_arena *arena)
{
    if (arena->source.live_blocks != 0 && !hrn_fault_on(HRN_FAULT_NO_LEAK)) {
        hrn_law_source_leak("%zu blocks of %zu bytes", arena->source.live_blocks,
                            arena->source.live_bytes);
    }
}

bool hrn_arena_open(struct hrn_run *run, struct hrn_arena *arena, uint32_t arena_idx,
                    size_t size_bytes)
{
    if (!hrn_arena_open_region(run, arena, size_bytes)) {
        return false;
    }
    hrn_region_track(&arena->region);
    fill_env(run, arena, arena_idx, size_bytes);
    return true;
}

/* Why a create that returned NULL was wrong; NULL: it was right. */
static const char *wrong_create(const struct hrn_run *run, const struct hrn_arena *arena,
                                bool source_refused)
{
    const struct slm_adapter_checks *checks = run->adapter->checks;
    if (source_refused) {
        return NULL;
    }
    return checks != NULL && checks->create_refused != NULL
               ? checks->create_refused(&arena->env)
               : "the source refused nothing; see region_min_bytes and the like in adapter.h";
}

void hrn_arena_create(struct hrn_run *run, uint32_t arena_idx, size_t size_bytes, bool is_sparse)
{
    const struct slm_adapter *adapter = run->adapter;
    struct hrn_arena *arena = &run->arenas[arena_idx];
    arena->hopeless = false;
    arena->is_sparse = is_sparse;
    hrn_promise_made(arena);
    hrn_promise_scout(run, arena, arena_idx, size_bytes);
    if (!hrn_arena_open(run, arena, arena_idx, size_bytes)) {
        arena->hopeless = size_bytes == 0 && !is_sparse;
        return;
    }
    uint64_t n_before = arena->source.n_refused;
    arena->self = adapter->create(&arena->env);
    if (arena->self != NULL) {
        arena->n_refused = 0;
        if (run->watcher != NULL && run->watcher->made != NULL) {
            run->watcher->made(run->watcher->data, &arena->env);
        }
        return;
    }
    check_source(arena);
    hrn_region_close(&arena->region);
    bool refused = arena->source.n_refused > n_before;
    arena->n_refused += refused;
    const char *wrong = wrong_create(run, arena, refused);
    if (wrong != NULL) {
        hrn_law_create_answer("a region of %zu bytes, blocks of %zu: %s", arena->env.region_bytes,
                              arena->pool_shape.block_bytes, wrong);
    }
    arena->hopeless = !refused && size_bytes == 0 && !is_sparse;
}

struct hrn_arena *hrn_arena_need(struct hrn_run *run, uint32_t arena_idx)
{
    struct hrn_arena *arena = &run->arenas[arena_idx];
    if (arena->self != NULL) {
        return arena;
    }
    bool skip = arena->hopeless ||
                (arena->n_refused >= REFUSED_MAX && hrn_source_skip_refused(&arena->source));
    if (!skip) {
        hrn_arena_create(run, arena_idx, 0, false);
    }
    return arena->self == NULL ? NULL : arena;
}

/* --- Checked --- */

void hrn_arena_walk(struct hrn_run *run, struct hrn_arena *arena)
{
    for (size_t i = 0; i < arena->live.n; i++) {
        hrn_object_verify(run, arena->live.ids[i]);
    }
    for (size_t i = 0; i < arena->reuse.n; i++) {
        hrn_object_verify(run, arena->reuse.ids[i]);
    }
    for (size_t i = 0; i < arena->n_handlers; i++) {
        if (arena->handlers[i].data_bytes > 0) {
            hrn_object_verify(run, arena->handlers[i].id);
        }
    }
    hrn_arena_check_fences(arena);
    hrn_arena_ask(run, arena, HRN_LOOK_ALL);
}

/* --- Emptied --- */

/* The nth id to free of n, by order. */
static size_t pick(enum hrn_order order, size_t i, size_t n)
{
    switch (order) {
    case HRN_ORDER_NEWEST:
        return n - 1 - i;
    case HRN_ORDER_EVERY_OTHER:
        return i < (n + 1) / 2 ? 2 * i : 2 * (i - (n + 1) / 2) + 1;
    default:
        return i;
    }
}

static size_t take_snapshot(struct hrn_run *run, const struct hrn_id_list *list)
{
    run->snapshot =
        hrn_array_grow(run->snapshot, &run->cap_snapshot, list->n, sizeof *run->snapshot);
    if (list->n > 0) {
        memcpy(run->snapshot, list->ids, list->n * sizeof *run->snapshot);
    }
    return list->n;
}

static void put_all(struct hrn_run *run, struct hrn_arena *arena)
{
    while (arena->reuse.n > 0) {
        hrn_object_reuse_put(run, arena, arena->reuse.ids[arena->reuse.n - 1], false);
        hrn_run_done(run, HRN_REUSE_PUT, 1);
    }
}

static void ask_emptied(const struct hrn_run *run, struct hrn_arena *arena, bool by_reset)
{
    const struct slm_adapter_checks *checks = run->adapter->checks;
    if (checks != NULL && checks->emptied != NULL) {
        checks->emptied(arena->self, by_reset);
    }
}

void hrn_arena_drain(struct hrn_run *run, struct hrn_arena *arena, enum hrn_order order)
{
    size_t n = take_snapshot(run, &arena->live);
    bool all_gone = true;
    for (size_t i = 0; i < n; i++) {
        all_gone &= hrn_object_free(run, arena, run->snapshot[pick(order, i, n)]);
        hrn_run_done(run, HRN_FREE, 1);
    }
    put_all(run, arena);
    if (run->adapter->trim != NULL) {
        run->adapter->trim(arena->self);
        hrn_promise_changed(arena);
    }
    if (all_gone) {
        ask_emptied(run, arena, false);
        hrn_promise_emptied(run, arena);
    }
}

static void retire_all(struct hrn_run *run, struct hrn_arena *arena)
{
    while (arena->live.n > 0) {
        hrn_object_retire(run, arena, arena->live.ids[arena->live.n - 1]);
    }
    while (arena->reuse.n > 0) {
        hrn_object_retire(run, arena, arena->reuse.ids[arena->reuse.n - 1]);
    }
}

void hrn_arena_reset(struct hrn_run *run, struct hrn_arena *arena)
{
    hrn_arena_walk(run, arena);
    hrn_cleanup_begin(run, arena);
    run->adapter->reset(arena->self);
    hrn_cleanup_end(run, arena);
    retire_all(run, arena);
    hrn_promise_changed(arena);
    arena->avail.has_reused = true;
    ask_emptied(run, arena, true);
    hrn_promise_emptied(run, arena);
}

/* --- Destroyed --- */

void hrn_arena_destroy(struct hrn_run *run, struct hrn_arena *arena, enum hrn_end end)
{
    const struct slm_adapter *adapter = run->adapter;
    hrn_arena_walk(run, arena);
    if (end == HRN_END_EMPTY || adapter->destroy == NULL || adapter->destroy_needs_empty) {
        hrn_arena_drain(run, arena, HRN_ORDER_OLDEST);
    }
    hrn_cleanup_begin(run, arena);
    if (run->watcher != NULL && run->watcher->ending != NULL) {
        run->watcher->ending(run->watcher->data, &arena->env);
    }
    if (adapter->destroy != NULL) {
        adapter->destroy(arena->self);
    }
    hrn_cleanup_end(run, arena);
    retire_all(run, arena);
    hrn_arena_check_fences(arena);
    check_source(arena);
    arena->self = NULL;
    hrn_source_drop(&arena->source);
    hrn_arena_close_regions(arena);
}

void hrn_arena_abandon(struct hrn_run *run, struct hrn_arena *arena)
{
    run->teardown = NULL;
    arena->self = NULL;
    arena->live.n = 0;
    arena->reuse.n = 0;
    arena->n_handlers = 0;
    arena->n_spares = 0;
    hrn_file_abandon(&arena->files);
    arena->live_bytes = 0;
    hrn_source_drop(&arena->source);
    arena->region.used_bytes =
        arena->region.bytes; /* a broken allocator may have written anywhere */
    for (unsigned i = 0; i < arena->n_added; i++) {
        arena->added[i].used_bytes = arena->added[i].bytes;
    }
    hrn_arena_close_regions(arena);
}

HRN_QUIET_END
