/* SPDX-License-Identifier: Apache-2.0 */
/* Free list of objects of one size, over a pool. */
#include "allocator/pool/layout.h"

/* Before each object. One compare of the tag checks list, object and state at once. */
struct slm_pool_reuse_node {
    _Alignas(SLM_POOL_ALIGN) uintptr_t tag;
    struct slm_pool_reuse_node *next; /* in the free list; undefined while the object is live */
};

_Static_assert(sizeof(struct slm_pool_reuse_node) == SLM_POOL_ALIGN, "the contract says 16 bytes");

/* Arbitrary odd words that pointers do not look like. */
#define TAG_LIVE ((uintptr_t)0x6C1F5A3D97E2B84B)
#define TAG_FREE ((uintptr_t)0xD3A4E96B581C70F5)

static uintptr_t tag_of(const struct slm_pool_reuse *list, const struct slm_pool_reuse_node *node,
                        uintptr_t state)
{
    /* Rotated, so that list and object cannot be swapped and give the same tag. */
    uintptr_t word = (uintptr_t)list;
    return (word << 7 | word >> (sizeof word * 8 - 7)) ^ (uintptr_t)node ^ state;
}

enum slm_status slm_pool_reuse_init(struct slm_pool_reuse *list, struct slm_pool *pool,
                                    size_t object_bytes)
{
    if (list == NULL || pool == NULL) {
        return SLM_E_NULL;
    }
    size_t limit = slm_pool_limit(slm_pool_block_bytes(pool));
    if (object_bytes == 0 || object_bytes > limit - sizeof(struct slm_pool_reuse_node)) {
        return SLM_E_SIZE;
    }
    *list = (struct slm_pool_reuse){.pool = pool, .object_bytes = object_bytes};
    return SLM_OK;
}

static struct slm_pool_reuse_node *take_node(struct slm_pool_reuse *list)
{
    struct slm_pool_reuse_node *node = list->free_list;
    if (node == NULL) {
        return slm_pool_alloc(list->pool, sizeof *node + list->object_bytes);
    }
    SLM_ASSERT(list, node->tag == tag_of(list, node, TAG_FREE));
    list->free_list = node->next;
    list->n_free--;
    slm_poison_show(node + 1, list->object_bytes);
    return node;
}

void *slm_pool_reuse_get(struct slm_pool_reuse *list)
{
    struct slm_pool_reuse_node *node = list == NULL ? NULL : take_node(list);
    if (node == NULL) {
        return NULL;
    }
    node->tag = tag_of(list, node, TAG_LIVE);
    list->n_live++;
    return node + 1;
}

enum slm_status slm_pool_reuse_put(struct slm_pool_reuse *list, void *p)
{
    if (list == NULL || p == NULL) {
        return list == NULL ? SLM_E_NULL : SLM_OK;
    }
    if ((uintptr_t)p % SLM_POOL_ALIGN != 0) {
        return SLM_E_FOREIGN;
    }
    struct slm_pool_reuse_node *node = (struct slm_pool_reuse_node *)p - 1;
    if (node->tag != tag_of(list, node, TAG_LIVE)) {
        return node->tag == tag_of(list, node, TAG_FREE) ? SLM_E_FREED : SLM_E_FOREIGN;
    }
    node->tag = tag_of(list, node, TAG_FREE);
    node->next = list->free_list;
    list->free_list = node;
    list->n_free++;
    list->n_live--;
    slm_poison_hide(p, list->object_bytes);
    return SLM_OK;
}
