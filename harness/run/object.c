/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on single objects, each followed by a check of the laws that it can break. */
#include <string.h>

#include "harness/base/quiet.h"
#include "harness/run/call.h"

HRN_QUIET_BEGIN

#define SLACK       0x3C /* what is written to usable bytes after those asked for */
#define SLACK_EVERY 4u   /* new objects of which one is used so far */

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

/* The alignment that the result must have; 0: the request should have been refused. */
static size_t needed_align(const struct hrn_run *run, const struct hrn_arena *arena,
                           const struct slm_adapter_request *rq)
{
    const struct slm_adapter *adapter = run->adapter;
    if (rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED) {
        return hrn_align_is_served(adapter, rq->align_bytes) ? rq->align_bytes : 0;
    }
    if (rq->call == SLM_ADAPTER_CALL_ALLOC_PACKED) {
        return adapter->pool->packed_align_bytes;
    }
    return hrn_align_of(adapter, arena->self, rq->size_bytes);
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

__attribute__((noreturn)) static void fail_overlap(const struct hrn_run *run, unsigned char *p,
                                                   size_t n)
{
    uint32_t id = find_overlapped(run, p, hrn_object_extent(n));
    size_t other_bytes = id == HRN_NO_ID ? SIZE_MAX : run->model.objects[id].size_bytes;
    if (n != 0 && other_bytes != 0) {
        hrn_law_overlap("%zu bytes at %p overlap live object #%d", n, (void *)p, (int)id);
    }
    hrn_law_overlap(
        "two live objects share the address %p: a new one of %zu bytes, and #%d of %zu. "
        "If size 0 gets no address of its own, declare .zero = "
        "SLM_ADAPTER_ZERO_UNASKED",
        (void *)p, n, (int)id, other_bytes);
}

static void take_bytes(struct hrn_run *run, unsigned char *p, size_t n)
{
    if (!hrn_fault_on(HRN_FAULT_NO_OVERLAP) &&
        !hrn_map_take(&run->model.map, p, hrn_object_extent(n))) {
        fail_overlap(run, p, n);
    }
}

static void give_bytes(struct hrn_run *run, const struct hrn_object *o)
{
    if (!hrn_fault_on(HRN_FAULT_NO_OVERLAP)) {
        hrn_map_give(&run->model.map, o->p, hrn_object_extent(o->size_bytes));
    }
}

static void check_inside(struct hrn_arena *arena, enum slm_adapter_memory memory,
                         const unsigned char *p, size_t size_bytes)
{
    const struct slm_adapter_env *env = &arena->env;
    size_t n = hrn_object_extent(size_bytes);
    if (memory == SLM_ADAPTER_SOURCE && !hrn_source_has(&arena->source, p, size_bytes)) {
        hrn_law_outside("%zu bytes at %p are not in one block of the source", size_bytes,
                        (const void *)p);
    }
    if (env->region == NULL) {
        return;
    }
    struct hrn_region *region = hrn_arena_region_of(arena, p, n);
    if (region == NULL) {
        hrn_law_outside("%zu bytes at %p, region of %zu bytes at %p", n, (const void *)p,
                        env->region_bytes, env->region);
    }
    hrn_region_use(region, p + n);
}

static void check_alignment(const unsigned char *p, size_t size_bytes, size_t align)
{
    if ((uintptr_t)p % align != 0 && !hrn_fault_on(HRN_FAULT_NO_ALIGNMENT)) {
        hrn_law_alignment("%p for %zu bytes should be a multiple of %zu", (const void *)p,
                          size_bytes, align);
    }
}

static bool must_be_refused(const struct slm_adapter *adapter, size_t size_bytes)
{
    return size_bytes > hrn_size_max(adapter) ||
           (size_bytes == 0 && adapter->zero == SLM_ADAPTER_ZERO_REFUSED);
}

static bool must_be_zero(const struct slm_adapter *adapter, enum slm_adapter_call call)
{
    return call == SLM_ADAPTER_CALL_ALLOC_ZEROED ||
           (call == SLM_ADAPTER_CALL_CLEANUP && adapter->pool->cleanup_zeroes);
}

/* Checks a result before it is used. */
static void check_grant(struct hrn_run *run, struct hrn_arena *arena,
                        const struct slm_adapter_request *rq, unsigned char *p)
{
    size_t align = needed_align(run, arena, rq);
    char asked[HRN_REQUEST_TEXT_BYTES];
    if (align == 0 || must_be_refused(run->adapter, rq->size_bytes)) {
        hrn_law_grant("%s", hrn_request_text(rq, asked));
    }
    check_inside(arena, run->adapter->memory, p, rq->size_bytes);
    check_alignment(p, rq->size_bytes, align);
    take_bytes(run, p, rq->size_bytes);
    size_t wrong =
        must_be_zero(run->adapter, rq->call) ? hrn_contents_not_zero(p, rq->size_bytes) : SIZE_MAX;
    if (wrong != SIZE_MAX) {
        hrn_law_zeroing("byte %zu of %zu at %p is %#x", wrong, rq->size_bytes, (void *)p, p[wrong]);
    }
}

void hrn_object_adopt(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                      const struct slm_adapter_request *rq, void *p)
{
    struct hrn_object *o = &run->model.objects[id];
    check_grant(run, arena, rq, p);
    *o = (struct hrn_object){.p = p,
                             .size_bytes = rq->size_bytes,
                             .rq = *rq,
                             .align_bytes = rq->align_bytes,
                             .arena = arena->env.arena};
    hrn_contents_fill(&run->model, id, p, rq->size_bytes);
    hrn_promise_granted(run, arena, rq, p);
    arena->live_bytes += rq->size_bytes;
    run->live_bytes += rq->size_bytes;
    if (run->live_bytes > run->result->peak_live_bytes) {
        run->result->peak_live_bytes = run->live_bytes;
    }
}

void hrn_object_refused(struct hrn_run *run, struct hrn_arena *arena,
                        const struct slm_adapter_request *rq, uint64_t n_source_refusals)
{
    const struct slm_adapter_refusal seen = {n_source_refusals, arena->live_bytes};
    const struct slm_adapter_checks *checks = run->adapter->checks;
    run->result->n_refused++;
    const char *why =
        checks == NULL || checks->refused == NULL ? NULL : checks->refused(arena->self, rq, &seen);
    if (why != NULL && !hrn_fault_on(HRN_FAULT_BELIEVE_REFUSAL)) {
        char asked[HRN_REQUEST_TEXT_BYTES];
        hrn_law_refusal("%s: %s", hrn_request_text(rq, asked), why);
    }
    hrn_promise_refused(run, arena, rq, n_source_refusals);
}

/* The usable bytes of an object, checked. */
static size_t usable_bytes(const struct hrn_run *run, const struct hrn_arena *arena, uint32_t id)
{
    const struct hrn_object *o = &run->model.objects[id];
    size_t usable = run->adapter->usable_bytes(arena->self, o->p);
    if (usable < o->size_bytes) {
        hrn_law_usable("%zu of #%u, which has %zu", usable, id, o->size_bytes);
    }
    if (usable > SIZE_MAX / 2) {
        hrn_law_usable("%zu of #%u", usable, id);
    }
    return usable;
}

/* Of much, only both ends. */
static void write_slack(unsigned char *from, unsigned char *end)
{
    size_t n = (size_t)(end - from);
    if (n <= HRN_HUGE_BYTES) {
        memset(from, SLACK, n);
        return;
    }
    memset(from, SLACK, HRN_HUGE_END_BYTES);
    memset(end - HRN_HUGE_END_BYTES, SLACK, HRN_HUGE_END_BYTES);
}

/* Uses the bytes after those asked for. Where nothing resizes, RESIZE turns objects into all that
 * is usable, so that they are checked there too. */
static void use_slack(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    const struct hrn_object *o = &run->model.objects[id];
    if (run->adapter->usable_bytes == NULL || !hrn_call_can_resize(run->adapter)) {
        return;
    }
    size_t usable = usable_bytes(run, arena, id);
    uintptr_t end = (uintptr_t)o->p + hrn_object_extent(o->size_bytes);
    uintptr_t usable_end = (uintptr_t)o->p + usable;
    uintptr_t at;
    check_inside(arena, run->adapter->memory, o->p, usable);
    if (usable_end <= end) {
        return;
    }
    if (hrn_map_gap(&run->model.map, end, usable_end, usable_end - end, &at) < usable_end - end) {
        hrn_law_usable("%zu of #%u, %zu bytes at %p, reach into another object", usable, id,
                       o->size_bytes, (void *)o->p);
    }
    write_slack(o->p + o->size_bytes, o->p + usable);
}

bool hrn_object_alloc(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                      struct slm_adapter_request rq)
{
    const struct slm_adapter_checks *checks = run->adapter->checks;
    uint64_t n_before = arena->source.n_refused;
    hrn_call_limit(run->adapter, arena, &rq);
    hrn_promise_before(run, arena, &rq);
    void *p = hrn_object_ask(run, arena, id, &rq);
    if (p == NULL) {
        hrn_object_refused(run, arena, &rq, arena->source.n_refused - n_before);
        return false;
    }
    hrn_object_adopt(run, arena, id, &rq, p);
    bool reuse = rq.call == SLM_ADAPTER_CALL_REUSE_GET;
    hrn_id_list_add(reuse ? &arena->reuse : &arena->live, run->model.objects, id);
    if (!reuse && id % SLACK_EVERY == 0) {
        use_slack(run, arena, id);
    }
    if (checks != NULL && checks->granted != NULL) {
        checks->granted(arena->self, &rq, p);
    }
    return true;
}

void hrn_object_forget(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    struct hrn_object *o = &run->model.objects[id];
    give_bytes(run, o);
    arena->live_bytes -= o->rq.size_bytes;
    run->live_bytes -= o->rq.size_bytes;
    hrn_promise_released(run, arena, o);
    o->p = NULL;
}

void hrn_object_retire(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    struct hrn_object *o = &run->model.objects[id];
    bool reuse =
        o->rq.call ==
        SLM_ADAPTER_CALL_REUSE_GET; /* the reuse list's memory, which free does not handle */
    if (!reuse) {
        arena->stale[arena->n_stale++ % HRN_N_STALE] = o->p;
    }
    hrn_id_list_drop(reuse ? &arena->reuse : &arena->live, run->model.objects, id);
    hrn_object_forget(run, arena, id);
}

/* What free must answer for the object. */
static enum slm_adapter_answer
wanted_answer(const struct hrn_run *run, const struct hrn_arena *arena, const struct hrn_object *o)
{
    const struct slm_adapter_checks *checks = run->adapter->checks;
    return checks == NULL || checks->free_answer == NULL
               ? SLM_ADAPTER_OK
               : checks->free_answer(arena->self, &o->rq, o->p, o->size_bytes);
}

/* The object is gone. */
static void finish_free(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    const struct slm_adapter_checks *checks = run->adapter->checks;
    struct hrn_object old = run->model.objects[id];
    hrn_object_retire(run, arena, id);
    if (checks != NULL && checks->freed != NULL) {
        checks->freed(arena->self, &old.rq, old.p, old.size_bytes);
    }
}

bool hrn_object_free(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    struct hrn_object *o = &run->model.objects[id];
    hrn_object_verify(run, id);
    enum slm_adapter_answer want = wanted_answer(run, arena, o);
    enum slm_adapter_answer got = hrn_call_free(run, arena->self, id);
    if (got != want) {
        hrn_law_free_answer("%s for #%u, %zu bytes at %p; should be %s", hrn_answer_name(got), id,
                            o->size_bytes, (void *)o->p, hrn_answer_name(want));
    }
    if (got != SLM_ADAPTER_OK) {
        hrn_object_verify(run, id);
        return false;
    }
    finish_free(run, arena, id);
    hrn_promise_echo(run, arena);
    return true;
}

/* The object now starts at p and has n bytes; the first `kept` of them must be unchanged. */
static void reshape(struct hrn_run *run, struct hrn_arena *arena, uint32_t id, unsigned char *p,
                    size_t n)
{
    struct hrn_object *o = &run->model.objects[id];
    size_t kept = n < o->size_bytes ? n : o->size_bytes;
    give_bytes(run, o);
    check_inside(arena, run->adapter->memory, p, n);
    take_bytes(run, p, n);
    size_t wrong = hrn_contents_wrong(&run->model, id, p, o->size_bytes, kept);
    if (wrong != SIZE_MAX && !hrn_fault_on(HRN_FAULT_NO_CONTENTS)) {
        hrn_law_resize("byte %zu of #%u is %#x after going from %zu to %zu bytes", wrong, id,
                       p[wrong], o->size_bytes, n);
    }
    hrn_promise_resized(arena, o->size_bytes, p, n);
    o->p = p;
    o->size_bytes = n;
    hrn_contents_fill(&run->model, id, p, n);
}

/* The alignment that an object must have after the resize. */
static size_t resized_align(const struct hrn_run *run, const struct hrn_arena *arena,
                            const struct hrn_object *o, const struct hrn_resize *resize)
{
    size_t align = resize->align_bytes;
    if (align == 0 && resize->p != o->p) { /* where it stays, it is aligned as before */
        align = hrn_align_of(run->adapter, arena->self, resize->new_bytes);
    }
    bool kept = o->rq.call == SLM_ADAPTER_CALL_ALLOC_ALIGNED && run->adapter->resize_keeps_align &&
                resize->align_bytes == 0;
    return kept && o->rq.align_bytes > align ? o->rq.align_bytes : align;
}

/* The alignment that the object is freed with. */
static size_t asked_align(const struct hrn_run *run, const struct hrn_object *old,
                          const struct hrn_resize *resize)
{
    bool kept = resize->in_place || (resize->align_bytes == 0 && run->adapter->resize_keeps_align);
    return kept ? old->align_bytes : resize->align_bytes;
}

static void finish_resize(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                          const struct hrn_resize *resize)
{
    const struct slm_adapter_checks *checks = run->adapter->checks;
    struct hrn_object old = run->model.objects[id];
    size_t align = resized_align(run, arena, &old, resize);
    if (resize->new_bytes > hrn_size_max(run->adapter)) {
        hrn_law_grant("#%u is resized to %zu bytes", id, resize->new_bytes);
    }
    if (align != 0) {
        check_alignment(resize->p, resize->new_bytes, align);
    }
    reshape(run, arena, id, resize->p, resize->new_bytes);
    run->model.objects[id].align_bytes = asked_align(run, &old, resize);
    use_slack(run, arena, id);
    if (checks != NULL && checks->resized != NULL) {
        checks->resized(arena->self, &old.rq, old.p, old.size_bytes, resize->p, resize->new_bytes);
    }
}

/* A resize to 0, where that is not a size like any other. True: done. */
static bool resize_to_zero(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                           const struct hrn_resize *resize)
{
    enum slm_adapter_resize_zero declared = run->adapter->resize_zero;
    bool special =
        declared == SLM_ADAPTER_RESIZE_ZERO_FREES || declared == SLM_ADAPTER_RESIZE_ZERO_REFUSED;
    if (resize->new_bytes != 0 || !special) {
        return false;
    }
    if (resize->answer == SLM_ADAPTER_OK && resize->p != NULL) {
        hrn_law_resize("#%u is resized to 0 bytes, which should give NULL", id);
    }
    if (declared == SLM_ADAPTER_RESIZE_ZERO_FREES) {
        finish_free(run, arena, id);
    } else {
        hrn_object_verify(run, id);
    }
    return true;
}

/* A huge object is not moved: that would write to all of it. */
static enum hrn_way way_of(const struct hrn_object *o, const struct hrn_op *op)
{
    return o->size_bytes > HRN_HUGE_BYTES ? HRN_WAY_IN_PLACE : op->aux;
}

void hrn_object_resize(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                       const struct hrn_op *op)
{
    struct hrn_object *o = &run->model.objects[id];
    hrn_object_verify(run, id);
    if (!hrn_call_can_resize(run->adapter)) {
        reshape(run, arena, id, o->p, usable_bytes(run, arena, id)); /* uses all of it */
        return;
    }
    if (o->size_bytes > HRN_HUGE_BYTES && run->adapter->resize_in_place == NULL) {
        return;
    }
    struct hrn_resize resize = {.new_bytes = hrn_call_size(run->adapter, arena, op->size_bytes),
                                .way = way_of(o, op),
                                .align_bytes = op->align_bytes};
    if (resize.new_bytes == 0 && run->adapter->resize_zero == SLM_ADAPTER_RESIZE_ZERO_UNASKED) {
        resize.new_bytes = hrn_asked_size(run->adapter, 1);
    }
    hrn_call_resize(run, arena->self, id, &resize);
    if (resize_to_zero(run, arena, id, &resize)) {
        return;
    }
    if (resize.answer == SLM_ADAPTER_OK) {
        finish_resize(run, arena, id, &resize);
    } else if (resize.answer != SLM_ADAPTER_UNCHANGED && resize.answer != SLM_ADAPTER_REFUSED) {
        hrn_law_resize("%s for #%u", hrn_answer_name(resize.answer), id);
    } else {
        hrn_object_verify(run, id);
    }
}

void hrn_object_give_back(struct hrn_run *run, struct hrn_arena *arena, uint32_t id)
{
    struct hrn_object *o = &run->model.objects[id];
    hrn_object_verify(run, id);
    enum slm_adapter_answer got = run->adapter->pool->give_back(arena->self, o->p, o->size_bytes);
    if (got == SLM_ADAPTER_OK) {
        hrn_object_retire(run, arena, id);
    } else if (got != SLM_ADAPTER_UNCHANGED) {
        hrn_law_free_answer("give_back returns %s for #%u", hrn_answer_name(got), id);
    } else {
        hrn_object_verify(run, id);
    }
}

void hrn_object_reuse_put(struct hrn_run *run, struct hrn_arena *arena, uint32_t id, bool twice)
{
    struct hrn_object *o = &run->model.objects[id];
    void *p = o->p;
    hrn_object_verify(run, id);
    enum slm_adapter_answer got = run->adapter->pool->reuse_put(arena->self, p);
    if (got != SLM_ADAPTER_OK) {
        hrn_law_reuse("put of live #%u returns %s", id, hrn_answer_name(got));
    }
    hrn_object_retire(run, arena, id);
    if (!twice) {
        return;
    }
    got = run->adapter->pool->reuse_put(arena->self, p);
    if (got != SLM_ADAPTER_BAD_FREED) {
        hrn_law_reuse("second put of #%u returns %s", id, hrn_answer_name(got));
    }
}

HRN_QUIET_END
