/* SPDX-License-Identifier: Apache-2.0 */
/* The heap's adapter: all that its author writes. */
#include <slabmill/adapter.h>

#include "first_fit.h"

static void *create(const struct slm_adapter_env *env)
{
    return first_fit_init(env->region, env->region_bytes);
}

static void *allocate(void *self, size_t size_bytes)
{
    return first_fit_alloc(self, size_bytes);
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    first_fit_free(self, p);
    return SLM_ADAPTER_OK;
}

SLM_ADAPTER(first_fit) = {
    .create = create, .alloc = allocate, .free = release, .region_min_bytes = 64};
