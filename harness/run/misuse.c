/* SPDX-License-Identifier: Apache-2.0 */
/* Pointers that free must refuse. */
#include <stdlib.h>

#include "harness/base/quiet.h"
#include "harness/run/state.h"

HRN_QUIET_BEGIN

#define PAGE_BYTES  ((uintptr_t)4096)
#define CLOSE_WATCH 16u /* programs that walk at least this often also walk after each misuse */

static bool starts_live_object(const struct hrn_run *run, const struct hrn_arena *arena,
                               const void *p)
{
    if (!hrn_map_taken(&run->model.map, p)) {
        return false;
    }
    for (size_t i = 0; i < arena->live.n; i++) {
        if (run->model.objects[arena->live.ids[i]].p == p) {
            return true;
        }
    }
    for (size_t i = 0; i < arena->n_handlers; i++) {
        if (arena->handlers[i].data == p) { /* free accepts large data */
            return true;
        }
    }
    return false;
}

/* A live object of some other arena, or NULL. */
static void *object_elsewhere(const struct hrn_run *run, const struct hrn_arena *arena, size_t pick)
{
    for (size_t i = 0; i < run->n_arenas; i++) {
        const struct hrn_arena *other = &run->arenas[i];
        if (other != arena && other->self != NULL && other->live.n > 0) {
            return run->model.objects[other->live.ids[pick % other->live.n]].p;
        }
    }
    return NULL;
}

static void *in_region(const struct hrn_arena *arena, size_t offset)
{
    return arena->env.region == NULL ? NULL : (unsigned char *)arena->env.region + offset;
}

/* A place in the allocator's bookkeeping: its start plus an offset that is probably within it. */
static void *metadata(const struct hrn_run *run, const struct hrn_arena *arena, size_t offset)
{
    if (run->adapter->metadata != NULL) {
        return (unsigned char *)run->adapter->metadata(arena->self) + offset % 64;
    }
    return in_region(arena, offset % PAGE_BYTES % (arena->env.region_bytes + 1));
}

static void *stale(const struct hrn_arena *arena, size_t which)
{
    unsigned n = arena->n_stale < HRN_N_STALE ? arena->n_stale : HRN_N_STALE;
    return n == 0 ? NULL : arena->stale[which % n];
}

/* Pointers that need a victim. */
static void *near_victim(const struct hrn_run *run, const struct hrn_op *op)
{
    const struct hrn_object *victim = hrn_object_live(run, op);
    if (victim == NULL) {
        return NULL;
    }
    switch (op->aux) {
    case HRN_MISUSE_INTERIOR:
        return victim->size_bytes < 2 ? NULL
                                      : victim->p + 1 + op->size_bytes % (victim->size_bytes - 1);
    case HRN_MISUSE_PAST_END:
        return victim->p + victim->size_bytes;
    default:
        return (void *)(((uintptr_t)victim->p | (PAGE_BYTES - 1)) - 7);
    }
}

/* The pointer to try; NULL: none. */
static void *find_pointer(const struct hrn_run *run, const struct hrn_arena *arena,
                          const struct hrn_op *op)
{
    switch (op->aux) {
    case HRN_MISUSE_STALE:
        return stale(arena, op->size_bytes);
    case HRN_MISUSE_METADATA:
        return metadata(run, arena, op->size_bytes);
    case HRN_MISUSE_REGION_END:
        return in_region(arena, arena->env.region_bytes);
    case HRN_MISUSE_BEFORE:
        return arena->env.region == NULL ? NULL : (unsigned char *)arena->env.region - 8;
    case HRN_MISUSE_OTHER_ARENA:
        return object_elsewhere(run, arena, op->size_bytes);
    case HRN_MISUSE_WILD:
        return arena->env.region == NULL
                   ? NULL
                   : in_region(arena, op->size_bytes % arena->env.region_bytes);
    default:
        return near_victim(run, op);
    }
}

_Static_assert((unsigned)HRN_MISUSE_COUNT == SLM_ADAPTER_N_MISUSES &&
                   (unsigned)HRN_MISUSE_WILD == SLM_ADAPTER_MISUSE_WILD,
               "the numbers of programs are those of adapters");

/* The answers that the table allows; 0: not tried. */
static uint32_t declared_answers(const struct slm_adapter *adapter, enum hrn_misuse misuse)
{
    bool any = adapter->bad_free[misuse] == 0 && misuse != HRN_MISUSE_NULL;
    return any ? adapter->bad_free_any : adapter->bad_free[misuse];
}

static bool has_own_answers(const struct slm_adapter *adapter)
{
    return adapter->checks != NULL && adapter->checks->bad_free != NULL;
}

static uint32_t wanted_answers(const struct slm_adapter *adapter, void *self,
                               enum hrn_misuse misuse, const void *p)
{
    return has_own_answers(adapter)
               ? adapter->checks->bad_free(self, (enum slm_adapter_misuse)misuse, p)
               : declared_answers(adapter, misuse);
}

static void try_pointer(struct hrn_run *run, struct hrn_arena *arena, enum hrn_misuse misuse,
                        void *p)
{
    const struct slm_adapter *adapter = run->adapter;
    uint32_t want = wanted_answers(adapter, arena->self, misuse, p);
    if (want == 0) {
        return;
    }
    enum slm_adapter_answer got = adapter->free(arena->self, p, 0);
    hrn_run_misused(misuse);
    hrn_run_done(run, HRN_MISUSE, 1);
    if (hrn_fault_on(HRN_FAULT_NO_MISUSE)) {
        return;
    }
    if ((unsigned)got >= SLM_ADAPTER_N_ANSWERS || (want >> (unsigned)got & 1u) == 0) {
        hrn_law_misuse_answer("free(%p), %s: %s", p, hrn_misuse_word(misuse), hrn_answer_name(got));
    }
    if (run->head.check_every != 0 && run->head.check_every <= CLOSE_WATCH) {
        hrn_arena_ask(run, arena, HRN_LOOK_ALL);
    }
}

static void try_heap(struct hrn_run *run, struct hrn_arena *arena)
{
    static void *block; /* what a broken law left */
    free(block);
    block = malloc(64);
    if (block != NULL) {
        try_pointer(run, arena, HRN_MISUSE_HEAP, block);
    }
    free(block);
    block = NULL;
}

static void try_twice(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    const struct hrn_object *victim = hrn_object_live(run, op);
    void *p = victim == NULL ? NULL : victim->p;
    if (p != NULL && hrn_object_free(run, arena, op->id)) {
        try_pointer(run, arena, HRN_MISUSE_TWICE, p);
    }
}

void hrn_misuse_try(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    enum hrn_misuse misuse = op->aux;
    uint64_t on_stack[2] = {0, 0};
    if (!has_own_answers(run->adapter) && declared_answers(run->adapter, misuse) == 0) {
        return;
    }
    switch (misuse) {
    case HRN_MISUSE_NULL:
        try_pointer(run, arena, misuse, NULL);
        return;
    case HRN_MISUSE_HEAP:
        try_heap(run, arena);
        return;
    case HRN_MISUSE_STACK:
        try_pointer(run, arena, misuse, on_stack);
        return;
    case HRN_MISUSE_TWICE:
        try_twice(run, arena, op);
        return;
    default:
        break;
    }
    void *p = find_pointer(run, arena, op);
    if (p != NULL && !starts_live_object(run, arena, p)) {
        try_pointer(run, arena, misuse, p);
    }
}

HRN_QUIET_END
