/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the allocator's functions, as its declarations allow them. */
#include "harness/run/call.h"

#include <string.h>

#include "harness/base/quiet.h"
#include "harness/run/watch.h"

HRN_QUIET_BEGIN

#define NULL_RESIZES 8u /* of so many allocations, one is a resize of NULL */

/* --- Allocation --- */

/* A request of half of memory and more is made of two factors whose product size_t cannot hold. */
static void *alloc_wrapping(const struct hrn_run *run, void *self, size_t size_bytes)
{
    return run->adapter->alloc_zeroed(self, 2, SIZE_MAX / 2 + 1 + size_bytes % 4096);
}

static void *alloc_zeroed(const struct hrn_run *run, void *self, uint32_t id, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2 && id % 2 == 1) {
        return alloc_wrapping(run, self, size_bytes);
    }
    size_t n = 1 + id % 4;
    n = size_bytes % n == 0 ? n : 1;
    return run->adapter->alloc_zeroed(self, n, size_bytes / n);
}

static void *alloc_plain(const struct hrn_run *run, void *self, uint32_t id, size_t size_bytes)
{
    bool by_resize = run->alloc_by == HRN_BY_ANY ? id % NULL_RESIZES == NULL_RESIZES - 1
                                                 : run->alloc_by == HRN_BY_RESIZE;
    if (run->adapter->resize_null && by_resize) {
        return run->adapter->resize(self, NULL, 0, size_bytes);
    }
    return run->adapter->alloc(self, size_bytes);
}

static void *alloc_cleared(const struct hrn_run *run, void *self, uint32_t id, size_t size_bytes)
{
    void *p = alloc_plain(run, self, id, size_bytes);
    return p == NULL ? NULL : memset(p, 0, size_bytes);
}

static void *call_alloc(const struct hrn_run *run, void *self, uint32_t id,
                        const struct slm_adapter_request *rq)
{
    switch (rq->call) {
    case SLM_ADAPTER_CALL_ALLOC_ZEROED:
        return hrn_fault_on(HRN_FAULT_CALLOC_MEMSET) ? alloc_cleared(run, self, id, rq->size_bytes)
                                                     : alloc_zeroed(run, self, id, rq->size_bytes);
    case SLM_ADAPTER_CALL_ALLOC_ALIGNED:
        return run->adapter->alloc_aligned(self, rq->align_bytes, rq->size_bytes);
    case SLM_ADAPTER_CALL_ALLOC_PACKED:
        return run->adapter->pool->alloc_packed(self, rq->size_bytes);
    case SLM_ADAPTER_CALL_REUSE_GET:
        return run->adapter->pool->reuse_get(self);
    default:
        return alloc_plain(run, self, id, rq->size_bytes);
    }
}

void *hrn_object_ask(struct hrn_run *run, const struct hrn_arena *arena, uint32_t id,
                     const struct slm_adapter_request *rq)
{
    const struct hrn_watcher *watcher = run->watcher;
    void *p = call_alloc(run, arena->self, id, rq);
    if (watcher != NULL && watcher->answered != NULL && !run->is_asking) {
        watcher->answered(watcher->data, hrn_scene.op_idx, rq, p);
    }
    return p;
}

#define ZEROED_MAX        ((size_t)1 << 26) /* of what may be served, bytes */
#define SPARSE_FEW        ((size_t)1 << 16)
#define ZEROED_SPARSE_MAX ((size_t)1 << 20) /* the same in sparse regions */

/* Whether the request may be served, so that zeroing would write to more than there should be. */
static bool zeroes_too_much(const struct slm_adapter *adapter, const struct hrn_arena *arena,
                            const struct slm_adapter_request *rq)
{
    bool may_serve = adapter->memory == SLM_ADAPTER_SYSTEM || arena->is_sparse;
    size_t most = arena->is_sparse ? ZEROED_SPARSE_MAX : ZEROED_MAX;
    return rq->call == SLM_ADAPTER_CALL_ALLOC_ZEROED && may_serve && rq->size_bytes > most &&
           rq->size_bytes <= HRN_REGION_SPARSE_MAX && rq->size_bytes <= hrn_size_max(adapter);
}

/* In sparse regions, no sizes in between: hundreds of such objects would take too much memory. */
size_t hrn_call_size(const struct slm_adapter *adapter, const struct hrn_arena *arena,
                     size_t size_bytes)
{
    bool is_between = size_bytes > SPARSE_FEW && size_bytes <= HRN_HUGE_BYTES;
    return hrn_asked_size(adapter,
                          arena->is_sparse && is_between ? size_bytes % SPARSE_FEW : size_bytes);
}

void hrn_call_limit(const struct slm_adapter *adapter, const struct hrn_arena *arena,
                    struct slm_adapter_request *rq)
{
    if (rq->call == SLM_ADAPTER_CALL_REUSE_GET) {
        return;
    }
    rq->size_bytes = hrn_call_size(adapter, arena, rq->size_bytes);
    if (zeroes_too_much(adapter, arena, rq)) {
        rq->size_bytes = hrn_call_size(adapter, arena, rq->size_bytes % ZEROED_SPARSE_MAX);
    }
    if (rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED) {
        rq->align_bytes = hrn_asked_align(adapter, rq->align_bytes);
    }
}

/* --- Free --- */

static enum slm_adapter_answer free_here(const struct hrn_run *run, void *self, uint32_t id)
{
    const struct hrn_object *o = &run->model.objects[id];
    if (run->adapter->free_sized != NULL && id % 2 == 1) {
        return run->adapter->free_sized(self, o->p, o->size_bytes, o->align_bytes);
    }
    return run->adapter->free(self, o->p, o->size_bytes);
}

enum slm_adapter_answer hrn_call_free(const struct hrn_run *run, void *self, uint32_t id)
{
    return run->is_elsewhere ? hrn_elsewhere_free(free_here, run, self, id)
                             : free_here(run, self, id);
}

/* --- Resize --- */

enum way { WAY_RESIZE, WAY_ALIGNED, WAY_IN_PLACE, WAYS };

static bool has_way(const struct slm_adapter *adapter, enum way way)
{
    switch (way) {
    case WAY_RESIZE:
        return adapter->resize != NULL;
    case WAY_ALIGNED:
        return adapter->resize_aligned != NULL;
    default:
        return adapter->resize_in_place != NULL;
    }
}

/* The function that the operation names, or one of those that the adapter has, by turns. */
static enum way pick_way(const struct slm_adapter *adapter, size_t turn, enum hrn_way named)
{
    enum way way = (enum way)(turn % WAYS);
    switch (named) {
    case HRN_WAY_PLAIN:
        way = has_way(adapter, WAY_RESIZE) ? WAY_RESIZE : way;
        break;
    case HRN_WAY_IN_PLACE:
        way = has_way(adapter, WAY_IN_PLACE) ? WAY_IN_PLACE : way;
        break;
    case HRN_WAY_ALIGNED:
        way = has_way(adapter, WAY_ALIGNED) ? WAY_ALIGNED : way;
        break;
    default:
        break;
    }
    while (!has_way(adapter, way)) {
        way = (enum way)((way + 1) % WAYS);
    }
    return way;
}

static size_t align_min(const struct slm_adapter *adapter)
{
    return adapter->align_min_bytes == 0 ? 1 : adapter->align_min_bytes;
}

/* The one asked for, or the next one that is served: no declaration is about the others. */
static size_t served_align(const struct slm_adapter *adapter, size_t align_bytes)
{
    size_t align = align_min(adapter);
    while (align < align_bytes && align < adapter->align_max_bytes) {
        align *= 2;
    }
    return align;
}

/* An alignment for resize_aligned, by turns. */
static size_t pick_align(const struct slm_adapter *adapter, size_t turn)
{
    size_t align = align_min(adapter);
    for (size_t i = turn % 16; i > 0 && align < adapter->align_max_bytes; i--) {
        align *= 2;
    }
    return align;
}

bool hrn_call_can_resize(const struct slm_adapter *adapter)
{
    return adapter->resize != NULL || adapter->resize_aligned != NULL ||
           adapter->resize_in_place != NULL;
}

/* What resize_zero declares for 0 is about functions that can return NULL. */
static bool zero_is_special(const struct slm_adapter *adapter)
{
    return adapter->resize_zero == SLM_ADAPTER_RESIZE_ZERO_FREES ||
           adapter->resize_zero == SLM_ADAPTER_RESIZE_ZERO_REFUSED;
}

static void resize_in_place(const struct slm_adapter *adapter, void *self,
                            const struct hrn_object *o, struct hrn_resize *resize)
{
    if (resize->new_bytes == 0 && zero_is_special(adapter)) {
        resize->new_bytes = hrn_asked_size(adapter, 1);
    }
    resize->in_place = true;
    resize->answer = adapter->resize_in_place(self, o->p, o->size_bytes, resize->new_bytes);
    resize->p = resize->answer == SLM_ADAPTER_OK ? o->p : NULL;
}

void hrn_call_resize(const struct hrn_run *run, void *self, uint32_t id, struct hrn_resize *resize)
{
    const struct slm_adapter *adapter = run->adapter;
    const struct hrn_object *o = &run->model.objects[id];
    size_t turn = id + resize->new_bytes;
    size_t align = resize->align_bytes;
    resize->align_bytes = 0;
    if (run->is_asking) { /* by the plain function, if there is one */
        turn = adapter->resize != NULL ? WAY_RESIZE : WAY_IN_PLACE;
    }
    resize->in_place = false;
    switch (pick_way(adapter, turn, resize->way)) {
    case WAY_RESIZE:
        resize->p = adapter->resize(self, o->p, o->size_bytes, resize->new_bytes);
        break;
    case WAY_ALIGNED:
        resize->align_bytes = resize->way == HRN_WAY_ALIGNED ? served_align(adapter, align)
                                                             : pick_align(adapter, turn);
        resize->p = adapter->resize_aligned(self, o->p, resize->align_bytes, o->size_bytes,
                                            resize->new_bytes);
        break;
    default:
        resize_in_place(adapter, self, o, resize);
        return;
    }
    resize->answer = resize->p != NULL ? SLM_ADAPTER_OK : SLM_ADAPTER_REFUSED;
}

HRN_QUIET_END
