/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on single objects, each followed by a check of the laws that it can break. */
#include <string.h>

#include "harness/base/quiet.h"
#include "harness/run/state.h"

HRN_QUIET_BEGIN

const struct hrn_object *hrn_object_live(const struct hrn_run *run, const struct hrn_op *op)
{
    if (op->id >= run->model.n_objects) {
        return NULL;
    }
    const struct hrn_object *o = &run->model.objects[op->id];
    return o->p != NULL && o->arena == op->arena ? o : NULL;
}

void hrn_object_verify(struct hrn_run *run, uint32_t id)
{
    const struct hrn_object *o = &run->model.objects[id];
    if (hrn_fault_on(HRN_FAULT_NO_CONTENTS)) {
        return;
    }
    size_t wrong = hrn_contents_wrong(&run->model, id, o->p, o->size_bytes, o->size_bytes);
    if (wrong != SIZE_MAX) {
        hrn_law_contents("byte %zu of #%u, %zu bytes at %p, is %#x", wrong, id, o->size_bytes,
                         (void *)o->p, o->p[wrong]);
    }
}

static bool is_power_of_two(size_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

/* The alignment that the result must have; 0: the request should have been refused. */
static size_t needed_align(const struct hrn_run *run, const struct hrn_arena *arena,
                           const struct hrn_request *rq)
{
    const struct hrn_adapter *adapter = run->adapter;
    if (rq->kind == HRN_MEMALIGN) {
        bool lawful =
            is_power_of_two(rq->align_bytes) && rq->align_bytes <= adapter->align_max_bytes;
        return lawful ? rq->align_bytes : 0;
    }
    if (rq->kind == HRN_NALLOC) {
        return adapter->packed_align_bytes;
    }
    return adapter->align_of != NULL ? adapter->align_of(arena->self, rq->size_bytes)
                                     : adapter->align_bytes;
}

/* The first live object that shares a byte with [p, p + n). */
static uint32_t find_overlapped(const struct hrn_run *run, const unsigned char *p, size_t n)
{
    for (uint32_t id = 0; id < run->model.n_objects; id++) {
        const struct hrn_object *o = &run->model.objects[id];
        if (o->p != NULL && o->p < p + n && p < o->p + hrn_object_extent(o->size_bytes)) {
            return id;
        }
    }
    return HRN_NO_ID;
}

static void take_bytes(struct hrn_run *run, unsigned char *p, size_t n)
{
    if (!hrn_fault_on(HRN_FAULT_NO_OVERLAP) &&
        !hrn_map_take(&run->model.map, p, hrn_object_extent(n))) {
        hrn_law_overlap("%zu bytes at %p overlap live object #%d", n, (void *)p,
                        (int)find_overlapped(run, p, hrn_object_extent(n)));
    }
}

static void give_bytes(struct hrn_run *run, const struct hrn_object *o)
{
    if (!hrn_fault_on(HRN_FAULT_NO_OVERLAP)) {
        hrn_map_give(&run->model.map, o->p, hrn_object_extent(o->size_bytes));
    }
}

static void check_inside(struct hrn_arena *arena, const unsigned char *p, size_t n)
{
    const struct hrn_env *env = &arena->env;
    if (env->region == NULL) {
        return;
    }
    uintptr_t start = (uintptr_t)env->region;
    uintptr_t at = (uintptr_t)p;
    if (at < start || at - start > env->region_bytes || n > env->region_bytes - (at - start)) {
        hrn_law_outside("%zu bytes at %p, region of %zu bytes at %p", n, (const void *)p,
                        env->region_bytes, env->region);
    }
    hrn_region_use(&arena->region, p + n);
}

/* Checks a result before it is used. */
static void check_grant(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_request *rq,
                        unsigned char *p)
{
    size_t align = needed_align(run, arena, rq);
    if (align == 0 || rq->size_bytes > SIZE_MAX / 2) {
        hrn_law_grant("%zu bytes at alignment %zu", rq->size_bytes, rq->align_bytes);
    }
    check_inside(arena, p, hrn_object_extent(rq->size_bytes));
    if ((uintptr_t)p % align != 0 && !hrn_fault_on(HRN_FAULT_NO_ALIGNMENT)) {
        hrn_law_alignment("%p for %zu bytes should be a multiple of %zu", (void *)p, rq->size_bytes,
                          align);
    }
    take_bytes(run, p, rq->size_bytes);
    bool zeroed = rq->kind == HRN_CALLOC || rq->kind == HRN_CLEANUP;
    size_t wrong = zeroed ? hrn_contents_not_zero(p, rq->size_bytes) : SIZE_MAX;
    if (wrong != SIZE_MAX) {
        hrn_law_zeroing("byte %zu of %zu at %p is %#x", wrong, rq->size_bytes, (void *)p, p[wrong]);
    }
}

void hrn_object_adopt(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                      const struct hrn_request *rq, void *p)
{
    struct hrn_object *o = &run->model.objects[id];
    check_grant(run, arena, rq, p);
    *o = (struct hrn_object){
        .p = p, .size_bytes = rq->size_bytes, .rq = *rq, .arena = arena->env.arena};
    hrn_contents_fill(&run->model, id, p, rq->size_bytes);
    arena->live_bytes += rq->size_bytes;
    run->live_bytes += rq->size_bytes;
    if (run->live_bytes > run->result->peak_live_bytes) {
        run->result->peak_live_bytes = run->live_bytes;
    }
}

void hrn_object_refused(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_request *rq,
                        uint64_t n_source_refusals)
{
    const struct hrn_refusal seen = {n_source_refusals, arena->live_bytes};
    run->result->n_refused++;
    if (run->adapter->oracle.refused == NULL) {
        return;
    }
    const char *why = run->adapter->oracle.refused(arena->self, rq, &seen);
    if (why != NULL && !hrn_fault_on(HRN_FAULT_BELIEVE_REFUSAL)) {
        hrn_law_refusal("%zu bytes at alignment %zu: %s", rq->size_bytes, rq->align_bytes, why);
    }
}

static void *call_alloc(const struct hrn_run *run, const struct hrn_arena *arena,
                        const struct hrn_request *rq)
{
    if (rq->kind != HRN_CALLOC || !hrn_fault_on(HRN_FAULT_CALLOC_MEMSET)) {
        return run->adapter->alloc(arena->self, rq);
    }
    struct hrn_request plain = *rq;
    plain.kind = HRN_ALLOC;
    void *p = run->adapter->alloc(arena->self, &plain);
    return p == NULL ? NULL : memset(p, 0, rq->size_bytes);
}

bool hrn_object_alloc(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                      struct hrn_request rq)
{
    uint64_t n_before = arena->source.n_refused;
    void *p = call_alloc(run, arena, &rq);
    if (p == NULL) {
        hrn_object_refused(run, arena, &rq, arena->source.n_refused - n_before);
        return false;
    }
    hrn_object_adopt(run, arena, id, &rq, p);
    bool reuse = rq.kind == HRN_REUSE_GET;
    hrn_id_list_add(reuse ? &arena->reuse : &arena->live, run->model.objects, id);
    if (run->adapter->oracle.granted != NULL) {
        run->adapter->oracle.granted(arena->self, &rq, p);
    }
    return true;
}

void hrn_object_forget(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    struct hrn_object *o = &run->model.objects[id];
    give_bytes(run, o);
    arena->live_bytes -= o->rq.size_bytes;
    run->live_bytes -= o->rq.size_bytes;
    o->p = NULL;
}

void hrn_object_retire(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    struct hrn_object *o = &run->model.objects[id];
    bool reuse =
        o->rq.kind == HRN_REUSE_GET; /* the reuse list's memory, which free does not handle */
    if (!reuse) {
        arena->stale[arena->n_stale++ % HRN_N_STALE] = o->p;
    }
    hrn_id_list_drop(reuse ? &arena->reuse : &arena->live, run->model.objects, id);
    hrn_object_forget(run, arena, id);
}

bool hrn_object_free(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    const struct hrn_oracle *oracle = &run->adapter->oracle;
    struct hrn_object *o = &run->model.objects[id];
    hrn_object_verify(run, id);
    enum slm_status want =
        oracle->free_answer == NULL ? SLM_OK : oracle->free_answer(arena->self, &o->rq, o->p);
    enum slm_status got = run->adapter->free(arena->self, o->p);
    if (got != want) {
        hrn_law_free_answer("%s for #%u, %zu bytes at %p; should be %s", slm_status_name(got), id,
                            o->rq.size_bytes, (void *)o->p, slm_status_name(want));
    }
    if (got != SLM_OK) {
        hrn_object_verify(run, id);
        return false;
    }
    void *p = o->p;
    struct hrn_request rq = o->rq;
    hrn_object_retire(run, arena, id);
    if (oracle->freed != NULL) {
        oracle->freed(arena->self, &rq, p);
    }
    return true;
}

/* The object now starts at p and has n bytes; the first `kept` of them must be unchanged. */
static void reshape(struct hrn_run *run, struct hrn_arena *arena, uint32_t id, unsigned char *p,
                    size_t n)
{
    struct hrn_object *o = &run->model.objects[id];
    size_t kept = n < o->size_bytes ? n : o->size_bytes;
    give_bytes(run, o);
    check_inside(arena, p, hrn_object_extent(n));
    take_bytes(run, p, n);
    size_t wrong = hrn_contents_wrong(&run->model, id, p, o->size_bytes, kept);
    if (wrong != SIZE_MAX && !hrn_fault_on(HRN_FAULT_NO_CONTENTS)) {
        hrn_law_resize("byte %zu of #%u is %#x after going from %zu to %zu bytes", wrong, id,
                       p[wrong], o->size_bytes, n);
    }
    o->p = p;
    o->size_bytes = n;
    hrn_contents_fill(&run->model, id, p, n);
}

/* For allocators that report how much of an object may be used: uses all of it from now on. */
static void use_all(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    struct hrn_object *o = &run->model.objects[id];
    size_t usable = run->adapter->usable_bytes(arena->self, o->p);
    if (usable < o->size_bytes) {
        hrn_law_usable("%zu of #%u, which has %zu", usable, id, o->size_bytes);
    }
    if (usable > SIZE_MAX / 2) {
        hrn_law_usable("%zu of #%u", usable, id);
    }
    reshape(run, arena, id, o->p, usable);
}

void hrn_object_resize(struct hrn_run *run, struct hrn_arena *arena, uint32_t id, size_t size_bytes)
{
    struct hrn_object *o = &run->model.objects[id];
    hrn_object_verify(run, id);
    if (run->adapter->resize == NULL) {
        use_all(run, arena, id);
        return;
    }
    void *p = o->p;
    enum slm_status got = run->adapter->resize(arena->self, &p, o->size_bytes, size_bytes);
    if (got == SLM_OK) {
        reshape(run, arena, id, p, size_bytes);
    } else if (got != SLM_UNCHANGED && got != SLM_E_NOMEM) {
        hrn_law_resize("%s for #%u", slm_status_name(got), id);
    } else {
        hrn_object_verify(run, id);
    }
}

void hrn_object_give_back(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    struct hrn_object *o = &run->model.objects[id];
    hrn_object_verify(run, id);
    enum slm_status got = run->adapter->give_back(arena->self, o->p, o->size_bytes);
    if (got == SLM_OK) {
        hrn_object_retire(run, arena, id);
    } else if (got != SLM_UNCHANGED) {
        hrn_law_free_answer("give_back returns %s for #%u", slm_status_name(got), id);
    } else {
        hrn_object_verify(run, id);
    }
}

void hrn_object_reuse_put(struct hrn_run *run, struct hrn_arena *arena, uint32_t id, bool twice)
{
    struct hrn_object *o = &run->model.objects[id];
    void *p = o->p;
    hrn_object_verify(run, id);
    enum slm_status got = run->adapter->reuse_put(arena->self, p);
    if (got != SLM_OK) {
        hrn_law_reuse("put of live #%u returns %s", id, slm_status_name(got));
    }
    hrn_object_retire(run, arena, id);
    if (!twice) {
        return;
    }
    got = run->adapter->reuse_put(arena->self, p);
    if (got != SLM_E_FREED) {
        hrn_law_reuse("second put of #%u returns %s", id, slm_status_name(got));
    }
}

HRN_QUIET_END
