/* SPDX-License-Identifier: Apache-2.0 */
/* A pool, compared at each step with a naive model: a list of objects, searched linearly. */
#include <stdlib.h>
#include <string.h>

#include "harness/adapters/adapter.h"
#include "harness/adapters/pool_oracle.h"
#include "harness/base/array.h"
#include "harness/laws/laws.h"
#include <slabmill/pool.h>

struct object {
    const unsigned char *p;
    size_t size_bytes;
    bool large;
};

/* A pool as its user sees it, without its inner workings. */
struct arena {
    const struct hrn_adapter *pools;
    void *pool_self;
    size_t small_limit_bytes;
    struct object *objects; /* live, oldest first */
    size_t n_objects;
    size_t cap_objects;
    size_t n_cleanups;
    const unsigned char *newest; /* the last object allocated, if it is still live */
};

static struct hrn_slots slots;

static bool is_large(const struct arena *a, const struct hrn_request *rq)
{
    size_t align = rq->align_bytes > SLM_POOL_ALIGN ? rq->align_bytes : 0;
    return rq->size_bytes > a->small_limit_bytes || rq->size_bytes + align > a->small_limit_bytes;
}

static void add_object(struct arena *a, const struct hrn_request *rq, const void *p)
{
    a->objects = hrn_array_grow(a->objects, &a->cap_objects, a->n_objects + 1, sizeof *a->objects);
    a->objects[a->n_objects++] = (struct object){p, rq->size_bytes, is_large(a, rq)};
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

static void compare(const char *what, size_t pool, size_t twin)
{
    if (pool != twin) {
        hrn_law_twin("%s: the pool has %zu, its twin %zu", what, pool, twin);
    }
}

void *hrn_twin_create(const struct hrn_env *env, enum slm_status *why,
                      const struct hrn_adapter *pools)
{
    struct arena *a = hrn_slots_get(&slots, env->arena, sizeof *a);
    void *pool_self = pools->create(env, why);
    if (pool_self == NULL) {
        return NULL;
    }
    struct slm_pool_stats stats;
    slm_pool_get_stats(hrn_pool_of(pool_self), &stats);
    a->pools = pools;
    a->pool_self = pool_self;
    a->small_limit_bytes = stats.small_limit_bytes;
    a->n_objects = 0;
    a->n_cleanups = 0;
    a->newest = NULL;
    return a;
}

static void *create(const struct hrn_env *env, enum slm_status *why)
{
    return hrn_twin_create(env, why, &hrn_adapter_pool);
}

static bool create_lawful(const struct hrn_env *env, enum slm_status why)
{
    return hrn_adapter_pool.create_lawful(env, why);
}

static void destroy(void *self)
{
    struct arena *a = self;
    a->pools->destroy(a->pool_self);
}

static void *allocate(void *self, const struct hrn_request *rq)
{
    struct arena *a = self;
    void *p = a->pools->alloc(a->pool_self, rq);
    if (p != NULL) {
        add_object(a, rq, p);
        bool owns = rq->size_bytes == 0 || slm_pool_owns(hrn_pool_of(a->pool_self), p) != 0;
        compare("owning a new object", owns, 1);
    }
    return p;
}

/* Decides each case in which the answer does not depend on the places of blocks. */
static bool decided_answer(struct arena *a, const void *p, enum slm_status *answer)
{
    const struct object *start = find_start(a, p);
    const struct object *around = find_around(a, p);
    if (p == NULL) {
        *answer = SLM_OK;
    } else if (start != NULL) {
        *answer = start->large ? SLM_OK : SLM_UNCHANGED;
    } else if (around != NULL) {
        *answer = around->large ? SLM_E_INTERIOR : SLM_UNCHANGED;
    }
    return p == NULL || start != NULL || around != NULL;
}

static enum slm_status release(void *self, void *p)
{
    struct arena *a = self;
    enum slm_status want;
    bool decided = decided_answer(a, p, &want);
    enum slm_status got = a->pools->free(a->pool_self, p);
    if (decided && got != want) {
        hrn_law_twin("free(%p): the pool returns %s, its twin %s", p, slm_status_name(got),
                     slm_status_name(want));
    }
    if (got == SLM_OK && decided && p != NULL) {
        remove_object(a, find_start(a, p));
    }
    return got;
}

static enum slm_status resize(void *self, void **p, size_t old_bytes, size_t new_bytes)
{
    struct arena *a = self;
    struct object *o = find_start(a, *p);
    enum slm_status got = a->pools->resize(a->pool_self, p, old_bytes, new_bytes);
    if (got == SLM_OK) {
        compare("resizing a small object", o->large, 0);
        compare("resizing to a small size", new_bytes <= a->small_limit_bytes, 1);
        o->size_bytes = new_bytes;
    }
    return got;
}

static enum slm_status give_back(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    struct object *o = find_start(a, p);
    enum slm_status got = a->pools->give_back(a->pool_self, p, size_bytes);
    if (p == a->newest && !o->large) {
        compare("giving the newest object back", (size_t)got, (size_t)SLM_OK);
    }
    if (got == SLM_OK) {
        compare("giving a small object back", o->large, 0);
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
    a->newest = NULL;
}

static enum slm_status cleanup(void *self, hrn_handler_fn fn, void *data, size_t data_bytes,
                               void **data_out)
{
    struct arena *a = self;
    enum slm_status got = a->pools->cleanup(a->pool_self, fn, data, data_bytes, data_out);
    if (got == SLM_OK) {
        const struct hrn_request rq = {HRN_CLEANUP, data_bytes, 0};
        a->n_cleanups++;
        a->newest = NULL; /* the record of the handler is newer than its data */
        if (data_bytes > 0) {
            add_object(a, &rq, *data_out);
            a->newest = NULL;
        }
    }
    return got;
}

static enum slm_status reuse_put(void *self, void *p)
{
    struct arena *a = self;
    return a->pools->reuse_put(a->pool_self, p);
}

static size_t reuse_bytes(void *self)
{
    struct arena *a = self;
    return a->pools->reuse_bytes(a->pool_self);
}

static void *metadata(void *self)
{
    struct arena *a = self;
    return a->pools->metadata(a->pool_self);
}

/* --- The pool's oracle, and the sums --- */

static const char *refused(void *self, const struct hrn_request *rq, const struct hrn_refusal *seen)
{
    return hrn_adapter_pool.oracle.refused(((struct arena *)self)->pool_self, rq, seen);
}

static enum slm_status free_answer(void *self, const struct hrn_request *rq, void *p)
{
    return hrn_adapter_pool.oracle.free_answer(((struct arena *)self)->pool_self, rq, p);
}

static void freed(void *self, const struct hrn_request *rq, void *p)
{
    hrn_adapter_pool.oracle.freed(((struct arena *)self)->pool_self, rq, p);
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
    compare("n_cleanups", stats.n_cleanups, a->n_cleanups);
    compare("n_large", stats.n_large, n_large);
    hrn_adapter_pool.oracle.walk(a->pool_self, n_live, live_bytes);
}

static void emptied(void *self, bool by_reset)
{
    hrn_adapter_pool.oracle.emptied(((struct arena *)self)->pool_self, by_reset);
}

const struct hrn_adapter hrn_adapter_twin = {
    .name = "twin",
    .can = HRN_POOL_CAN,
    .align_bytes = SLM_POOL_ALIGN,
    .align_max_bytes = SLM_POOL_ALIGN_MAX,
    .packed_align_bytes = 1,
    .create = create,
    .create_lawful = create_lawful,
    .destroy = destroy,
    .alloc = allocate,
    .free = release,
    .resize = resize,
    .give_back = give_back,
    .reset = reset,
    .cleanup = cleanup,
    .reuse_put = reuse_put,
    .reuse_bytes = reuse_bytes,
    .metadata = metadata,
    .misuse = HRN_POOL_MISUSE,
    .oracle = {.refused = refused,
               .free_answer = free_answer,
               .freed = freed,
               .walk = walk,
               .emptied = emptied},
};
