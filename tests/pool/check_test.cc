/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: each invariant, broken by hand, is the one that the check names. */
#include <utility>
#include <vector>

#include "allocator/pool/layout.h"
#include "tests/base/death.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::TestPool;

/* Breaks one field, expects the number, and repairs the field. */
template <typename Field, typename Value>
void expect_broken(const slm_pool *pool, Field &field, Value broken, unsigned invariant)
{
    Field sound = field;
    field = static_cast<Field>(broken);
    EXPECT_EQ(slm_pool_check(pool), invariant);
    field = sound;
    EXPECT_EQ(slm_pool_check(pool), 0u);
}

void ignore(void *)
{
}

/*
 * Blocks: first (used, in a bin), second (used, in a bin), current, and after a partial second life
 * some fresh ones; nine large blocks, one freed; two handlers.
 */
class PoolCheck : public testing::Test {
  protected:
    PoolCheck()
    {
        while (t.stats().n_blocks < 6) {
            t.alloc(2000);
        }
        EXPECT_EQ(t.reset(), SLM_OK);
        for (int i = 0; i < 3; i++) {
            t.alloc(3000);
        }
        for (int i = 0; i < 9; i++) {
            large[i] = t.alloc(5000);
        }
        EXPECT_EQ(t.free(large[8], 5000), SLM_OK);
        for (int i = 0; i < 2; i++) {
            EXPECT_EQ(slm_pool_cleanup_add(t.pool, ignore, nullptr, 0, nullptr), SLM_OK);
        }
        EXPECT_EQ(slm_pool_check(t.pool), 0u);
        EXPECT_GE(t.stats().n_blocks_fresh, 1u);
        EXPECT_NE(rest->bin_bits, 0u);
        first = slm_pool_first_block(t.pool);
        table = rest->large;
    }

    /* A bin with a block in it. */
    unsigned used_bin() const
    {
        return slm_bit_lowest(rest->bin_bits);
    }

    slm_pool_record *record()
    {
        return slm_pool_record_find(t.pool, large[0]);
    }

    TestPool t;
    slm_pool_rest *rest = t.pool->rest;
    unsigned char *large[9] = {};
    slm_pool_block *first = nullptr;
    slm_pool_large *table = nullptr;
};

TEST_F(PoolCheck, I1SeesABrokenHeader)
{
    slm_pool_rest copy = *rest;
    expect_broken(t.pool, t.pool->rest, &copy, 1);
    expect_broken(t.pool, first->n_bytes, first->n_bytes + 8, 1);
    expect_broken(t.pool, first->n_bytes, 64, 1);
    expect_broken(t.pool, first->n_bytes, SIZE_MAX - 15, 1);
    expect_broken(t.pool, first->n_bytes, first->n_bytes + 16, 1);
    expect_broken(t.pool, rest->flags, 2, 1);
    expect_broken(t.pool, rest->flags, SLM_POOL_PASS_THROUGH, 1);
    expect_broken(t.pool, t.pool->inline_limit_bytes, t.pool->inline_limit_bytes + 1, 1);
    expect_broken(t.pool, rest->small_limit_bytes, rest->small_limit_bytes + 1, 1);
}

TEST_F(PoolCheck, I2SeesABrokenListOfBlocks)
{
    expect_broken(t.pool, rest->n_blocks, rest->n_blocks - 1, 2);
    expect_broken(t.pool, rest->n_blocks, rest->n_blocks + 1, 2);
    expect_broken(t.pool, rest->n_blocks, 0, 2);
    expect_broken(t.pool, rest->last, first, 2);
    expect_broken(t.pool, first->next, nullptr, 2);
    expect_broken(t.pool, *slm_pool_block_before(rest->last), first, 2);
    auto odd = reinterpret_cast<uintptr_t>(first->next) + 8;
    expect_broken(t.pool, first->next, reinterpret_cast<slm_pool_block *>(odd), 2);
}

TEST_F(PoolCheck, I2SeesABlockOfASizeThatNoBlockThereHas)
{
    slm_pool_block *second = first->next;
    expect_broken(t.pool, second->n_bytes, second->n_bytes - 16, 2);
    expect_broken(t.pool, rest->last->n_bytes, 2 * rest->last->n_bytes, 2);
}

TEST_F(PoolCheck, I2SeesACycleAndEnds)
{
    expect_broken(t.pool, first->next->next, first, 2);
    expect_broken(t.pool, rest->last->next, first, 2);
}

TEST_F(PoolCheck, I3SeesFreshOrCurrentOutOfPlace)
{
    expect_broken(t.pool, rest->n_fresh, rest->n_fresh - 1, 3);
    expect_broken(t.pool, rest->n_fresh, rest->n_blocks, 3);
    expect_broken(t.pool, rest->n_fresh, UINT32_MAX, 3);
    expect_broken(t.pool, rest->fresh, first->next, 3);
    expect_broken(t.pool, rest->current, rest->last, 3);
    expect_broken(t.pool, rest->current, nullptr, 3);
}

TEST_F(PoolCheck, I4SeesACurrentBlockWhoseFreeRangeLeavesIt)
{
    expect_broken(t.pool, t.pool->low, t.pool->high + 16, 4);
    expect_broken(t.pool, t.pool->low, t.pool->low + 8, 4);
    expect_broken(t.pool, t.pool->low, nullptr, 4);
    expect_broken(t.pool, t.pool->high, slm_pool_block_end(rest->current) + 1, 4);
}

TEST_F(PoolCheck, I4SeesFreeBytesInAPassThroughPool)
{
    TestPool through(4096, SLM_POOL_PASS_THROUGH);
    expect_broken(through.pool, through.pool->high, through.pool->high + 16, 4);
    expect_broken(through.pool, through.pool->low, through.pool->low + 16, 4);
}

TEST_F(PoolCheck, I5SeesAUsedBlockWhoseFreeRangeLeavesIt)
{
    ASSERT_NE(rest->current, first);
    expect_broken(t.pool, first->low, first->low + 8, 5);
    expect_broken(t.pool, first->low, first->high + 16, 5);
    expect_broken(t.pool, first->high, slm_pool_block_end(first) + 1, 5);
}

TEST_F(PoolCheck, I6SeesABinWithoutABlockThatBelongsThere)
{
    unsigned bin = used_bin();
    slm_pool_block *binned = rest->bins[bin];
    expect_broken(t.pool, rest->bin_bits, 0, 6);
    expect_broken(t.pool, rest->bin_bits, rest->bin_bits | 1u << SLM_POOL_N_BINS, 6);
    expect_broken(t.pool, rest->bins[bin], nullptr, 6);
    expect_broken(t.pool, rest->bins[bin], rest->current, 6);
    auto odd = reinterpret_cast<uintptr_t>(binned) + 8;
    expect_broken(t.pool, rest->bins[bin], reinterpret_cast<slm_pool_block *>(odd), 6);
    expect_broken(t.pool, binned->low, binned->high, 6);
    expect_broken(t.pool, binned->high, binned->low + 64, 6);
}

/* No other block has so many free bytes: a small request that it cannot serve is at most 4 KiB. */
TEST(PoolCheckOfBigBlocks, I6SeesABlockWithMoreFreeBytesThanItsBinIsFor)
{
    TestPool t(65536);
    while (t.stats().n_blocks < 2) {
        t.alloc(4000);
    }
    slm_pool_block *block = slm_pool_first_block(t.pool);
    ASSERT_NE(t.pool->rest->bin_bits, 0u);
    expect_broken(t.pool, block->low, slm_pool_block_start(t.pool, block), 6);
}

TEST_F(PoolCheck, I6SeesAnotherBlockInPlaceOfOneWithAsManyFreeBytes)
{
    slm_pool_block *binned = rest->bins[used_bin()];
    slm_pool_block sound = *rest->current;
    rest->current->low = binned->low;
    rest->current->high = binned->high;
    rest->current->bin_next = binned->bin_next;
    expect_broken(t.pool, rest->bins[used_bin()], rest->current, 6);
    *rest->current = sound;
}

TEST_F(PoolCheck, I6SeesACycleInABinAndEnds)
{
    slm_pool_block *binned = rest->bins[used_bin()];
    expect_broken(t.pool, binned->bin_next, binned, 6);
}

TEST_F(PoolCheck, I6SeesABinWithABlockFromElsewhere)
{
    slm_pool_block stranger = *rest->bins[used_bin()];
    expect_broken(t.pool, rest->bins[used_bin()], &stranger, 6);
}

TEST_F(PoolCheck, I7SeesABrokenTable)
{
    expect_broken(t.pool, table->n_buckets, table->n_buckets - 1, 7);
    expect_broken(t.pool, table->n_buckets, 0, 7);
    expect_broken(t.pool, table->n_buckets, 1, 7);
    expect_broken(t.pool, table->hash_shift, table->hash_shift - 1, 7);
    expect_broken(t.pool, table->buckets, table->first_buckets, 7);
}

TEST_F(PoolCheck, I7SeesATableThatIsMoreThanHalfFull)
{
    std::vector<slm_pool_record *> filled;
    for (size_t i = 0; i < slm_pool_n_records(table); i++) {
        slm_pool_record *empty = slm_pool_record_at(table, i);
        if (empty->p == nullptr) {
            empty->p = large[0];
            filled.push_back(empty);
        }
    }
    EXPECT_EQ(slm_pool_check(t.pool), 7u);
    for (slm_pool_record *empty : filled) {
        empty->p = nullptr;
    }
}

TEST_F(PoolCheck, I8SeesABrokenRecord)
{
    expect_broken(t.pool, record()->p, large[0] + 1, 8);
    expect_broken(t.pool, record()->align_bytes, 24, 8);
    expect_broken(t.pool, record()->align_bytes, 0, 8);
    expect_broken(t.pool, record()->align_bytes, SLM_POOL_ALIGN_MAX * 2, 8);
    expect_broken(t.pool, record()->kind, SLM_POOL_N_KINDS, 8);
    expect_broken(t.pool, record()->kind, SLM_POOL_SMALL, 8);
    expect_broken(t.pool, record()->size_bytes, 100, 8);
}

TEST_F(PoolCheck, I8SeesARecordOfASmallObjectWithoutPassThrough)
{
    slm_pool_record sound = *record();
    record()->size_bytes = 100;
    record()->kind = SLM_POOL_SMALL;
    EXPECT_EQ(slm_pool_check(t.pool), 8u);
    *record() = sound;
}

TEST_F(PoolCheck, ASearchEndsThoughEveryBucketWasPassed)
{
    int elsewhere = 0;
    for (size_t i = 0; i < table->n_buckets; i++) {
        table->buckets[i].n_passed++;
    }
    EXPECT_EQ(slm_pool_record_find(t.pool, &elsewhere), nullptr);
    EXPECT_EQ(slm_pool_free(t.pool, &elsewhere), SLM_E_FOREIGN);
    for (size_t i = 0; i < table->n_buckets; i++) {
        table->buckets[i].n_passed--;
    }
}

TEST_F(PoolCheck, I8SeesARecordThatNoSearchFinds)
{
    slm_pool_bucket sound[64];
    ASSERT_LE(table->n_buckets, 64u);
    size_t bytes = table->n_buckets * sizeof *table->buckets;
    memcpy(sound, table->buckets, bytes);
    slm_pool_record *stray = record();
    slm_pool_bucket *home = slm_pool_home(table, large[0]);
    slm_pool_bucket *next = slm_pool_next(table, home);
    home->n_passed = 0;
    std::swap(*stray, next->record[next->record[0].p == nullptr ? 0 : 3]);
    EXPECT_EQ(slm_pool_check(t.pool), 8u);
    memcpy(table->buckets, sound, bytes);
}

TEST_F(PoolCheck, I9SeesSumsThatDisagreeWithTheRecords)
{
    size_t *n_kind = table->n_kind;
    expect_broken(t.pool, n_kind[SLM_POOL_LARGE], n_kind[SLM_POOL_LARGE] + 1, 9);
    expect_broken(t.pool, n_kind[SLM_POOL_SMALL], 1, 9);
    expect_broken(t.pool, table->large_bytes, table->large_bytes - 1, 9);
    expect_broken(t.pool, rest->n_large_peak, n_kind[SLM_POOL_LARGE] - 1, 9);
    expect_broken(t.pool, record()->size_bytes, 5001, 9);
    expect_broken(t.pool, table->buckets[0].n_passed, table->buckets[0].n_passed + 1, 9);
}

TEST_F(PoolCheck, I10SeesAnIndexOutsideTheRingOfFreedAddresses)
{
    expect_broken(t.pool, table->freed_next, SLM_POOL_N_FREED, 10);
}

TEST_F(PoolCheck, I10SeesAQuarantineWhereThereShouldBeNone)
{
    slm_pool_quarantine none;
    expect_broken(t.pool, table->quarantine, SLM_CHECKS >= 2 ? nullptr : &none, 10);
}

#if SLM_CHECKS >= 2
TEST_F(PoolCheck, I10SeesAQuarantineThatDisagreesWithItsBlocks)
{
    slm_source_quarantine *quarantine = &table->quarantine->source;
    ASSERT_EQ(quarantine->n_held, 1u);
    expect_broken(t.pool, table->freed[0], nullptr, 10);
    expect_broken(t.pool, quarantine->oldest, SLM_POOL_N_FREED, 10);
    expect_broken(t.pool, quarantine->n_held, 0, 10);
    expect_broken(t.pool, quarantine->n_held, SLM_POOL_N_FREED + 1, 10);
    expect_broken(t.pool, quarantine->held_bytes, quarantine->held_bytes + 1, 10);
    expect_broken(t.pool, table->quarantine->held[0].size_bytes, 5001, 10);
    expect_broken(t.pool, table->quarantine->held[0].block, large[0], 10);
}

TEST_F(PoolCheck, I10SeesMoreHeldBytesThanTheLimit)
{
    slm_pool_quarantine sound = *table->quarantine;
    table->quarantine->held[0].size_bytes = SLM_POOL_HELD_MAX + 1;
    table->quarantine->source.held_bytes = SLM_POOL_HELD_MAX + 1;
    EXPECT_EQ(slm_pool_check(t.pool), 10u);
    *table->quarantine = sound;
}
#endif

TEST_F(PoolCheck, I11SeesABrokenListOfHandlers)
{
    slm_pool_cleanup *newest = rest->cleanups;
    expect_broken(t.pool, rest->n_cleanups, 1, 11);
    expect_broken(t.pool, rest->n_cleanups, 3, 11);
    expect_broken(t.pool, rest->cleanups, nullptr, 11);
    expect_broken(t.pool, newest->handler, nullptr, 11);
    auto odd = reinterpret_cast<uintptr_t>(newest->next) + 8;
    expect_broken(t.pool, newest->next, reinterpret_cast<slm_pool_cleanup *>(odd), 11);
}

TEST_F(PoolCheck, I11SeesACycleAndEnds)
{
    expect_broken(t.pool, rest->cleanups->next->next, rest->cleanups, 11);
}

TEST_F(PoolCheck, I12SeesBytesThatAreNotAccountedFor)
{
    expect_broken(t.pool, rest->source_bytes, rest->source_bytes + 1, 12);
    expect_broken(t.pool, rest->source_bytes, 0, 12);
}

TEST_F(PoolCheck, I13SeesABrokenIndex)
{
    EXPECT_EQ(t.reset(), SLM_OK);
    while (t.stats().n_blocks < 20) {
        t.alloc(2000);
    }
    EXPECT_EQ(slm_pool_free(t.pool, t.pool->low - 1), SLM_UNCHANGED);
    slm_pool_index *index = rest->index;
    ASSERT_NE(index, nullptr);
    slm_pool_block **used = index->slots;
    slm_pool_block **empty = index->slots;
    while (*used == nullptr) {
        used++;
    }
    while (*empty != nullptr) {
        empty++;
    }
    expect_broken(t.pool, index->hash_shift, index->hash_shift - 1, 13);
    expect_broken(t.pool, index->last, first, 13);
    expect_broken(t.pool, index->sizes, uint64_t{1}, 13);
    expect_broken(t.pool, *used, static_cast<slm_pool_block *>(nullptr), 13);
    expect_broken(t.pool, *used, *used == first ? first->next : first, 13);
    expect_broken(t.pool, *empty, first, 13);
    expect_broken(t.pool, rest->index, static_cast<slm_pool_index *>(nullptr), 12);
}

TEST_F(PoolCheck, LeavesThePoolAsItIs)
{
    slm_pool_first before = *reinterpret_cast<slm_pool_first *>(first);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    EXPECT_EQ(memcmp(&before, first, sizeof before), 0);
}

TEST_F(PoolCheck, StopsTheProcessFromLevelThreeOn)
{
    if (SLM_CHECKS < 3) {
        rest->source_bytes++;
        EXPECT_NE(slm_pool_alloc(t.pool, 10), nullptr);
        rest->source_bytes--;
        return;
    }
    rest->source_bytes++;
    SLM_EXPECT_ABORT((void)slm_pool_alloc(t.pool, 10), "slm_pool_alloc_slow: number 12");
    rest->source_bytes--;
}

} // namespace
