/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: its blocks, and the small objects that are cut from them. */
#include "allocator/pool/layout.h"

static void reopen_block(struct slm_pool *pool, struct slm_pool_block *block)
{
    pool->rest->current = block;
    pool->low = block->low;
    pool->high = block->high;
}

/* The current block keeps what it has left, where a later request can find it. */
static void retire_current(struct slm_pool *pool)
{
    struct slm_pool_rest *rest = pool->rest;
    struct slm_pool_block *block = rest->current;
    block->low = pool->low;
    block->high = pool->high;
    if (slm_pool_free_bytes(pool) >> SLM_POOL_BIN_FIRST == 0) {
        return;
    }
    unsigned bin = slm_pool_bin(slm_pool_free_bytes(pool));
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

void slm_pool_block_return_to(struct slm_pool *pool, struct slm_pool_block *block)
{
    struct slm_pool_rest *rest = pool->rest;
    if (rest->current == block) {
        return;
    }
    size_t n_free = (size_t)(block->high - block->low);
    if (n_free >> SLM_POOL_BIN_FIRST != 0) {
        unsigned bin = slm_pool_bin(n_free);
        SLM_ASSERT(pool, rest->bins[bin] == block);
        (void)unlink_block(rest, bin, &rest->bins[bin]);
    }
    retire_current(pool);
    reopen_block(pool, block);
}

static struct slm_pool_block *take_fresh(struct slm_pool_rest *rest)
{
    struct slm_pool_block *block = rest->fresh;
    rest->fresh = block->next;
    rest->n_fresh--;
    return block;
}

/* A source that has no block of twice the size may still have one of the first size. */
static struct slm_pool_block *add_block(struct slm_pool *pool)
{
    struct slm_pool_rest *rest = pool->rest;
    if (SLM_UNLIKELY(rest->n_blocks == UINT32_MAX)) {
        return NULL;
    }
    size_t n_bytes = slm_pool_grown_bytes(rest->last->n_bytes);
    struct slm_pool_block *block = slm_pool_source_take(pool, n_bytes, SLM_POOL_ALIGN);
    if (block == NULL && n_bytes != slm_pool_block_bytes(pool)) {
        n_bytes = slm_pool_block_bytes(pool);
        block = slm_pool_source_take(pool, n_bytes, SLM_POOL_ALIGN);
    }
    if (block == NULL) {
        return NULL;
    }
    block->next = NULL;
    block->n_bytes = n_bytes;
    *slm_pool_block_before(block) = rest->last;
    rest->last->next = block;
    rest->last = block;
    rest->n_blocks++;
    slm_pool_block_hide(pool, block);
    return block;
}

/* Makes a block with n_bytes of room current. n_bytes fit an empty block. */
static bool make_room(struct slm_pool *pool, size_t n_bytes)
{
    struct slm_pool_rest *rest = pool->rest;
    if (n_bytes <= slm_pool_free_bytes(pool)) {
        return true;
    }
    struct slm_pool_block *used = rest->bin_bits != 0 ? find_used(rest, n_bytes) : NULL;
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
    slm_pool_block_open(pool, empty);
    SLM_ASSERT(pool, n_bytes <= slm_pool_free_bytes(pool));
    return true;
}

/* --- Small objects --- */

/* align_bytes > SLM_POOL_ALIGN leaves a pad in front, at most align_bytes - SLM_POOL_ALIGN. */
void *slm_pool_small_alloc(struct slm_pool *pool, size_t size_bytes, size_t align_bytes)
{
    size_t n = slm_pool_aligned_bytes(size_bytes);
    if (!make_room(pool, n + align_bytes - SLM_POOL_ALIGN)) {
        return NULL;
    }
    unsigned char *p = pool->low;
    if (SLM_UNLIKELY(align_bytes > SLM_POOL_ALIGN)) {
        p += (0 - (uintptr_t)p) & (align_bytes - 1);
    }
    pool->low = p + n;
    slm_poison_object(pool, p, size_bytes);
    return p;
}

void *slm_pool_packed_alloc(struct slm_pool *pool, size_t size_bytes)
{
    size_t n = slm_pool_packed_bytes(size_bytes);
    if (!make_room(pool, n)) {
        return NULL;
    }
    pool->high -= n;
    slm_poison_object(pool, pool->high, size_bytes);
    return pool->high;
}
