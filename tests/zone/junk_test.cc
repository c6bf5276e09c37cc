/* SPDX-License-Identifier: Apache-2.0 */
/* At SLM_CHECKS 2 a zone fills what it frees with junk, when it is free and not before. */
#include "tests/zone/fixture.h"

#include <algorithm>

using namespace slm_test;

namespace {

class ZoneJunk : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK) << zone.error.text;
        object = static_cast<unsigned char *>(slm_zone_alloc(zone, kBytes, nullptr));
        ASSERT_NE(object, nullptr);
        memset(object, 7, kBytes);
    }
    static bool all_are(const unsigned char *p, unsigned char byte)
    {
        return std::all_of(p, p + kBytes, [=](unsigned char found) { return found == byte; });
    }

    static constexpr size_t kBytes = 200;
    static constexpr unsigned char kJunk = 0xfd;
    ZoneOptions all;
    Zone zone;
    unsigned char *object = nullptr;
};

TEST_F(ZoneJunk, IsWrittenByTheCommitThatFrees)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_journal_free(zone.journal(), object), SLM_OK);
    EXPECT_TRUE(all_are(object, 7));
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_TRUE(all_are(object, kJunk));
}

TEST_F(ZoneJunk, IsNotWrittenToWhatAnAbortKeeps)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_journal_free(zone.journal(), object), SLM_OK);
    auto *undone = static_cast<unsigned char *>(slm_journal_alloc(zone.journal(), kBytes));
    ASSERT_NE(undone, nullptr);
    memset(undone, 9, kBytes);
    slm_zone_abort_locked(zone);
    EXPECT_TRUE(all_are(object, 7));
    EXPECT_TRUE(all_are(undone, kJunk));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_F(ZoneJunk, IsNotWrittenToWhatTheRepairOfADeathKeeps)
{
    EXPECT_EQ(in_child([&] {
                  EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                  EXPECT_EQ(slm_journal_free(zone.journal(), object), SLM_OK);
                  raise(SIGKILL);
                  return 0;
              }),
              128 + SIGKILL);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(all_are(object, 7));
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_F(ZoneJunk, LeavesTheUndoOfWordsAloneInAnObjectThatIsFreedToo)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_journal_set(zone.journal(), object, 1), SLM_OK);
    ASSERT_EQ(slm_journal_free(zone.journal(), object), SLM_OK);
    slm_zone_abort_locked(zone);
    EXPECT_TRUE(all_are(object, 7));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

} // namespace
