/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: its invariants, and the walker that evaluates them. */
#include "allocator/pool/layout.h"

/*
 * I1   The header: rest lies after pool, the first block's size is a multiple of SLM_POOL_ALIGN
 *      that leaves room for an object, only known flags are set, and both limits follow from these.
 * I2   The list of blocks: from the first block n_blocks aligned nodes, the last of them is `last`
 *      and links to nothing. Each but the first has the address of the one before it, and twice as
 *      many bytes where those may double, or as many as the first.
 * I3   fresh is the block n_blocks - n_fresh of the list (NULL if n_fresh is 0), never the first,
 *      and current is one of those before it.
 * I4   The current block: start <= low <= high <= end, low a multiple of SLM_POOL_ALIGN; in a
 *      pass-through pool low == high == start.
 * I5   Every other used block: the same of its own low and high.
 * I6   The bins hold exactly the used blocks other than current with 2^SLM_POOL_BIN_FIRST free
 *      bytes or more, each in the bin of its free bytes; bin_bits has a bit for each that is not
 *          empty.
 * I7   The table of records: a power of two of buckets, its hash_shift to match, at most half full.
 * I8   Each record: an address at a multiple of its alignment, a power of two up to
 *      SLM_POOL_ALIGN_MAX; a known kind that its size agrees with; a search from its home finds it.
 * I9   Sums: n_kind and large_bytes are those of the records; n_large_peak >= live; the buckets'
 *      n_passed are as many as the steps of all records from home.
 * I10  freed_next is an index of freed[]. There is a quarantine from SLM_CHECKS 2 on, and only
 *      then: its ring is in range, its sum is that of its blocks and within SLM_POOL_HELD_MAX, and
 *      each of its blocks is in freed[].
 * I11  The list of handlers: n_cleanups aligned nodes, each with a function and the address of the
 *      pointer to it, then NULL. A child pool's handler in its parent is armed, with the child as
 *      its data; records of children that ended early are not armed.
 * I12  source_bytes is the sum of blocks, objects with a record, the table and the index.
 * I13  The index: a power of two of slots, its hash_shift to match, at most half of them used. They
 *      are as many as the blocks of the list up to `last`, which are in use, and a search of the
 *      slots finds each of these.
 */

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % SLM_POOL_ALIGN == 0;
}

static bool header_holds(const struct slm_pool *pool)
{
    const struct slm_pool_first *first =
        (const struct slm_pool_first *)(const void *)slm_pool_first_block(pool);
    const struct slm_pool_rest *rest = pool->rest;
    size_t block_bytes = first->block.n_bytes;
    if (rest != &first->rest || block_bytes % SLM_POOL_ALIGN != 0 ||
        block_bytes < SLM_POOL_BLOCK_MIN || block_bytes > SIZE_MAX / 2 ||
        (rest->flags & ~SLM_POOL_PASS_THROUGH) != 0) {
        return false;
    }
    size_t limit = slm_pool_is_pass_through(pool) ? 0 : slm_pool_limit(block_bytes);
    return rest->small_limit_bytes == limit &&
           pool->inline_limit_bytes == (SLM_POOL_ALL_SLOW ? 0 : limit);
}

static bool list_holds(const struct slm_pool *pool)
{
    const struct slm_pool_rest *rest = pool->rest;
    struct slm_pool_block *block = slm_pool_first_block(pool);
    for (size_t i = 1; i < rest->n_blocks; i++) {
        const struct slm_pool_block *before = block;
        block = block->next;
        if (block == NULL || !is_aligned(block) || *slm_pool_block_before(block) != before ||
            (block->n_bytes != slm_pool_grown_bytes(before->n_bytes) &&
             block->n_bytes != slm_pool_block_bytes(pool))) {
            return false;
        }
    }
    return rest->n_blocks > 0 && block == rest->last && block->next == NULL;
}

static bool fresh_holds(const struct slm_pool *pool)
{
    const struct slm_pool_rest *rest = pool->rest;
    const struct slm_pool_block *block = slm_pool_first_block(pool);
    bool has_current = false;
    if (rest->n_fresh >= rest->n_blocks) {
        return false;
    }
    for (size_t i = 0; i < rest->n_blocks - rest->n_fresh; i++) {
        has_current = has_current || block == rest->current;
        block = block->next;
    }
    return has_current && block == rest->fresh;
}

static bool free_range_holds(const struct slm_pool *pool, struct slm_pool_block *block,
                             const unsigned char *low, const unsigned char *high)
{
    uintptr_t start = (uintptr_t)slm_pool_block_start(pool, block);
    uintptr_t end = (uintptr_t)slm_pool_block_end(block);
    if (slm_pool_is_pass_through(pool)) {
        return (uintptr_t)low == start && low == high;
    }
    return is_aligned(low) && start <= (uintptr_t)low && (uintptr_t)low <= (uintptr_t)high &&
           (uintptr_t)high <= end;
}

static bool free_ranges_hold(const struct slm_pool *pool)
{
    struct slm_pool_block *block = slm_pool_first_block(pool);
    for (; block != pool->rest->fresh; block = block->next) {
        if (block != pool->rest->current &&
            !free_range_holds(pool, block, block->low, block->high)) {
            return false;
        }
    }
    return true;
}

/* A set of blocks. Two sets are compared by size and sum, without a comparison of each pair. */
struct block_set {
    size_t n_blocks;
    uintptr_t sum;
};

static void add_to_set(struct block_set *set, const struct slm_pool_block *block)
{
    set->n_blocks++;
    set->sum += (uintptr_t)block;
}

static size_t block_free_bytes(const struct slm_pool_block *block)
{
    return (size_t)(block->high - block->low);
}

static struct block_set blocks_with_free_bytes(const struct slm_pool *pool)
{
    struct block_set set = {0, 0};
    const struct slm_pool_block *block = slm_pool_first_block(pool);
    for (; block != pool->rest->fresh; block = block->next) {
        if (block != pool->rest->current && block_free_bytes(block) >> SLM_POOL_BIN_FIRST != 0) {
            add_to_set(&set, block);
        }
    }
    return set;
}

/* Adds the blocks of one bin to *set, which stays within max_blocks. */
static bool bin_holds(const struct slm_pool_rest *rest, unsigned bin, size_t max_blocks,
                      struct block_set *set)
{
    const struct slm_pool_block *block = rest->bins[bin];
    if ((rest->bin_bits >> bin & 1u) == 0) {
        return true;
    }
    for (; block != NULL; block = block->bin_next) {
        if (!is_aligned(block) || set->n_blocks == max_blocks ||
            block_free_bytes(block) >> SLM_POOL_BIN_FIRST == 0 ||
            slm_pool_bin(block_free_bytes(block)) != bin) {
            return false;
        }
        add_to_set(set, block);
    }
    return rest->bins[bin] != NULL;
}

static bool bins_hold(const struct slm_pool *pool)
{
    struct block_set due = blocks_with_free_bytes(pool);
    struct block_set found = {0, 0};
    for (unsigned bin = 0; bin < SLM_POOL_N_BINS; bin++) {
        if (!bin_holds(pool->rest, bin, due.n_blocks, &found)) {
            return false;
        }
    }
    return pool->rest->bin_bits >> SLM_POOL_N_BINS == 0 && due.n_blocks == found.n_blocks &&
           due.sum == found.sum;
}

static size_t n_used(const struct slm_pool_large *large)
{
    size_t n = 0;
    for (size_t i = 0; i < slm_pool_n_records(large); i++) {
        n += slm_pool_record_at(large, i)->p != NULL;
    }
    return n;
}

static bool table_holds(const struct slm_pool_large *large)
{
    return slm_is_pow2(large->n_buckets) && large->n_buckets >= SLM_POOL_N_FIRST_BUCKETS &&
           large->hash_shift == SLM_WORD_BITS - slm_bit_highest(large->n_buckets) &&
           (large->buckets == large->first_buckets) ==
               (large->n_buckets == SLM_POOL_N_FIRST_BUCKETS) &&
           2 * n_used(large) <= slm_pool_n_records(large);
}

static bool record_holds(const struct slm_pool *pool, const struct slm_pool_record *record)
{
    if (!slm_is_pow2(record->align_bytes) || record->align_bytes > SLM_POOL_ALIGN_MAX ||
        (uintptr_t)record->p % record->align_bytes != 0 || record->kind >= SLM_POOL_N_KINDS) {
        return false;
    }
    bool small = slm_pool_is_small(pool, record->size_bytes, record->align_bytes);
    return small == (record->kind == SLM_POOL_SMALL) &&
           (!small || slm_pool_is_pass_through(pool)) &&
           slm_pool_record_find(pool, record->p) == record;
}

static bool records_hold(const struct slm_pool *pool)
{
    const struct slm_pool_large *large = pool->rest->large;
    for (size_t i = 0; i < slm_pool_n_records(large); i++) {
        if (slm_pool_record_at(large, i)->p != NULL &&
            !record_holds(pool, slm_pool_record_at(large, i))) {
            return false;
        }
    }
    return true;
}

static bool sums_hold(const struct slm_pool *pool)
{
    const struct slm_pool_large *large = pool->rest->large;
    size_t n[SLM_POOL_N_KINDS] = {0};
    size_t large_bytes = 0;
    for (size_t i = 0; i < slm_pool_n_records(large); i++) {
        const struct slm_pool_record *record = slm_pool_record_at(large, i);
        if (record->p != NULL) {
            n[record->kind == SLM_POOL_ARGUMENT ? SLM_POOL_LARGE : record->kind]++;
            large_bytes += record->kind != SLM_POOL_SMALL ? record->size_bytes : 0;
        }
    }
    return memcmp(n, large->n_kind, sizeof n) == 0 && large_bytes == large->large_bytes &&
           pool->rest->n_large_peak >= n[SLM_POOL_LARGE];
}

/* Buckets between the home of record i and its own. */
static size_t n_steps(const struct slm_pool_large *large, size_t i)
{
    const void *p = slm_pool_record_at(large, i)->p;
    size_t home = (size_t)(slm_pool_home(large, p) - large->buckets);
    return (i / SLM_POOL_N_SLOTS - home) & (large->n_buckets - 1);
}

static bool steps_hold(const struct slm_pool_large *large)
{
    size_t n_due = 0;
    size_t n_counted = 0;
    for (size_t i = 0; i < slm_pool_n_records(large); i++) {
        n_due += slm_pool_record_at(large, i)->p != NULL ? n_steps(large, i) : 0;
    }
    for (size_t i = 0; i < large->n_buckets; i++) {
        n_counted += large->buckets[i].n_passed;
    }
    return n_due == n_counted;
}

static bool is_remembered(const struct slm_pool_large *large, const void *p)
{
    for (unsigned i = 0; i < SLM_POOL_N_FREED; i++) {
        if (large->freed[i] == p) {
            return true;
        }
    }
    return false;
}

static bool quarantine_holds(const struct slm_pool_large *large)
{
    const struct slm_source_quarantine *quarantine = &large->quarantine->source;
    size_t held_bytes = 0;
    if (quarantine->oldest >= SLM_POOL_N_FREED || quarantine->n_held > SLM_POOL_N_FREED) {
        return false;
    }
    for (size_t i = 0; i < quarantine->n_held; i++) {
        size_t at = (quarantine->oldest + i) % SLM_POOL_N_FREED;
        held_bytes += large->quarantine->held[at].size_bytes;
        if (!is_remembered(large, large->quarantine->held[at].block)) {
            return false;
        }
    }
    return held_bytes == quarantine->held_bytes && held_bytes <= SLM_POOL_HELD_MAX;
}

static bool freed_holds(const struct slm_pool_large *large)
{
    return large->freed_next < SLM_POOL_N_FREED && SLM_POOL_HOLDS == (large->quarantine != NULL) &&
           (large->quarantine == NULL || quarantine_holds(large));
}

static bool cleanups_hold(const struct slm_pool_rest *rest)
{
    struct slm_pool_cleanup *const *link = &rest->cleanups;
    for (size_t i = 0; i < rest->n_cleanups; i++) {
        const struct slm_pool_cleanup *cleanup = *link;
        if (cleanup == NULL || !is_aligned(cleanup) || cleanup->handler == NULL ||
            cleanup->link != link) {
            return false;
        }
        link = &cleanup->next;
    }
    return *link == NULL;
}

static bool children_hold(const struct slm_pool *pool)
{
    const struct slm_pool_child *own = pool->rest->as_child;
    const struct slm_pool_child *ended = pool->rest->ended;
    while (ended != NULL && ended->cleanup.handler == NULL && ended->parent == pool) {
        ended = ended->next;
    }
    return ended == NULL &&
           (own == NULL || (own->cleanup.handler != NULL && own->cleanup.data == pool));
}

static bool source_bytes_hold(const struct slm_pool *pool)
{
    const struct slm_pool_rest *rest = pool->rest;
    const struct slm_pool_large *large = rest->large;
    size_t sum = 0;
    for (const struct slm_pool_block *block = slm_pool_first_block(pool); block != NULL;
         block = block->next) {
        sum += block->n_bytes;
    }
    sum += large != NULL ? slm_pool_table_bytes(large) : 0;
    sum += slm_pool_index_bytes(rest->index);
    for (size_t i = 0; large != NULL && i < slm_pool_n_records(large); i++) {
        const struct slm_pool_record *record = slm_pool_record_at(large, i);
        sum += record->p != NULL ? slm_pool_asked_bytes(record->size_bytes) : 0;
    }
    return sum == rest->source_bytes;
}

static size_t n_filed(const struct slm_pool_index *index)
{
    size_t n = 0;
    for (size_t i = 0; i < index->n_slots; i++) {
        n += index->slots[i] != NULL;
    }
    return n;
}

static bool index_holds(const struct slm_pool *pool)
{
    const struct slm_pool_index *index = pool->rest->index;
    if (index == NULL) {
        return true;
    }
    if (!slm_is_pow2(index->n_slots) || index->n_slots < 2 ||
        index->hash_shift != SLM_WORD_BITS - slm_bit_highest(index->n_slots)) {
        return false;
    }
    size_t n = n_filed(index);
    if (n == 0 || 2 * n > index->n_slots) {
        return false;
    }
    const struct slm_pool_block *block = slm_pool_first_block(pool);
    for (size_t i = 1; i < n && block != pool->rest->fresh; i++) {
        if (slm_pool_indexed_block(index, block) != block) {
            return false;
        }
        block = block->next;
    }
    return block != pool->rest->fresh && block == index->last &&
           slm_pool_indexed_block(index, block) == block;
}

static unsigned check_blocks(const struct slm_pool *pool)
{
    if (!list_holds(pool)) {
        return 2;
    }
    if (!fresh_holds(pool)) {
        return 3;
    }
    if (!free_range_holds(pool, pool->rest->current, pool->low, pool->high)) {
        return 4;
    }
    if (!free_ranges_hold(pool)) {
        return 5;
    }
    return bins_hold(pool) ? 0 : 6;
}

static unsigned check_records(const struct slm_pool *pool)
{
    const struct slm_pool_large *large = pool->rest->large;
    if (large == NULL) {
        return 0;
    }
    if (!table_holds(large)) {
        return 7;
    }
    if (!records_hold(pool)) {
        return 8;
    }
    if (!sums_hold(pool) || !steps_hold(large)) {
        return 9;
    }
    return freed_holds(large) ? 0 : 10;
}

unsigned slm_pool_check(const struct slm_pool *pool)
{
    if (pool == NULL) {
        return 0;
    }
    if (!header_holds(pool)) {
        return 1;
    }
    unsigned broken = check_blocks(pool);
    if (broken == 0) {
        broken = check_records(pool);
    }
    if (broken != 0) {
        return broken;
    }
    if (!cleanups_hold(pool->rest) || !children_hold(pool)) {
        return 11;
    }
    if (!source_bytes_hold(pool)) {
        return 12;
    }
    return index_holds(pool) ? 0 : 13;
}
