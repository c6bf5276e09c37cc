/* SPDX-License-Identifier: Apache-2.0 */
/* Zones that are damaged while they are in use: what lock calls return, and each invariant of the
 * check. */
#include "allocator/lock/word.h"
#include "tests/zone/fixture.h"

extern "C" {
#include "allocator/slab/view.h"
}

namespace {

using namespace slm_test;

/* --- Locks unlocked directly instead of through the zone, and zones that cannot be repaired --- */

TEST(Zone, AnUnlockOfTheLockItselfCommitsNothing)
{
    ZoneOptions all;
    Zone zone;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_ANONYMOUS)), SLM_OK);
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push(zone, 2));
    ASSERT_EQ(slm_lock_unlock(slm_zone_lock_handle(zone)), SLM_OK);
    EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
    EXPECT_EQ(zone.stats().n_undone, 1u);
}

TEST(Zone, ThatCannotBeRepairedIsBrokenForEveryHandle)
{
    ZoneOptions all;
    Zone zone, other;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    slm_zone_attach_options options = all.to_attach(zone);
    ASSERT_EQ(other.attach(options), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                  (void)push(zone, 2);
                  uint64_t *log = reinterpret_cast<uint64_t *>(zone.base() + ZONE_JOURNAL_OFFSET);
                  log[2] = UINT64_MAX; /* the number of entries */
                  raise(SIGKILL);
                  return 0;
              }),
              128 + SIGKILL);
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_lock(other), SLM_E_BROKEN);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_BROKEN);
    EXPECT_EQ(slm_zone_trylock(zone), SLM_E_BROKEN);
    EXPECT_EQ(slm_zone_alloc(zone, 8, &status), nullptr);
    EXPECT_EQ(status, SLM_E_BROKEN);
    EXPECT_EQ(slm_zone_check_locked(zone), 102u);
    Zone late, reader;
    EXPECT_EQ(late.attach(options), SLM_E_BROKEN);
    options.segment.read_only = true;
    EXPECT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    EXPECT_EQ(slm_zone_check_locked(reader), 102u);
}

TEST(Zone, ThatHasABadEntryInItsJournalIsRepaired)
{
    ZoneOptions all;
    Zone zone;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    uint64_t *log = reinterpret_cast<uint64_t *>(zone.base() + ZONE_JOURNAL_OFFSET);
    for (uint64_t bad : {UINT64_MAX, uint64_t{0}, uint64_t{1} << 56}) {
        EXPECT_EQ(in_child([&] {
                      EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                      uint64_t *word = static_cast<uint64_t *>(slm_zone_root_locked(zone)) + 1;
                      (void)slm_journal_write(zone.journal(), word, 7);
                      (void)slm_journal_write(zone.journal(), word + 1, 7);
                      (void)slm_journal_write(zone.journal(), word, 8);
                      log[6 + 2] = bad; /* the second entry's word */
                      raise(SIGKILL);
                      return 0;
                  }),
                  128 + SIGKILL);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        EXPECT_EQ(static_cast<Link *>(slm_zone_root_locked(zone))->number, 1u);
        static_cast<Link *>(slm_zone_root_locked(zone))->filler[0] = 1;
        EXPECT_EQ(slm_zone_check_locked(zone), 0u);
        EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    }
    EXPECT_EQ(numbers_alone(zone), Numbers{1});
    EXPECT_EQ(zone.stats().n_undone, 3u);
}

/* Only the slab itself uses its own root, and zones never set it: a repair must clear it. */
TEST(Zone, IsSoundAfterARepairWithAnyRootInTheSlab)
{
    ZoneOptions all;
    Zone zone;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_TRUE(push(zone, 2)); /* the repair must free it */
    zone.zone->slab->header->root = UINT64_MAX;
    EXPECT_EQ(slm_zone_check_locked(zone), 12u);
    zone.header()->lock.word |= SLM_LOCK_REPAIR;
    ASSERT_EQ(slm_lock_unlock(slm_zone_lock_handle(zone)), SLM_OK);
    EXPECT_EQ(check_alone(zone), 0u);
    EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
    EXPECT_EQ(zone.stats().n_recoveries, 1u);
}

/* --- The check --- */

class ZoneCheck : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
        ASSERT_EQ(push_alone(zone, 1), SLM_OK);
        ASSERT_EQ(slm_zone_check_locked(zone), 0u);
    }
    ZoneOptions all;
    Zone zone;
};

TEST_F(ZoneCheck, FindsAChangedConstantPart)
{
    auto *bytes = reinterpret_cast<unsigned char *>(zone.header());
    for (size_t i = 0; i < sizeof(zone_fixed) + sizeof(uint64_t); i++) {
        bytes[i] ^= 1;
        EXPECT_EQ(slm_zone_check_locked(zone), 101u) << i;
        bytes[i] ^= 1;
    }
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
}

TEST_F(ZoneCheck, FindsAStateThatIsNotReady)
{
    for (uint64_t state : {uint64_t{ZONE_MAKING}, uint64_t{ZONE_BROKEN}, uint64_t{1}}) {
        zone.header()->state = state;
        EXPECT_EQ(slm_zone_check_locked(zone), 102u);
    }
}

TEST_F(ZoneCheck, FindsAnImpossibleLength)
{
    for (uint64_t bytes :
         {uint64_t{0}, uint64_t{kZoneBytes - 4096}, uint64_t{kZoneBytes + 1},
          uint64_t{kZoneBytes + 4096}, uint64_t{kZoneMaxBytes + 4096}, UINT64_MAX}) {
        zone.header()->bytes = bytes;
        EXPECT_EQ(slm_zone_check_locked(zone), 103u) << bytes;
    }
    zone.header()->bytes = kZoneBytes;
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
}

TEST_F(ZoneCheck, FindsATruncatedFile)
{
    ASSERT_EQ(ftruncate(slm_segment_id(slm_zone_segment(zone)), kZoneBytes - 4096), 0);
    EXPECT_EQ(slm_zone_check_locked(zone), 103u);
}

TEST_F(ZoneCheck, FindsABrokenInvariantOfTheSlab)
{
    auto *slab = zone.base() + zone.header()->fixed.slab_offset;
    slab[8] ^= 1;
    EXPECT_EQ(slm_zone_check_locked(zone), 1u);
}

TEST_F(ZoneCheck, FindsABrokenInvariantOfTheJournal)
{
    auto *log = reinterpret_cast<uint64_t *>(zone.base() + ZONE_JOURNAL_OFFSET);
    log[0] ^= 1;
    EXPECT_EQ(slm_zone_check_locked(zone), 111u);
    log[0] ^= 1;
    log[2] = uint64_t{1} << 40;
    EXPECT_EQ(slm_zone_check_locked(zone), 112u);
    log[2] = 1;
    log[6] = UINT64_MAX;
    EXPECT_EQ(slm_zone_check_locked(zone), 113u);
    log[2] = 0;
    log[3] += 8;
    EXPECT_EQ(slm_zone_check_locked(zone), 114u);
    log[3] -= 8;
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
}

/* With each of these lengths a caller could write past the end of the mapping. */
TEST_F(ZoneCheck, LockRefusesImpossibleLengthsWithoutACheck)
{
    for (uint64_t bytes : {uint64_t{0}, uint64_t{4096}, uint64_t{kZoneBytes - 4096},
                           uint64_t{kZoneMaxBytes + 4096}, UINT64_MAX}) {
        zone.header()->bytes = bytes;
        EXPECT_EQ(slm_zone_lock(zone), SLM_E_BROKEN) << bytes;
        EXPECT_EQ(slm_zone_grow(zone, kZoneMaxBytes, nullptr), SLM_E_BROKEN) << bytes;
    }
    zone.header()->bytes = 2 * kZoneBytes;
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_TRUNCATED);
    zone.header()->bytes = kZoneBytes;
    EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_F(ZoneCheck, LockRefusesPagesPastTheEndWithoutACheck)
{
    slab_header *slab = zone.zone->slab->header;
    const uint64_t kept = slab->n_pages;
    slab->n_pages = slab_pages_seal(slab->shape.max_pages);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_BROKEN);
    EXPECT_EQ(slm_zone_check_locked(zone), 103u);
    slab->n_pages = kept;
    EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
}

} // namespace
