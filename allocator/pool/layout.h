/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a pool, for its own .c files and its tests. */
#ifndef SLM_POOL_PRIV_H
#define SLM_POOL_PRIV_H

#include <stdbool.h>

#include "allocator/base/bits.h"
#include <slabmill/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Blocks   One list, in the order in which they came from the source. A reset rewinds it without
 *          walking it: every block but the first is then fresh, and a fresh block's low and high
 *          say nothing until it becomes current.
 *
 *              first      used        current     used        fresh      last
 *             [hdr|pool]->[hdr|    ]->[hdr|    ]->[hdr|    ]->[hdr|    ]->[hdr|    ]->NULL
 *
 * Room     A block that stops being current keeps its free bytes [low, high): with at least
 *          2^SLM_POOL_BIN_FIRST of them it goes to a bin, from where it becomes current again.
 */
struct slm_pool_block {
    struct slm_pool_block *next;
    unsigned char *low; /* [low, high) is free; stale while the block is current or fresh */
    unsigned char *high;
    struct slm_pool_block *bin_next;
};

/* Bin i holds blocks with 2^(i + FIRST) free bytes or more, and less than twice that; the last bin
 * has no upper bound and serves every small request. */
#define SLM_POOL_BIN_FIRST       6u
#define SLM_POOL_N_BINS          8u
#define SLM_POOL_N_PROBES        4u    /* blocks looked at in a bin that may not serve a request */
#define SLM_POOL_SMALL_MAX       4095u /* upper bound of the small limit, bytes */
#define SLM_POOL_N_FIRST_BUCKETS 2u    /* that come with the first large block */
#define SLM_POOL_N_SLOTS         4u    /* records in a bucket */
#define SLM_POOL_N_FREED         16u   /* freed large blocks that are remembered */
#define SLM_POOL_HELD_MAX        262144u /* bytes of freed blocks held back, SLM_CHECKS >= 2 */
#define SLM_POOL_SIZE_MAX        (SIZE_MAX / 2)

enum slm_pool_kind {
    SLM_POOL_LARGE, /* an object above the small limit */
    SLM_POOL_SMALL, /* a small object of a pass-through pool */
    SLM_POOL_HELD,  /* a freed large block not yet given back, so that its address stays unused */
    SLM_POOL_N_KINDS
};

/* One block of the source that is an object of its own. */
struct slm_pool_record {
    unsigned char *p;  /* NULL: the record is empty */
    size_t size_bytes; /* as requested, so it may be 0 */
    uint32_t align_bytes;
    uint32_t kind;
};

/*
 * Where a few records of nearby hash live. A record whose home is full goes on to the first bucket
 * with room, and is counted in every full one that it passed: a search ends where nothing passed.
 * Buckets cost a search no mispredicted branch where single entries would. (The counters are those
 * of F14: Bronson and Shi, "Open-sourcing F14", 2019.)
 */
struct slm_pool_bucket {
    struct slm_pool_record record[SLM_POOL_N_SLOTS];
    size_t n_passed;
};

/*
 * All records: a hash table by address, at most half full. It appears with the first large block
 * since the last reset, inside the pool if it fits there.
 */
struct slm_pool_large {
    struct slm_pool_bucket *buckets;
    size_t n_buckets; /* a power of two, 2 or more */
    unsigned hash_shift;
    unsigned freed_next;                    /* the oldest of freed[], replaced next */
    size_t n_kind[SLM_POOL_N_KINDS];        /* records of each kind */
    size_t large_bytes;                     /* requested bytes in SLM_POOL_LARGE */
    size_t held_bytes;                      /* the source's bytes in SLM_POOL_HELD */
    unsigned char *newest;                  /* newest small object (pass-through), or NULL */
    unsigned char *freed[SLM_POOL_N_FREED]; /* a ring of addresses, some of them held */
    struct slm_pool_bucket first_buckets[SLM_POOL_N_FIRST_BUCKETS];
    bool in_pool; /* this struct is pool memory, not the source's */
};

struct slm_pool_cleanup {
    struct slm_pool_cleanup *next;
    slm_pool_handler handler;
    void *data;
};

struct slm_pool_rest {
    const struct slm_source *source;
    size_t block_bytes;
    size_t source_bytes; /* everything taken from the source and not given back */
    struct slm_pool_block *current;
    struct slm_pool_block *last;
    struct slm_pool_block *fresh; /* first of the fresh blocks, or NULL */
    size_t n_blocks;
    size_t n_fresh;
    struct slm_pool_block *bins[SLM_POOL_N_BINS]; /* means nothing where bin_bits is 0 */
    uint32_t bin_bits;
    uint16_t flags;
    bool busy; /* handlers are running */
    struct slm_pool_cleanup *cleanups;
    size_t n_cleanups;
    struct slm_pool_large *large; /* NULL until a large block is needed */
    size_t n_large_peak;
};

/* What the first block starts with. */
struct slm_pool_first {
    struct slm_pool_block block;
    struct slm_pool pool;
    struct slm_pool_rest rest;
};

#define SLM_POOL_HEADER_ALIGNED(type)                                                              \
    ((sizeof(struct type) + SLM_POOL_ALIGN - 1) / SLM_POOL_ALIGN * SLM_POOL_ALIGN)

/* --- Geometry --- */

/*
 * The least block. Behind the header: the record of a handler, which thus never is a large block
 * that a wrong free could release, and a gap, in builds without gaps too, so that capacities are
 * the same everywhere.
 */
#define SLM_POOL_BLOCK_MIN                                                                         \
    (SLM_POOL_HEADER_ALIGNED(slm_pool_first) + SLM_POOL_HEADER_ALIGNED(slm_pool_cleanup) +         \
     SLM_POOL_ALIGN)

static inline struct slm_pool_block *slm_pool_first_block(const struct slm_pool *pool)
{
    return (struct slm_pool_block *)((uintptr_t)pool - offsetof(struct slm_pool_first, pool));
}

static inline unsigned char *slm_pool_block_start(const struct slm_pool *pool,
                                                  struct slm_pool_block *block)
{
    size_t header = block == slm_pool_first_block(pool) ? SLM_POOL_HEADER_ALIGNED(slm_pool_first)
                                                        : SLM_POOL_HEADER_ALIGNED(slm_pool_block);
    return (unsigned char *)block + header;
}

static inline unsigned char *slm_pool_block_end(const struct slm_pool *pool,
                                                struct slm_pool_block *block)
{
    return (unsigned char *)block + pool->rest->block_bytes;
}

/* Any request up to this size fits an empty block of any kind, with its gap, in every build. */
static inline size_t slm_pool_limit(size_t block_bytes)
{
    size_t capacity = block_bytes - SLM_POOL_HEADER_ALIGNED(slm_pool_first) - SLM_POOL_ALIGN;
    return capacity < SLM_POOL_SMALL_MAX ? capacity : SLM_POOL_SMALL_MAX;
}

static inline bool slm_pool_is_pass_through(const struct slm_pool *pool)
{
    return (pool->rest->flags & SLM_POOL_PASS_THROUGH) != 0;
}

static inline bool slm_pool_is_small(const struct slm_pool *pool, size_t size_bytes,
                                     size_t align_bytes)
{
    size_t limit = slm_pool_limit(pool->rest->block_bytes);
    size_t slack = align_bytes > SLM_POOL_ALIGN ? align_bytes : 0;
    return size_bytes <= limit && slack <= limit - size_bytes;
}

/* The bin that a block with n_bytes free belongs to; n_bytes >= 2^SLM_POOL_BIN_FIRST. */
static inline unsigned slm_pool_bin(size_t n_bytes)
{
    unsigned bin = slm_bit_highest(n_bytes) - SLM_POOL_BIN_FIRST;
    return bin < SLM_POOL_N_BINS ? bin : SLM_POOL_N_BINS - 1;
}

/* --- Objects in blocks: pool.c --- */

/* An object within the small limit, its alignment included; NULL: refused. */
void *slm_pool_small_alloc(struct slm_pool *pool, size_t size_bytes, size_t align_bytes);

/* --- The source, with what the pool holds back as its reserve: pool_large.c --- */

/* Before a refusal is passed on, held blocks go back and the source is asked again. */
void *slm_pool_source_take(struct slm_pool *pool, size_t size_bytes, size_t align_bytes);
void slm_pool_source_give(struct slm_pool *pool, void *block, size_t size_bytes,
                          size_t align_bytes);

/* --- Objects with a record: pool_large.c --- */

/* A block of the source for one object, large or (in a pass-through pool) small; NULL: refused. */
void *slm_pool_record_alloc(struct slm_pool *pool, size_t size_bytes, size_t align_bytes);

/* The record of the object that starts at p, of any kind, or NULL. */
struct slm_pool_record *slm_pool_record_find(const struct slm_pool *pool, const void *p);

/* Forgets the object and gives its block back. */
void slm_pool_record_release(struct slm_pool *pool, struct slm_pool_record *record);

/* Forgets the table, which has no records; one in pool memory stays there. */
void slm_pool_table_drop(struct slm_pool *pool);

/* Gives every block with a record back, and the records themselves. */
void slm_pool_record_release_all(struct slm_pool *pool);

/* The bucket where a record of p belongs if that is not full. */
static inline struct slm_pool_bucket *slm_pool_home(const struct slm_pool_large *large,
                                                    const void *p)
{
    /* Fibonacci hashing: Knuth, The Art of Computer Programming, volume 3, section 6.4. */
    uint64_t hash = (uint64_t)(uintptr_t)p * UINT64_C(0x9E3779B97F4A7C15);
    return &large->buckets[hash >> large->hash_shift];
}

/* The bucket after this one, in a ring. */
static inline struct slm_pool_bucket *slm_pool_next(const struct slm_pool_large *large,
                                                    const struct slm_pool_bucket *bucket)
{
    size_t next = (size_t)(bucket - large->buckets) + 1;
    return &large->buckets[next & (large->n_buckets - 1)];
}

/* Records of the table, used or empty. */
static inline size_t slm_pool_n_records(const struct slm_pool_large *large)
{
    return large->n_buckets * SLM_POOL_N_SLOTS;
}

static inline struct slm_pool_record *slm_pool_record_at(const struct slm_pool_large *large,
                                                         size_t i)
{
    return &large->buckets[i / SLM_POOL_N_SLOTS].record[i % SLM_POOL_N_SLOTS];
}

/* --- What an address without a record is: pool_place.c --- */

/* Why slm_pool_free does not release p: the status it answers. */
enum slm_status slm_pool_place(const struct slm_pool *pool, const void *p);

/* True for the pool's own records in pool memory. */
bool slm_pool_place_is_record(const struct slm_pool *pool, const void *p);

/* --- Cleanup: pool_cleanup.c --- */

/* Runs handlers until none is left, those they register too. */
void slm_pool_cleanup_run_all(struct slm_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
