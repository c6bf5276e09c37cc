/* SPDX-License-Identifier: Apache-2.0 */
/* The heap from which sources take blocks: the same calls get the same addresses. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/base/poison.h"
#include "harness/base/quiet.h"
#include "harness/memory/memory.h"

HRN_QUIET_BEGIN

/*
 * A chunk is [chunk header | front for the user of the heap | block | gap]; sanitizers report
 * accesses outside blocks and headers. Each doubling of size has a few chunk lengths; chunks never
 * merge, and a chunk that is given back serves the next request of its length. Each program starts
 * with an empty heap. Fixed addresses matter because addresses decide where aligned objects lie in
 * blocks, in what order a pool that hashes addresses visits its blocks, and what a stale pointer
 * points to.
 */
#define HEAP_BYTES  ((size_t)1 << 29)
#define BASE_ALIGN  ((size_t)65536) /* the largest alignment that pools ask for */
#define BASE_HINT   ((uintptr_t)UINT64_C(0x548000000000)) /* no sanitizer uses this range */
#define GAP_BYTES   32u
#define STEPS_SHIFT 2u /* log2 of chunk lengths a doubling */
#define N_BINS      (64u << STEPS_SHIFT)

struct chunk {
    struct chunk *next; /* in its bin */
    unsigned bin;
};
#define CHUNK_BYTES 16u /* header */
_Static_assert(sizeof(struct chunk) <= CHUNK_BYTES, "no room for the chunk header");

static unsigned char *base;
static size_t n_used;
static size_t n_live;
static struct chunk *bins[N_BINS];

/* The bin whose chunks have at least that many bytes, and their exact length. */
static unsigned bin_of(size_t bytes, size_t *chunk_bytes)
{
    unsigned high = 63u - (unsigned)__builtin_clzll(bytes);
    size_t step = (size_t)1 << (high - STEPS_SHIFT);
    *chunk_bytes = (bytes + step - 1) & ~(step - 1);
    high = 63u - (unsigned)__builtin_clzll(*chunk_bytes);
    return (high << STEPS_SHIFT) + (unsigned)(*chunk_bytes >> (high - STEPS_SHIFT) & 3u);
}

static void map_heap(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *hint = sizeof(void *) == 8 ? (void *)BASE_HINT : NULL;
    unsigned char *map = mmap(hint, HEAP_BYTES + BASE_ALIGN, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (map == MAP_FAILED) {
        fprintf(stderr, "slabmill: the harness itself is out of memory\n");
        abort();
    }
    base = (unsigned char *)(((uintptr_t)map + BASE_ALIGN - 1) & ~(uintptr_t)(BASE_ALIGN - 1));
}

static struct chunk *new_chunk(unsigned bin, size_t chunk_bytes)
{
    if (base == NULL) {
        map_heap();
    }
    if (chunk_bytes > HEAP_BYTES - n_used) {
        return NULL;
    }
    struct chunk *chunk = (struct chunk *)(void *)(base + n_used);
    n_used += chunk_bytes;
    hrn_poison_open(chunk, CHUNK_BYTES);
    chunk->bin = bin;
    return chunk;
}

static struct chunk *take_chunk(unsigned bin, size_t chunk_bytes)
{
    struct chunk *chunk = bins[bin];
    if (chunk == NULL) {
        return new_chunk(bin, chunk_bytes);
    }
    bins[bin] = chunk->next;
    return chunk;
}

/* The place before the block that holds the address of the chunk's header. */
static struct chunk **header_of(void *block)
{
    unsigned char *end = block;
    return (struct chunk **)(void *)(end - HRN_HEAP_FRONT_BYTES - sizeof(struct chunk *));
}

void *hrn_heap_take(size_t size_bytes, size_t align_bytes)
{
    size_t align = align_bytes < HRN_HEAP_FRONT_BYTES ? HRN_HEAP_FRONT_BYTES : align_bytes;
    size_t front = CHUNK_BYTES + sizeof(struct chunk *) + HRN_HEAP_FRONT_BYTES;
    size_t chunk_bytes;
    unsigned bin = bin_of(front + align + size_bytes + GAP_BYTES, &chunk_bytes);
    struct chunk *chunk = take_chunk(bin, chunk_bytes);
    if (chunk == NULL) {
        return NULL;
    }
    uintptr_t start = ((uintptr_t)chunk + front + align - 1) & ~(uintptr_t)(align - 1);
    unsigned char *block = (unsigned char *)chunk + (start - (uintptr_t)chunk);
    unsigned char *end = (unsigned char *)chunk + chunk_bytes;
    unsigned char *rest = block + size_bytes;
    hrn_poison_hide((unsigned char *)chunk + CHUNK_BYTES, start - (uintptr_t)chunk - CHUNK_BYTES);
    hrn_poison_hide(rest, (size_t)(end - rest));
    hrn_poison_open(header_of(block), sizeof(struct chunk *) + HRN_HEAP_FRONT_BYTES);
    hrn_poison_show(block, size_bytes);
    *header_of(block) = chunk;
    n_live++;
    return block;
}

void hrn_heap_give(void *block)
{
    struct chunk *chunk = *header_of(block);
    chunk->next = bins[chunk->bin];
    bins[chunk->bin] = chunk;
    n_live--;
}

void hrn_heap_restart(void)
{
    if (n_live > 0 || n_used == 0) {
        return;
    }
    hrn_poison_hide(base, n_used);
    memset(bins, 0, sizeof bins);
    n_used = 0;
}

HRN_QUIET_END
