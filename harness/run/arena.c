/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: made, checked, emptied, destroyed. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/base/quiet.h"
#include "harness/run/state.h"

HRN_QUIET_BEGIN

/* --- Made --- */

/* After this many refused attempts to make an arena, further attempts are only counted. Otherwise a
 * program whose source refuses everything would make one at each operation, and do nothing else. */
#define REFUSED_MAX 4u

static void fill_env(const struct hrn_run *run, struct hrn_arena *arena, uint32_t idx,
                     size_t size_bytes)
{
    arena->env =
        (struct hrn_env){.head = &run->head,
                         .size_bytes = size_bytes,
                         .region = arena->region.base,
                         .region_bytes = arena->region.base == NULL ? 0 : arena->region.bytes,
                         .source = &arena->source.source,
                         .source_live_bytes = &arena->source.live_bytes,
                         .arena = idx};
}

static void check_source(const struct hrn_arena *arena)
{
    if (arena->source.live_blocks != 0 && !hrn_fault_on(HRN_FAULT_NO_LEAK)) {
        hrn_law_source_leak("%zu blocks of %zu bytes", arena->source.live_blocks,
                            arena->source.live_bytes);
    }
}

void hrn_arena_create(struct hrn_run *run, uint32_t arena_idx, size_t size_bytes)
{
    const struct hrn_adapter *adapter = run->adapter;
    struct hrn_arena *arena = &run->arenas[arena_idx];
    arena->hopeless = false;
    const struct hrn_head *head = &run->program->head;
    if (adapter->region_bytes != NULL &&
        !hrn_region_open(&arena->region, adapter->region_bytes(head, size_bytes),
                         hrn_junk(head->content_seed))) {
        arena->hopeless = size_bytes == 0;
        return;
    }
    hrn_region_track(&arena->region);
    fill_env(run, arena, arena_idx, size_bytes);
    uint64_t n_before = arena->source.n_refused;
    enum slm_status why = SLM_OK;
    arena->self = adapter->create(&arena->env, &why);
    if (arena->self != NULL) {
        arena->n_refused = 0;
        return;
    }
    check_source(arena);
    hrn_region_close(&arena->region);
    bool refused = arena->source.n_refused > n_before;
    arena->n_refused += refused;
    bool lawful =
        refused || (adapter->create_lawful != NULL && adapter->create_lawful(&arena->env, why));
    if (!lawful) {
        hrn_law_create_answer("%s for %zu bytes (region %zu, block %u)", slm_status_name(why),
                              size_bytes, arena->env.region_bytes, run->program->head.block_bytes);
    }
    arena->hopeless = !refused && size_bytes == 0;
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
        hrn_arena_create(run, arena_idx, 0);
    }
    return arena->self == NULL ? NULL : arena;
}

/* --- Checked --- */

void hrn_arena_ask(struct hrn_run *run, struct hrn_arena *arena)
{
    bool off = hrn_fault_on(HRN_FAULT_IGNORE_WALK) ||
               (hrn_fault_on(HRN_FAULT_CHECK_EMPTY) && arena->live.n > 0);
    if (run->adapter->oracle.walk != NULL && !off) {
        run->adapter->oracle.walk(arena->self, arena->live.n, arena->live_bytes);
    }
}

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
    size_t broken = arena->env.region == NULL || hrn_fault_on(HRN_FAULT_NO_FENCE)
                        ? SIZE_MAX
                        : hrn_region_fence_broken(&arena->region);
    if (broken != SIZE_MAX) {
        hrn_law_fence("byte %zu after the region was written", broken);
    }
    hrn_arena_ask(run, arena);
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
    if (run->adapter->oracle.emptied != NULL) {
        run->adapter->oracle.emptied(arena->self, by_reset);
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
    }
    if (all_gone) {
        ask_emptied(run, arena, false);
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
    ask_emptied(run, arena, true);
}

/* --- Destroyed --- */

void hrn_arena_destroy(struct hrn_run *run, struct hrn_arena *arena)
{
    hrn_arena_walk(run, arena);
    hrn_arena_drain(run, arena, HRN_ORDER_OLDEST);
    hrn_cleanup_begin(run, arena);
    run->adapter->destroy(arena->self);
    hrn_cleanup_end(run, arena);
    retire_all(run, arena);
    check_source(arena);
    arena->self = NULL;
    hrn_source_drop(&arena->source);
    hrn_region_close(&arena->region);
}

void hrn_arena_abandon(struct hrn_run *run, struct hrn_arena *arena)
{
    run->teardown = NULL;
    arena->self = NULL;
    arena->live.n = 0;
    arena->reuse.n = 0;
    arena->n_handlers = 0;
    hrn_file_abandon(&arena->files);
    arena->live_bytes = 0;
    hrn_source_drop(&arena->source);
    arena->region.used_bytes =
        arena->region.bytes; /* a broken allocator may have written anywhere */
    hrn_region_close(&arena->region);
}

HRN_QUIET_END
