/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: the table of objects that have a block of their own. */
#include "allocator/pool/layout.h"

/* The record of p in the bucket, or NULL; p NULL: an empty one. Branch-free: a mispredict
 * costs more than four compares. */
static struct slm_pool_record *find_in_bucket(struct slm_pool_bucket *bucket, const void *p)
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
    struct slm_pool_record *record = find_in_bucket(bucket, p);
    for (size_t n = 1; record == NULL && bucket->n_passed != 0 && n < large->n_buckets; n++) {
        bucket = slm_pool_next(large, bucket);
        record = find_in_bucket(bucket, p);
    }
    return record;
}

/* The empty record to use for p; the buckets passed on the way to it count it. */
static struct slm_pool_record *insert_record(struct slm_pool_large *large, const void *p)
{
    struct slm_pool_bucket *bucket = slm_pool_home(large, p);
    struct slm_pool_record *record = find_in_bucket(bucket, NULL);
    while (record == NULL) {
        bucket->n_passed++;
        bucket = slm_pool_next(large, bucket);
        record = find_in_bucket(bucket, NULL);
    }
    return record;
}

static bool is_in_bucket(const struct slm_pool_bucket *bucket, const struct slm_pool_record *record)
{
    return record >= bucket->record && record < bucket->record + SLM_POOL_N_SLOTS;
}

static void erase_record(struct slm_pool_large *large, struct slm_pool_record *record)
{
    struct slm_pool_bucket *bucket = slm_pool_home(large, record->p);
    for (; !is_in_bucket(bucket, record); bucket = slm_pool_next(large, bucket)) {
        bucket->n_passed--;
    }
    record->p = NULL;
}

static size_t n_used(const struct slm_pool_large *large)
{
    return large->n_kind[SLM_POOL_LARGE] + large->n_kind[SLM_POOL_SMALL];
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
            *insert_record(large, record->p) = *record;
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

static void create_quarantine(const struct slm_pool *pool, struct slm_pool_large *large)
{
    struct slm_pool_quarantine *quarantine = (struct slm_pool_quarantine *)(void *)(large + 1);
    slm_source_quarantine_init(&quarantine->source, pool->rest->source, quarantine->held,
                               SLM_POOL_N_FREED, SLM_POOL_HELD_MAX);
    large->quarantine = quarantine;
}

/* In pool memory if it fits there: most pools have few large blocks or none. */
static bool create_table(struct slm_pool *pool)
{
    bool in_pool = SLM_POOL_LARGE_BYTES <= pool->rest->small_limit_bytes;
    struct slm_pool_large *large =
        in_pool ? slm_pool_small_alloc(pool, SLM_POOL_LARGE_BYTES, SLM_POOL_ALIGN)
                : slm_pool_source_take(pool, SLM_POOL_LARGE_BYTES, SLM_POOL_ALIGN);
    if (large == NULL) {
        return false;
    }
    *large = (struct slm_pool_large){.in_pool = in_pool};
    use_buckets(large, large->first_buckets, SLM_POOL_N_FIRST_BUCKETS);
    if (SLM_POOL_HOLDS) {
        create_quarantine(pool, large);
    }
    pool->rest->large = large;
    return true;
}

bool slm_pool_table_reserve(struct slm_pool *pool)
{
    if (pool->rest->large == NULL) {
        return create_table(pool);
    }
    return 2 * (n_used(pool->rest->large) + 1) <= slm_pool_n_records(pool->rest->large) ||
           double_buckets(pool);
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

/* Field by field: a copy of a whole new record would wait until its parts are stored. */
void slm_pool_record_add(struct slm_pool *pool, unsigned char *p, size_t size_bytes,
                         size_t align_bytes)
{
    struct slm_pool_large *large = pool->rest->large;
    struct slm_pool_record *record = insert_record(large, p);
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

void slm_pool_record_remove(struct slm_pool *pool, struct slm_pool_record *record)
{
    struct slm_pool_large *large = pool->rest->large;
    large->n_kind[record->kind]--;
    if (record->kind == SLM_POOL_LARGE) {
        large->large_bytes -= record->size_bytes;
    }
    erase_record(large, record);
}

/* --- Life of the table --- */

void slm_pool_table_drop(struct slm_pool *pool)
{
    struct slm_pool_large *large = pool->rest->large;
    if (SLM_POOL_HOLDS) {
        slm_source_quarantine_release(&large->quarantine->source);
    }
    drop_buckets(pool, large->buckets, large->n_buckets);
    if (!large->in_pool) {
        slm_pool_source_give(pool, large, SLM_POOL_LARGE_BYTES, SLM_POOL_ALIGN);
    }
    pool->rest->large = NULL;
}

size_t slm_pool_table_bytes(const struct slm_pool_large *large)
{
    size_t own_bytes = large->in_pool ? 0 : SLM_POOL_LARGE_BYTES;
    bool has_first = large->buckets == large->first_buckets;
    return own_bytes + (has_first ? 0 : large->n_buckets * sizeof *large->buckets);
}
