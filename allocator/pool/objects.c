/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: allocation, release and change of size of objects. */
#include "allocator/pool/layout.h"

/* --- Objects with a block of their own --- */

static bool has_own_block(const struct slm_pool *pool, size_t size_bytes)
{
    return size_bytes > pool->rest->small_limit_bytes || slm_pool_is_pass_through(pool);
}

static void count_small(struct slm_pool_large *large, struct slm_pool_record *record)
{
    record->kind = SLM_POOL_SMALL;
    large->n_kind[SLM_POOL_SMALL]++;
    large->newest = record->p;
}

static inline void count_large(struct slm_pool_rest *rest, struct slm_pool_large *large,
                               struct slm_pool_record *record)
{
    record->kind = SLM_POOL_LARGE;
    large->large_bytes += record->size_bytes;
    size_t n = ++large->n_kind[SLM_POOL_LARGE];
    if (SLM_UNLIKELY(n > rest->n_large_peak)) {
        rest->n_large_peak = n;
    }
}

/* Field by field: a copy of a whole new record would wait until its parts are stored. */
static inline void add_record(struct slm_pool *pool, unsigned char *p, size_t size_bytes,
                              size_t align_bytes)
{
    struct slm_pool_large *large = pool->rest->large;
    struct slm_pool_record *record = slm_pool_record_insert(large, p);
    record->p = p;
    record->size_bytes = size_bytes;
    record->align_bytes = (uint32_t)align_bytes;
    if (SLM_UNLIKELY(slm_pool_is_pass_through(pool)) &&
        slm_pool_is_small(pool, size_bytes, align_bytes)) {
        count_small(large, record);
    } else {
        count_large(pool->rest, large, record);
    }
}

/* The block is the caller's. */
static inline void remove_record(struct slm_pool_large *large, struct slm_pool_record *record)
{
    large->n_kind[record->kind]--;
    large->large_bytes -= record->kind != SLM_POOL_SMALL ? record->size_bytes : 0;
    slm_pool_record_erase(large, record);
}

/* A block of the source for one object, large or (in a pass-through pool) small; NULL: refused. */
static void *alloc_own_block(struct slm_pool *pool, size_t size_bytes, size_t align_bytes)
{
    if (size_bytes > SLM_POOL_SIZE_MAX - align_bytes) {
        return NULL;
    }
    size_t asked_bytes = slm_pool_asked_bytes(size_bytes);
    unsigned char *p = slm_pool_source_take(pool, asked_bytes, align_bytes);
    if (p == NULL) {
        return NULL;
    }
    if (!slm_pool_table_reserve(pool)) {
        slm_pool_source_give(pool, p, asked_bytes, align_bytes);
        return NULL;
    }
    add_record(pool, p, size_bytes, align_bytes);
    slm_poison_show(p, size_bytes);
    return p;
}

void slm_pool_object_release(struct slm_pool *pool, struct slm_pool_record *record)
{
    unsigned char *p = record->p;
    size_t size_bytes = record->size_bytes;
    size_t align_bytes = record->align_bytes;
    remove_record(pool->rest->large, record);
    slm_poison_open(p, size_bytes);
    slm_pool_source_give(pool, p, slm_pool_asked_bytes(size_bytes), align_bytes);
}

/* The block of an object whose record ends with the table. */
static void give_object(struct slm_pool *pool, const struct slm_pool_record *record)
{
    slm_poison_open(record->p, record->size_bytes);
    slm_pool_source_give(pool, record->p, slm_pool_asked_bytes(record->size_bytes),
                         record->align_bytes);
}

void slm_pool_object_release_all(struct slm_pool *pool)
{
    struct slm_pool_large *large = pool->rest->large;
    size_t n_left = slm_pool_n_used(large);
    for (size_t i = 0; n_left > 0 && i < large->n_buckets; i++) {
        for (size_t slot = 0; slot < SLM_POOL_N_SLOTS; slot++) {
            const struct slm_pool_record *record = &large->buckets[i].record[slot];
            if (record->p != NULL) {
                give_object(pool, record);
                n_left--;
            }
        }
    }
    slm_pool_table_drop(pool);
}

/* --- Allocation --- */

void *slm_pool_alloc_slow(struct slm_pool *pool, size_t size_bytes)
{
    if (pool == NULL) {
        return NULL;
    }
    void *p = has_own_block(pool, size_bytes)
                  ? alloc_own_block(pool, size_bytes, SLM_POOL_ALIGN)
                  : slm_pool_small_alloc(pool, size_bytes, SLM_POOL_ALIGN);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return p;
}

void *slm_pool_alloc_packed_slow(struct slm_pool *pool, size_t size_bytes)
{
    if (pool == NULL) {
        return NULL;
    }
    void *p = has_own_block(pool, size_bytes) ? alloc_own_block(pool, size_bytes, SLM_POOL_ALIGN)
                                              : slm_pool_packed_alloc(pool, size_bytes);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return p;
}

void *slm_pool_calloc_array(struct slm_pool *pool, size_t n, size_t size_bytes)
{
    size_t total = 0;
    return __builtin_mul_overflow(n, size_bytes, &total) ? NULL : slm_pool_calloc(pool, total);
}

void *slm_pool_memalign(struct slm_pool *pool, size_t align_bytes, size_t size_bytes)
{
    if (pool == NULL || !slm_is_pow2(align_bytes) || align_bytes > SLM_POOL_ALIGN_MAX) {
        return NULL;
    }
    if (align_bytes <= SLM_POOL_ALIGN) {
        return slm_pool_alloc(pool, size_bytes);
    }
    void *p = slm_pool_is_pass_through(pool) || !slm_pool_is_small(pool, size_bytes, align_bytes)
                  ? alloc_own_block(pool, size_bytes, align_bytes)
                  : slm_pool_small_alloc(pool, size_bytes, align_bytes);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return p;
}

/* --- Release --- */

/* The record is out of the table but for its p. Remembers the address at every level of checks,
 * and holds the block from level 2 on. */
static inline void free_large(struct slm_pool *pool, struct slm_pool_large *large,
                              struct slm_pool_record *record)
{
    unsigned char *p = record->p;
    size_t size_bytes = record->size_bytes;
    record->p = NULL;
    large->n_kind[SLM_POOL_LARGE]--;
    large->large_bytes -= size_bytes;
    large->freed[large->freed_next] = p;
    large->freed_next = (large->freed_next + 1) % SLM_POOL_N_FREED;
    slm_poison_open(p, size_bytes);
    slm_pool_source_hold(pool, p, slm_pool_asked_bytes(size_bytes), record->align_bytes);
}

/* p is no large block. is_kept: it has a record all the same. */
static SLM_NOINLINE enum slm_status refuse(struct slm_pool *pool, const void *p, bool is_kept)
{
    struct slm_pool_record *record;
    if (!is_kept) {
        slm_pool_index_fill(pool);
    }
    return slm_pool_place(pool, p, &record);
}

/* p is not in its home. */
static SLM_NOINLINE enum slm_status free_far(struct slm_pool *pool, void *p)
{
    struct slm_pool_large *large = pool->rest->large;
    struct slm_pool_record *record = slm_pool_record_find_far(large, p);
    if (record == NULL || record->kind != SLM_POOL_LARGE) {
        return refuse(pool, p, record != NULL);
    }
    slm_pool_record_leave_far(large, record);
    free_large(pool, large, record);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return SLM_OK;
}

enum slm_status slm_pool_free(struct slm_pool *pool, void *p)
{
    if (SLM_UNLIKELY(pool == NULL || p == NULL)) {
        return pool == NULL ? SLM_E_NULL : SLM_OK;
    }
    struct slm_pool_large *large = pool->rest->large;
    if (SLM_UNLIKELY(large == NULL)) {
        return refuse(pool, p, false);
    }
    struct slm_pool_record *record = slm_pool_find_in(slm_pool_home(large, p), p);
    if (SLM_UNLIKELY(record == NULL)) {
        return free_far(pool, p);
    }
    if (SLM_UNLIKELY(record->kind != SLM_POOL_LARGE)) {
        return refuse(pool, p, true);
    }
    free_large(pool, large, record);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return SLM_OK;
}

/* --- The newest object --- */

/* True when p with size_bytes ends where the next aligned object would start. */
static bool is_newest_aligned(const struct slm_pool *pool, const unsigned char *p,
                              size_t size_bytes)
{
    unsigned char *start = slm_pool_block_start(pool, pool->rest->current);
    return size_bytes <= pool->rest->small_limit_bytes && p >= start && p < pool->low &&
           (size_t)(pool->low - p) == slm_pool_aligned_bytes(size_bytes);
}

static bool is_newest_packed(const struct slm_pool *pool, const unsigned char *p, size_t size_bytes)
{
    unsigned char *end = slm_pool_block_end(pool->rest->current);
    return size_bytes <= pool->rest->small_limit_bytes && p == pool->high &&
           slm_pool_packed_bytes(size_bytes) <= (size_t)(end - pool->high);
}

/* True where the record of the newest handler lies above p in the current block. Then p is not the
 * newest object, and a size that says so is wrong. */
static bool is_record_above(const struct slm_pool *pool, const unsigned char *p)
{
    uintptr_t newest = (uintptr_t)pool->rest->cleanups;
    return newest > (uintptr_t)p && newest < (uintptr_t)pool->low;
}

/* What a sanitizer sees of an object that changes its size in place. */
static void show_resized(const struct slm_pool *pool, unsigned char *p, size_t old_bytes,
                         size_t new_bytes)
{
    SLM_VG_POOL_CHANGE(pool, p, p, new_bytes);
    if (new_bytes > old_bytes) {
        slm_poison_show(p + old_bytes, new_bytes - old_bytes);
    } else {
        slm_poison_hide(p + new_bytes, old_bytes - new_bytes);
    }
}

enum slm_status slm_pool_extend(struct slm_pool *pool, void *p, size_t old_bytes, size_t new_bytes)
{
    if (pool == NULL || p == NULL) {
        return SLM_E_NULL;
    }
    unsigned char *object = p;
    if (slm_pool_is_pass_through(pool) || !is_newest_aligned(pool, object, old_bytes) ||
        new_bytes > pool->rest->small_limit_bytes ||
        slm_pool_aligned_bytes(new_bytes) > (size_t)(pool->high - object)) {
        return SLM_UNCHANGED;
    }
    if (is_record_above(pool, object)) {
        return SLM_E_SIZE;
    }
    pool->low = object + slm_pool_aligned_bytes(new_bytes);
    show_resized(pool, object, old_bytes, new_bytes);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return SLM_OK;
}

/* The newest object of a pass-through pool has a block of its own. */
static enum slm_status give_back_record(struct slm_pool *pool, void *p)
{
    struct slm_pool_large *large = pool->rest->large;
    if (large == NULL || p != large->newest) {
        return SLM_UNCHANGED;
    }
    large->newest = NULL;
    slm_pool_object_release(pool, slm_pool_record_find(pool, p));
    return SLM_OK;
}

static enum slm_status give_back_small(struct slm_pool *pool, unsigned char *p, size_t size_bytes)
{
    if (is_newest_aligned(pool, p, size_bytes)) {
        if (is_record_above(pool, p)) {
            return SLM_E_SIZE;
        }
        pool->low = p;
    } else if (is_newest_packed(pool, p, size_bytes)) {
        pool->high += slm_pool_packed_bytes(size_bytes);
    } else {
        return SLM_UNCHANGED;
    }
    SLM_VG_POOL_FREE(pool, p);
    slm_poison_hide(p, size_bytes);
    return SLM_OK;
}

enum slm_status slm_pool_give_back(struct slm_pool *pool, void *p, size_t size_bytes)
{
    if (pool == NULL || p == NULL) {
        return pool == NULL ? SLM_E_NULL : SLM_OK;
    }
    enum slm_status status = slm_pool_is_pass_through(pool) ? give_back_record(pool, p)
                                                            : give_back_small(pool, p, size_bytes);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return status;
}
