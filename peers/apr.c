/* SPDX-License-Identifier: Apache-2.0 */
/* APR's pools: objects are freed together, by apr_pool_clear or apr_pool_destroy. */
#define _GNU_SOURCE /* PATH_MAX, which apr.h asks for */
#include <apr_general.h>
#include <apr_pools.h>

#include "peers/peer.h"

static void *create(const struct slm_adapter_env *env)
{
    static bool ready;
    apr_pool_t *pool;
    (void)env;
    if (!ready && apr_initialize() != APR_SUCCESS) {
        return NULL;
    }
    ready = true;
    return apr_pool_create(&pool, NULL) == APR_SUCCESS ? pool : NULL;
}

static void destroy(void *self)
{
    apr_pool_destroy(self);
}

static void reset(void *self)
{
    apr_pool_clear(self);
}

static void *allocate(void *self, size_t size_bytes)
{
    return size_bytes > PEER_SIZE_MAX ? NULL : apr_palloc(self, size_bytes);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    size_t product = peer_product(n, size_bytes);
    return product > PEER_SIZE_MAX ? NULL : apr_pcalloc(self, product);
}

struct handler {
    slm_adapter_handler_fn fn;
    void *data;
};

static apr_status_t run_handler(void *data)
{
    const struct handler *handler = data;
    handler->fn(handler->data);
    return APR_SUCCESS;
}

static enum slm_adapter_answer add_cleanup(void *self, slm_adapter_handler_fn fn, void *data,
                                           size_t data_bytes, void **data_out)
{
    struct handler *handler = apr_palloc(self, sizeof *handler);
    if (data_bytes > 0) {
        data = allocate(self, data_bytes);
    }
    if (handler == NULL || (data_bytes > 0 && data == NULL)) {
        return SLM_ADAPTER_REFUSED;
    }
    *handler = (struct handler){fn, data};
    apr_pool_cleanup_register(self, handler, run_handler, apr_pool_cleanup_null);
    if (data_bytes > 0) {
        *data_out = data;
    }
    return SLM_ADAPTER_OK;
}

static const struct slm_adapter_checks checks = {.free_answer = peer_kept_answer};
static const struct slm_adapter_pool pool = {.cleanup = add_cleanup};

SLM_ADAPTER(apr) = {
    .create = create,
    .alloc = allocate,
    .free = peer_keep,
    .destroy = destroy,
    .alloc_zeroed = allocate_zeroed,
    .reset = reset,
    .align_bytes = 8,
    /* Two objects of 0 bytes have one address. Its documents do not say what 0 means. */
    .zero = SLM_ADAPTER_ZERO_UNASKED,
    .size_max_bytes = PEER_SIZE_MAX,
    .memory = SLM_ADAPTER_SYSTEM,
    .empty_serves = true,
    .checks = &checks,
    .pool = &pool,
};
