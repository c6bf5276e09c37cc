/* SPDX-License-Identifier: Apache-2.0 */
/* What the adapters of peers share. */
#ifndef PEERS_PEER_H
#define PEERS_PEER_H

#include <stdint.h>

#include <slabmill/adapter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adapters refuse larger requests, since these heaps would serve them from memory that the machine
 * does not have. */
#define PEER_SIZE_MAX  ((size_t)1 << 26)
#define PEER_ALIGN_MAX ((size_t)65536)

/* A heap of the whole process has no arenas: each gets an address of its own, which is not read. */
static inline void *peer_arena(const struct slm_adapter_env *env)
{
    return (void *)((uintptr_t)env->arena + 1u);
}

/* n * size_bytes, or SIZE_MAX. */
static inline size_t peer_product(size_t n, size_t size_bytes)
{
    return size_bytes != 0 && n > SIZE_MAX / size_bytes ? SIZE_MAX : n * size_bytes;
}

/* `free` where no call frees one object alone: apr_pool_clear and obstack_free free others too. */
static inline enum slm_adapter_answer peer_keep(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)p;
    (void)size_bytes;
    return SLM_ADAPTER_UNCHANGED;
}

/* The check `free_answer` to it. */
static inline enum slm_adapter_answer
peer_kept_answer(void *self, const struct slm_adapter_request *rq, void *p, size_t size_bytes)
{
    (void)rq;
    return peer_keep(self, p, size_bytes);
}

#ifdef __cplusplus
}
#endif
#endif
