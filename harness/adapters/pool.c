/* SPDX-License-Identifier: Apache-2.0 */
/* The pool under test. */
#include <slabmill/pool.h>

#include <string.h>

#include "harness/adapters/adapter.h"
#include "harness/adapters/pool_oracle.h"

struct arena {
    struct slm_pool *pool;
    struct slm_pool_reuse reuse;
    bool can_reuse; /* blocks are large enough for a reuse list */
    struct hrn_pool_shadow shadow;
};

static struct hrn_slots slots;

/* The reuse list's objects: of usual size, smaller in pools of tiny blocks. */
static void begin_reuse(struct arena *a)
{
    size_t bytes = a->shadow.small_limit_bytes < 80 ? 8 : 48;
    a->can_reuse = slm_pool_reuse_init(&a->reuse, a->pool, bytes) == SLM_OK;
}

static void *create(const struct hrn_env *env, enum slm_status *why)
{
    struct arena *a = hrn_slots_get(&slots, env->arena, sizeof *a);
    size_t block_bytes = env->size_bytes != 0 ? env->size_bytes : env->head->block_bytes;
    bool pass_through = (env->head->flags & HRN_HEAD_PASS_THROUGH) != 0;
    *why = slm_pool_create(&a->pool, block_bytes, env->source,
                           pass_through ? SLM_POOL_PASS_THROUGH : 0);
    if (*why != SLM_OK) {
        return NULL;
    }
    hrn_pool_shadow_begin(&a->shadow, a->pool, pass_through, env->source_live_bytes);
    begin_reuse(a);
    return a;
}

static bool create_lawful(const struct hrn_env *env, enum slm_status why)
{
    return why == SLM_E_SIZE && env->size_bytes > SIZE_MAX / 4;
}

struct slm_pool *hrn_pool_of(void *self)
{
    return ((struct arena *)self)->pool;
}

static void destroy(void *self)
{
    (void)slm_pool_destroy(((struct arena *)self)->pool);
}

static void *allocate_by(struct arena *a, const struct hrn_request *rq)
{
    switch (rq->kind) {
    case HRN_NALLOC:
        return slm_pool_alloc_packed(a->pool, rq->size_bytes);
    case HRN_CALLOC:
        return slm_pool_calloc(a->pool, rq->size_bytes);
    case HRN_MEMALIGN:
        return slm_pool_memalign(a->pool, rq->align_bytes, rq->size_bytes);
    case HRN_REUSE_GET:
        return a->can_reuse ? slm_pool_reuse_get(&a->reuse) : NULL;
    default:
        return slm_pool_alloc(a->pool, rq->size_bytes);
    }
}

static void *allocate(void *self, const struct hrn_request *rq)
{
    struct arena *a = self;
    void *p = allocate_by(a, rq);
    if (p != NULL) {
        hrn_pool_shadow_placed(&a->shadow, rq, p);
        hrn_pool_shadow_granted(&a->shadow, rq);
    }
    return p;
}

static enum slm_status release(void *self, void *p)
{
    return slm_pool_free(((struct arena *)self)->pool, p);
}

static enum slm_status resize(void *self, void **p, size_t old_bytes, size_t new_bytes)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_extend(a->pool, *p, old_bytes, new_bytes);
    if (status == SLM_OK) {
        hrn_pool_shadow_resized(&a->shadow, new_bytes);
        hrn_pool_shadow_same_block(&a->shadow);
    }
    return status;
}

static enum slm_status give_back(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_give_back(a->pool, p, size_bytes);
    hrn_pool_shadow_same_block(&a->shadow);
    return status;
}

static void reset(void *self)
{
    struct arena *a = self;
    (void)slm_pool_reset(a->pool);
    begin_reuse(a);
    hrn_pool_shadow_lost_track(&a->shadow);
}

static enum slm_status cleanup(void *self, hrn_handler_fn fn, void *data, size_t data_bytes,
                               void **data_out)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_cleanup_add(a->pool, fn, data, data_bytes, data_out);
    hrn_pool_shadow_lost_track(&a->shadow);
    if (status == SLM_OK) {
        hrn_pool_shadow_registered(&a->shadow, data_bytes);
    } else {
        hrn_pool_shadow_not_registered(&a->shadow, data_bytes);
    }
    return status;
}

static enum slm_status file(void *self, int fd, const char *path)
{
    struct arena *a = self;
    size_t path_bytes = path == NULL ? 1 : strlen(path) + 1;
    enum slm_status status = path == NULL ? slm_pool_cleanup_close(a->pool, fd)
                                          : slm_pool_cleanup_delete(a->pool, fd, path);
    hrn_pool_shadow_lost_track(&a->shadow);
    if (status == SLM_OK) {
        hrn_pool_shadow_file(&a->shadow, path_bytes);
    } else if (status == SLM_E_NOMEM) {
        hrn_pool_shadow_not_registered(&a->shadow, path_bytes + HRN_POOL_FILE_BYTES);
    }
    return status;
}

static enum slm_status run_file(void *self, int fd)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_cleanup_run_file(a->pool, fd);
    a->shadow.n_cleanups -= status == SLM_OK;
    return status;
}

static enum slm_status reuse_put(void *self, void *p)
{
    return slm_pool_reuse_put(&((struct arena *)self)->reuse, p);
}

static size_t reuse_bytes(void *self)
{
    return ((struct arena *)self)->reuse.object_bytes;
}

static void *metadata(void *self)
{
    return ((struct arena *)self)->pool;
}

static const char *refused(void *self, const struct hrn_request *rq, const struct hrn_refusal *seen)
{
    const struct arena *a = self;
    bool no_list = rq->kind == HRN_REUSE_GET && !a->can_reuse;
    return no_list ? NULL : hrn_pool_shadow_refused(rq, seen);
}

static enum slm_status free_answer(void *self, const struct hrn_request *rq, void *p)
{
    (void)p;
    bool large = hrn_pool_shadow_is_large(&((struct arena *)self)->shadow, rq);
    return large ? SLM_OK : SLM_UNCHANGED;
}

static void freed(void *self, const struct hrn_request *rq, void *p)
{
    (void)p;
    hrn_pool_shadow_freed(&((struct arena *)self)->shadow, rq);
}

/* A stale address may now be that of a file cleanup's data, which only the pool knows. */
static uint32_t misuse(void *self, enum hrn_misuse misuse, const void *p)
{
    static const uint32_t answers[HRN_MISUSE_COUNT] = HRN_POOL_MISUSE;
    const struct arena *a = self;
    bool not_sure =
        misuse == HRN_MISUSE_STALE && a->shadow.n_large_files > 0 && slm_pool_owns(a->pool, p) != 0;
    return not_sure ? 0 : answers[misuse];
}

static void walk(void *self, size_t n_live, size_t live_bytes)
{
    (void)n_live;
    (void)live_bytes;
    hrn_pool_shadow_walk(&((struct arena *)self)->shadow);
}

static void emptied(void *self, bool by_reset)
{
    if (by_reset) {
        hrn_pool_shadow_reset(&((struct arena *)self)->shadow);
    }
}

const struct hrn_adapter hrn_adapter_pool = {
    .name = "pool",
    .can = HRN_POOL_CAN | HRN_BIT(HRN_FILE) | HRN_BIT(HRN_RUN_FILE),
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
    .file = file,
    .run_file = run_file,
    .reuse_put = reuse_put,
    .reuse_bytes = reuse_bytes,
    .metadata = metadata,
    .misuse = HRN_POOL_MISUSE,
    .oracle = {.refused = refused,
               .free_answer = free_answer,
               .freed = freed,
               .misuse = misuse,
               .walk = walk,
               .emptied = emptied},
};
