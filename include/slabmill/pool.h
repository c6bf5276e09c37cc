/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: memory with the lifetime of a request, bump-allocated, released all at once. */
#ifndef SLM_POOL_H
#define SLM_POOL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <slabmill/source.h>
#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A pool is a set of blocks from a source. Each block is twice as large as the one before,
 *          as long as that is at most SLM_POOL_GROWN_MAX; larger blocks stay as they are. If the
 *          source refuses the larger block, the pool asks for one of the first size. In the current
 *          block aligned objects grow up from `low`, and packed objects grow down from `high`; the
 *          bytes between are free.
 *          When another block becomes current, later requests still find what the old one has left:
 *          the pool takes an empty block only if no block in use has 64 bytes left, and twice what
 *          the request takes.
 *          The pool's own header is at the start of the first block. A request above the small
 *          limit gets a large block of its own, which can be freed before the pool. Cleanup
 *          handlers run on reset and on destroy, newest first, each exactly once.
 *          Sanitizers (ASan, MSan, Valgrind) see objects, not blocks: bytes of no object are
 *          hidden, and so is a gap after each object.
 * Builds   Only the library's build decides on checks and sanitizers. The inline functions here
 *          read the pool and no macro, so a program may be built otherwise than the library.
 * Safety   Threads: one at a time per pool; pools share nothing. Fork: the child owns a copy; let
 *          only one of the two processes run handlers that have effects outside. Signals: not from
 *          handlers. Cancellation: no call is a cancellation point; it is disabled while cleanup
 *          handlers run.
 * Memory   On 64 bits the pool's header takes 256 bytes of the first block (nginx's 80), and the
 *          header of a further block 48. So a pool of 512 bytes has 256 for objects. A pool of many small
 *          objects holds at most about twice their bytes.
 * Failure  Allocation returns NULL if the source refuses or the size is above the limit, and leaves
 *          the pool as it was. Other calls return a status. A call that fails changes nothing, with
 *          two exceptions: cleanup_add, cleanup_close and cleanup_delete may leave the pool with
 *          one more empty block, and with space for more records of large blocks; free of what is
 *          no large block may leave it with an index of its blocks. NULL arguments: see status.h.
 * Limits   Size of the first block: 1 to SIZE_MAX / 4. Blocks, large ones apart: up to 2^32 - 1.
 *          Size of an object: up to SIZE_MAX / 2 after rounding. Alignment: up to
 *          SLM_POOL_ALIGN_MAX. The small limit is what the first block has when it is empty, less
 *          16, and at most 4095 bytes (small_limit_bytes of slm_pool_get_stats). A large block
 *          costs about 150 instructions more than the source alone, allocated and freed, for its
 *          record and for calls through the source's table; the C heap takes 330 to 560. The table
 *          of records may have space for four times as many as were ever live. Below SLM_CHECKS 2 a
 *          stale free succeeds once the source has handed the address out again as a large block.
 * Source   The contract is nginx's ngx_palloc; none of the code is.
 */
#define SLM_POOL_ALIGN     16u    /* alignment of alloc and calloc, bytes */
#define SLM_POOL_ALIGN_MAX 65536u /* largest alignment memalign accepts, bytes */
#define SLM_POOL_GROWN_MAX 32768u /* blocks double up to this size, bytes */

/* C++ compilers can warn about casts in the style of C. */
#ifdef __cplusplus
#define SLM_POOL_CAST(type, x) reinterpret_cast<type>(x)
#else
#define SLM_POOL_CAST(type, x) ((type)(x))
#endif

/* A pool. Its fields are the library's. */
struct slm_pool {
    /* Private: the fast path's state, public only so that it can be inlined. */
    unsigned char *low;         /* next aligned object, always a multiple of SLM_POOL_ALIGN */
    unsigned char *high;        /* one past the free bytes of the current block */
    size_t inline_limit_bytes;  /* a larger request is a call; 0: every request is */
    struct slm_pool_rest *rest; /* see allocator/pool/layout.h */
};

/* Flags of slm_pool_create. */
enum slm_pool_flags {
    SLM_POOL_PASS_THROUGH = 1u << 0, /* every object is a block of the source: for heap checkers */
};

/*
 * Creates a pool whose first block has block_bytes. That is rounded up to a multiple of 16, and to
 * the smallest block that holds the header and one object. source must outlive the pool; NULL means
 * the C heap. *out is the pool, or NULL on failure.
 * Fails: SLM_E_NULL (out), SLM_E_SIZE (block_bytes 0 or above SIZE_MAX / 4), SLM_E_OPTION (unknown
 * flag), SLM_E_NOMEM (the source refused). Cost: one block.
 */
enum slm_status slm_pool_create(struct slm_pool **out, size_t block_bytes,
                                const struct slm_source *source, unsigned flags);

/*
 * As slm_pool_create, for a pool that ends with another one: a reset or destroy of `parent` destroys
 * it, in the order of parent's handlers. It may be destroyed earlier. source NULL means parent's. A
 * child that ends early leaves the 48 bytes that parent keeps for it to the next child. The parent is
 * used from the same thread at a time as the child's create and destroy. Fails also: SLM_E_NULL
 * (parent), SLM_E_NOMEM (parent's).
 */
enum slm_status slm_pool_create_child(struct slm_pool **out, struct slm_pool *parent,
                                      size_t block_bytes, const struct slm_source *source,
                                      unsigned flags);

/*
 * Runs the handlers, then releases the large blocks and all blocks, the pool itself last. pool NULL
 * is no error. Fails: SLM_E_BUSY (called by one of the handlers of the pool or of a child).
 * Cost: O(handlers + large + blocks).
 */
enum slm_status slm_pool_destroy(struct slm_pool *pool);

/*
 * Runs the handlers, releases every large block and their records, and makes the blocks empty again
 * without releasing them: the same requests then fit the same blocks. With slm_pool_set_keep it
 * releases those that are too many.
 * Fails: SLM_E_NULL, SLM_E_BUSY (called by one of the handlers of the pool or of a child).
 * Cost: O(handlers + large + blocks released), not O(blocks), unless a sanitizer has to see each.
 */
enum slm_status slm_pool_reset(struct slm_pool *pool);

/*
 * Bounds what a later reset keeps, for a pool that lives long and has peaks: blocks of keep_bytes
 * together, headers included, and always the first block. 0, as in a new pool: all blocks.
 * Fails: SLM_E_NULL. Cost: O(1).
 */
enum slm_status slm_pool_set_keep(struct slm_pool *pool, size_t keep_bytes);

/*
 * Gives blocks that were not used since the last reset back to the source, the newest first, while
 * the pool has more than keep_bytes from it (source_bytes of its statistics). Blocks in use and the
 * first one stay. SLM_OK: done. SLM_UNCHANGED: there was nothing to give back. Fails: SLM_E_NULL.
 * Cost: O(blocks given back).
 */
enum slm_status slm_pool_trim(struct slm_pool *pool, size_t keep_bytes);

/* Slow paths of the inline functions below, with the same contract; for any size. */
void *slm_pool_alloc_slow(struct slm_pool *pool, size_t size_bytes);
void *slm_pool_alloc_packed_slow(struct slm_pool *pool, size_t size_bytes);

/* Free bytes of the current block. O(1). */
static inline size_t slm_pool_free_bytes(const struct slm_pool *pool)
{
    return pool == NULL
               ? 0
               : SLM_POOL_CAST(uintptr_t, pool->high) - SLM_POOL_CAST(uintptr_t, pool->low);
}

/*
 * size_bytes of memory for any object, at a multiple of SLM_POOL_ALIGN, contents undefined. Size 0
 * gives a pointer to no bytes that no other live object has. NULL if and only if the source refuses
 * a block, or the rounded size is above SIZE_MAX / 2, or pool is NULL. Cost: O(1): three compares
 * and an add; sometimes a new block.
 */
static inline void *slm_pool_alloc(struct slm_pool *pool, size_t size_bytes)
{
    /* Size 0 wraps, and is a call. Sizes from 1 to the limit are too small for `end` to wrap. */
    if (__builtin_expect(pool == NULL || size_bytes - 1 >= pool->inline_limit_bytes, 0)) {
        return slm_pool_alloc_slow(pool, size_bytes);
    }
    size_t n = (size_bytes + (SLM_POOL_ALIGN - 1)) / SLM_POOL_ALIGN * SLM_POOL_ALIGN;
    uintptr_t end = SLM_POOL_CAST(uintptr_t, pool->low) + n;
    if (__builtin_expect(end > SLM_POOL_CAST(uintptr_t, pool->high), 0)) {
        return slm_pool_alloc_slow(pool, size_bytes);
    }
    unsigned char *p = pool->low;
    pool->low = p + n;
    return p;
}

/* As slm_pool_alloc without alignment: for strings. No byte lies between packed objects, but for a
 * sanitizer's gap. */
static inline void *slm_pool_alloc_packed(struct slm_pool *pool, size_t size_bytes)
{
    if (__builtin_expect(pool == NULL || size_bytes - 1 >= pool->inline_limit_bytes, 0)) {
        return slm_pool_alloc_packed_slow(pool, size_bytes);
    }
    uintptr_t start = SLM_POOL_CAST(uintptr_t, pool->high) - size_bytes;
    if (__builtin_expect(start < SLM_POOL_CAST(uintptr_t, pool->low), 0)) {
        return slm_pool_alloc_packed_slow(pool, size_bytes);
    }
    pool->high -= size_bytes;
    return pool->high;
}

/* As slm_pool_alloc, zeroed. */
static inline void *slm_pool_calloc(struct slm_pool *pool, size_t size_bytes)
{
    void *p = slm_pool_alloc(pool, size_bytes);
    return p == NULL ? NULL : memset(p, 0, size_bytes);
}

/* As slm_pool_calloc of n * size_bytes; NULL also if the product overflows. */
void *slm_pool_calloc_array(struct slm_pool *pool, size_t n, size_t size_bytes);

/*
 * As slm_pool_alloc, at a multiple of align_bytes, a power of two up to SLM_POOL_ALIGN_MAX; NULL
 * also for any other align_bytes. Above SLM_POOL_ALIGN the object becomes a large block if
 * size_bytes + align_bytes is above the small limit.
 */
void *slm_pool_memalign(struct slm_pool *pool, size_t align_bytes, size_t size_bytes);

/*
 * Releases a large block; p NULL is no error. SLM_OK: done. SLM_UNCHANGED: p points into a small
 * object of this pool, or into a handler's own argument; nothing was done.
 * Fails, changing nothing: SLM_E_NULL (pool), SLM_E_INTERIOR (inside a large block), SLM_E_FREED
 * (one of the last 16 large blocks freed since the last reset), SLM_E_METADATA (the pool's header
 * or records), SLM_E_FOREIGN (anything else: another pool's, past the end, free space).
 * From SLM_CHECKS 2 on the pool holds those last 16 blocks, 256 KiB of them at most. So their
 * addresses name nothing else, and a second free returns SLM_E_FREED. They go back to the source
 * before an allocation is refused.
 * Cost: O(1) for a large block, however many there are. O(handlers) for a pointer into a small
 * object, however many blocks and large ones there are. For that a pool that uses more than 8
 * blocks has an index of them: each such call adds the blocks that came into use since the one
 * before it. The source gives its memory, up to 32 bytes a block, and gets it back on a reset. If
 * the source refuses, the call walks the blocks. O(blocks + large + handlers) for an address that
 * is in no block in use.
 */
enum slm_status slm_pool_free(struct slm_pool *pool, void *p);

/*
 * Changes the size of the newest aligned object of the current block in place. old_bytes is the
 * size that it has now. SLM_OK: done; bytes that were added are undefined. SLM_UNCHANGED, nothing
 * was done: p is not the newest, is large, has a block of its own (pass-through), would be above
 * the small limit, or the block has not enough free bytes. Fails: SLM_E_NULL (pool, p), SLM_E_SIZE (see
 * give_back). Cost: O(1).
 */
enum slm_status slm_pool_extend(struct slm_pool *pool, void *p, size_t old_bytes, size_t new_bytes);

/*
 * Releases the newest aligned or the newest packed object of the current block, or the newest small
 * object of a pass-through pool. size_bytes is the size that it has now. p NULL is no error.
 * SLM_OK: done. SLM_UNCHANGED: p is not the newest, or is large; nothing was done.
 * Fails: SLM_E_NULL (pool), SLM_E_SIZE (the record of the newest handler lies in those bytes, so the
 * size is wrong). Other wrong sizes that end where the newest object ends are not seen: the pool
 * keeps no sizes. Cost: O(1).
 */
enum slm_status slm_pool_give_back(struct slm_pool *pool, void *p, size_t size_bytes);

/* --- Copies and text --- */

/*
 * memdup: a copy of size_bytes, aligned as slm_pool_alloc. strdup, strndup: a copy of a string,
 * packed, with a final zero; strndup copies at most max_bytes. printf, vprintf: text as printf
 * writes it, packed, with a final zero. NULL if the pool is out of memory, if an argument is NULL
 * (memdup: unless size_bytes is 0), or if the format fails. Cost: O(bytes); text is formatted twice.
 */
void *slm_pool_memdup(struct slm_pool *pool, const void *from, size_t size_bytes);
char *slm_pool_strdup(struct slm_pool *pool, const char *text);
char *slm_pool_strndup(struct slm_pool *pool, const char *text, size_t max_bytes);
__attribute__((format(printf, 2, 3))) char *slm_pool_printf(struct slm_pool *pool,
                                                            const char *format, ...);
__attribute__((format(printf, 2, 0))) char *slm_pool_vprintf(struct slm_pool *pool,
                                                             const char *format, va_list arguments);

/* --- Cleanup handlers --- */

/* A cleanup handler. */
typedef void (*slm_pool_handler)(void *data);

/*
 * Registers handler to run on reset or destroy. data_bytes 0: its argument is `data`, and *data_out
 * is left alone. data_bytes > 0: its argument is that many bytes of zeroed pool memory, and
 * *data_out points to them, or is NULL on failure. A handler may allocate from the pool and register
 * further handlers: they run too. Fails: SLM_E_NULL (pool, handler, or data_out if data_bytes > 0),
 * SLM_E_NOMEM. Cost: O(1).
 */
enum slm_status slm_pool_cleanup_add(struct slm_pool *pool, slm_pool_handler handler, void *data,
                                     size_t data_bytes, void **data_out);

struct slm_pool_cleanup; /* the record of a handler */

/*
 * A handler in two steps, so that nothing can fail once there is something to clean up. reserve
 * takes the memory for a record; arm registers the handler. cancel takes an armed handler back: it
 * does not run. A record may be armed again after its handler ran or was cancelled. A reset
 * releases the record. Handlers run in the order in which they were armed, newest first.
 * reserve fails, *out NULL: SLM_E_NULL, SLM_E_NOMEM. arm fails: SLM_E_NULL (pool, cleanup,
 * handler), SLM_E_DUPLICATE (armed already). cancel: SLM_UNCHANGED (not armed, or it ran); fails:
 * SLM_E_NULL. Cost: O(1).
 */
enum slm_status slm_pool_cleanup_reserve(struct slm_pool *pool, struct slm_pool_cleanup **out);
enum slm_status slm_pool_cleanup_arm(struct slm_pool *pool, struct slm_pool_cleanup *cleanup,
                                     slm_pool_handler handler, void *data);
enum slm_status slm_pool_cleanup_cancel(struct slm_pool *pool, struct slm_pool_cleanup *cleanup);

/* Closes fd on reset or destroy. Fails: SLM_E_NULL, SLM_E_OPTION (fd < 0), SLM_E_NOMEM. O(1). */
enum slm_status slm_pool_cleanup_close(struct slm_pool *pool, int fd);

/* Deletes the file `path` (copied) and closes fd on reset or destroy; a file that does not exist by
 * then is no error. Fails: SLM_E_NULL (pool, path), SLM_E_OPTION (fd < 0), SLM_E_NOMEM.
 * Cost: O(path). */
enum slm_status slm_pool_cleanup_delete(struct slm_pool *pool, int fd, const char *path);

/*
 * Runs the newest file cleanup of fd (either kind) now; it does not run again on reset or destroy.
 * Fails: SLM_E_NULL, SLM_E_FOREIGN (none is registered for fd). Cost: O(handlers).
 */
enum slm_status slm_pool_cleanup_run_file(struct slm_pool *pool, int fd);

/* --- Typed reuse list --- */

/* Objects of one size, allocated from a pool. Those that are put back are on a list, for later
 * requests. */
struct slm_pool_reuse {
    struct slm_pool *pool;
    struct slm_pool_reuse_node *free_list;
    size_t object_bytes;
    size_t n_free;
    size_t n_live;
};

/* Starts an empty list. A reset of the pool releases the objects and does not change the list: call
 * init again then. Fails: SLM_E_NULL, SLM_E_SIZE (0, or above the pool's small limit less 16).
 * O(1). */
enum slm_status slm_pool_reuse_init(struct slm_pool_reuse *list, struct slm_pool *pool,
                                    size_t object_bytes);

/* An object, from the list if it has one, contents undefined, at a multiple of SLM_POOL_ALIGN. NULL
 * if and only if the pool is out of memory, or list is NULL. O(1). */
void *slm_pool_reuse_get(struct slm_pool_reuse *list);

/* Takes an object back; p NULL is no error. p must come from a reuse list: the 16 bytes before it
 * are read. Fails, changing nothing: SLM_E_NULL (list), SLM_E_FREED (put twice), SLM_E_FOREIGN
 * (another list's object). O(1). */
enum slm_status slm_pool_reuse_put(struct slm_pool_reuse *list, void *p);

/* --- Observation --- */

/* What slm_pool_get_stats fills in. */
struct slm_pool_stats {
    size_t block_bytes;       /* of the first block, after rounding */
    size_t small_limit_bytes; /* a larger request becomes a large block */
    size_t n_blocks;          /* blocks held, used or not */
    size_t n_blocks_fresh;    /* of these: not used since the last reset */
    size_t n_large;           /* live large blocks */
    size_t large_bytes;       /* requested bytes in them */
    size_t n_large_peak;      /* most ever live at once */
    size_t n_records;         /* capacity for records of large blocks; 0 after a reset */
    size_t record_bytes;      /* taken from the source for them */
    size_t n_cleanups;        /* handlers registered and not yet run */
    size_t gap_bytes;         /* unused bytes after each object: 16 under a sanitizer, else 0 */
    size_t source_bytes;      /* all that the source has given, blocks held after free too */
};

/* C++ compilers may remark that the function has the name of a struct: that is C's stat() idiom. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
/* Fills in *stats. Cost O(1). */
void slm_pool_get_stats(const struct slm_pool *pool, struct slm_pool_stats *stats);
#pragma GCC diagnostic pop

/* 1 if p points into the space of a live small object, or into a live large block, of the pool;
 * else 0. Cost: as slm_pool_free, but it adds nothing to the index, and walks what is not in it. */
int slm_pool_owns(const struct slm_pool *pool, const void *p);

/* 0, or the number of a broken invariant (listed at the top of allocator/pool/check.c). Reads only,
 * bounded. O(blocks + large + handlers). */
unsigned slm_pool_check(const struct slm_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
