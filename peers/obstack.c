/* SPDX-License-Identifier: Apache-2.0 */
/* glibc's obstacks, with chunks from the mill's source. */
#define _GNU_SOURCE
#include <limits.h>
#include <obstack.h>
#include <setjmp.h>
#include <stdlib.h>

#include "peers/peer.h"

#define ALIGN_BYTES 16

struct arena {
    struct obstack stack;
    const struct slm_adapter_source *source;
    void *first; /* of 0 bytes: obstack_free of it frees all */
};

/* The handler of a failed chunk "should either exit or longjmp" (glibc's manual). */
static jmp_buf failed;

static void leave(void)
{
    longjmp(failed, 1);
}

static void *take_chunk(void *data, size_t bytes)
{
    const struct arena *a = data;
    return a->source->alloc(a->source->data, bytes, ALIGN_BYTES);
}

static void give_chunk(void *data, void *block)
{
    const struct arena *a = data;
    const struct _obstack_chunk *chunk = block;
    size_t bytes = (size_t)(chunk->limit - (const char *)block);
    a->source->free(a->source->data, block, bytes, ALIGN_BYTES);
}

/* A chunk holds at least its own header and an object. */
static int chunk_bytes(const struct slm_adapter_env *env)
{
    size_t bytes = env->pool_shape->block_bytes;
    return bytes < 64 ? 64 : bytes > INT_MAX / 2 ? INT_MAX / 2 : (int)bytes;
}

static bool begin(struct arena *a, const struct slm_adapter_env *env)
{
    obstack_alloc_failed_handler = leave;
    if (setjmp(failed) != 0) {
        return false;
    }
    obstack_specify_allocation_with_arg(&a->stack, chunk_bytes(env), ALIGN_BYTES, take_chunk,
                                        give_chunk, a);
    a->first = obstack_alloc(&a->stack, 0);
    return true;
}

static void *create(const struct slm_adapter_env *env)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->source = env->source;
    if (!begin(a, env)) {
        free(a);
        return NULL;
    }
    return a;
}

static void destroy(void *self)
{
    struct arena *a = self;
    obstack_free(&a->stack, NULL);
    free(a);
}

static void reset(void *self)
{
    struct arena *a = self;
    obstack_free(&a->stack, a->first);
}

/* Sizes are of type int. */
static void *allocate(void *self, size_t size_bytes)
{
    struct arena *a = self;
    if (size_bytes > PEER_SIZE_MAX || setjmp(failed) != 0) {
        return NULL;
    }
    return obstack_alloc(&a->stack, (int)size_bytes);
}

/* The newest object ends where the next one starts, rounded up, or at the end of the chunk. */
static enum slm_adapter_answer give_back(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    size_t padded = (size_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
    uintptr_t end = (uintptr_t)p + padded;
    uintptr_t limit = (uintptr_t)a->stack.chunk_limit;
    uintptr_t next = (uintptr_t)obstack_base(&a->stack);
    bool in_chunk = (uintptr_t)p >= (uintptr_t)a->stack.chunk && (uintptr_t)p < limit;
    if (!in_chunk || (end > limit ? limit : end) != next) {
        return SLM_ADAPTER_UNCHANGED;
    }
    obstack_free(&a->stack, p);
    return SLM_ADAPTER_OK;
}

static const struct slm_adapter_checks checks = {.free_answer = peer_kept_answer};
static const struct slm_adapter_pool pool = {.give_back = give_back};

SLM_ADAPTER(obstack) = {
    .create = create,
    .alloc = allocate,
    .free = peer_keep,
    .destroy = destroy,
    .reset = reset,
    .align_bytes = ALIGN_BYTES,
    /* An object of 0 bytes has the address of the next one. */
    .zero = SLM_ADAPTER_ZERO_UNASKED,
    .size_max_bytes = PEER_SIZE_MAX,
    .memory = SLM_ADAPTER_SOURCE,
    .checks = &checks,
    .pool = &pool,
};
