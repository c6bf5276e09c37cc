/* SPDX-License-Identifier: Apache-2.0 */
/* malloc, posix_memalign and free of the process, with a way to a source. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include "peers/nginx/route.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

/* glibc's own, by its other names. */
void *__libc_malloc(size_t size_bytes);
void *__libc_memalign(size_t align_bytes, size_t size_bytes);
void __libc_free(void *p);

/* A block of a source. A source wants size and alignment back. */
struct block {
    void *p; /* NULL: an empty slot */
    const struct slm_adapter_source *source;
    size_t size_bytes;
    size_t align_bytes;
};

/* A hash table with linear probing. Blocks that an abandoned run left in it do no harm: no other
 * memory of the process has their addresses. */
#define N_SLOTS      ((size_t)1 << 19)
#define N_BLOCKS_MAX (N_SLOTS / 2)
static struct block blocks[N_SLOTS];
static size_t n_blocks;

static const struct slm_adapter_source *current;

static size_t home_of(const void *p)
{
    return (size_t)(((uint64_t)(uintptr_t)p >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 45) &
           (N_SLOTS - 1);
}

/* The slot of the block, or the empty one where it belongs. */
static struct block *slot_of(const void *p)
{
    size_t i = home_of(p);
    while (blocks[i].p != NULL && blocks[i].p != p) {
        i = (i + 1) & (N_SLOTS - 1);
    }
    return &blocks[i];
}

/* Moves later blocks up, so that a search never meets a gap. */
static void empty_slot(struct block *slot)
{
    size_t hole = (size_t)(slot - blocks);
    for (size_t i = (hole + 1) & (N_SLOTS - 1); blocks[i].p != NULL; i = (i + 1) & (N_SLOTS - 1)) {
        size_t home = home_of(blocks[i].p);
        if (((i - home) & (N_SLOTS - 1)) >= ((i - hole) & (N_SLOTS - 1))) {
            blocks[hole] = blocks[i];
            hole = i;
        }
    }
    blocks[hole].p = NULL;
    n_blocks--;
}

/* The source's function may leave by a jump, when the mill reports a fault: then the source must
 * not be set any more. */
static void *take(size_t asked_bytes, size_t align_bytes)
{
    size_t size_bytes = asked_bytes == 0 ? 1 : asked_bytes;
    const struct slm_adapter_source *source = route_to(NULL);
    void *p =
        n_blocks >= N_BLOCKS_MAX ? NULL : source->alloc(source->data, size_bytes, align_bytes);
    route_to(source);
    if (p == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    struct block *slot = slot_of(p);
    n_blocks += slot->p == NULL;
    *slot = (struct block){p, source, size_bytes, align_bytes};
    return p;
}

static void give(struct block *slot)
{
    struct block block = *slot;
    empty_slot(slot);
    const struct slm_adapter_source *before = route_to(NULL);
    block.source->free(block.source->data, block.p, block.size_bytes, block.align_bytes);
    route_to(before);
}

/* Its address is that of malloc in this module, also if the process calls another. */
static void *own_malloc(size_t size_bytes)
{
    return current != NULL ? take(size_bytes, _Alignof(max_align_t)) : __libc_malloc(size_bytes);
}

void *malloc(size_t size_bytes) __attribute__((alias("own_malloc")));

int posix_memalign(void **p, size_t align_bytes, size_t size_bytes)
{
    bool lawful = align_bytes >= sizeof(void *) && (align_bytes & (align_bytes - 1)) == 0;
    if (!lawful) {
        return EINVAL;
    }
    void *got =
        current != NULL ? take(size_bytes, align_bytes) : __libc_memalign(align_bytes, size_bytes);
    if (got == NULL) {
        return ENOMEM;
    }
    *p = got;
    return 0;
}

void free(void *p)
{
    struct block *slot = p == NULL || n_blocks == 0 ? NULL : slot_of(p);
    if (slot != NULL && slot->p != NULL) {
        give(slot);
    } else {
        __libc_free(p);
    }
}

bool route_is_ready(void)
{
    union {
        void *object;
        void *(*function)(size_t);
    } used = {dlsym(RTLD_DEFAULT, "malloc")};
    return used.function == own_malloc;
}

const struct slm_adapter_source *route_to(const struct slm_adapter_source *source)
{
    const struct slm_adapter_source *before = current;
    current = source;
    return before;
}
