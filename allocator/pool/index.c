/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: its used blocks by address. */
#include "allocator/pool/layout.h"

/*
 * A block of 2^i bytes or more, and less than twice that, is filed under the unit of 2^i bytes that
 * it starts in. No other block of that size starts there. An address in such a block lies in that
 * unit or in one of the next two. So a search looks up three units for each size that the pool has:
 * most pools have a few, and none has more than doublings from the smallest block to the largest.
 *
 * The slots are a hash table, at most half full, from which nothing is removed. Blocks come in the
 * order of the list, at the first search after they came into use. So a pool without such a search
 * pays nothing, and each block is filed once between two resets, apart from the doublings of the
 * table.
 */
#define UNITS_PER_BLOCK 3u

static size_t n_used(const struct slm_pool_rest *rest)
{
    return rest->n_blocks - rest->n_fresh;
}

static size_t home(const struct slm_pool_index *index, uintptr_t unit)
{
    /* Fibonacci hashing, as of large blocks. */
    return (size_t)((uint64_t)unit * UINT64_C(0x9E3779B97F4A7C15) >> index->hash_shift);
}

static size_t next_slot(const struct slm_pool_index *index, size_t slot)
{
    return (slot + 1) & (index->n_slots - 1);
}

static void insert(struct slm_pool_index *index, struct slm_pool_block *block)
{
    unsigned size_log2 = slm_bit_highest(block->n_bytes);
    size_t slot = home(index, (uintptr_t)block >> size_log2);
    while (index->slots[slot] != NULL) {
        slot = next_slot(index, slot);
    }
    index->slots[slot] = block;
    index->sizes |= UINT64_C(1) << size_log2;
    index->last = block;
}

/* Only what starts in the unit is read. */
static struct slm_pool_block *find_in_unit(const struct slm_pool_index *index, const void *p,
                                           uintptr_t unit, unsigned size_log2)
{
    size_t slot = home(index, unit);
    struct slm_pool_block *block = index->slots[slot];
    while (block != NULL &&
           ((uintptr_t)block >> size_log2 != unit || !slm_pool_is_in(p, block, block->n_bytes))) {
        slot = next_slot(index, slot);
        block = index->slots[slot];
    }
    return block;
}

struct slm_pool_block *slm_pool_indexed_block(const struct slm_pool_index *index, const void *p)
{
    struct slm_pool_block *block = NULL;
    for (uint64_t sizes = index->sizes; block == NULL && sizes != 0; sizes &= sizes - 1) {
        unsigned size_log2 = slm_bit_lowest(sizes);
        uintptr_t unit = (uintptr_t)p >> size_log2;
        for (unsigned i = 0; block == NULL && i < UNITS_PER_BLOCK; i++) {
            block = find_in_unit(index, p, unit - i, size_log2);
        }
    }
    return block;
}

struct slm_pool_block *slm_pool_walk(struct slm_pool_block *block, const struct slm_pool_block *end,
                                     const void *p)
{
    while (block != end && !slm_pool_is_in(p, block, block->n_bytes)) {
        block = block->next;
    }
    return block != end ? block : NULL;
}

struct slm_pool_block *slm_pool_used_block(const struct slm_pool *pool, const void *p)
{
    const struct slm_pool_rest *rest = pool->rest;
    const struct slm_pool_index *index = rest->index;
    struct slm_pool_block *block = index != NULL ? slm_pool_indexed_block(index, p) : NULL;
    struct slm_pool_block *first = index != NULL ? index->last->next : slm_pool_first_block(pool);
    return block != NULL ? block : slm_pool_walk(first, rest->fresh, p);
}

static void insert_up_to(struct slm_pool_index *index, struct slm_pool_block *block,
                         const struct slm_pool_block *end)
{
    for (; block != end; block = block->next) {
        insert(index, block);
    }
}

size_t slm_pool_index_bytes(const struct slm_pool_index *index)
{
    return index == NULL ? 0 : sizeof *index + index->n_slots * sizeof *index->slots;
}

void slm_pool_index_drop(struct slm_pool *pool)
{
    struct slm_pool_index *index = pool->rest->index;
    pool->rest->index = NULL;
    slm_pool_source_give(pool, index, slm_pool_index_bytes(index), SLM_POOL_ALIGN);
}

/* Not from the quarantine: it would give back the freed blocks that it holds. */
static struct slm_pool_index *create(struct slm_pool *pool, size_t n_blocks)
{
    unsigned n_slots_log2 = slm_bit_highest(n_blocks) + 2;
    struct slm_pool_index shape = {
        .n_slots = (size_t)1 << n_slots_log2,
        .hash_shift = SLM_WORD_BITS - n_slots_log2,
    };
    size_t n_bytes = slm_pool_index_bytes(&shape);
    struct slm_pool_index *index =
        slm_pool_source_take_from(pool, pool->rest->source, n_bytes, SLM_POOL_ALIGN);
    if (index != NULL) {
        memset(index, 0, n_bytes);
        *index = shape;
        index->slots = (struct slm_pool_block **)(void *)(index + 1);
    }
    return index;
}

void slm_pool_index_fill(struct slm_pool *pool)
{
    struct slm_pool_rest *rest = pool->rest;
    struct slm_pool_index *index = rest->index;
    if (n_used(rest) <= SLM_POOL_N_WALKED) {
        return;
    }
    if (index != NULL && 2 * n_used(rest) <= index->n_slots) {
        insert_up_to(index, index->last->next, rest->fresh);
        return;
    }
    struct slm_pool_index *larger = create(pool, n_used(rest));
    if (larger == NULL) {
        return;
    }
    insert_up_to(larger, slm_pool_first_block(pool), rest->fresh);
    if (index != NULL) {
        slm_pool_index_drop(pool);
    }
    rest->index = larger;
}
