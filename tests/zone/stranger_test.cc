/* SPDX-License-Identifier: Apache-2.0 */
/* Calls by a thread that does not hold the zone's lock, while another one is in its turn. */
#include "tests/zone/fixture.h"

#include <functional>
#include <thread>
#include <vector>

#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

#include "tests/base/rights.h"

namespace {

using namespace slm_test;

void as_a_thread(const std::function<void()> &call)
{
    std::thread(call).join();
}

/* With the handle that it inherits. Its failures are printed, and fail the test by its status. */
void as_a_child(const std::function<void()> &call)
{
    EXPECT_EQ(in_child([&] {
                  call();
                  return testing::Test::HasFailure() ? 1 : 0;
              }),
              0);
}

class ZoneStranger : public testing::TestWithParam<bool> {
  protected:
    ZoneOptions all;
    Zone zone;
    uint64_t *words = nullptr;

    void SetUp() override
    {
        slm_zone_options options = all.of(SLM_SEGMENT_MEMFD);
        options.journal_entries = 1024;
        ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
        ASSERT_EQ(push_alone(zone, 1), SLM_OK);
        ASSERT_EQ(push_alone(zone, 2), SLM_OK);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        words = static_cast<uint64_t *>(slm_journal_calloc(zone.journal(), 512));
        ASSERT_NE(words, nullptr);
        ASSERT_EQ(slm_zone_commit_locked(zone), SLM_OK);
        ASSERT_TRUE(push(zone, 3));
        ASSERT_EQ(slm_journal_write(zone.journal(), words, 7), SLM_OK);
    }

    /* The stranger's call changes no byte of the zone, and its holder can still do either. */
    void expect_nothing_changed(const std::function<void()> &call)
    {
        const std::vector<unsigned char> before(zone.base(), zone.base() + kZoneBytes);
        if (GetParam()) {
            as_a_child(call);
        } else {
            as_a_thread(call);
        }
        EXPECT_EQ(memcmp(zone.base(), before.data(), kZoneBytes), 0);
        EXPECT_TRUE(slm_journal_has_room(zone.journal(), 1));
        EXPECT_EQ(slm_journal_write(zone.journal(), words + 1, 8), SLM_OK);
        slm_zone_abort_locked(zone);
        EXPECT_EQ(numbers(zone), (Numbers{2, 1}));
        EXPECT_EQ(words[0] + words[1], 0u);
        EXPECT_EQ(slm_zone_check_locked(zone), 0u);
        EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    }
};

TEST_P(ZoneStranger, DoesNotCommitAbortResetOrSetTheRoot)
{
    expect_nothing_changed([this] {
        EXPECT_EQ(slm_zone_commit_locked(zone), SLM_E_OWNER);
        slm_zone_abort_locked(zone);
        EXPECT_EQ(slm_zone_reset_locked(zone), SLM_E_OWNER);
        EXPECT_EQ(slm_zone_set_root_locked(zone, nullptr), SLM_E_OWNER);
        EXPECT_EQ(slm_zone_unlock(zone), SLM_E_OWNER);
        EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_E_OWNER);
        EXPECT_EQ(slm_zone_end(zone, SLM_E_SIZE), SLM_E_SIZE);
        slm_status status = SLM_OK;
        EXPECT_EQ(slm_zone_alloc_evicting_locked(
                      zone, 8, [](slm_zone *, void *) { return true; }, nullptr, &status),
                  nullptr);
        EXPECT_EQ(status, SLM_E_OWNER);
    });
}

#ifdef CHECKS_STRANGERS
TEST_P(ZoneStranger, ChangesNothingThroughTheJournal)
{
    expect_nothing_changed([this] {
        slm_journal *journal = zone.journal();
        uint64_t outside = 0;
        EXPECT_EQ(slm_journal_write(journal, words, 9), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_write(journal, &outside, 9), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_note_range(journal, words, 64), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_note_range(journal, words, SIZE_MAX), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_note_range(journal, words, 0), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_set(journal, words, 9), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_add(journal, &outside, 9), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_set_number(journal, words, 3, 9), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_alloc(journal, 8), nullptr);
        EXPECT_EQ(slm_journal_calloc(journal, 9000), nullptr);
        EXPECT_EQ(slm_journal_memalign(journal, 64, 8), nullptr);
        EXPECT_EQ(slm_journal_free(journal, words), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_free(journal, slm_journal_root(journal)), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_recover(journal), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_free(journal, &outside), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_set_root(journal, words), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_set_root(journal, &outside), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_commit(journal), SLM_E_OWNER);
        EXPECT_EQ(slm_journal_reset(journal), SLM_E_OWNER);
        slm_journal_abort(journal);
    });
}

TEST_P(ZoneStranger, ChangesNoTreeAndNoList)
{
    auto *tree = reinterpret_cast<slm_rbtree *>(words + 8);
    auto *node = reinterpret_cast<slm_rbtree_node *>(words + 16);
    auto *list = reinterpret_cast<slm_lru *>(words + 24);
    auto *used = reinterpret_cast<slm_lru_node *>(words + 32);
    auto *more = reinterpret_cast<slm_lru_node *>(words + 40);
    const auto order = [](const slm_rbtree_node *, const slm_rbtree_node *) { return 0; };
    ASSERT_EQ(slm_lru_insert(zone.journal(), list, used), SLM_OK);
    expect_nothing_changed([=] {
        slm_journal *journal = zone.journal();
        EXPECT_EQ(slm_rbtree_insert(journal, tree, node, order), SLM_E_OWNER);
        EXPECT_EQ(slm_lru_insert(journal, list, more), SLM_E_OWNER);
        EXPECT_EQ(slm_lru_touch(journal, list, used), SLM_E_OWNER);
        EXPECT_EQ(slm_lru_remove(journal, list, used), SLM_E_OWNER);
    });
}

TEST_P(ZoneStranger, IsTheHolderTooOnceItHasUnlocked)
{
    slm_zone_abort_locked(zone);
    ASSERT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    const std::vector<unsigned char> before(zone.base(), zone.base() + kZoneBytes);
    EXPECT_EQ(slm_journal_write(zone.journal(), words, 9), SLM_E_OWNER);
    EXPECT_EQ(slm_journal_alloc(zone.journal(), 8), nullptr);
    EXPECT_EQ(slm_journal_commit(zone.journal()), SLM_E_OWNER);
    EXPECT_EQ(memcmp(zone.base(), before.data(), kZoneBytes), 0);
    EXPECT_EQ(push_alone(zone, 4), SLM_OK);
    EXPECT_EQ(zone.stats().n_recoveries, 0u);
}
#endif

INSTANTIATE_TEST_SUITE_P(Who, ZoneStranger, testing::Bool(), [](const auto &is_child) {
    return std::string(is_child.param ? "Child" : "Thread");
});

/* A worker gives up its rights, and the child that it forks must open the lock file by itself. */
TEST(ZoneStrangerFile, AGrandchildWithoutRightToTheLockFileIsRefusedAndChangesNothing)
{
    ZoneOptions all;
    Zone zone;
    slm_zone_options options = all.of(SLM_SEGMENT_MEMFD, SLM_LOCK_FILE);
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    const std::vector<unsigned char> before(zone.base(), zone.base() + kZoneBytes);
    as_a_child([&] {
        ASSERT_TRUE(give_up_right_to(options.lock_path));
        as_a_child([&] {
            slm_status status = SLM_OK;
            EXPECT_EQ(slm_zone_lock(zone), SLM_E_IO);
            EXPECT_EQ(slm_zone_trylock(zone), SLM_E_IO);
            EXPECT_EQ(slm_zone_timedlock(zone, 1), SLM_E_IO);
            EXPECT_EQ(slm_zone_unlock(zone), SLM_E_OWNER);
            EXPECT_EQ(slm_zone_commit_locked(zone), SLM_E_OWNER);
            EXPECT_EQ(slm_zone_alloc(zone, 8, &status), nullptr);
            EXPECT_EQ(status, SLM_E_IO);
            EXPECT_EQ(slm_zone_grow(zone, kZoneMaxBytes, nullptr), SLM_E_IO);
        });
    });
    EXPECT_EQ(memcmp(before.data(), zone.base(), kZoneBytes), 0);
    EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

} // namespace
