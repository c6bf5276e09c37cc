/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a pool, for its own .c files and its tests. */
#ifndef SLM_POOL_LAYOUT_H
#define SLM_POOL_LAYOUT_H

#include <stdbool.h>

#include "allocator/base/bits.h"
#include "allocator/base/check.h"
#include "allocator/base/config.h"
#include "allocator/base/poison.h"
#include <slabmill/pool.h>
#include <slabmill/source.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Blocks   One list, in the order in which they came from the source. A reset rewinds it without
 *          walking it: every block but the first is then fresh, and a fresh block's low and high
 *          say nothing until it becomes current. The first block has block_bytes, and each further
 *          one twice as many as the block before it, up to SLM_POOL_GROWN_MAX.
 *
 *              first      used        current     used        fresh      last
 *             [hdr|pool]->[hdr|    ]->[hdr|    ]->[hdr|    ]->[hdr|    ]->[hdr|    ]->NULL
 *
 * Bins     A block that stops being current keeps its free bytes [low, high). If it has at least
 *          2^SLM_POOL_BIN_FIRST of them it goes to a bin, and can become current again from there.
 */
struct slm_pool_block {
    struct slm_pool_block *next;
    size_t n_bytes;
    unsigned char *low; /* [low, high) is free; stale while the block is current or fresh */
    unsigned char *high;
    struct slm_pool_block *bin_next;
};

/* Each block but the first. Its header is rounded up to as many bytes anyway. */
struct slm_pool_further {
    struct slm_pool_block block;
    struct slm_pool_block *before; /* in the list */
};

/* Unused bytes after each object; a sanitizer reports an access to them. */
#define SLM_POOL_GAP (SLM_POISON ? 16u : 0u)

/* Every request is a call: so that a sanitizer sees the object, or the whole pool is checked. */
#define SLM_POOL_ALL_SLOW (SLM_POISON || SLM_CHECKS >= 3)

/* Bin i holds blocks with 2^(i + FIRST) free bytes or more, and less than twice that; the last bin
 * has no upper bound and serves every small request. */
#define SLM_POOL_BIN_FIRST       6u
#define SLM_POOL_N_BINS          8u
#define SLM_POOL_N_PROBES        4u    /* blocks looked at in a bin that may not serve a request */
#define SLM_POOL_N_WALKED        8u    /* used blocks that a search walks; more have an index */
#define SLM_POOL_SMALL_MAX       4095u /* upper bound of the small limit, bytes */
#define SLM_POOL_N_FIRST_BUCKETS 2u    /* that come with the first large block */
#define SLM_POOL_N_SLOTS         4u    /* records in a bucket */
#define SLM_POOL_N_FREED         16u   /* freed large blocks that are remembered */
#define SLM_POOL_HOLDS           (SLM_CHECKS >= 2) /* freed large blocks are held for a while */
#define SLM_POOL_HELD_MAX        262144u           /* bytes that are held */
#define SLM_POOL_SIZE_MAX        (SIZE_MAX / 2)

enum slm_pool_kind {
    SLM_POOL_LARGE,    /* an object above the small limit */
    SLM_POOL_SMALL,    /* a small object of a pass-through pool */
    SLM_POOL_ARGUMENT, /* a handler's large argument: counted as large, and free refuses it */
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
 * A few records of nearby hash. A record whose home is full goes to the next bucket that is not,
 * and each full one that it passed counts it: a search ends where no record passed. A search of
 * buckets has no mispredicted branch; one of single entries would. (The counters are those
 * of F14: Bronson and Shi, "Open-sourcing F14", 2019.)
 */
struct slm_pool_bucket {
    struct slm_pool_record record[SLM_POOL_N_SLOTS];
    size_t n_passed;
};

/* Freed large blocks that the pool holds, so that their addresses name no other object. */
struct slm_pool_quarantine {
    struct slm_source_quarantine source;
    struct slm_source_held held[SLM_POOL_N_FREED];
};

/*
 * All records: a hash table by address, at most half full. It appears with the first large block
 * since the last reset, inside the pool if it fits there. Where freed blocks are held, the
 * quarantine comes with it, right after the struct.
 */
struct slm_pool_large {
    struct slm_pool_bucket *buckets;
    size_t n_buckets; /* a power of two, 2 or more */
    unsigned hash_shift;
    unsigned freed_next;             /* the oldest of freed[], replaced next */
    size_t n_kind[SLM_POOL_N_KINDS]; /* records as they were made; none as SLM_POOL_ARGUMENT */
    size_t large_bytes;              /* requested bytes in all but SLM_POOL_SMALL */
    unsigned char *newest;           /* newest small object (pass-through), or NULL */
    unsigned char *freed[SLM_POOL_N_FREED]; /* a ring of addresses, held or not */
    struct slm_pool_quarantine *quarantine; /* NULL: freed blocks go back at once */
    struct slm_pool_bucket first_buckets[SLM_POOL_N_FIRST_BUCKETS];
    bool in_pool; /* this struct is pool memory, not the source's */
};

/* Used blocks by address (index.c). */
struct slm_pool_index {
    struct slm_pool_block *last; /* the slots hold the list of blocks up to this one */
    size_t n_slots;              /* a power of two, at least twice the blocks in them */
    uint64_t sizes;              /* bit i: a block of 2^i bytes or more, and less than twice that */
    unsigned hash_shift;
    struct slm_pool_block **slots; /* right after the struct; NULL: an empty one */
};

#define SLM_POOL_LARGE_BYTES                                                                       \
    (sizeof(struct slm_pool_large) + (SLM_POOL_HOLDS ? sizeof(struct slm_pool_quarantine) : 0))

struct slm_pool_cleanup {
    struct slm_pool_cleanup *next;
    struct slm_pool_cleanup **link; /* the pointer to this record in the list */
    slm_pool_handler handler;       /* NULL: not armed, and not in the list */
    void *data;
};

/* A handler of the parent that destroys a child pool. */
struct slm_pool_child {
    struct slm_pool_cleanup cleanup;
    struct slm_pool *parent;
    struct slm_pool_child *next; /* in the parent's list of children that ended early */
};

struct slm_pool_rest {
    const struct slm_source *source;
    struct slm_pool_index *index; /* NULL until a search of many used blocks, and after a reset */
    size_t source_bytes;          /* everything taken from the source and not freed */
    struct slm_pool_block *current;
    struct slm_pool_block *last;
    struct slm_pool_block *fresh; /* first of the fresh blocks, or NULL */
    uint32_t n_blocks;
    uint32_t n_fresh;
    size_t keep_bytes;                            /* that a reset keeps at most; SIZE_MAX: all */
    struct slm_pool_block *bins[SLM_POOL_N_BINS]; /* means nothing where bin_bits is 0 */
    uint32_t bin_bits;
    uint16_t small_limit_bytes; /* largest object in a block; 0 in a pass-through pool */
    uint8_t flags;
    bool busy; /* handlers of this pool or of a descendant are running */
    struct slm_pool_cleanup *cleanups;
    size_t n_cleanups;
    struct slm_pool_large *large; /* NULL until a large block is needed */
    size_t n_large_peak;
    struct slm_pool_child *as_child; /* the parent's record of this pool, or NULL */
    struct slm_pool_child *ended;    /* records of children that ended early, to be used again */
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
 * The smallest block. After the header it has space for the record of a handler. So such a record
 * is never a large block, which a wrong free could release. It also has space for a gap, even in
 * builds without gaps, so that capacities are the same in all builds.
 */
#define SLM_POOL_BLOCK_MIN                                                                         \
    (SLM_POOL_HEADER_ALIGNED(slm_pool_first) + SLM_POOL_HEADER_ALIGNED(slm_pool_cleanup) +         \
     SLM_POOL_ALIGN)

static inline struct slm_pool_block *slm_pool_first_block(const struct slm_pool *pool)
{
    return (struct slm_pool_block *)((uintptr_t)pool - offsetof(struct slm_pool_first, pool));
}

/* The size of the first block. */
static inline size_t slm_pool_block_bytes(const struct slm_pool *pool)
{
    return slm_pool_first_block(pool)->n_bytes;
}

static inline unsigned char *slm_pool_block_start(const struct slm_pool *pool,
                                                  struct slm_pool_block *block)
{
    size_t header = block == slm_pool_first_block(pool) ? SLM_POOL_HEADER_ALIGNED(slm_pool_first)
                                                        : SLM_POOL_HEADER_ALIGNED(slm_pool_block);
    return (unsigned char *)block + header;
}

/* Of a block that is not the first one. */
static inline struct slm_pool_block **slm_pool_block_before(struct slm_pool_block *block)
{
    return &((struct slm_pool_further *)(void *)block)->before;
}

static inline unsigned char *slm_pool_block_end(struct slm_pool_block *block)
{
    return (unsigned char *)block + block->n_bytes;
}

/* The size of the block after one of n_bytes. */
static inline size_t slm_pool_grown_bytes(size_t n_bytes)
{
    return n_bytes <= SLM_POOL_GROWN_MAX / 2 ? 2 * n_bytes : n_bytes;
}

/* Any request up to this size fits an empty block of any kind, with its gap, in every build. */
static inline uint16_t slm_pool_limit(size_t block_bytes)
{
    size_t capacity = block_bytes - SLM_POOL_HEADER_ALIGNED(slm_pool_first) - SLM_POOL_ALIGN;
    return (uint16_t)(capacity < SLM_POOL_SMALL_MAX ? capacity : SLM_POOL_SMALL_MAX);
}

static inline bool slm_pool_is_pass_through(const struct slm_pool *pool)
{
    return (pool->rest->flags & SLM_POOL_PASS_THROUGH) != 0;
}

static inline bool slm_pool_is_small(const struct slm_pool *pool, size_t size_bytes,
                                     size_t align_bytes)
{
    size_t limit = slm_pool_limit(slm_pool_block_bytes(pool));
    size_t slack = align_bytes > SLM_POOL_ALIGN ? align_bytes : 0;
    return size_bytes <= limit && slack <= limit - size_bytes;
}

/* The bin that a block with n_bytes free belongs to; n_bytes >= 2^SLM_POOL_BIN_FIRST. */
static inline unsigned slm_pool_bin(size_t n_bytes)
{
    unsigned bin = slm_bit_highest(n_bytes) - SLM_POOL_BIN_FIRST;
    return bin < SLM_POOL_N_BINS ? bin : SLM_POOL_N_BINS - 1;
}

/* Bytes that an aligned object takes: what the inline path takes, but never 0. */
static inline size_t slm_pool_aligned_bytes(size_t size_bytes)
{
    size_t n = slm_align_up(size_bytes + SLM_POOL_GAP, SLM_POOL_ALIGN);
    return n != 0 ? n : SLM_POOL_ALIGN;
}

/* The same of a packed object. Under a sanitizer it starts at a granule, or its gap could not be
 * seen. */
static inline size_t slm_pool_packed_bytes(size_t size_bytes)
{
    size_t n = SLM_POISON ? slm_align_up(size_bytes + SLM_POOL_GAP, 8) : size_bytes;
    return n != 0 ? n : 1;
}

/* Bytes of the source's block for an object of its own: never 0. */
static inline size_t slm_pool_asked_bytes(size_t size_bytes)
{
    return size_bytes != 0 ? size_bytes : 1;
}

/* --- The source --- */

/* The quarantine, once there is one: it gives back what it holds before it refuses. */
static inline const struct slm_source *slm_pool_source(const struct slm_pool *pool)
{
    const struct slm_pool_rest *rest = pool->rest;
    return SLM_POOL_HOLDS && rest->large != NULL ? &rest->large->quarantine->source.source
                                                 : rest->source;
}

static inline void *slm_pool_source_take_from(struct slm_pool *pool,
                                              const struct slm_source *source, size_t size_bytes,
                                              size_t align_bytes)
{
    void *block = source->alloc(source->data, size_bytes, align_bytes);
    SLM_ASSERT(pool, (uintptr_t)block % align_bytes == 0);
    if (SLM_LIKELY(block != NULL)) {
        pool->rest->source_bytes += size_bytes;
    }
    return block;
}

/* take: a block of the source; NULL: refused, and no freed block is held now. give: frees it. */
static inline void *slm_pool_source_take(struct slm_pool *pool, size_t size_bytes,
                                         size_t align_bytes)
{
    return slm_pool_source_take_from(pool, slm_pool_source(pool), size_bytes, align_bytes);
}

static inline void slm_pool_source_give(struct slm_pool *pool, void *block, size_t size_bytes,
                                        size_t align_bytes)
{
    const struct slm_source *source = pool->rest->source;
    pool->rest->source_bytes -= size_bytes;
    source->free(source->data, block, size_bytes, align_bytes);
}

/* As give, for the block of a freed object: a pool that holds freed blocks holds it for a while. */
static inline void slm_pool_source_hold(struct slm_pool *pool, void *block, size_t size_bytes,
                                        size_t align_bytes)
{
    const struct slm_source *source = slm_pool_source(pool);
    pool->rest->source_bytes -= size_bytes;
    source->free(source->data, block, size_bytes, align_bytes);
}

/* --- blocks.c: the blocks that small objects are cut from --- */

/* Makes the block current, and empty. A pass-through pool keeps its blocks without free bytes. */
static inline void slm_pool_block_open(struct slm_pool *pool, struct slm_pool_block *block)
{
    unsigned char *low = slm_pool_block_start(pool, block);
    pool->rest->current = block;
    pool->low = low;
    pool->high = slm_pool_is_pass_through(pool) ? low : slm_pool_block_end(block);
}

/* Hides all of the block but its header from sanitizers. */
static inline void slm_pool_block_hide(const struct slm_pool *pool, struct slm_pool_block *block)
{
    unsigned char *start = slm_pool_block_start(pool, block);
    slm_poison_hide(start, (size_t)(slm_pool_block_end(block) - start));
}

/* An object within the small limit, its alignment included; NULL: refused. */
void *slm_pool_small_alloc(struct slm_pool *pool, size_t size_bytes, size_t align_bytes);
/* Makes the block current again that was current before the last change. blocks.c. */
void slm_pool_block_return_to(struct slm_pool *pool, struct slm_pool_block *block);
void *slm_pool_packed_alloc(struct slm_pool *pool, size_t size_bytes);

/* --- index.c: which used block an address is in --- */

/* Addresses of unrelated objects are compared as numbers: C orders pointers only within one. */
static inline bool slm_pool_is_in(const void *p, const void *start, size_t n_bytes)
{
    return (uintptr_t)p - (uintptr_t)start < n_bytes;
}

/* The block in the index that p points into, or NULL. O(1). */
struct slm_pool_block *slm_pool_indexed_block(const struct slm_pool_index *index, const void *p);
/* The used block that p points into, or NULL. O(1) for blocks in the index, else O(used blocks). */
struct slm_pool_block *slm_pool_used_block(const struct slm_pool *pool, const void *p);
/* The same of the part of the list from `block` to `end`, which is not in it. */
struct slm_pool_block *slm_pool_walk(struct slm_pool_block *block, const struct slm_pool_block *end,
                                     const void *p);

/* Files all used blocks in the index. If the source refuses memory for it, some are left out. */
void slm_pool_index_fill(struct slm_pool *pool);
void slm_pool_index_drop(struct slm_pool *pool);

/* Bytes of the source that the index takes; 0 for NULL. */
size_t slm_pool_index_bytes(const struct slm_pool_index *index);

/* --- table.c: records of objects that have a block of their own --- */

/* The bucket where a record of p belongs if that is not full. */
static inline struct slm_pool_bucket *slm_pool_home(const struct slm_pool_large *large,
                                                    const void *p)
{
    /* Fibonacci hashing: Knuth, The Art of Computer Programming, volume 3, section 6.4. */
    uint64_t hash = (uint64_t)(uintptr_t)p * UINT64_C(0x9E3779B97F4A7C15);
    return &large->buckets[hash >> large->hash_shift];
}

/* The record of p in the bucket, or NULL; p NULL: an empty one. Branch-free: a mispredict
 * costs more than four compares. */
static inline struct slm_pool_record *slm_pool_find_in(struct slm_pool_bucket *bucket,
                                                       const void *p)
{
    size_t at = SLM_POOL_N_SLOTS;
    for (size_t i = 0; i < SLM_POOL_N_SLOTS; i++) {
        at = bucket->record[i].p == p ? i : at;
    }
    return at < SLM_POOL_N_SLOTS ? &bucket->record[at] : NULL;
}

/* For a record that is not in its home: in a full bucket's successors. */
struct slm_pool_record *slm_pool_record_find_far(const struct slm_pool_large *large, const void *p);
struct slm_pool_record *slm_pool_record_insert_far(struct slm_pool_large *large, const void *p);
void slm_pool_record_leave_far(struct slm_pool_large *large, const struct slm_pool_record *record);

/* The record of the object that starts at p, of any kind, or NULL. */
static inline struct slm_pool_record *slm_pool_record_find(const struct slm_pool *pool,
                                                           const void *p)
{
    const struct slm_pool_large *large = pool->rest->large;
    if (large == NULL || p == NULL) {
        return NULL;
    }
    struct slm_pool_record *record = slm_pool_find_in(slm_pool_home(large, p), p);
    return SLM_LIKELY(record != NULL) ? record : slm_pool_record_find_far(large, p);
}

/* The empty record to use for p. The table is not full. */
static inline struct slm_pool_record *slm_pool_record_insert(struct slm_pool_large *large,
                                                             const void *p)
{
    struct slm_pool_record *record = slm_pool_find_in(slm_pool_home(large, p), NULL);
    return SLM_LIKELY(record != NULL) ? record : slm_pool_record_insert_far(large, p);
}

static inline bool slm_pool_is_in_bucket(const struct slm_pool_bucket *bucket,
                                         const struct slm_pool_record *record)
{
    return (uintptr_t)record - (uintptr_t)bucket < sizeof bucket->record;
}

static inline void slm_pool_record_erase(struct slm_pool_large *large,
                                         struct slm_pool_record *record)
{
    if (SLM_UNLIKELY(!slm_pool_is_in_bucket(slm_pool_home(large, record->p), record))) {
        slm_pool_record_leave_far(large, record);
    }
    record->p = NULL;
}

/* Records of the table, used or empty. */
static inline size_t slm_pool_n_records(const struct slm_pool_large *large)
{
    return large->n_buckets * SLM_POOL_N_SLOTS;
}

/* Records in use. */
static inline size_t slm_pool_n_used(const struct slm_pool_large *large)
{
    return large->n_kind[SLM_POOL_LARGE] + large->n_kind[SLM_POOL_SMALL];
}

/* Makes space for one more record; false: the source refused. */
bool slm_pool_table_grow(struct slm_pool *pool);

static inline bool slm_pool_table_reserve(struct slm_pool *pool)
{
    const struct slm_pool_large *large = pool->rest->large;
    bool has_space =
        large != NULL && slm_pool_n_used(large) < large->n_buckets * (SLM_POOL_N_SLOTS / 2);
    return SLM_LIKELY(has_space) || slm_pool_table_grow(pool);
}

/* Releases the table with its records, and every held block. A table in pool memory stays there. */
void slm_pool_table_drop(struct slm_pool *pool);

/* Bytes of the source that the table takes. */
size_t slm_pool_table_bytes(const struct slm_pool_large *large);

/* The bucket after this one, in a ring. */
static inline struct slm_pool_bucket *slm_pool_next(const struct slm_pool_large *large,
                                                    const struct slm_pool_bucket *bucket)
{
    size_t next = (size_t)(bucket - large->buckets) + 1;
    return &large->buckets[next & (large->n_buckets - 1)];
}

static inline struct slm_pool_record *slm_pool_record_at(const struct slm_pool_large *large,
                                                         size_t i)
{
    return &large->buckets[i / SLM_POOL_N_SLOTS].record[i % SLM_POOL_N_SLOTS];
}

/* A large object that starts at p, if there is one, becomes a handler's argument. */
void slm_pool_record_argument(struct slm_pool *pool, const void *p);

/* --- place.c: what an address is to the pool --- */

/*
 * SLM_OK: a live large block starts at p, and *record is its record. Else the reason why
 * slm_pool_free refuses p: SLM_UNCHANGED and SLM_E_INTERIOR in a live object, the others elsewhere.
 */
enum slm_status slm_pool_place(const struct slm_pool *pool, const void *p,
                               struct slm_pool_record **record);

/* --- objects.c --- */

/* Releases an object that has a record, and its block to the source at once. */
void slm_pool_object_release(struct slm_pool *pool, struct slm_pool_record *record);

/* The same for all of them and for all held blocks; releases the table too. */
void slm_pool_object_release_all(struct slm_pool *pool);

/* --- cleanup.c --- */

/* Runs handlers until none is left; also those that handlers register. */
void slm_pool_cleanup_run_all(struct slm_pool *pool);

/* Unlinks an armed handler from the pool that it belongs to, so that it cannot run again. */
void slm_pool_cleanup_unlink(struct slm_pool *pool, struct slm_pool_cleanup *cleanup);

/* Takes back the parent's handler of a pool that is about to be destroyed. */
void slm_pool_child_leave(struct slm_pool *child);

/* Keeps a parent's record, which is not armed, for its next child. */
static inline void slm_pool_child_give(struct slm_pool_child *record)
{
    record->next = record->parent->rest->ended;
    record->parent->rest->ended = record;
}

#ifdef __cplusplus
}
#endif
#endif
