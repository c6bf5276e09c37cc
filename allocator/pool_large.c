/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: objects with a block of their own, and the table that remembers them. */
#include "allocator/pool_priv.h"

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

void *slm_pool_source_take(struct slm_pool *pool, size_t size_bytes, size_t align_bytes)
{
    struct slm_pool_rest *rest = pool->rest;
    void *block = ask_source(pool, size_bytes, align_bytes);
    if (block == NULL && rest->large != NULL && rest->large->n_kind[SLM_POOL_HELD] != 0) {
        trim_held(pool, 0);
        block = ask_source(pool, size_bytes, align_bytes);
    }
    if (block != NULL) {
        rest->source_bytes += size_bytes;
    }
    return block;
}

void slm_pool_source_give(struct slm_pool *pool, void *block, size_t size_bytes, size_t align_bytes)
{
    const struct slm_source *source = pool->rest->source;
    pool->rest->source_bytes -= size_bytes;
    source->free(source->data, block, size_bytes, align_bytes);
}

/* --- The table --- */

static size_t home(const struct slm_pool_large *large, const void *p)
{
    return slm_pool_record_home(large, p);
}

struct slm_pool_record *slm_pool_record_find(const struct slm_pool *pool, const void *p)
{
    const struct slm_pool_large *large = pool->rest->large;
    if (large == NULL || p == NULL) {
        return NULL;
    }
    size_t mask = large->n_records - 1;
    size_t i = home(large, p);
    while (large->records[i].p != p) {
        if (large->records[i].p == NULL) {
            return NULL;
        }
        i = (i + 1) & mask;
    }
    return &large->records[i];
}

static void insert(struct slm_pool_large *large, const struct slm_pool_record *record)
{
    size_t mask = large->n_records - 1;
    size_t i = home(large, record->p);
    while (large->records[i].p != NULL) {
        i = (i + 1) & mask;
    }
    large->records[i] = *record;
}

/* Closes the gap: records further on that the gap would hide from their home move back into it
 * (backward-shift deletion: Knuth, volume 3, section 6.4, algorithm R). */
static void erase(struct slm_pool_large *large, struct slm_pool_record *record)
{
    size_t mask = large->n_records - 1;
    size_t gap = (size_t)(record - large->records);
    for (size_t i = (gap + 1) & mask; large->records[i].p != NULL; i = (i + 1) & mask) {
        size_t from_home = (i - home(large, large->records[i].p)) & mask;
        if (from_home >= ((i - gap) & mask)) {
            large->records[gap] = large->records[i];
            gap = i;
        }
    }
    large->records[gap].p = NULL;
}

static size_t n_used(const struct slm_pool_large *large)
{
    return large->n_kind[SLM_POOL_LARGE] + large->n_kind[SLM_POOL_SMALL] +
           large->n_kind[SLM_POOL_HELD];
}

static void use_records(struct slm_pool_large *large, struct slm_pool_record *records, size_t n)
{
    large->records = records;
    large->n_records = n;
    large->hash_shift = SLM_WORD_BITS - slm_bit_highest(n);
    for (size_t i = 0; i < n; i++) {
        records[i] = (struct slm_pool_record){.p = NULL};
    }
}

static void drop_records(struct slm_pool *pool, struct slm_pool_record *records, size_t n)
{
    if (records != pool->rest->large->first_records) {
        slm_pool_source_give(pool, records, n * sizeof *records, SLM_POOL_ALIGN);
    }
}

static bool double_records(struct slm_pool *pool)
{
    struct slm_pool_large *large = pool->rest->large;
    size_t n_old = large->n_records;
    size_t bytes = 2 * n_old * sizeof *large->records;
    struct slm_pool_record *bigger = slm_pool_source_take(pool, bytes, SLM_POOL_ALIGN);
    if (bigger == NULL) {
        return false;
    }
    struct slm_pool_record *old = large->records;
    use_records(large, bigger, 2 * n_old);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].p != NULL) {
            insert(large, &old[i]);
        }
    }
    drop_records(pool, old, n_old);
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
    use_records(large, large->first_records, SLM_POOL_N_FIRST_RECORDS);
    pool->rest->large = large;
    return true;
}

static bool reserve_record(struct slm_pool *pool)
{
    if (pool->rest->large == NULL) {
        return create_large(pool);
    }
    return 2 * (n_used(pool->rest->large) + 1) <= pool->rest->large->n_records ||
           double_records(pool);
}

/* --- Objects --- */

/* What the source was asked for: never 0. */
static size_t asked_bytes(size_t size_bytes)
{
    return size_bytes != 0 ? size_bytes : 1;
}

static void remember(struct slm_pool *pool, const struct slm_pool_record *record)
{
    struct slm_pool_rest *rest = pool->rest;
    struct slm_pool_large *large = rest->large;
    insert(large, record);
    large->n_kind[record->kind]++;
    if (record->kind == SLM_POOL_SMALL) {
        large->newest = record->p;
        return;
    }
    large->large_bytes += record->size_bytes;
    if (large->n_kind[SLM_POOL_LARGE] > rest->n_large_peak) {
        rest->n_large_peak = large->n_kind[SLM_POOL_LARGE];
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
    bool small = slm_pool_is_small(pool, size_bytes, align_bytes);
    remember(pool, &(struct slm_pool_record){
                       .p = p,
                       .size_bytes = size_bytes,
                       .align_bytes = (uint32_t)align_bytes,
                       .kind = small ? SLM_POOL_SMALL : SLM_POOL_LARGE,
                   });
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
    struct slm_pool_record gone = *record;
    uncount(pool->rest->large, record);
    erase(pool->rest->large, record);
    slm_poison_open(gone.p, gone.size_bytes);
    slm_pool_source_give(pool, gone.p, asked_bytes(gone.size_bytes), gone.align_bytes);
}

void slm_pool_record_release_all(struct slm_pool *pool)
{
    struct slm_pool_large *large = pool->rest->large;
    if (large == NULL) {
        return;
    }
    for (size_t i = 0; i < large->n_records; i++) {
        const struct slm_pool_record *record = &large->records[i];
        if (record->p != NULL) {
            slm_poison_open(record->p, record->size_bytes);
            slm_pool_source_give(pool, record->p, asked_bytes(record->size_bytes),
                                 record->align_bytes);
        }
    }
    drop_records(pool, large->records, large->n_records);
    if (!large->in_pool) {
        slm_pool_source_give(pool, large, sizeof *large, SLM_POOL_ALIGN);
    }
    pool->rest->large = NULL;
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
