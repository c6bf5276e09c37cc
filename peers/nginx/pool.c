/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nginx's pool, with blocks from the mill's source. Each adapter adds one way of use, so that a
 * fault in one does not hide others.
 */
#include <ngx_config.h>
#include <ngx_core.h>

#include <stdlib.h>
#include <string.h>

#include <slabmill/adapter.h>

#include "peers/nginx/route.h"

struct arena {
    ngx_pool_t *pool;
    const struct slm_adapter_env *env;
    size_t n_large; /* live objects that have blocks of their own */
    size_t peak_large;
};

/* It logs nothing. */
static ngx_log_t quiet_log;

/* Calls of nginx stand between these two. A call may come from a handler within another call. */
static const struct slm_adapter_source *enter(const struct arena *a)
{
    return route_to(a->env->source);
}

static void *leave_with(const struct slm_adapter_source *before, void *p)
{
    (void)route_to(before);
    return p;
}

static void *create_of(const struct slm_adapter_env *env, size_t block_bytes)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->env = env;
    const struct slm_adapter_source *before = enter(a);
    a->pool = leave_with(before, ngx_create_pool(block_bytes, &quiet_log));
    if (a->pool == NULL) {
        free(a);
        return NULL;
    }
    return a;
}

/* "The size should be at least NGX_MIN_POOL_SIZE and a multiple of NGX_POOL_ALIGNMENT" (nginx's
 * development guide). */
static void *create(const struct slm_adapter_env *env)
{
    size_t bytes = ngx_align(env->pool_shape->block_bytes, NGX_POOL_ALIGNMENT);
    return create_of(env, bytes < (size_t)NGX_MIN_POOL_SIZE ? (size_t)NGX_MIN_POOL_SIZE : bytes);
}

static void *create_of_any_size(const struct slm_adapter_env *env)
{
    return create_of(env, env->pool_shape->block_bytes);
}

static void destroy(void *self)
{
    struct arena *a = self;
    const struct slm_adapter_source *before = enter(a);
    ngx_destroy_pool(a->pool);
    (void)route_to(before);
    free(a);
}

static void reset(void *self)
{
    struct arena *a = self;
    const struct slm_adapter_source *before = enter(a);
    ngx_reset_pool(a->pool);
    (void)route_to(before);
    a->n_large = 0;
}

static void *allocate(void *self, size_t size_bytes)
{
    struct arena *a = self;
    const struct slm_adapter_source *before = enter(a);
    return leave_with(before, ngx_palloc(a->pool, size_bytes));
}

static void *allocate_packed(void *self, size_t size_bytes)
{
    struct arena *a = self;
    const struct slm_adapter_source *before = enter(a);
    return leave_with(before, ngx_pnalloc(a->pool, size_bytes));
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    struct arena *a = self;
    if (size_bytes != 0 && n > SIZE_MAX / size_bytes) {
        return NULL;
    }
    const struct slm_adapter_source *before = enter(a);
    return leave_with(before, ngx_pcalloc(a->pool, n * size_bytes));
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    struct arena *a = self;
    const struct slm_adapter_source *before = enter(a);
    return leave_with(before, ngx_pmemalign(a->pool, size_bytes, align_bytes));
}

/* ngx_pfree declines all but objects that have a block of their own. */
static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    (void)size_bytes;
    const struct slm_adapter_source *before = enter(a);
    ngx_int_t answer = ngx_pfree(a->pool, p);
    (void)route_to(before);
    return answer == NGX_OK ? SLM_ADAPTER_OK : SLM_ADAPTER_UNCHANGED;
}

/* --- Checks --- */

static bool is_large(const struct arena *a, const struct slm_adapter_request *rq)
{
    return rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED || rq->size_bytes > a->pool->max;
}

static void granted(void *self, const struct slm_adapter_request *rq, void *p)
{
    struct arena *a = self;
    (void)p;
    a->n_large += is_large(a, rq);
    a->peak_large = a->n_large > a->peak_large ? a->n_large : a->peak_large;
}

static const char *refused(void *self, const struct slm_adapter_request *rq,
                           const struct slm_adapter_refusal *seen)
{
    (void)self;
    bool right = seen->n_source_refusals > 0 || rq->size_bytes > SIZE_MAX / 2;
    return right ? NULL : "the source refused nothing";
}

static enum slm_adapter_answer free_answer(void *self, const struct slm_adapter_request *rq,
                                           void *p, size_t size_bytes)
{
    (void)p;
    (void)size_bytes;
    return is_large(self, rq) ? SLM_ADAPTER_OK : SLM_ADAPTER_UNCHANGED;
}

static void freed(void *self, const struct slm_adapter_request *rq, void *p, size_t size_bytes)
{
    struct arena *a = self;
    (void)p;
    (void)size_bytes;
    a->n_large -= is_large(a, rq);
}

static size_t n_records(void *self)
{
    const struct arena *a = self;
    size_t n = 0;
    for (const ngx_pool_large_t *large = a->pool->large; large != NULL; large = large->next) {
        n++;
    }
    return n;
}

/* Records of freed blocks should be used again: a pool that lives long must not grow. */
static void check_records(void *self, size_t n_live, size_t live_bytes)
{
    struct arena *a = self;
    size_t n = n_records(self);
    (void)n_live;
    (void)live_bytes;
    if (n > a->peak_large) {
        a->env->fail(a->env, "growth: %zu records of large blocks; at most %zu were live", n,
                     a->peak_large);
    }
}

#define CHECKS                                                                                     \
    .granted = granted, .refused = refused, .free_answer = free_answer, .freed = freed,            \
    .walk_size = n_records
static const struct slm_adapter_checks checks = {CHECKS};
static const struct slm_adapter_checks record_checks = {CHECKS, .walk = check_records};

/* --- Handlers --- */

/* The mill registers one function only. */
static slm_adapter_handler_fn mills_handler;

/* The handler runs in the middle of a call of nginx. */
static void run_handler(void *data)
{
    const struct slm_adapter_source *before = route_to(NULL);
    mills_handler(data);
    (void)route_to(before);
}

static ngx_pool_cleanup_t *add_cleanup(struct arena *a, ngx_pool_cleanup_pt handler, void *data,
                                       size_t data_bytes)
{
    const struct slm_adapter_source *before = enter(a);
    ngx_pool_cleanup_t *cleanup = leave_with(before, ngx_pool_cleanup_add(a->pool, data_bytes));
    if (cleanup == NULL) {
        return NULL;
    }
    cleanup->handler = handler;
    cleanup->data = data_bytes == 0 ? data : cleanup->data;
    return cleanup;
}

static enum slm_adapter_answer cleanup(void *self, slm_adapter_handler_fn fn, void *data,
                                       size_t data_bytes, void **data_out)
{
    mills_handler = fn;
    ngx_pool_cleanup_t *added = add_cleanup(self, run_handler, data, data_bytes);
    if (added == NULL) {
        return SLM_ADAPTER_REFUSED;
    }
    if (data_bytes > 0) {
        *data_out = added->data;
    }
    return SLM_ADAPTER_OK;
}

/* As nginx registers its temporary files. It takes any descriptor; the mill wants negative ones to
 * be refused. */
static enum slm_adapter_answer file(void *self, int fd, const char *path)
{
    if (fd < 0) {
        return SLM_ADAPTER_BAD;
    }
    u_char *name = NULL;
    if (path != NULL) {
        name = allocate_packed(self, strlen(path) + 1);
        if (name == NULL) {
            return SLM_ADAPTER_REFUSED;
        }
        memcpy(name, path, strlen(path) + 1);
    }
    ngx_pool_cleanup_t *added =
        add_cleanup(self, path == NULL ? ngx_pool_cleanup_file : ngx_pool_delete_file, NULL,
                    sizeof(ngx_pool_cleanup_file_t));
    if (added == NULL) {
        return SLM_ADAPTER_REFUSED;
    }
    *(ngx_pool_cleanup_file_t *)added->data = (ngx_pool_cleanup_file_t){fd, name, &quiet_log};
    return SLM_ADAPTER_OK;
}

/* ngx_pool_run_cleanup_file returns nothing. */
static enum slm_adapter_answer run_file(void *self, int fd)
{
    struct arena *a = self;
    const struct slm_adapter_source *before = enter(a);
    ngx_pool_run_cleanup_file(a->pool, fd);
    (void)route_to(before);
    return SLM_ADAPTER_OK;
}

#define PACKED .alloc_packed = allocate_packed, .packed_align_bytes = 1
static const struct slm_adapter_pool packed = {PACKED};
static const struct slm_adapter_pool with_handlers = {PACKED, .cleanup = cleanup};
static const struct slm_adapter_pool with_files = {PACKED, .file = file, .run_file = run_file};

/* --- The adapters --- */

#define POOL                                                                                       \
    .alloc = allocate, .free = release, .destroy = destroy, .alloc_zeroed = allocate_zeroed,       \
    .alloc_aligned = allocate_aligned, .align_bytes = NGX_ALIGNMENT,                               \
    .align_min_bytes = sizeof(void *), .align_max_bytes = 65536, .memory = SLM_ADAPTER_SOURCE,     \
    .bad_free_any = SLM_ADAPTER_BIT(SLM_ADAPTER_UNCHANGED)

/* As its development guide says. */
SLM_ADAPTER(nginx_pool) = {POOL,
                           .create = create,
                           .reset = reset,
                           .zero = SLM_ADAPTER_ZERO_UNASKED,
                           .checks = &checks,
                           .pool = &packed};

/* Blocks of any size. */
SLM_ADAPTER(nginx_pool_blocks) = {POOL,
                                  .create = create_of_any_size,
                                  .reset = reset,
                                  .zero = SLM_ADAPTER_ZERO_UNASKED,
                                  .checks = &checks,
                                  .pool = &packed};

/* Objects of 0 bytes. */
SLM_ADAPTER(nginx_pool_zero) = {POOL, .create = create, .zero = SLM_ADAPTER_ZERO_UNIQUE,
                                .checks = &checks, .pool = &packed};

/* Free of NULL. */
SLM_ADAPTER(nginx_pool_null) = {
    POOL,
    .create = create,
    .zero = SLM_ADAPTER_ZERO_UNASKED,
    .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_UNCHANGED)},
    .checks = &checks,
    .pool = &packed};

/* Handlers, with destroy only. */
SLM_ADAPTER(nginx_pool_handlers) = {POOL, .create = create, .zero = SLM_ADAPTER_ZERO_UNASKED,
                                    .checks = &checks, .pool = &with_handlers};

/* Handlers, with reset too. */
SLM_ADAPTER(nginx_pool_reset) = {POOL,
                                 .create = create,
                                 .reset = reset,
                                 .zero = SLM_ADAPTER_ZERO_UNASKED,
                                 .checks = &checks,
                                 .pool = &with_handlers};

/* Files. */
SLM_ADAPTER(nginx_pool_files) = {POOL, .create = create, .zero = SLM_ADAPTER_ZERO_UNASKED,
                                 .checks = &checks, .pool = &with_files};

/* The records of large blocks are counted. */
SLM_ADAPTER(nginx_pool_records) = {POOL, .create = create, .zero = SLM_ADAPTER_ZERO_UNASKED,
                                   .checks = &record_checks, .pool = &packed};
