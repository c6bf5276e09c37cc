/* SPDX-License-Identifier: Apache-2.0 */
#include "first_fit.h"

#include <stdint.h>

/* Before each block, free or not: how long it is with its header, and whether it is free. */
struct block {
    size_t bytes;
    size_t is_free;
};

struct first_fit {
    size_t bytes; /* of all blocks, which follow */
    size_t unused;
};

static struct block *first_of(struct first_fit *heap)
{
    return (struct block *)(void *)(heap + 1);
}

static struct block *next_of(struct block *block)
{
    return (struct block *)(void *)((unsigned char *)block + block->bytes);
}

static const void *end_of(struct first_fit *heap)
{
    return (unsigned char *)(heap + 1) + heap->bytes;
}

struct first_fit *first_fit_init(void *region, size_t region_bytes)
{
    struct first_fit *heap = region;
    if (region_bytes < 64) {
        return NULL;
    }
    heap->bytes = (region_bytes - sizeof *heap) & ~(size_t)15;
    *first_of(heap) = (struct block){heap->bytes, 1};
    return heap;
}

void *first_fit_alloc(struct first_fit *heap, size_t size_bytes)
{
    if (size_bytes > heap->bytes) {
        return NULL;
    }
    size_t need = ((size_bytes + 15) & ~(size_t)15) + sizeof(struct block);
    struct block *block = first_of(heap);
    while ((const void *)block < end_of(heap) && (!block->is_free || block->bytes < need)) {
        block = next_of(block);
    }
    if ((const void *)block >= end_of(heap)) {
        return NULL;
    }
    if (block->bytes - need > sizeof *block) {
        struct block *rest = (struct block *)(void *)((unsigned char *)block + need);
        *rest = (struct block){block->bytes - need, 1};
        block->bytes = need;
    }
    block->is_free = 0;
    return block + 1;
}

void first_fit_free(struct first_fit *heap, void *p)
{
    struct block *block = first_of(heap);
    if (p == NULL) {
        return;
    }
    ((struct block *)p - 1)->is_free = 1;
    while ((const void *)block < end_of(heap)) {
        struct block *next = next_of(block);
        if (block->is_free && (const void *)next < end_of(heap) && next->is_free) {
            block->bytes += next->bytes;
        } else {
            block = next;
        }
    }
}
