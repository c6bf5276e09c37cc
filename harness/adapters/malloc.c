/* SPDX-License-Identifier: Apache-2.0 */
/* The C heap under test: no arena, no misuse, only what every allocator promises. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* posix_memalign */
#endif
#include <stdint.h>
#include <stdlib.h>

#include "harness/adapters/adapter.h"

#define ALIGN_MAX 65536u
#define SIZE_CAP                                                                                   \
    ((size_t)1 << 26) /* larger requests are refused here, so that the heap does not fill */

static int token; /* stands for the arena, which has no state */

static void *create(const struct hrn_env *env, enum slm_status *why)
{
    (void)env;
    *why = SLM_OK;
    return &token;
}

static void destroy(void *self)
{
    (void)self;
}

static bool align_is_served(size_t align)
{
    return align >= sizeof(void *) && align <= ALIGN_MAX && (align & (align - 1)) == 0;
}

static void *allocate(void *self, const struct hrn_request *rq)
{
    (void)self;
    size_t n = rq->size_bytes == 0 ? 1 : rq->size_bytes;
    if (n > SIZE_CAP) {
        return NULL;
    }
    if (rq->kind == HRN_MEMALIGN) {
        void *p = NULL;
        bool served =
            align_is_served(rq->align_bytes) && posix_memalign(&p, rq->align_bytes, n) == 0;
        return served ? p : NULL;
    }
    return rq->kind == HRN_CALLOC ? calloc(1, n) : malloc(n);
}

static enum slm_status release(void *self, void *p)
{
    (void)self;
    free(p);
    return SLM_OK;
}

static enum slm_status resize(void *self, void **p, size_t old_bytes, size_t new_bytes)
{
    (void)self;
    (void)old_bytes;
    void *moved = new_bytes > SIZE_CAP ? NULL : realloc(*p, new_bytes == 0 ? 1 : new_bytes);
    *p = moved == NULL ? *p : moved;
    return moved == NULL ? SLM_E_NOMEM : SLM_OK;
}

/* The heap's state is unknown; it always has room for small requests. */
static const char *refused(void *self, const struct hrn_request *rq, const struct hrn_refusal *seen)
{
    (void)self;
    bool bad_align = rq->kind == HRN_MEMALIGN && !align_is_served(rq->align_bytes);
    bool much = rq->size_bytes > SIZE_CAP || seen->live_bytes > SIZE_CAP;
    return bad_align || much ? NULL : "the heap had room";
}

const struct hrn_adapter hrn_adapter_malloc = {
    .name = "malloc",
    .can = HRN_CAN_BASE | HRN_BIT(HRN_MEMALIGN) | HRN_BIT(HRN_RESIZE),
    .align_bytes = 16,
    .align_max_bytes = ALIGN_MAX,
    .create = create,
    .destroy = destroy,
    .alloc = allocate,
    .free = release,
    .resize = resize,
    .oracle = {.refused = refused},
};
