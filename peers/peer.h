/* SPDX-License-Identifier: Apache-2.0 */
/* What the adapters of heaps that serve a whole process share. */
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

#ifdef __cplusplus
}
#endif
#endif
