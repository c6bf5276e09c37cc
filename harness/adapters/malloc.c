/* SPDX-License-Identifier: Apache-2.0 */
/* The C heap under test: no arena, no misuse, only what every allocator guarantees. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* posix_memalign */
#endif
#include <stdint.h>
#include <stdlib.h>

#include "harness/adapters/adapters.h"

#define ALIGN_MAX 65536u
#define SIZE_CAP                                                                                   \
    ((size_t)1 << 26) /* larger requests are refused here, so that the heap does not fill */

static int token; /* stands for the arena, which has no state */

static void *create(const struct slm_adapter_env *env)
{
    (void)env;
    return &token;
}

static bool align_is_served(size_t align)
{
    return align >= sizeof(void *) && align <= ALIGN_MAX && (align & (align - 1)) == 0;
}

static void *allocate(void *self, size_t size_bytes)
{
    (void)self;
    return size_bytes > SIZE_CAP ? NULL : malloc(size_bytes == 0 ? 1 : size_bytes);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    (void)self;
    size_t bytes = hrn_product(n, size_bytes);
    return bytes > SIZE_CAP ? NULL : calloc(n, bytes == 0 ? 1 : size_bytes);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    void *p = NULL;
    (void)self;
    bool served = size_bytes <= SIZE_CAP && align_is_served(align_bytes) &&
                  posix_memalign(&p, align_bytes, size_bytes == 0 ? 1 : size_bytes) == 0;
    return served ? p : NULL;
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)size_bytes;
    free(p);
    return SLM_ADAPTER_OK;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    return new_bytes > SIZE_CAP ? NULL : realloc(p, new_bytes == 0 ? 1 : new_bytes);
}

/* The heap's state is unknown; it always has room for small requests. */
static const char *refused(void *self, const struct slm_adapter_request *rq,
                           const struct slm_adapter_refusal *seen)
{
    (void)self;
    bool bad_align =
        rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED && !align_is_served(rq->align_bytes);
    bool much = rq->size_bytes > SIZE_CAP || seen->live_bytes > SIZE_CAP;
    return bad_align || much ? NULL : "the heap had room";
}

static const struct slm_adapter_checks checks = {.refused = refused};

const struct slm_adapter hrn_adapter_malloc = {
    .name = "malloc",
    .create = create,
    .alloc = allocate,
    .free = release,
    .alloc_zeroed = allocate_zeroed,
    .alloc_aligned = allocate_aligned,
    .resize = resize,
    .align_bytes = 16,
    .align_min_bytes = sizeof(void *),
    .align_max_bytes = ALIGN_MAX,
    .align_refuses = true,
    .resize_null = true,
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES,
    .memory = SLM_ADAPTER_SYSTEM,
    .any_thread = true,
    .checks = &checks,
};
SLM_ADAPTER_ADD(malloc, hrn_adapter_malloc);
