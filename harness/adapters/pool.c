/* SPDX-License-Identifier: Apache-2.0 */
/* The pool under test. */
#include <slabmill/pool.h>

#include <string.h>

#include "harness/adapters/pool_oracle.h"
#include "harness/base/array.h"

struct arena {
    struct slm_pool *pool;
    struct slm_pool_reuse reuse;
    bool can_reuse; /* blocks are large enough for a reuse list */
    struct slm_source source;
    struct slm_pool **children; /* live */
    size_t n_children;
    size_t cap_children;
    size_t n_spares; /* records of children that ended, or could not be made */
    size_t n_trims;
    struct hrn_pool_shadow shadow;
};

static struct hrn_slots slots;

/* The reuse list's objects: of usual size, smaller in pools of tiny blocks. */
static void begin_reuse(struct arena *a)
{
    size_t bytes = a->shadow.small_limit_bytes < 80 ? 8 : 48;
    a->can_reuse = slm_pool_reuse_init(&a->reuse, a->pool, bytes) == SLM_OK;
}

static void *create(const struct slm_adapter_env *env)
{
    const struct slm_adapter_source *given = env->source;
    struct arena *a = hrn_slots_get(&slots, env->arena, sizeof *a);
    a->source = (struct slm_source){given->alloc, given->free, given->data};
    enum slm_status status =
        slm_pool_create(&a->pool, env->pool_shape->block_bytes, &a->source,
                        env->pool_shape->pass_through ? SLM_POOL_PASS_THROUGH : 0);
    if (status != SLM_OK && status != SLM_E_SIZE && status != SLM_E_NOMEM) {
        env->fail(env, "create_answer: %s for blocks of %zu bytes", slm_status_name(status),
                  env->pool_shape->block_bytes);
    }
    if (status != SLM_OK) {
        return NULL;
    }
    a->n_children = 0;
    a->n_spares = 0;
    a->n_trims = 0;
    hrn_pool_shadow_begin(&a->shadow, a->pool, env);
    begin_reuse(a);
    return a;
}

static const char *create_refused(const struct slm_adapter_env *env)
{
    return env->pool_shape->block_bytes > SIZE_MAX / 4 ? NULL : "the source refused nothing";
}

struct slm_pool *hrn_pool_of(void *self)
{
    return ((struct arena *)self)->pool;
}

static void destroy(void *self)
{
    (void)slm_pool_destroy(((struct arena *)self)->pool);
}

/* p is the answer to the request. */
static void *note_granted(struct arena *a, enum slm_adapter_call call, size_t size_bytes,
                          size_t align_bytes, void *p)
{
    const struct slm_adapter_request rq = {call, size_bytes, align_bytes};
    if (p != NULL) {
        hrn_pool_shadow_placed(&a->shadow, &rq, p);
        hrn_pool_shadow_granted(&a->shadow, &rq);
    }
    return p;
}

static void *allocate(void *self, size_t size_bytes)
{
    struct arena *a = self;
    void *p = slm_pool_alloc(a->pool, size_bytes);
    return note_granted(a, SLM_ADAPTER_CALL_ALLOC, size_bytes, 0, p);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    struct arena *a = self;
    size_t bytes = hrn_product(n, size_bytes);
    void *p = slm_pool_calloc(a->pool, bytes);
    return note_granted(a, SLM_ADAPTER_CALL_ALLOC_ZEROED, bytes, 0, p);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    struct arena *a = self;
    void *p = slm_pool_memalign(a->pool, align_bytes, size_bytes);
    return note_granted(a, SLM_ADAPTER_CALL_ALLOC_ALIGNED, size_bytes, align_bytes, p);
}

static void *allocate_packed(void *self, size_t size_bytes)
{
    struct arena *a = self;
    void *p = slm_pool_alloc_packed(a->pool, size_bytes);
    return note_granted(a, SLM_ADAPTER_CALL_ALLOC_PACKED, size_bytes, 0, p);
}

static void *reuse_get(void *self)
{
    struct arena *a = self;
    void *p = a->can_reuse ? slm_pool_reuse_get(&a->reuse) : NULL;
    return note_granted(a, SLM_ADAPTER_CALL_REUSE_GET, a->reuse.object_bytes, 0, p);
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    return hrn_answer_of(slm_pool_free(((struct arena *)self)->pool, p));
}

static enum slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_extend(a->pool, p, old_bytes, new_bytes);
    if (status == SLM_OK) {
        hrn_pool_shadow_resized(&a->shadow, new_bytes);
        hrn_pool_shadow_same_block(&a->shadow);
    }
    return hrn_answer_of(status);
}

static enum slm_adapter_answer give_back(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_give_back(a->pool, p, size_bytes);
    hrn_pool_shadow_same_block(&a->shadow);
    return hrn_answer_of(status);
}

static void reset(void *self)
{
    struct arena *a = self;
    (void)slm_pool_reset(a->pool);
    a->n_children = 0;
    a->n_spares = 0;
    a->shadow.child_bytes = 0;
    begin_reuse(a);
    hrn_pool_shadow_lost_track(&a->shadow);
}

/* To nothing, or to a part of what the pool has. A later reset keeps all, or as much. */
static size_t trim(void *self)
{
    struct arena *a = self;
    struct slm_pool_stats stats;
    slm_pool_get_stats(a->pool, &stats);
    size_t keep_bytes = stats.source_bytes / 4 * (a->n_trims++ % 4);
    hrn_pool_shadow_set_keep(&a->shadow, keep_bytes);
    return hrn_pool_shadow_trim(&a->shadow, keep_bytes);
}

static enum slm_adapter_answer cleanup(void *self, slm_adapter_handler_fn fn, void *data,
                                       size_t data_bytes, void **data_out)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_cleanup_add(a->pool, fn, data, data_bytes, data_out);
    hrn_pool_shadow_lost_track(&a->shadow);
    if (status == SLM_OK) {
        hrn_pool_shadow_registered(&a->shadow, data_bytes);
    } else {
        hrn_pool_shadow_not_registered(&a->shadow, data_bytes);
    }
    return hrn_answer_of(status);
}

static enum slm_adapter_answer arm(void *self, void **record, slm_adapter_handler_fn fn, void *data)
{
    struct arena *a = self;
    struct slm_pool_cleanup *cleanup = *record;
    bool is_new = cleanup == NULL;
    enum slm_status status = is_new ? slm_pool_cleanup_reserve(a->pool, &cleanup) : SLM_OK;
    hrn_pool_shadow_lost_track(&a->shadow);
    if (status == SLM_OK) {
        status = slm_pool_cleanup_arm(a->pool, cleanup, fn, data);
    }
    if (status == SLM_OK && is_new) {
        hrn_pool_shadow_registered(&a->shadow, 0);
    } else if (status == SLM_OK) {
        a->shadow.n_cleanups++;
    }
    *record = cleanup;
    return hrn_answer_of(status);
}

static enum slm_adapter_answer cancel(void *self, void *record)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_cleanup_cancel(a->pool, record);
    a->shadow.n_cleanups -= status == SLM_OK;
    return hrn_answer_of(status);
}

/* --- Child pools --- */

/* Small and large objects, which go back to the source with the child. */
static void use_child(struct slm_pool *child)
{
    static const size_t sizes[] = {100, 6000, 30, 700};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *p = slm_pool_alloc(child, sizes[i]);
        if (p != NULL) {
            memset(p, 0x77, sizes[i]);
        }
    }
}

/* What the pool itself had when a child was to be made. */
struct before {
    const unsigned char *low, *high;
};

/* The record of a child that ended is used again, so the pool itself takes no memory for the next. */
static void note_record(struct arena *a, const struct before *before, bool is_made)
{
    size_t n_large = a->shadow.n_large;
    bool took = a->pool->low != before->low || a->pool->high != before->high;
    hrn_pool_shadow_lost_track(&a->shadow);
    hrn_pool_shadow_child(&a->shadow);
    took |= a->shadow.n_large != n_large;
    if (took && a->n_spares > 0) {
        a->shadow.env->fail(
            a->shadow.env, "growth: a child takes memory of its parent, which has %zu records left",
            a->n_spares);
    }
    if (is_made) {
        a->n_spares -= a->n_spares > 0;
    } else {
        a->n_spares += took;
    }
}

static enum slm_adapter_answer child(void *self, void **out, size_t block_bytes,
                                     slm_adapter_handler_fn fn, void *data)
{
    struct arena *a = self;
    struct slm_pool *made;
    const struct before before = {a->pool->low, a->pool->high};
    unsigned flags = a->shadow.pass_through ? SLM_POOL_PASS_THROUGH : 0;
    enum slm_status status = slm_pool_create_child(&made, a->pool, block_bytes, NULL, flags);
    if (status == SLM_OK) {
        status = slm_pool_cleanup_add(made, fn, data, 0, NULL);
        if (status != SLM_OK) {
            (void)slm_pool_destroy(made);
            a->shadow.n_own += a->shadow.pass_through; /* its record stays the parent's */
        }
    }
    note_record(a, &before, status == SLM_OK);
    if (status != SLM_OK) {
        return hrn_answer_of(status);
    }
    use_child(made);
    hrn_pool_shadow_registered(&a->shadow, 0);
    a->children =
        hrn_array_grow(a->children, &a->cap_children, a->n_children + 1, sizeof(struct slm_pool *));
    a->children[a->n_children++] = made;
    *out = made;
    return SLM_ADAPTER_OK;
}

static void end_child(void *self, void *ended)
{
    struct arena *a = self;
    size_t i = 0;
    (void)slm_pool_destroy(ended);
    while (a->children[i] != ended) {
        i++;
    }
    a->children[i] = a->children[--a->n_children];
    a->shadow.n_cleanups--;
    a->n_spares += !a->shadow.pass_through; /* there it does not show */
}

/* Sums up what children have, and checks them. */
static void walk_children(struct arena *a)
{
    a->shadow.child_bytes = 0;
    for (size_t i = 0; i < a->n_children; i++) {
        struct slm_pool_stats seen;
        slm_pool_get_stats(a->children[i], &seen);
        a->shadow.child_bytes += seen.source_bytes;
        unsigned broken = slm_pool_check(a->children[i]);
        if (broken != 0 || seen.n_cleanups != 1) {
            a->shadow.env->fail(a->shadow.env,
                                "self_check: slm_pool_check of a child returns %u, and it has %zu "
                                "handlers",
                                broken, seen.n_cleanups);
        }
    }
}

static enum slm_adapter_answer file(void *self, int fd, const char *path)
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
    return hrn_answer_of(status);
}

static enum slm_adapter_answer run_file(void *self, int fd)
{
    struct arena *a = self;
    enum slm_status status = slm_pool_cleanup_run_file(a->pool, fd);
    a->shadow.n_cleanups -= status == SLM_OK;
    return hrn_answer_of(status);
}

static enum slm_adapter_answer reuse_put(void *self, void *p)
{
    return hrn_answer_of(slm_pool_reuse_put(&((struct arena *)self)->reuse, p));
}

static size_t reuse_bytes(void *self)
{
    return ((struct arena *)self)->reuse.object_bytes;
}

static void *metadata(void *self)
{
    return ((struct arena *)self)->pool;
}

static const char *refused(void *self, const struct slm_adapter_request *rq,
                           const struct slm_adapter_refusal *seen)
{
    const struct arena *a = self;
    bool no_list = rq->call == SLM_ADAPTER_CALL_REUSE_GET && !a->can_reuse;
    return no_list ? NULL : hrn_pool_shadow_refused(rq, seen);
}

static enum slm_adapter_answer free_answer(void *self, const struct slm_adapter_request *rq,
                                           void *p, size_t size_bytes)
{
    (void)p;
    (void)size_bytes; /* what was asked for decides; extend leaves small objects small */
    bool large = hrn_pool_shadow_is_large(&((struct arena *)self)->shadow, rq);
    bool is_argument = rq->call == SLM_ADAPTER_CALL_CLEANUP; /* of a handler, which needs it */
    return large && !is_argument ? SLM_ADAPTER_OK : SLM_ADAPTER_UNCHANGED;
}

static void freed(void *self, const struct slm_adapter_request *rq, void *p, size_t size_bytes)
{
    (void)p;
    (void)size_bytes;
    hrn_pool_shadow_freed(&((struct arena *)self)->shadow, rq);
}

/* A stale address may now be that of a file cleanup's data, which only the pool knows. */
static uint32_t bad_free(void *self, enum slm_adapter_misuse misuse, const void *p)
{
    static const uint32_t answers[SLM_ADAPTER_N_MISUSES] = HRN_POOL_BAD_FREE;
    const struct arena *a = self;
    bool not_sure = misuse == SLM_ADAPTER_MISUSE_STALE && a->shadow.n_large_files > 0 &&
                    slm_pool_owns(a->pool, p) != 0;
    return not_sure ? 0 : answers[misuse];
}

static void walk(void *self, size_t n_live, size_t live_bytes)
{
    (void)n_live;
    (void)live_bytes;
    walk_children(self);
    hrn_pool_shadow_walk(&((struct arena *)self)->shadow);
}

static void emptied(void *self, bool by_reset)
{
    if (by_reset) {
        hrn_pool_shadow_reset(&((struct arena *)self)->shadow);
    }
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
    .file = file,
    .run_file = run_file,
    .run_file_refuses = true,
    .reuse_get = reuse_get,
    .reuse_put = reuse_put,
    .reuse_bytes = reuse_bytes,
    .arm = arm,
    .cancel = cancel,
    .child = child,
    .end_child = end_child,
};

const struct slm_adapter hrn_adapter_pool = {
    .name = "pool",
    .create = create,
    .alloc = allocate,
    .free = release,
    .destroy = destroy,
    .alloc_zeroed = allocate_zeroed,
    .alloc_aligned = allocate_aligned,
    .resize_in_place = resize_in_place,
    .reset = reset,
    .trim = trim,
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
SLM_ADAPTER_ADD(pool, hrn_adapter_pool);
