/* SPDX-License-Identifier: Apache-2.0 */
/* A pool, compared at each step with a naive model: a list of objects, searched linearly. */
#include <stdlib.h>
#include <string.h>

#include "harness/adapters/pool_oracle.h"
#include "harness/base/array.h"
#include <slabmill/pool.h>

struct object {
    const unsigned char *p;
    size_t size_bytes;
    bool large;
    bool freeable; /* a large one that is no handler's argument */
};

/* A pool as its user sees it, without its inner workings. */
struct arena {
    const struct slm_adapter_env *env;
    const struct slm_adapter *pools;
    void *pool_self;
    size_t small_limit_bytes;
    struct object *objects; /* live, oldest first */
    size_t n_objects;
    size_t cap_objects;
    size_t n_cleanups;
    size_t n_unseen;             /* large blocks that are records of children */
    const unsigned char *newest; /* the last object allocated, if it is still live */
};

static struct hrn_slots slots;

static bool is_large(const struct arena *a, const struct slm_adapter_request *rq)
{
    size_t align = rq->align_bytes > SLM_POOL_ALIGN ? rq->align_bytes : 0;
    return rq->size_bytes > a->small_limit_bytes || rq->size_bytes + align > a->small_limit_bytes;
}

static void add_object(struct arena *a, const struct slm_adapter_request *rq, const void *p)
{
    a->objects = hrn_array_grow(a->objects, &a->cap_objects, a->n_objects + 1, sizeof *a->objects);
    bool large = is_large(a, rq);
    bool freeable = large && rq->call != SLM_ADAPTER_CALL_CLEANUP;
    a->objects[a->n_objects++] = (struct object){p, rq->size_bytes, large, freeable};
    a->newest = p;
}

static struct object *find_start(struct arena *a, const void *p)
{
    for (size_t i = a->n_objects; i > 0; i--) {
        if (a->objects[i - 1].p == p) {
            return &a->objects[i - 1];
        }
    }
    return NULL;
}

static struct object *find_around(struct arena *a, const void *p)
{
    for (size_t i = a->n_objects; i > 0; i--) {
        struct object *o = &a->objects[i - 1];
        if ((uintptr_t)p - (uintptr_t)o->p < o->size_bytes) {
            return o;
        }
    }
    return NULL;
}

static void remove_object(struct arena *a, struct object *o)
{
    a->newest = a->newest == o->p ? NULL : a->newest;
    size_t n_behind = a->n_objects - 1 - (size_t)(o - a->objects);
    memmove(o, o + 1, n_behind * sizeof *o);
    a->n_objects--;
}

/* --- Lockstep --- */

static void compare(const struct arena *a, const char *what, size_t pool, size_t twin)
{
    if (pool != twin) {
        a->env->fail(a->env, "twin: %s: the pool has %zu, its twin %zu", what, pool, twin);
    }
}

void *hrn_twin_create(const struct slm_adapter_env *env, const struct slm_adapter *pools)
{
    struct arena *a = hrn_slots_get(&slots, env->arena, sizeof *a);
    void *pool_self = pools->create(env);
    if (pool_self == NULL) {
        return NULL;
    }
    struct slm_pool_stats stats;
    slm_pool_get_stats(hrn_pool_of(pool_self), &stats);
    a->env = env;
    a->pools = pools;
    a->pool_self = pool_self;
    a->small_limit_bytes = stats.small_limit_bytes;
    a->n_objects = 0;
    a->n_cleanups = 0;
    a->n_unseen = 0;
    a->newest = NULL;
    return a;
}

static void *create(const struct slm_adapter_env *env)
{
    return hrn_twin_create(env, &hrn_adapter_pool);
}

static const char *create_refused(const struct slm_adapter_env *env)
{
    return hrn_adapter_pool.checks->create_refused(env);
}

static void destroy(void *self)
{
    struct arena *a = self;
    a->pools->destroy(a->pool_self);
}

/* p is the pool's answer to the request. */
static void *note_answer(struct arena *a, enum slm_adapter_call call, size_t size_bytes,
                         size_t align_bytes, void *p)
{
    const struct slm_adapter_request rq = {call, size_bytes, align_bytes};
    if (p != NULL) {
        add_object(a, &rq, p);
        bool owns = size_bytes == 0 || slm_pool_owns(hrn_pool_of(a->pool_self), p) != 0;
        compare(a, "owning a new object", owns, 1);
    }
    return p;
}

static void *allocate(void *self, size_t size_bytes)
{
    struct arena *a = self;
    void *p = a->pools->alloc(a->pool_self, size_bytes);
    return note_answer(a, SLM_ADAPTER_CALL_ALLOC, size_bytes, 0, p);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    struct arena *a = self;
    void *p = a->pools->alloc_zeroed(a->pool_self, n, size_bytes);
    return note_answer(a, SLM_ADAPTER_CALL_ALLOC_ZEROED, hrn_product(n, size_bytes), 0, p);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    struct arena *a = self;
    void *p = a->pools->alloc_aligned(a->pool_self, align_bytes, size_bytes);
    return note_answer(a, SLM_ADAPTER_CALL_ALLOC_ALIGNED, size_bytes, align_bytes, p);
}

static void *allocate_packed(void *self, size_t size_bytes)
{
    struct arena *a = self;
    void *p = a->pools->pool->alloc_packed(a->pool_self, size_bytes);
    return note_answer(a, SLM_ADAPTER_CALL_ALLOC_PACKED, size_bytes, 0, p);
}

static void *reuse_get(void *self)
{
    struct arena *a = self;
    void *p = a->pools->pool->reuse_get(a->pool_self);
    size_t bytes = a->pools->pool->reuse_bytes(a->pool_self);
    return note_answer(a, SLM_ADAPTER_CALL_REUSE_GET, bytes, 0, p);
}

/* Decides each case in which the answer does not depend on the places of blocks. */
static bool decided_answer(struct arena *a, const void *p, enum slm_adapter_answer *answer)
{
    const struct object *start = find_start(a, p);
    const struct object *around = find_around(a, p);
    if (p == NULL) {
        *answer = SLM_ADAPTER_OK;
    } else if (start != NULL) {
        *answer = start->freeable ? SLM_ADAPTER_OK : SLM_ADAPTER_UNCHANGED;
    } else if (around != NULL) {
        *answer = around->freeable ? SLM_ADAPTER_BAD_INTERIOR : SLM_ADAPTER_UNCHANGED;
    }
    return p == NULL || start != NULL || around != NULL;
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    enum slm_adapter_answer want;
    bool decided = decided_answer(a, p, &want);
    enum slm_adapter_answer got = a->pools->free(a->pool_self, p, size_bytes);
    if (decided && got != want) {
        a->env->fail(a->env, "twin: free(%p): the pool answers %u, its twin %u", p, (unsigned)got,
                     (unsigned)want);
    }
    if (got == SLM_ADAPTER_OK && decided && p != NULL) {
        remove_object(a, find_start(a, p));
    }
    return got;
}

static enum slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes)
{
    struct arena *a = self;
    struct object *o = find_start(a, p);
    enum slm_adapter_answer got = a->pools->resize_in_place(a->pool_self, p, old_bytes, new_bytes);
    if (got == SLM_ADAPTER_OK) {
        compare(a, "resizing a small object", o->large, 0);
        compare(a, "resizing to a small size", new_bytes <= a->small_limit_bytes, 1);
        o->size_bytes = new_bytes;
    }
    return got;
}

static enum slm_adapter_answer give_back(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    struct object *o = find_start(a, p);
    enum slm_adapter_answer got = a->pools->pool->give_back(a->pool_self, p, size_bytes);
    if (p == a->newest && !o->large) {
        compare(a, "giving the newest object back", (size_t)got, (size_t)SLM_ADAPTER_OK);
    }
    if (got == SLM_ADAPTER_OK) {
        compare(a, "giving a small object back", o->large, 0);
        remove_object(a, o);
    }
    return got;
}

static void reset(void *self)
{
    struct arena *a = self;
    a->pools->reset(a->pool_self);
    a->n_objects = 0;
    a->n_cleanups = 0;
    a->n_unseen = 0;
    a->newest = NULL;
}

static enum slm_adapter_answer cleanup(void *self, slm_adapter_handler_fn fn, void *data,
                                       size_t data_bytes, void **data_out)
{
    struct arena *a = self;
    enum slm_adapter_answer got =
        a->pools->pool->cleanup(a->pool_self, fn, data, data_bytes, data_out);
    if (got == SLM_ADAPTER_OK) {
        const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_CLEANUP, data_bytes, 0};
        a->n_cleanups++;
        a->newest = NULL; /* the record of the handler is newer than its data */
        if (data_bytes > 0) {
            add_object(a, &rq, *data_out);
            a->newest = NULL;
        }
    }
    return got;
}

static enum slm_adapter_answer arm(void *self, void **record, slm_adapter_handler_fn fn, void *data)
{
    struct arena *a = self;
    bool is_new = *record == NULL;
    enum slm_adapter_answer got = a->pools->pool->arm(a->pool_self, record, fn, data);
    a->n_cleanups += got == SLM_ADAPTER_OK;
    a->newest = got == SLM_ADAPTER_OK && is_new ? NULL : a->newest;
    return got;
}

static enum slm_adapter_answer cancel(void *self, void *record)
{
    struct arena *a = self;
    enum slm_adapter_answer got = a->pools->pool->cancel(a->pool_self, record);
    a->n_cleanups -= got == SLM_ADAPTER_OK;
    return got;
}

static size_t count_large(const struct arena *a)
{
    struct slm_pool_stats stats;
    slm_pool_get_stats(hrn_pool_of(a->pool_self), &stats);
    return stats.n_large;
}

static enum slm_adapter_answer child(void *self, void **out, size_t block_bytes,
                                     slm_adapter_handler_fn fn, void *data)
{
    struct arena *a = self;
    size_t n_before = count_large(a);
    enum slm_adapter_answer got = a->pools->pool->child(a->pool_self, out, block_bytes, fn, data);
    a->n_unseen += count_large(a) - n_before;
    a->n_cleanups += got == SLM_ADAPTER_OK;
    a->newest = NULL; /* its record, which stays if there is no memory for the child, is newer */
    return got;
}

static void end_child(void *self, void *ended)
{
    struct arena *a = self;
    a->pools->pool->end_child(a->pool_self, ended);
    a->n_cleanups--;
}

static enum slm_adapter_answer reuse_put(void *self, void *p)
{
    struct arena *a = self;
    return a->pools->pool->reuse_put(a->pool_self, p);
}

static size_t reuse_bytes(void *self)
{
    struct arena *a = self;
    return a->pools->pool->reuse_bytes(a->pool_self);
}

static void *metadata(void *self)
{
    struct arena *a = self;
    return a->pools->metadata(a->pool_self);
}

/* --- The pool's own checks, and the sums --- */

static const char *refused(void *self, const struct slm_adapter_request *rq,
                           const struct slm_adapter_refusal *seen)
{
    return hrn_adapter_pool.checks->refused(((struct arena *)self)->pool_self, rq, seen);
}

static enum slm_adapter_answer free_answer(void *self, const struct slm_adapter_request *rq,
                                           void *p, size_t size_bytes)
{
    return hrn_adapter_pool.checks->free_answer(((struct arena *)self)->pool_self, rq, p,
                                                size_bytes);
}

static void freed(void *self, const struct slm_adapter_request *rq, void *p, size_t size_bytes)
{
    hrn_adapter_pool.checks->freed(((struct arena *)self)->pool_self, rq, p, size_bytes);
}

static uint32_t bad_free(void *self, enum slm_adapter_misuse misuse, const void *p)
{
    return hrn_adapter_pool.checks->bad_free(((struct arena *)self)->pool_self, misuse, p);
}

static void walk(void *self, size_t n_live, size_t live_bytes)
{
    struct arena *a = self;
    struct slm_pool_stats stats;
    size_t n_large = 0;
    for (size_t i = 0; i < a->n_objects; i++) {
        n_large += a->objects[i].large;
    }
    slm_pool_get_stats(hrn_pool_of(a->pool_self), &stats);
    compare(a, "n_cleanups", stats.n_cleanups, a->n_cleanups);
    compare(a, "n_large", stats.n_large, n_large + a->n_unseen);
    hrn_adapter_pool.checks->walk(a->pool_self, n_live, live_bytes);
}

static void emptied(void *self, bool by_reset)
{
    hrn_adapter_pool.checks->emptied(((struct arena *)self)->pool_self, by_reset);
}

static const struct slm_adapter_checks checks = {
    .refused = refused,
    .create_refused = create_refused,
    .free_answer = free_answer,
    .freed = freed,
    .bad_free = bad_free,
    .walk = walk,
    .emptied = emptied,
};

static const struct slm_adapter_pool extension = {
    .alloc_packed = allocate_packed,
    .packed_align_bytes = 1,
    .give_back = give_back,
    .cleanup = cleanup,
    .cleanup_zeroes = true,
    .reuse_get = reuse_get,
    .reuse_put = reuse_put,
    .reuse_bytes = reuse_bytes,
    .arm = arm,
    .cancel = cancel,
    .child = child,
    .end_child = end_child,
};

const struct slm_adapter hrn_adapter_twin = {
    .name = "twin",
    .create = create,
    .alloc = allocate,
    .free = release,
    .destroy = destroy,
    .alloc_zeroed = allocate_zeroed,
    .alloc_aligned = allocate_aligned,
    .resize_in_place = resize_in_place,
    .reset = reset,
    .metadata = metadata,
    .align_bytes = SLM_POOL_ALIGN,
    .align_max_bytes = SLM_POOL_ALIGN_MAX,
    .align_refuses = true,
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES,
    .memory = SLM_ADAPTER_SOURCE,
    .bad_free = HRN_POOL_BAD_FREE,
    .checks = &checks,
    .pool = &extension,
};
SLM_ADAPTER_ADD(twin, hrn_adapter_twin);
