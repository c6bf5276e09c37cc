/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: objects with a block of their own, and the table that remembers them. */
#include "allocator/pool/layout.h"

/* --- The source --- */

/* Gives the held block at p back, if it still is one. */
static void release_held(struct slm_pool *pool, const void *p)
{
    struct slm_pool_record *record = slm_pool_record_find(pool, p);
    if (record != NULL && record->kind == SLM_POOL_HELD) {
        slm_pool_record_release(pool, record);
    }
}

/* Gives held blocks back, oldest first, until at most max_bytes are held. */
static void trim_held(struct slm_pool *pool, size_t max_bytes)
{
    struct slm_pool_large *large = pool->rest->large;
    for (unsigned i = 0; i < SLM_POOL_N_FREED && large->held_bytes > max_bytes; i++) {
        release_held(pool, large->freed[(large->freed_next + i) % SLM_POOL_N_FREED]);
    }
}

static void *ask_source(struct slm_pool *pool, size_t size_bytes, size_t align_bytes)
{
    const struct slm_source *source = pool->rest->source;
    void *block = source->alloc(source->data, size_bytes, align_bytes);
    SLM_ASSERT(pool, (uintptr_t)block % align_bytes == 0);
    return block;
}

/* The held blocks are a reserve: the source may have room once they are back. */
static SLM_NOINLINE void *ask_again(struct slm_pool *pool, size_t size_bytes, size_t align_bytes)
{
    const struct slm_pool_large *large = pool->rest->large;
    if (large == NULL || large->n_kind[SLM_POOL_HELD] == 0) {
        return NULL;
    }
    trim_held(pool, 0);
    return ask_source(pool, size_bytes, align_bytes);
}

void *slm_pool_source_take(struct slm_pool *pool, size_t size_bytes, size_t align_bytes)
{
    void *block = ask_source(pool, size_bytes, align_bytes);
    if (SLM_UNLIKELY(block == NULL)) {
        block = ask_again(pool, size_bytes, align_bytes);
        if (block == NULL) {
            return NULL;
        }
    }
    pool->rest->source_bytes += size_bytes;
    return block;
}

void slm_pool_source_give(struct slm_pool *pool, void *block, size_t size_bytes, size_t align_bytes)
{
    const struct slm_source *source = pool->rest->source;
    pool->rest->source_bytes -= size_bytes;
    source->free(source->data, block, size_bytes, align_bytes);
}

/* --- The table --- */

/* The record of p in the bucket, or NULL; p NULL asks for an empty one. A branch would guess. */
static struct slm_pool_record *scan(struct slm_pool_bucket *bucket, const void *p)
{
    size_t at = SLM_POOL_N_SLOTS;
    for (size_t i = 0; i < SLM_POOL_N_SLOTS; i++) {
        at = bucket->record[i].p == p ? i : at;
    }
    return at < SLM_POOL_N_SLOTS ? &bucket->record[at] : NULL;
}

struct slm_pool_record *slm_pool_record_find(const struct slm_pool *pool, const void *p)
{
    const struct slm_pool_large *large = pool->rest->large;
    if (large == NULL || p == NULL) {
        return NULL;
    }
    struct slm_pool_bucket *bucket = slm_pool_home(large, p);
    struct slm_pool_record *record = scan(bucket, p);
    for (size_t n = 1; record == NULL && bucket->n_passed != 0 && n < large->n_buckets; n++) {
        bucket = slm_pool_next(large, bucket);
        record = scan(bucket, p);
    }
    return record;
}

/* The empty record that one of p is to fill; the buckets passed on the way count it. */
static struct slm_pool_record *insert(struct slm_pool_large *large, const void *p)
{
    struct slm_pool_bucket *bucket = slm_pool_home(large, p);
    struct slm_pool_record *record = scan(bucket, NULL);
    while (record == NULL) {
        bucket->n_passed++;
        bucket = slm_pool_next(large, bucket);
        record = scan(bucket, NULL);
    }
    return record;
}

static bool is_in_bucket(const struct slm_pool_bucket *bucket, const struct slm_pool_record *record)
{
    return record >= bucket->record && record < bucket->record + SLM_POOL_N_SLOTS;
}

static void erase(struct slm_pool_large *large, struct slm_pool_record *record)
{
    struct slm_pool_bucket *bucket = slm_pool_home(large, record->p);
    for (; !is_in_bucket(bucket, record); bucket = slm_pool_next(large, bucket)) {
        bucket->n_passed--;
    }
    record->p = NULL;
}

static size_t n_used(const struct slm_pool_large *large)
{
    return large->n_kind[SLM_POOL_LARGE] + large->n_kind[SLM_POOL_SMALL] +
           large->n_kind[SLM_POOL_HELD];
}

static void use_buckets(struct slm_pool_large *large, struct slm_pool_bucket *buckets, size_t n)
{
    large->buckets = buckets;
    large->n_buckets = n;
    large->hash_shift = SLM_WORD_BITS - slm_bit_highest(n);
    memset(buckets, 0, n * sizeof *buckets);
}

static void drop_buckets(struct slm_pool *pool, struct slm_pool_bucket *buckets, size_t n)
{
    if (buckets != pool->rest->large->first_buckets) {
        slm_pool_source_give(pool, buckets, n * sizeof *buckets, SLM_POOL_ALIGN);
    }
}

static void insert_all(struct slm_pool_large *large, const struct slm_pool_bucket *buckets,
                       size_t n)
{
    for (size_t i = 0; i < n * SLM_POOL_N_SLOTS; i++) {
        const struct slm_pool_record *record =
            &buckets[i / SLM_POOL_N_SLOTS].record[i % SLM_POOL_N_SLOTS];
        if (record->p != NULL) {
            *insert(large, record->p) = *record;
        }
    }
}

static bool double_buckets(struct slm_pool *pool)
{
    struct slm_pool_large *large = pool->rest->large;
    size_t n_old = large->n_buckets;
    size_t bytes = 2 * n_old * sizeof *large->buckets;
    struct slm_pool_bucket *bigger = slm_pool_source_take(pool, bytes, SLM_POOL_ALIGN);
    if (bigger == NULL) {
        return false;
    }
    struct slm_pool_bucket *old = large->buckets;
    use_buckets(large, bigger, 2 * n_old);
    insert_all(large, old, n_old);
    drop_buckets(pool, old, n_old);
    return true;
}

/* Pool memory serves where it can: most pools see few large blocks or none. */
static bool create_large(struct slm_pool *pool)
{
    bool in_pool = sizeof(struct slm_pool_large) <= pool->small_limit_bytes;
    struct slm_pool_large *large = in_pool
                                       ? slm_pool_small_alloc(pool, sizeof *large, SLM_POOL_ALIGN)
                                       : slm_pool_source_take(pool, sizeof *large, SLM_POOL_ALIGN);
    if (large == NULL) {
        return false;
    }
    *large = (struct slm_pool_large){.in_pool = in_pool};
    use_buckets(large, large->first_buckets, SLM_POOL_N_FIRST_BUCKETS);
    pool->rest->large = large;
    return true;
}

static bool reserve_record(struct slm_pool *pool)
{
    if (pool->rest->large == NULL) {
        return create_large(pool);
    }
    return 2 * (n_used(pool->rest->large) + 1) <= slm_pool_n_records(pool->rest->large) ||
           double_buckets(pool);
}

/* --- Objects --- */

/* What the source was asked for: never 0. */
static size_t asked_bytes(size_t size_bytes)
{
    return size_bytes != 0 ? size_bytes : 1;
}

static void count_large(struct slm_pool *pool, size_t size_bytes)
{
    struct slm_pool_large *large = pool->rest->large;
    large->large_bytes += size_bytes;
    large->n_kind[SLM_POOL_LARGE]++;
    if (large->n_kind[SLM_POOL_LARGE] > pool->rest->n_large_peak) {
        pool->rest->n_large_peak = large->n_kind[SLM_POOL_LARGE];
    }
}

/* Field by field: a copy of a whole record just built would wait for its parts to be stored. */
static void remember(struct slm_pool *pool, unsigned char *p, size_t size_bytes, size_t align_bytes)
{
    struct slm_pool_large *large = pool->rest->large;
    struct slm_pool_record *record = insert(large, p);
    record->p = p;
    record->size_bytes = size_bytes;
    record->align_bytes = (uint32_t)align_bytes;
    if (slm_pool_is_pass_through(pool) && slm_pool_is_small(pool, size_bytes, align_bytes)) {
        record->kind = SLM_POOL_SMALL;
        large->n_kind[SLM_POOL_SMALL]++;
        large->newest = p;
    } else {
        record->kind = SLM_POOL_LARGE;
        count_large(pool, size_bytes);
    }
}

void *slm_pool_record_alloc(struct slm_pool *pool, size_t size_bytes, size_t align_bytes)
{
    if (size_bytes > SLM_POOL_SIZE_MAX - align_bytes) {
        return NULL;
    }
    size_t asked = asked_bytes(size_bytes);
    unsigned char *p = slm_pool_source_take(pool, asked, align_bytes);
    if (p == NULL) {
        return NULL;
    }
    if (!reserve_record(pool)) {
        slm_pool_source_give(pool, p, asked, align_bytes);
        return NULL;
    }
    remember(pool, p, size_bytes, align_bytes);
    slm_poison_show(p, size_bytes);
    return p;
}

/* Takes a record's object out of the sums of its kind. */
static void uncount(struct slm_pool_large *large, const struct slm_pool_record *record)
{
    large->n_kind[record->kind]--;
    if (record->kind == SLM_POOL_LARGE) {
        large->large_bytes -= record->size_bytes;
    } else if (record->kind == SLM_POOL_HELD) {
        large->held_bytes -= asked_bytes(record->size_bytes);
    }
}

void slm_pool_record_release(struct slm_pool *pool, struct slm_pool_record *record)
{
    unsigned char *p = record->p;
    size_t size_bytes = record->size_bytes;
    size_t align_bytes = record->align_bytes;
    uncount(pool->rest->large, record);
    erase(pool->rest->large, record);
    slm_poison_open(p, size_bytes);
    slm_pool_source_give(pool, p, asked_bytes(size_bytes), align_bytes);
}

void slm_pool_table_drop(struct slm_pool *pool)
{
    struct slm_pool_large *large = pool->rest->large;
    drop_buckets(pool, large->buckets, large->n_buckets);
    if (!large->in_pool) {
        slm_pool_source_give(pool, large, sizeof *large, SLM_POOL_ALIGN);
    }
    pool->rest->large = NULL;
}

void slm_pool_record_release_all(struct slm_pool *pool)
{
    struct slm_pool_large *large = pool->rest->large;
    if (large == NULL) {
        return;
    }
    for (size_t i = 0; i < slm_pool_n_records(large); i++) {
        const struct slm_pool_record *record = slm_pool_record_at(large, i);
        if (record->p != NULL) {
            slm_poison_open(record->p, record->size_bytes);
            slm_pool_source_give(pool, record->p, asked_bytes(record->size_bytes),
                                 record->align_bytes);
        }
    }
    slm_pool_table_drop(pool);
}

/* The block stays away from the source, so that its address names no other object for a while. */
static void hold(struct slm_pool *pool, struct slm_pool_record *record)
{
    struct slm_pool_large *large = pool->rest->large;
    uncount(large, record);
    record->kind = SLM_POOL_HELD;
    large->n_kind[SLM_POOL_HELD]++;
    large->held_bytes += asked_bytes(record->size_bytes);
    slm_poison_hide(record->p, record->size_bytes);
    trim_held(pool, SLM_POOL_HELD_MAX);
}

/* An address that went back before its time may come again: only its last free is to count, or the
 * block would be given back when the first one's turn comes. */
static void forget_freed(struct slm_pool_large *large, const void *p)
{
    for (unsigned i = 0; i < SLM_POOL_N_FREED; i++) {
        large->freed[i] = large->freed[i] == p ? NULL : large->freed[i];
    }
}

/* The address is remembered at every level of checks, the block held back from level 2 on. */
static void free_large(struct slm_pool *pool, struct slm_pool_record *record)
{
    struct slm_pool_large *large = pool->rest->large;
    unsigned char **slot = &large->freed[large->freed_next];
    large->freed_next = (large->freed_next + 1) % SLM_POOL_N_FREED;
    if (SLM_CHECKS < 2) {
        *slot = record->p;
        slm_pool_record_release(pool, record);
        return;
    }
    unsigned char *p = record->p;
    release_held(pool, *slot);
    forget_freed(large, p);
    *slot = p;
    hold(pool, slm_pool_record_find(pool, p));
}

/* Why the object of a record that is not large stays. */
static enum slm_status refuse(const struct slm_pool *pool, const struct slm_pool_record *record)
{
    if (record->kind == SLM_POOL_HELD) {
        return SLM_E_FREED;
    }
    return slm_pool_place_is_record(pool, record->p) ? SLM_E_METADATA : SLM_DECLINED;
}

enum slm_status slm_pool_free(struct slm_pool *pool, void *p)
{
    if (pool == NULL || p == NULL) {
        return SLM_E_NULL;
    }
    struct slm_pool_record *record = slm_pool_record_find(pool, p);
    if (SLM_UNLIKELY(record == NULL)) {
        return slm_pool_place(pool, p);
    }
    if (SLM_UNLIKELY(record->kind != SLM_POOL_LARGE)) {
        return refuse(pool, record);
    }
    free_large(pool, record);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return SLM_OK;
}
