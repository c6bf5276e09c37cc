/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: its life, and its figures. The room's design comes first. */
#include <slabmill/pool.h>

#include "allocator/pool/layout.h"

/*
 * A pool is a list of blocks (layout.h has the picture). Aligned objects grow up from `low`
 * of the current block, packed ones grow down from `high`. So `low` is aligned at all times, and
 * the inline path is two compares and an add: one compare finds size 0, large objects and sizes
 * that wrap, the other one a full block. The price: a packed object cannot be extended in place.
 *
 * Blocks (blocks.c). A block that stops being current goes to a bin, by the logarithm of its free
 * bytes. A request takes, in this order: any block of a bin above its own size; one of the first
 * four of its own bin, if it fits; the next block unused since the reset; a new block. So no
 * request walks the list and no free bytes are given up. nginx walks the list from `current` and
 * gives a block up after five misses. A reset rewinds the list by one store. A trim cuts off its
 * end: what stays is a list that a pool with a smaller peak has.
 *
 * Large objects (table.c) are blocks of the source with a record each, in a hash table by address.
 * So free is O(1), and recognises the pool's blocks without a read of memory that may not be its
 * own, which a header in front of each block could not. The table comes with the first large
 * object, inside the pool if it fits there. It grows with the most ever live, never with the number
 * of operations. A pass-through pool gives every object such a record.
 *
 * Misuse (place.c). One function says what an address is; free and owns both ask it. It finds the
 * block of a small object by its address (index.c), so that free of one is O(1) too. It remembers
 * the last 16 freed addresses, so that a second free has a status of its own. The source may hand
 * such an address out again, and a stale free then frees the new object: an address alone cannot
 * show that. So from SLM_CHECKS 2 on freed blocks go to a quarantine (source/quarantine.c), which
 * gives them back before an allocation fails.
 *
 * Sanitizers. They see objects, with a gap after each. Where the library is built for them, or for
 * whole checks, inline_limit_bytes is 0 and every request comes to objects.c.
 *
 * Each file calls only files before it in this list: blocks, index, table, place, check, objects,
 * cleanup and reuse and text, pool, child. The invariants I1 to I13 are at the top of check.c.
 */

_Static_assert(sizeof(void *) != 8 || (SLM_POOL_HEADER_ALIGNED(slm_pool_first) == 256 &&
                                       SLM_POOL_HEADER_ALIGNED(slm_pool_block) == 48 &&
                                       SLM_POOL_HEADER_ALIGNED(slm_pool_child) == 48),
               "pool.h states these sizes");
_Static_assert(sizeof(struct slm_pool_further) <= SLM_POOL_HEADER_ALIGNED(slm_pool_block),
               "objects start after the header");

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
        .block = {.n_bytes = block_bytes},
        .pool = {.rest = &first->rest},
        .rest = {.source = source,
                 .source_bytes = block_bytes,
                 .last = &first->block,
                 .n_blocks = 1,
                 .keep_bytes = SIZE_MAX,
                 .flags = (uint8_t)flags},
    };
    struct slm_pool *pool = &first->pool;
    first->rest.small_limit_bytes =
        slm_pool_is_pass_through(pool) ? 0 : slm_pool_limit(block_bytes);
    pool->inline_limit_bytes = SLM_POOL_ALL_SLOW ? 0 : first->rest.small_limit_bytes;
    slm_pool_block_open(pool, &first->block);
    slm_pool_block_hide(pool, &first->block);
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

/* Handlers, then everything with a record, and the index: what reset and destroy begin with. */
static enum slm_status clear(struct slm_pool *pool)
{
    if (pool->rest->busy) {
        return SLM_E_BUSY;
    }
    if (pool->rest->cleanups != NULL) {
        slm_pool_cleanup_run_all(pool);
    }
    if (pool->rest->large != NULL) {
        slm_pool_object_release_all(pool);
    }
    if (SLM_UNLIKELY(pool->rest->index != NULL)) {
        slm_pool_index_drop(pool);
    }
    return SLM_OK;
}

static void give_back(const struct slm_source *source, struct slm_pool_block *block)
{
    size_t n_bytes = block->n_bytes;
    slm_poison_open(block, n_bytes);
    source->free(source->data, block, n_bytes, SLM_POOL_ALIGN);
}

enum slm_status slm_pool_destroy(struct slm_pool *pool)
{
    enum slm_status status = pool == NULL ? SLM_OK : clear(pool);
    if (pool == NULL || status != SLM_OK) {
        return status;
    }
    if (SLM_UNLIKELY(pool->rest->as_child != NULL)) {
        slm_pool_child_leave(pool);
    }
    SLM_VG_POOL_DESTROY(pool);
    const struct slm_source *source = pool->rest->source;
    struct slm_pool_block *first = slm_pool_first_block(pool);
    struct slm_pool_block *block = first->next;
    while (block != NULL) {
        struct slm_pool_block *next = block->next;
        give_back(source, block);
        block = next;
    }
    give_back(source, first);
    return SLM_OK;
}

/* All that the source has given, blocks held after free too. */
static size_t bytes_of_source(const struct slm_pool_rest *rest)
{
    bool holds = SLM_POOL_HOLDS && rest->large != NULL;
    return rest->source_bytes + (holds ? rest->large->quarantine->source.held_bytes : 0);
}

/* False: there was nothing to give back. */
static bool trim(struct slm_pool *pool, size_t keep_bytes)
{
    struct slm_pool_rest *rest = pool->rest;
    bool is_any = false;
    while (rest->n_fresh > 0 && bytes_of_source(rest) > keep_bytes) {
        struct slm_pool_block *block = rest->last;
        rest->last = *slm_pool_block_before(block);
        rest->last->next = NULL;
        rest->n_blocks--;
        rest->n_fresh--;
        rest->source_bytes -= block->n_bytes;
        give_back(rest->source, block);
        is_any = true;
    }
    if (rest->n_fresh == 0) {
        rest->fresh = NULL;
    }
    return is_any;
}

enum slm_status slm_pool_trim(struct slm_pool *pool, size_t keep_bytes)
{
    if (pool == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = trim(pool, keep_bytes) ? SLM_OK : SLM_UNCHANGED;
    SLM_CHECK_ALL(slm_pool_check(pool));
    return status;
}

enum slm_status slm_pool_set_keep(struct slm_pool *pool, size_t keep_bytes)
{
    if (pool == NULL) {
        return SLM_E_NULL;
    }
    pool->rest->keep_bytes = keep_bytes != 0 ? keep_bytes : SIZE_MAX;
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
        slm_pool_block_hide(pool, block);
    }
    SLM_VG_POOL_CREATE(pool);
}

enum slm_status slm_pool_reset(struct slm_pool *pool)
{
    enum slm_status status = pool == NULL ? SLM_E_NULL : clear(pool);
    if (status != SLM_OK) {
        return status;
    }
    struct slm_pool_rest *rest = pool->rest;
    struct slm_pool_block *first = slm_pool_first_block(pool);
    hide_all(pool);
    rest->fresh = first->next;
    rest->n_fresh = rest->n_blocks - 1;
    rest->bin_bits = 0;
    rest->ended = NULL;
    slm_pool_block_open(pool, first);
    if (SLM_UNLIKELY(rest->source_bytes > rest->keep_bytes)) {
        (void)trim(pool, rest->keep_bytes);
    }
    SLM_CHECK_ALL(slm_pool_check(pool));
    return SLM_OK;
}

/* --- Observation --- */

static void add_large(const struct slm_pool_large *large, struct slm_pool_stats *stats)
{
    stats->n_large = large->n_kind[SLM_POOL_LARGE];
    stats->large_bytes = large->large_bytes;
    stats->n_records = slm_pool_n_records(large);
    stats->record_bytes = slm_pool_table_bytes(large);
}

void slm_pool_get_stats(const struct slm_pool *pool, struct slm_pool_stats *stats)
{
    if (pool == NULL || stats == NULL) {
        return;
    }
    const struct slm_pool_rest *rest = pool->rest;
    *stats = (struct slm_pool_stats){
        .block_bytes = slm_pool_block_bytes(pool),
        .small_limit_bytes = slm_pool_limit(slm_pool_block_bytes(pool)),
        .n_blocks = rest->n_blocks,
        .n_blocks_fresh = rest->n_fresh,
        .n_large_peak = rest->n_large_peak,
        .n_cleanups = rest->n_cleanups,
        .gap_bytes = SLM_POOL_GAP,
        .source_bytes = bytes_of_source(rest),
    };
    if (rest->large != NULL) {
        add_large(rest->large, stats);
    }
}
