/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that allocators under test use: a heap, sources that count, fenced regions. */
#ifndef HRN_MEMORY_H
#define HRN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/adapter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The byte that fresh memory holds, by the program's seed: 0x80 to 0xff, so never zero and never a
 * small number. What an allocator reads there by mistake differs from program to program. */
static inline unsigned char hrn_junk(uint32_t seed)
{
    return (unsigned char)(0x80u | (seed * UINT32_C(0x9e3779b1)) >> 25);
}

/*
 * A separate heap for sources, so that the same program gets the same addresses. take: a block of
 * undefined bytes, with HRN_HEAP_FRONT_BYTES before it for the caller's use, or NULL. give: no code
 * may access the block any more. restart: all memory is free and new again, if nothing is live.
 */
#define HRN_HEAP_FRONT_BYTES 64u
void *hrn_heap_take(size_t size_bytes, size_t align_bytes);
void hrn_heap_give(void *block);
void hrn_heap_restart(void);

#define HRN_SOURCE_N_HELD 8u

/* What all sources of a run have given and not yet received back. */
struct hrn_source_total {
    size_t bytes;
    size_t peak_bytes;
};

/* A source that counts, refuses planned calls, and knows every block it gave. */
struct hrn_source {
    struct slm_adapter_source source;
    struct hrn_source_block *blocks; /* live ones, newest first */
    void *held[HRN_SOURCE_N_HELD];   /* returned blocks that the heap does not have yet */
    unsigned n_returned;             /* ever */
    size_t live_blocks;
    size_t live_bytes;
    uint64_t n_calls;
    uint64_t n_refused;
    uint64_t fail_at;    /* call that is refused, from 1; 0: none */
    uint64_t fail_count; /* how many in a row */
    unsigned char junk;  /* what new blocks hold */
    struct hrn_source_total *total;
};
#define HRN_SOURCE_BLOCK_MAX (4u << 20) /* larger blocks are refused, bytes */
#define HRN_SOURCE_TOTAL_MAX                                                                       \
    (32u << 20) /* requests that would make more than this live are refused too, bytes */

void hrn_source_init(struct hrn_source *source, struct hrn_source_total *total, unsigned char junk);
/* True if the plan refuses the next call, which then counts as made and refused. */
bool hrn_source_skip_refused(struct hrn_source *source);
/* True if one live block has all n bytes at p. Cost O(1) if it is the block that the last call found,
 * or a new one; else O(blocks). */
bool hrn_source_has(struct hrn_source *source, const void *p, size_t n);
/* Frees all blocks that are still live. */
void hrn_source_drop(struct hrn_source *source);

/* Fenced memory for one arena: inaccessible pages on both sides, and marked bytes before the second
 * ones. */
struct hrn_region {
    unsigned char *base; /* 4096-aligned; NULL: none */
    size_t bytes;        /* from base, lead_bytes included */
    size_t lead_bytes;   /* marked ones, at base: the region proper starts after them */
    unsigned char *map;  /* the whole mapping */
    size_t map_bytes;
    size_t used_bytes;    /* no object was allocated above */
    unsigned char *clean; /* [clean, clean_end) holds junk since the last close */
    unsigned char *clean_end;
    unsigned char junk; /* what it was filled with */
    size_t most_bytes;  /* to which it can be resized, from base */
    bool is_sparse;     /* its pages exist only where they were written; unmapped when closed */
};
#define HRN_REGION_ALLOC_MAX  ((size_t)1 << 30) /* larger regions are refused, bytes */
#define HRN_REGION_SPARSE_MAX ((size_t)1 << 33) /* the same of sparse ones */

/* Makes a region filled with junk; uses the existing mapping if the region fits. False: too large.
 */
bool hrn_region_open(struct hrn_region *region, size_t bytes, unsigned char junk);
/* The same, with the region lead_bytes (fewer than 4096) further: after as many marked bytes. */
bool hrn_region_open_led(struct hrn_region *region, size_t bytes, size_t lead_bytes,
                         unsigned char junk);
/* The same, so that it can become reserve_bytes longer. */
bool hrn_region_open_growing(struct hrn_region *region, size_t bytes, size_t lead_bytes,
                             size_t reserve_bytes, unsigned char junk);
/* Makes a region of zeros without filling it: for regions above HRN_REGION_ALLOC_MAX. False: too
 * large, or the system has no address space for it. */
bool hrn_region_open_sparse(struct hrn_region *region, size_t bytes, size_t lead_bytes);
/* The region proper now ends `bytes` after its start, which is at most what it was opened for. What
 * is added holds junk; what is cut off holds marked bytes up to the end of its page, and the pages
 * after that are inaccessible. False, and nothing changed: the system refused. */
bool hrn_region_resize(struct hrn_region *region, size_t bytes);
/* From now on hrn_region_use keeps used_bytes. Memory above it that looks unchanged when the region
 * is closed is not filled again. */
void hrn_region_track(struct hrn_region *region);
/* Notes that an object ends at p. */
void hrn_region_use(struct hrn_region *region, const unsigned char *p);
/* Removes all poison, so that the next region can be filled. */
void hrn_region_close(struct hrn_region *region);
void hrn_region_fini(struct hrn_region *region);
/* Offset of the first marked byte after the region that has changed, or SIZE_MAX. */
size_t hrn_region_fence_broken(const struct hrn_region *region);
/* The same for the marked bytes before it. */
size_t hrn_region_lead_broken(const struct hrn_region *region);

#ifdef __cplusplus
}
#endif
#endif
