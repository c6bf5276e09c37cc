/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of arenas: opened, grown, shrunk, added, checked. */
#include "harness/base/quiet.h"
#include "harness/run/state.h"

#include <stdio.h>

HRN_QUIET_BEGIN

#define GROW_MAX  (64u << 10) /* a region grows by so many bytes in all */
#define ADDED_MAX (1u << 20)  /* of an added region, bytes */

/* --- Opened --- */

static size_t lead_of(const struct slm_adapter *adapter)
{
    return adapter->region_align_bytes % 4096; /* at a multiple of that, and of no more */
}

static bool open_sparse(struct hrn_region *region, size_t bytes, size_t lead_bytes)
{
    static bool is_reported;
    bool is_open = hrn_region_open_sparse(region, bytes, lead_bytes);
    if (!is_open && !is_reported) {
        fprintf(stderr,
                "slabmill: the system maps no region of %zu bytes: arenas with such regions "
                "are left out\n",
                bytes);
        is_reported = true;
    }
    return is_open;
}

bool hrn_arena_open_region(const struct hrn_run *run, struct hrn_arena *arena, size_t size_bytes)
{
    const struct slm_adapter *adapter = run->adapter;
    unsigned char junk = hrn_junk(run->program->head.content_seed);
    size_t wanted = size_bytes != 0 ? size_bytes : run->program->head.region_bytes;
    size_t lead = lead_of(adapter);
    if (adapter->memory != SLM_ADAPTER_REGION) {
        return true;
    }
    size_t bytes =
        hrn_region_length(adapter, arena->is_sparse ? HRN_SPARSE_BYTES + size_bytes : wanted);
    if (arena->is_sparse && bytes > HRN_REGION_ALLOC_MAX) {
        return open_sparse(&arena->region, bytes, lead);
    }
    return !run->grows || adapter->grow == NULL
               ? hrn_region_open_led(&arena->region, bytes, lead, junk)
               : hrn_region_open_growing(&arena->region, bytes, lead, GROW_MAX, junk);
}

void hrn_arena_close_regions(struct hrn_arena *arena)
{
    hrn_region_close(&arena->region);
    while (arena->n_added > 0) {
        hrn_region_close(&arena->added[--arena->n_added]);
    }
}

/* --- Checked --- */

static bool has(const struct hrn_region *region, const unsigned char *p, size_t n)
{
    uintptr_t start = (uintptr_t)region->base + region->lead_bytes;
    uintptr_t end = (uintptr_t)region->base + region->bytes;
    uintptr_t at = (uintptr_t)p;
    return at >= start && at <= end && n <= end - at;
}

struct hrn_region *hrn_arena_region_of(struct hrn_arena *arena, const unsigned char *p, size_t n)
{
    if (has(&arena->region, p, n)) {
        return &arena->region;
    }
    for (unsigned i = 0; i < arena->n_added; i++) {
        if (has(&arena->added[i], p, n)) {
            return &arena->added[i];
        }
    }
    return NULL;
}

static void check_fence(const struct hrn_region *region)
{
    size_t after = hrn_region_fence_broken(region);
    size_t before = hrn_region_lead_broken(region);
    if (after != SIZE_MAX) {
        hrn_law_fence("byte %zu after the region was written", after);
    }
    if (before != SIZE_MAX) {
        hrn_law_fence("a byte %zu before the region was written", region->lead_bytes - before);
    }
}

void hrn_arena_check_fences(const struct hrn_arena *arena)
{
    if (arena->env.region == NULL || hrn_fault_on(HRN_FAULT_NO_FENCE)) {
        return;
    }
    check_fence(&arena->region);
    for (unsigned i = 0; i < arena->n_added; i++) {
        check_fence(&arena->added[i]);
    }
}

/* True: done. */
static bool is_done(enum slm_adapter_answer answer, enum hrn_kind kind, size_t bytes)
{
    if (answer != SLM_ADAPTER_OK && answer != SLM_ADAPTER_REFUSED) {
        hrn_law_region_change("%s by %zu bytes is answered by %s", hrn_kind_word(kind), bytes,
                              hrn_answer_name(answer));
    }
    return answer == SLM_ADAPTER_OK;
}

/* --- Changed --- */

static void grow(struct hrn_run *run, struct hrn_arena *arena, size_t by_bytes)
{
    struct hrn_region *region = &arena->region;
    size_t old = arena->env.region_bytes;
    size_t most = region->most_bytes - region->lead_bytes;
    size_t by = by_bytes <= most - old ? by_bytes : by_bytes % (most - old + 1);
    size_t now = hrn_region_length(run->adapter, old + by);
    if (now <= old || now > most || !hrn_region_resize(region, now)) {
        return;
    }
    if (is_done(run->adapter->grow(arena->self, now - old), HRN_GROW, now - old)) {
        arena->env.region_bytes = now;
        hrn_promise_grown(run, arena);
    } else {
        (void)hrn_region_resize(region, old);
    }
}

static void check_cut(const struct hrn_run *run, struct hrn_arena *arena,
                      const struct hrn_id_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct hrn_object *o = &run->model.objects[list->ids[i]];
        size_t n = hrn_object_extent(o->size_bytes);
        if (hrn_arena_region_of(arena, o->p, n) == NULL) {
            hrn_law_region_change("the region was cut to %zu bytes, and #%u, %zu bytes at %p, is "
                                  "live past its end",
                                  arena->env.region_bytes, list->ids[i], o->size_bytes,
                                  (void *)o->p);
        }
    }
}

static void shrink(struct hrn_run *run, struct hrn_arena *arena, size_t by_bytes)
{
    size_t old = arena->env.region_bytes;
    size_t by = by_bytes < old ? by_bytes : by_bytes % old;
    size_t now = hrn_region_length(run->adapter, old - by);
    if (now == 0 || now >= old) {
        return;
    }
    if (is_done(run->adapter->shrink(arena->self, old - now), HRN_SHRINK, old - now) &&
        hrn_region_resize(&arena->region, now)) {
        arena->env.region_bytes = now;
        check_cut(run, arena, &arena->live);
        check_cut(run, arena, &arena->reuse);
        hrn_promise_shrunk(arena);
    }
}

static void add(struct hrn_run *run, struct hrn_arena *arena, size_t wanted_bytes)
{
    const struct slm_adapter *adapter = run->adapter;
    size_t wanted = wanted_bytes != 0 ? wanted_bytes : run->head.region_bytes;
    size_t bytes = hrn_region_length(adapter, wanted <= ADDED_MAX ? wanted : wanted % ADDED_MAX);
    if (arena->n_added == HRN_ADDED_MAX || bytes > HRN_REGION_MAX_BYTES) {
        return;
    }
    struct hrn_region *region = &arena->added[arena->n_added];
    if (!hrn_region_open_led(region, bytes, lead_of(adapter), hrn_junk(run->head.content_seed))) {
        return;
    }
    hrn_region_track(region);
    arena->n_added++;
    void *start = region->base + region->lead_bytes;
    if (is_done(adapter->add_region(arena->self, start, bytes), HRN_ADD_REGION, bytes)) {
        hrn_promise_changed(arena);
    } else {
        check_fence(region);
        arena->n_added--;
        hrn_region_close(region);
    }
}

void hrn_arena_change_region(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    if (op->kind == HRN_GROW) {
        grow(run, arena, op->size_bytes);
    } else if (op->kind == HRN_SHRINK) {
        shrink(run, arena, op->size_bytes);
    } else {
        add(run, arena, op->size_bytes);
    }
    hrn_arena_walk(run, arena);
}

HRN_QUIET_END
