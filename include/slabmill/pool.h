/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: memory with the lifetime of a request, bump-allocated, released all at once. */
#ifndef SLM_POOL_H
#define SLM_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <slabmill/source.h>
#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A pool is a set of equal blocks from a source. In the current block aligned objects grow
 *          up from `low` and packed ones down from `high`; what lies between is free. What a block
 *          has left when another becomes current is found again by a later request. The pool's own
 *          header lives at the start of the first block. A request above the small limit becomes a
 *          large block of its own, which alone can be freed before the pool. Cleanup handlers run
 *          newest first on reset and on destroy, each exactly once.
 *          A sanitizer (ASan, MSan, Valgrind) sees objects, not blocks: what is not an object is
 *          hidden, and so is a gap after each object.
 * Builds   Only the library's build decides on checks and sanitizers. The inline functions here ask
 *          no macro but the pool itself: programs may be built otherwise than the library.
 * Safety   One thread at a time per pool; pools share nothing. After fork the child owns a copy:
 *          let only one of the two run handlers with outside effects. Not for signal handlers.
 * Failure  Allocation answers NULL when the source refuses or the size is absurd, and leaves the
 *          pool as it was. Everything else answers a status; a call that fails changes nothing,
 *          but that cleanup_add and its kin may leave an empty block more in the pool, and in its
 *          table of large blocks room for more of them.
 * Limits   A large block costs more than the source's own: 7 % with 1,000 live, 27 % with 16, 55 %
 *          with one, for hashing and for calls through the source's table. The table of records may
 *          have room for four times as many as were ever live. Below SLM_CHECKS 2 a stale free
 *          succeeds once the source has handed the address out again for another large block.
 * Source   The contract is nginx's ngx_palloc; none of the code is.
 */
#define SLM_POOL_ALIGN     16u    /* alignment of alloc and calloc, bytes */
#define SLM_POOL_ALIGN_MAX 65536u /* largest alignment memalign accepts, bytes */

/* C++ compilers may be asked to warn about casts in the style of C. */
#ifdef __cplusplus
#define SLM_POOL_CAST(type, x) reinterpret_cast<type>(x)
#else
#define SLM_POOL_CAST(type, x) ((type)(x))
#endif

struct slm_pool {
    /* The fast path's state; everything is private, shown only so that it can be inlined. */
    unsigned char *low;         /* next aligned object, always a multiple of SLM_POOL_ALIGN */
    unsigned char *high;        /* one past the free bytes of the current block */
    size_t inline_limit_bytes;  /* a larger request is a call; 0: every request is */
    struct slm_pool_rest *rest; /* see allocator/pool/layout.h */
};

enum slm_pool_flags {
    SLM_POOL_PASS_THROUGH = 1u << 0, /* every object is a block of the source: for heap checkers */
};

/*
 * Creates a pool of blocks of block_bytes, rounded up to a multiple of 16 and to the smallest block
 * that holds the header and one object. source NULL means the C heap; it must outlive the pool.
 * *out is the pool, or NULL on failure.
 * Fails: SLM_E_NULL (out), SLM_E_SIZE (block_bytes 0 or above SIZE_MAX / 4), SLM_E_OPTION (unknown
 * flag), SLM_E_NOMEM (the source refused). Cost: one block.
 */
enum slm_status slm_pool_create(struct slm_pool **out, size_t block_bytes,
                                const struct slm_source *source, unsigned flags);

/*
 * Runs the handlers, releases large blocks and blocks, the pool itself last. NULL is no error.
 * Fails: SLM_E_BUSY (called by one of the pool's own handlers).
 * Cost: O(handlers + large + blocks).
 */
enum slm_status slm_pool_destroy(struct slm_pool *pool);

/*
 * Runs the handlers, releases every large block and their records, keeps the blocks and makes them
 * empty again: the same requests then fit the same blocks. Fails: SLM_E_NULL; SLM_E_BUSY, as destroy.
 * Cost: O(handlers + large), not O(blocks), but where a sanitizer is told about each block.
 */
enum slm_status slm_pool_reset(struct slm_pool *pool);

/* Slow paths of the inline functions below; same contract, any size. */
void *slm_pool_alloc_slow(struct slm_pool *pool, size_t size_bytes);
void *slm_pool_alloc_packed_slow(struct slm_pool *pool, size_t size_bytes);

/* Free bytes of the current block; 0 of NULL. */
static inline size_t slm_pool_free_bytes(const struct slm_pool *pool)
{
    return pool == NULL
               ? 0
               : SLM_POOL_CAST(uintptr_t, pool->high) - SLM_POOL_CAST(uintptr_t, pool->low);
}

/*
 * size_bytes of memory for any object, at a multiple of SLM_POOL_ALIGN, contents undefined. Size 0
 * gives a pointer unlike any other live one, to no bytes. NULL iff the source refuses a block or
 * the size with its rounding passes SIZE_MAX / 2 (or pool is NULL). Cost: O(1): three compares and
 * an add; a new block at times.
 */
static inline void *slm_pool_alloc(struct slm_pool *pool, size_t size_bytes)
{
    /* n is 0 for size 0, and then n - 1 fits nowhere; a size that wraps n passes the limit. A NULL
     * pool has no free bytes, so nothing fits it. */
    size_t n = (size_bytes + (SLM_POOL_ALIGN - 1)) / SLM_POOL_ALIGN * SLM_POOL_ALIGN;
    if (__builtin_expect(
            n - 1 >= slm_pool_free_bytes(pool) || size_bytes > pool->inline_limit_bytes, 0)) {
        return slm_pool_alloc_slow(pool, size_bytes);
    }
    unsigned char *p = pool->low;
    pool->low = p + n;
    return p;
}

/* The same without alignment: for strings. Objects are packed with no byte between them, but for a
 * sanitizer's gap. */
static inline void *slm_pool_alloc_packed(struct slm_pool *pool, size_t size_bytes)
{
    if (__builtin_expect(size_bytes - 1 >= slm_pool_free_bytes(pool) ||
                             size_bytes > pool->inline_limit_bytes,
                         0)) {
        return slm_pool_alloc_packed_slow(pool, size_bytes);
    }
    pool->high -= size_bytes;
    return pool->high;
}

/* alloc, zeroed. */
static inline void *slm_pool_calloc(struct slm_pool *pool, size_t size_bytes)
{
    void *p = slm_pool_alloc(pool, size_bytes);
    return p == NULL ? NULL : memset(p, 0, size_bytes);
}

/* alloc of n * size_bytes, zeroed; NULL also when the product wraps. */
void *slm_pool_calloc_array(struct slm_pool *pool, size_t n, size_t size_bytes);

/*
 * alloc at a multiple of align_bytes, a power of two up to SLM_POOL_ALIGN_MAX; NULL also for any
 * other alignment. Above SLM_POOL_ALIGN it becomes a large block when size_bytes + align_bytes
 * passes the small limit. Cost: like alloc's.
 */
void *slm_pool_memalign(struct slm_pool *pool, size_t align_bytes, size_t size_bytes);

/*
 * Releases a large block; p NULL is no error. SLM_OK: done. SLM_UNCHANGED: a small object of this
 * pool, nothing happens. Fails: SLM_E_NULL (pool), SLM_E_INTERIOR (inside a large block), SLM_E_FREED (one of the last 16 large
 * blocks freed since the last reset), SLM_E_METADATA (the pool's header or records), SLM_E_FOREIGN
 * (anything else: another pool's, past the end, free space).
 * From SLM_CHECKS 2 on those last 16 blocks, 256 KiB of them at most, stay with the pool, so that
 * their addresses name nothing else and a stale second free is told; they go back to the source
 * before an allocation is refused.
 * Cost: O(1) for a large block whatever their number; else O(blocks + large + handlers).
 */
enum slm_status slm_pool_free(struct slm_pool *pool, void *p);

/*
 * Changes the size of the newest aligned object of the current block in place.
 * SLM_OK: done, and growth is undefined bytes. SLM_UNCHANGED: p is not the newest, is large, has a
 * block of its own (pass-through), would pass the small limit, or there is no room; nothing
 * happened. Fails: SLM_E_NULL. old_bytes is the size it was asked for last. Cost: O(1).
 */
enum slm_status slm_pool_extend(struct slm_pool *pool, void *p, size_t old_bytes, size_t new_bytes);

/*
 * Gives the newest aligned or the newest packed object of the current block back, or the newest
 * small one of a pass-through pool. size_bytes is the size it was asked for last. p NULL is no
 * error.
 * SLM_OK: done. SLM_UNCHANGED: it is not the newest, or is large; nothing happened.
 * Fails: SLM_E_NULL (pool). Cost: O(1).
 */
enum slm_status slm_pool_give_back(struct slm_pool *pool, void *p, size_t size_bytes);

/* --- Cleanup handlers --- */

typedef void (*slm_pool_handler)(void *data);

/*
 * Registers handler to run on reset or destroy. data_bytes > 0: that many bytes of zeroed pool
 * memory are its argument, returned in *data_out; 0: its argument is `data`, and data_out is left
 * alone. A handler may allocate from the pool and register further handlers: they run too.
 * Fails: SLM_E_NULL (pool, handler, or data_out when data_bytes > 0), SLM_E_NOMEM. Cost: O(1).
 */
enum slm_status slm_pool_cleanup_add(struct slm_pool *pool, slm_pool_handler handler, void *data,
                                     size_t data_bytes, void **data_out);

/* Closes fd on reset or destroy. Fails: SLM_E_NULL, SLM_E_OPTION (fd < 0), SLM_E_NOMEM. O(1). */
enum slm_status slm_pool_cleanup_close(struct slm_pool *pool, int fd);

/* Deletes the file `path` (copied) and closes fd; a file already gone is no error.
 * Fails: SLM_E_NULL (pool, path), SLM_E_OPTION (fd < 0), SLM_E_NOMEM. Cost: O(path). */
enum slm_status slm_pool_cleanup_delete(struct slm_pool *pool, int fd, const char *path);

/*
 * Runs the newest registered file cleanup of fd (either kind) now, once; it will not run again.
 * SLM_OK: done. Fails: SLM_E_NULL, SLM_E_FOREIGN (none is registered). Cost: O(handlers).
 */
enum slm_status slm_pool_cleanup_run_file(struct slm_pool *pool, int fd);

/* --- Typed reuse list --- */

/* Objects of one size that go back and forth between a user and a list; they live in the pool. */
struct slm_pool_reuse {
    struct slm_pool *pool;
    struct slm_pool_reuse_node *free_list;
    size_t object_bytes;
    size_t n_free;
    size_t n_live;
};

/* An empty list. The pool's reset takes the objects away without a word to the list: call init
 * again then. Fails: SLM_E_NULL, SLM_E_SIZE (0, or above the pool's small limit less 16). O(1). */
enum slm_status slm_pool_reuse_init(struct slm_pool_reuse *list, struct slm_pool *pool,
                                    size_t object_bytes);

/* An object, recycled if there is one, contents undefined, at a multiple of SLM_POOL_ALIGN; NULL
 * iff the pool is out of memory. O(1). */
void *slm_pool_reuse_get(struct slm_pool_reuse *list);

/* Takes an object back; p NULL is no error. Fails: SLM_E_NULL (list), SLM_E_FREED (put twice), SLM_E_FOREIGN (another list's
 * object). p must come from some reuse list: the 16 bytes in front of it are read. O(1). */
enum slm_status slm_pool_reuse_put(struct slm_pool_reuse *list, void *p);

/* --- Observation --- */

struct slm_pool_stats {
    size_t block_bytes;       /* after rounding */
    size_t small_limit_bytes; /* a larger request becomes a large block */
    size_t n_blocks;          /* blocks held, used or not */
    size_t n_blocks_fresh;    /* of these: empty since the last reset and not yet current */
    size_t n_large;           /* live large blocks */
    size_t large_bytes;       /* requested bytes in them */
    size_t n_large_peak;      /* most ever live at once */
    size_t n_records;         /* capacity for records of large blocks; 0 after a reset */
    size_t record_bytes;      /* taken from the source for them */
    size_t n_cleanups;        /* handlers registered and not yet run */
    size_t gap_bytes;         /* unused bytes after each object: 0, or 16 where a sanitizer looks */
    size_t source_bytes;      /* all taken from the source now, blocks held after free too */
};

/* C++ compilers may remark that the function has the name of a struct: that is C's stat() idiom. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
/* Fills in *stats. Cost O(1). */
void slm_pool_get_stats(const struct slm_pool *pool, struct slm_pool_stats *stats);
#pragma GCC diagnostic pop

/* 1 if p points into a live small object's space or a live large block of the pool, else 0.
 * O(blocks + large + handlers). */
int slm_pool_owns(const struct slm_pool *pool, const void *p);

/* 0, or the number of a broken invariant (listed at the top of allocator/pool/check.c). Read-only,
 * bounded. O(blocks + large + handlers). */
unsigned slm_pool_check(const struct slm_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
