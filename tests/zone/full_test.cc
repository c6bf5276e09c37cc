/* SPDX-License-Identifier: Apache-2.0 */
/* Zones whose journal is full: what the holder, the next locker, a fork and a reload see. */
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

/* Pushes until the journal is full. Returns false if it never is. */
bool push_too_many(slm_zone *zone)
{
    for (uint64_t i = 0; i < 1000; i++) {
        if (!push(zone, i)) {
            return !slm_journal_has_room(slm_zone_journal(zone), 0);
        }
    }
    return false;
}

class ZoneFull : public testing::Test {
  protected:
    ZoneOptions all;
    Zone zone;
    void SetUp() override
    {
        ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK) << zone.error.text;
        ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    }
    /* The lock is free, and there is nothing to repair. */
    void expect_as_before()
    {
        ASSERT_EQ(slm_zone_trylock(zone), SLM_OK);
        EXPECT_EQ(numbers(zone), Numbers{1});
        EXPECT_TRUE(slm_journal_has_room(zone.journal(), 256));
        EXPECT_EQ(slm_zone_check_locked(zone), 0u);
        EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
        EXPECT_EQ(count_objects(slm_zone_slab(zone)), 1u);
    }
};

TEST_F(ZoneFull, UnlockUndoesReportsTheStatusAndReleasesTheLock)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push_too_many(zone));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_E_FULL);
    expect_as_before();
    EXPECT_EQ(zone.stats().n_recoveries, 0u);
}

TEST_F(ZoneFull, CommitAndResetUndoAndKeepTheLock)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push_too_many(zone));
    EXPECT_EQ(slm_zone_commit_locked(zone), SLM_E_FULL);
    EXPECT_EQ(numbers(zone), Numbers{1});
    EXPECT_TRUE(push_too_many(zone));
    EXPECT_EQ(slm_zone_reset_locked(zone), SLM_E_FULL);
    EXPECT_EQ(numbers(zone), Numbers{1});
    EXPECT_TRUE(push_too_many(zone));
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    expect_as_before();
}

TEST_F(ZoneFull, ADeathInARefusedTransactionIsRepairedAsAnyOther)
{
    EXPECT_EQ(in_child([&] {
                  if (slm_zone_lock(zone) == SLM_OK && push_too_many(zone)) {
                      raise(SIGKILL);
                  }
                  return 1;
              }),
              128 + SIGKILL);
    expect_as_before();
    EXPECT_EQ(zone.stats().n_undone, 1u);
}

/* The child inherits the handle in the middle of its parent's refused transaction. */
TEST_F(ZoneFull, AForkedChildDoesNotInheritItsParentsRefusal)
{
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push_too_many(zone));
    pid_t child = fork();
    if (child == 0) {
        char byte;
        bool ok = read(ready[0], &byte, 1) == 1 && slm_zone_lock(zone) == SLM_OK;
        ok = ok && pop(zone) && push(zone, 2) && slm_zone_unlock(zone) == SLM_OK;
        end_child(ok ? 0 : 1);
    }
    EXPECT_EQ(slm_zone_unlock(zone), SLM_E_FULL);
    ASSERT_EQ(write(ready[1], "", 1), 1);
    int how;
    ASSERT_EQ(waitpid(child, &how, 0), child);
    EXPECT_EQ(how, 0);
    EXPECT_EQ(numbers_alone(zone), Numbers{2});
    close(ready[0]);
    close(ready[1]);
}

TEST_F(ZoneFull, AnUnlockOfTheLockItselfLeavesNoRefusal)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push_too_many(zone));
    ASSERT_EQ(slm_lock_unlock(slm_zone_lock_handle(zone)), SLM_OK);
    expect_as_before();
}

/* The callback ignores the results of its calls. */
TEST_F(ZoneFull, AReloadFailsWholeIfACallbackFillsTheJournal)
{
    struct slm_zone_declaration declaration = {};
    slm_zone_options options = all.of(SLM_SEGMENT_MEMFD);
    options.name = "reloaded";
    declaration.options = options;
    declaration.init = [](slm_zone *fresh, bool, void *data) {
        if (*static_cast<bool *>(data)) {
            (void)push_too_many(fresh);
        } else {
            (void)push(fresh, 7);
        }
        return SLM_OK;
    };
    bool too_many = false;
    declaration.data = &too_many;
    Set set;
    ASSERT_EQ(set.apply({declaration}), SLM_OK) << set.error.text;
    too_many = true;
    EXPECT_EQ(set.apply({declaration}), SLM_E_FULL);
    EXPECT_NE(strstr(set.error.text, "reloaded"), nullptr);
    EXPECT_NE(strstr(set.error.text, "room in the journal"), nullptr);
    EXPECT_EQ(numbers_alone(set["reloaded"]), Numbers{7});
}

/* The second zone's callback fills the journal of the first, after the first zone's own callback. */
TEST_F(ZoneFull, AReloadFailsWholeIfACallbackFillsTheJournalOfAnotherZone)
{
    struct slm_zone_declaration first = {};
    first.options = all.of(SLM_SEGMENT_MEMFD);
    first.options.name = "first";
    first.init = [](slm_zone *fresh, bool is_reused, void *data) {
        *static_cast<slm_zone **>(data) = fresh;
        (void)push(fresh, is_reused ? 8 : 7);
        return SLM_OK;
    };
    struct slm_zone_declaration second = first;
    second.options.name = "second";
    second.init = [](slm_zone *, bool is_reused, void *data) {
        if (is_reused) {
            (void)push_too_many(*static_cast<slm_zone **>(data));
        }
        return SLM_OK;
    };
    slm_zone *filled = nullptr;
    first.data = second.data = &filled;
    Set set;
    ASSERT_EQ(set.apply({first, second}), SLM_OK) << set.error.text;
    EXPECT_EQ(set.apply({first, second}), SLM_E_FULL);
    EXPECT_NE(strstr(set.error.text, "zone first"), nullptr) << set.error.text;
    EXPECT_EQ(numbers_alone(set["first"]), Numbers{7});
}

} // namespace
