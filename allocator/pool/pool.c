/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: its blocks, and the objects in them. */
#include <slabmill/pool.h>

#include "allocator/pool/layout.h"

/* --- Blocks --- */

static size_t room(const struct slm_pool *pool)
{
    return (size_t)(pool->high - pool->low);
}

/* Empties a block that becomes current; a pass-through pool keeps its blocks without room. */
static void open_block(struct slm_pool *pool, struct slm_pool_block *block)
{
    pool->rest->current = block;
    pool->low = slm_pool_block_start(pool, block);
    pool->high = slm_pool_is_pass_through(pool) ? pool->low : slm_pool_block_end(pool, block);
}

static void reopen_block(struct slm_pool *pool, struct slm_pool_block *block)
{
    pool->rest->current = block;
    pool->low = block->low;
    pool->high = block->high;
}

static void hide_block(const struct slm_pool *pool, struct slm_pool_block *block)
{
    unsigned char *start = slm_pool_block_start(pool, block);
    slm_poison_hide(start, (size_t)(slm_pool_block_end(pool, block) - start));
}

/* The current block keeps what it has left, where a later request can find it. */
static void retire_current(struct slm_pool *pool)
{
    struct slm_pool_rest *rest = pool->rest;
    struct slm_pool_block *block = rest->current;
    block->low = pool->low;
    block->high = pool->high;
    if (room(pool) >> SLM_POOL_BIN_FIRST == 0) {
        return;
    }
    unsigned bin = slm_pool_bin(room(pool));
    block->bin_next = (rest->bin_bits >> bin & 1u) != 0 ? rest->bins[bin] : NULL;
    rest->bins[bin] = block;
    rest->bin_bits |= 1u << bin;
}

/* Takes the block that *link points at out of bin. */
static struct slm_pool_block *unlink_block(struct slm_pool_rest *rest, unsigned bin,
                                           struct slm_pool_block **link)
{
    struct slm_pool_block *block = *link;
    *link = block->bin_next;
    if (rest->bins[bin] == NULL) {
        rest->bin_bits &= ~(1u << bin);
    }
    return block;
}

/* In the bin of n_bytes itself a block may be too small: a few are tried. */
static struct slm_pool_block *probe_bin(struct slm_pool_rest *rest, unsigned bin, size_t n_bytes)
{
    if ((rest->bin_bits >> bin & 1u) == 0) {
        return NULL;
    }
    struct slm_pool_block **link = &rest->bins[bin];
    for (unsigned i = 0; i < SLM_POOL_N_PROBES && *link != NULL; i++) {
        if ((size_t)((*link)->high - (*link)->low) >= n_bytes) {
            return unlink_block(rest, bin, link);
        }
        link = &(*link)->bin_next;
    }
    return NULL;
}

/* A used block with n_bytes left, or NULL. Every block of a bin above that of n_bytes has them. */
static struct slm_pool_block *find_used(struct slm_pool_rest *rest, size_t n_bytes)
{
    uint32_t sure = rest->bin_bits;
    if (n_bytes >> SLM_POOL_BIN_FIRST != 0) {
        unsigned bin = slm_pool_bin(n_bytes);
        struct slm_pool_block *block = probe_bin(rest, bin, n_bytes);
        if (block != NULL) {
            return block;
        }
        sure &= ~(uint32_t)slm_bits_below(bin + 1);
    }
    if (sure == 0) {
        return NULL;
    }
    unsigned bin = slm_bit_lowest(sure);
    return unlink_block(rest, bin, &rest->bins[bin]);
}

static struct slm_pool_block *take_fresh(struct slm_pool_rest *rest)
{
    struct slm_pool_block *block = rest->fresh;
    rest->fresh = block->next;
    rest->n_fresh--;
    return block;
}

static struct slm_pool_block *add_block(struct slm_pool *pool)
{
    struct slm_pool_rest *rest = pool->rest;
    struct slm_pool_block *block = slm_pool_source_take(pool, rest->block_bytes, SLM_POOL_ALIGN);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct slm_pool_block){.next = NULL};
    rest->last->next = block;
    rest->last = block;
    rest->n_blocks++;
    hide_block(pool, block);
    return block;
}

/* Makes a block with n_bytes of room current. n_bytes fit an empty block. */
static bool make_room(struct slm_pool *pool, size_t n_bytes)
{
    struct slm_pool_rest *rest = pool->rest;
    if (n_bytes <= room(pool)) {
        return true;
    }
    struct slm_pool_block *used = find_used(rest, n_bytes);
    if (used != NULL) {
        retire_current(pool);
        reopen_block(pool, used);
        return true;
    }
    struct slm_pool_block *empty = rest->fresh != NULL ? take_fresh(rest) : add_block(pool);
    if (empty == NULL) {
        return false;
    }
    retire_current(pool);
    open_block(pool, empty);
    SLM_ASSERT(pool, n_bytes <= room(pool));
    return true;
}

/* --- Life --- */

static size_t round_block(size_t block_bytes)
{
    return block_bytes < SLM_POOL_BLOCK_MIN ? SLM_POOL_BLOCK_MIN
                                            : slm_align_up(block_bytes, SLM_POOL_ALIGN);
}

static struct slm_pool *build_pool(struct slm_pool_first *first, size_t block_bytes,
                                   const struct slm_source *source, unsigned flags)
{
    *first = (struct slm_pool_first){
        .pool = {.rest = &first->rest,
                 .small_limit_bytes =
                     (flags & SLM_POOL_PASS_THROUGH) != 0 ? 0 : slm_pool_limit(block_bytes)},
        .rest = {.source = source,
                 .block_bytes = block_bytes,
                 .source_bytes = block_bytes,
                 .last = &first->block,
                 .n_blocks = 1,
                 .flags = (uint16_t)flags},
    };
    struct slm_pool *pool = &first->pool;
    open_block(pool, &first->block);
    hide_block(pool, &first->block);
    SLM_VG_POOL_CREATE(pool);
    return pool;
}

enum slm_status slm_pool_create(struct slm_pool **out, size_t block_bytes,
                                const struct slm_source *source, unsigned flags)
{
    if (out == NULL) {
        return SLM_E_NULL;
    }
    *out = NULL;
    if (block_bytes == 0 || block_bytes > SIZE_MAX / 4) {
        return SLM_E_SIZE;
    }
    if ((flags & ~(unsigned)SLM_POOL_PASS_THROUGH) != 0) {
        return SLM_E_OPTION;
    }
    const struct slm_source *from = source != NULL ? source : slm_source_heap();
    size_t rounded = round_block(block_bytes);
    void *first = from->alloc(from->data, rounded, SLM_POOL_ALIGN);
    if (first == NULL) {
        return SLM_E_NOMEM;
    }
    *out = build_pool(first, rounded, from, flags);
    SLM_CHECK_ALL(slm_pool_check(*out));
    return SLM_OK;
}

/* Handlers, then everything with a record: what reset and destroy begin with. */
static enum slm_status clear(struct slm_pool *pool)
{
    if (pool == NULL) {
        return SLM_E_NULL;
    }
    if (pool->rest->busy) {
        return SLM_E_BUSY;
    }
    slm_pool_cleanup_run_all(pool);
    slm_pool_record_release_all(pool);
    return SLM_OK;
}

enum slm_status slm_pool_destroy(struct slm_pool *pool)
{
    enum slm_status status = clear(pool);
    if (status != SLM_OK) {
        return status;
    }
    SLM_VG_POOL_DESTROY(pool);
    const struct slm_source *source = pool->rest->source;
    size_t block_bytes = pool->rest->block_bytes;
    struct slm_pool_block *first = slm_pool_first_block(pool);
    struct slm_pool_block *block = first->next;
    while (block != NULL) {
        struct slm_pool_block *next = block->next;
        slm_poison_open(block, block_bytes);
        source->free(source->data, block, block_bytes, SLM_POOL_ALIGN);
        block = next;
    }
    slm_poison_open(first, block_bytes);
    source->free(source->data, first, block_bytes, SLM_POOL_ALIGN);
    return SLM_OK;
}

/* Only where a sanitizer looks on are the blocks walked. */
static void hide_all(struct slm_pool *pool)
{
    if (!SLM_POISON) {
        return;
    }
    SLM_VG_POOL_DESTROY(pool);
    struct slm_pool_block *block = slm_pool_first_block(pool);
    for (; block != pool->rest->fresh; block = block->next) {
        hide_block(pool, block);
    }
    SLM_VG_POOL_CREATE(pool);
}

enum slm_status slm_pool_reset(struct slm_pool *pool)
{
    enum slm_status status = clear(pool);
    if (status != SLM_OK) {
        return status;
    }
    struct slm_pool_rest *rest = pool->rest;
    struct slm_pool_block *first = slm_pool_first_block(pool);
    hide_all(pool);
    rest->fresh = first->next;
    rest->n_fresh = rest->n_blocks - 1;
    rest->bin_bits = 0;
    open_block(pool, first);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return SLM_OK;
}

/* --- Objects --- */

/* Bytes that an aligned object takes: like the inline path's, but never 0. */
static size_t aligned_bytes(size_t size_bytes)
{
    size_t n = slm_align_up(size_bytes + SLM_POOL_GAP, SLM_POOL_ALIGN);
    return n != 0 ? n : SLM_POOL_ALIGN;
}

static size_t packed_bytes(size_t size_bytes)
{
    size_t n = SLM_POISON ? slm_align_up(size_bytes + SLM_POOL_GAP, 8) : size_bytes;
    return n != 0 ? n : 1;
}

static bool has_own_block(const struct slm_pool *pool, size_t size_bytes)
{
    return size_bytes > pool->small_limit_bytes || slm_pool_is_pass_through(pool);
}

/* align_bytes > SLM_POOL_ALIGN leaves a pad in front, at most align_bytes - SLM_POOL_ALIGN. */
void *slm_pool_small_alloc(struct slm_pool *pool, size_t size_bytes, size_t align_bytes)
{
    size_t n = aligned_bytes(size_bytes);
    if (!make_room(pool, n + align_bytes - SLM_POOL_ALIGN)) {
        return NULL;
    }
    size_t pad = (0 - (uintptr_t)pool->low) & (align_bytes - 1);
    unsigned char *p = pool->low + pad;
    pool->low = p + n;
    slm_poison_object(pool, p, size_bytes);
    return p;
}

static void *alloc_packed(struct slm_pool *pool, size_t size_bytes)
{
    size_t n = packed_bytes(size_bytes);
    if (!make_room(pool, n)) {
        return NULL;
    }
    pool->high -= n;
    slm_poison_object(pool, pool->high, size_bytes);
    return pool->high;
}

void *slm_pool_alloc_slow(struct slm_pool *pool, size_t size_bytes)
{
    void *p = has_own_block(pool, size_bytes)
                  ? slm_pool_record_alloc(pool, size_bytes, SLM_POOL_ALIGN)
                  : slm_pool_small_alloc(pool, size_bytes, SLM_POOL_ALIGN);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return p;
}

void *slm_pool_nalloc_slow(struct slm_pool *pool, size_t size_bytes)
{
    void *p = has_own_block(pool, size_bytes)
                  ? slm_pool_record_alloc(pool, size_bytes, SLM_POOL_ALIGN)
                  : alloc_packed(pool, size_bytes);
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
    if (!slm_is_pow2(align_bytes) || align_bytes > SLM_POOL_ALIGN_MAX) {
        return NULL;
    }
    if (align_bytes <= SLM_POOL_ALIGN) {
        return slm_pool_alloc(pool, size_bytes);
    }
    void *p = slm_pool_is_pass_through(pool) || !slm_pool_is_small(pool, size_bytes, align_bytes)
                  ? slm_pool_record_alloc(pool, size_bytes, align_bytes)
                  : slm_pool_small_alloc(pool, size_bytes, align_bytes);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return p;
}

/* True when p with size_bytes ends where the next aligned object would start. */
static bool is_newest_aligned(const struct slm_pool *pool, const unsigned char *p,
                              size_t size_bytes)
{
    unsigned char *start = slm_pool_block_start(pool, pool->rest->current);
    return size_bytes <= pool->small_limit_bytes && p >= start && p < pool->low &&
           (size_t)(pool->low - p) == aligned_bytes(size_bytes);
}

static bool is_newest_packed(const struct slm_pool *pool, const unsigned char *p, size_t size_bytes)
{
    unsigned char *end = slm_pool_block_end(pool, pool->rest->current);
    return size_bytes <= pool->small_limit_bytes && p == pool->high &&
           packed_bytes(size_bytes) <= (size_t)(end - pool->high);
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
        new_bytes > pool->small_limit_bytes ||
        aligned_bytes(new_bytes) > (size_t)(pool->high - object)) {
        return SLM_DECLINED;
    }
    pool->low = object + aligned_bytes(new_bytes);
    show_resized(pool, object, old_bytes, new_bytes);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return SLM_OK;
}

/* The newest object of a pass-through pool has a block of its own. */
static enum slm_status give_back_record(struct slm_pool *pool, void *p)
{
    struct slm_pool_large *large = pool->rest->large;
    if (large == NULL || p != large->newest) {
        return SLM_DECLINED;
    }
    large->newest = NULL;
    slm_pool_record_release(pool, slm_pool_record_find(pool, p));
    return SLM_OK;
}

static enum slm_status give_back_small(struct slm_pool *pool, unsigned char *p, size_t size_bytes)
{
    if (is_newest_aligned(pool, p, size_bytes)) {
        pool->low = p;
    } else if (is_newest_packed(pool, p, size_bytes)) {
        pool->high += packed_bytes(size_bytes);
    } else {
        return SLM_DECLINED;
    }
    SLM_VG_POOL_FREE(pool, p);
    slm_poison_hide(p, size_bytes);
    return SLM_OK;
}

enum slm_status slm_pool_give_back(struct slm_pool *pool, void *p, size_t size_bytes)
{
    if (pool == NULL || p == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_pool_is_pass_through(pool) ? give_back_record(pool, p)
                                                            : give_back_small(pool, p, size_bytes);
    SLM_CHECK_ALL(slm_pool_check(pool));
    return status;
}

/* --- Observation --- */

static void large_stats(const struct slm_pool_large *large, struct slm_pool_stats *stats)
{
    stats->n_large = large->n_kind[SLM_POOL_LARGE];
    stats->large_bytes = large->large_bytes;
    stats->n_records = slm_pool_n_records(large);
    if (!large->in_pool) {
        stats->record_bytes += sizeof *large;
    }
    if (large->buckets != large->first_buckets) {
        stats->record_bytes += large->n_buckets * sizeof *large->buckets;
    }
}

void slm_pool_stats(const struct slm_pool *pool, struct slm_pool_stats *stats)
{
    const struct slm_pool_rest *rest = pool->rest;
    *stats = (struct slm_pool_stats){
        .block_bytes = rest->block_bytes,
        .small_limit_bytes = slm_pool_limit(rest->block_bytes),
        .n_blocks = rest->n_blocks,
        .n_blocks_fresh = rest->n_fresh,
        .n_large_peak = rest->n_large_peak,
        .n_cleanups = rest->n_cleanups,
        .source_bytes = rest->source_bytes,
    };
    if (rest->large != NULL) {
        large_stats(rest->large, stats);
    }
}
