/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: the table of objects that have a block of their own. */
#include "allocator/pool/layout.h"

/* A search goes on as long as records passed: each full bucket counts them. */
struct slm_pool_record *slm_pool_record_find_far(const struct slm_pool_large *large, const void *p)
{
    struct slm_pool_bucket *bucket = slm_pool_home(large, p);
    struct slm_pool_record *record = NULL;
    for (size_t n = 1; record == NULL && bucket->n_passed != 0 && n < large->n_buckets; n++) {
        bucket = slm_pool_next(large, bucket);
        record = slm_pool_find_in(bucket, p);
    }
    return record;
}

/* The buckets passed on the way to the empty record count it. */
struct slm_pool_record *slm_pool_record_insert_far(struct slm_pool_large *large, const void *p)
{
    struct slm_pool_bucket *bucket = slm_pool_home(large, p);
    struct slm_pool_record *record = NULL;
    while (record == NULL) {
        bucket->n_passed++;
        bucket = slm_pool_next(large, bucket);
        record = slm_pool_find_in(bucket, NULL);
    }
    return record;
}

void slm_pool_record_leave_far(struct slm_pool_large *large, const struct slm_pool_record *record)
{
    struct slm_pool_bucket *bucket = slm_pool_home(large, record->p);
    for (; !slm_pool_is_in_bucket(bucket, record); bucket = slm_pool_next(large, bucket)) {
        bucket->n_passed--;
    }
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
            *slm_pool_record_insert(large, record->p) = *record;
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

bool slm_pool_table_grow(struct slm_pool *pool)
{
    return pool->rest->large == NULL ? create_table(pool) : double_buckets(pool);
}

void slm_pool_record_argument(struct slm_pool *pool, const void *p)
{
    struct slm_pool_record *record = slm_pool_record_find(pool, p);
    if (record != NULL && record->kind == SLM_POOL_LARGE) {
        record->kind = SLM_POOL_ARGUMENT;
    }
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
