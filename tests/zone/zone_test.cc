/* SPDX-License-Identifier: Apache-2.0 */
/* The zone's contract, on each kind of memory with each kind of lock. */
#include <tuple>

#include "tests/zone/fixture.h"

namespace {

using namespace slm_test;

class ZoneOfEachKind : public testing::TestWithParam<std::tuple<Kind, slm_lock_kind>> {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(all.of(kind(), lock())), SLM_OK) << zone.error.text;
    }
    Kind kind() const
    {
        return std::get<0>(GetParam());
    }
    slm_lock_kind lock() const
    {
        return std::get<1>(GetParam());
    }

    ZoneOptions all;
    Zone zone;
};

std::string name_of(const testing::TestParamInfo<std::tuple<Kind, slm_lock_kind>> &info)
{
    static const char *const kinds[] = {"Anonymous", "Zero", "Sysv", "Posix", "Memfd", "File"};
    static const char *const locks[] = {"Robust", "SpinSem", "FileLock"};
    return std::string(kinds[std::get<0>(info.param)]) + locks[std::get<1>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Kinds, ZoneOfEachKind,
                         testing::Combine(testing::ValuesIn(kEveryKind),
                                          testing::ValuesIn(kEveryLock)),
                         name_of);

TEST_P(ZoneOfEachKind, HasTheOptionsItWasCreatedWith)
{
    EXPECT_STREQ(slm_zone_name(zone), "keys");
    EXPECT_STREQ(slm_zone_tag(zone), "test v1");
    EXPECT_EQ(slm_segment_get_kind(slm_zone_segment(zone)), kind());
    struct slm_zone_stats stats = zone.stats();
    EXPECT_EQ(stats.bytes, kZoneBytes);
    EXPECT_EQ(stats.max_bytes, kZoneMaxBytes);
    EXPECT_EQ(stats.journal_entries, 256u);
    EXPECT_EQ(stats.n_recoveries + stats.n_undone + stats.n_finished, 0u);
    EXPECT_STREQ(slm_slab_name(slm_zone_slab(zone)), "keys");
    EXPECT_EQ(slm_zone_root_locked(zone), nullptr);
    EXPECT_EQ(check_alone(zone), 0u);
}

TEST_P(ZoneOfEachKind, AllocAndFreeAreTransactionsOfTheirOwn)
{
    slm_status status = SLM_E_IO;
    void *p = slm_zone_alloc(zone, 100, &status);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(status, SLM_OK);
    auto *q = static_cast<unsigned char *>(slm_zone_calloc(zone, 5000, nullptr));
    ASSERT_NE(q, nullptr);
    EXPECT_TRUE(is_zero(q, 5000));
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 2u);
    EXPECT_EQ(slm_zone_alloc(zone, kZoneMaxBytes, &status), nullptr);
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_EQ(slm_zone_free(zone, q + 1), SLM_E_INTERIOR);
    EXPECT_EQ(slm_zone_free(zone, q), SLM_OK);
    EXPECT_EQ(slm_zone_free(zone, p), SLM_OK);
    EXPECT_EQ(slm_zone_free(zone, p), SLM_E_FREED);
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 0u);
    EXPECT_EQ(check_alone(zone), 0u);
}

TEST_P(ZoneOfEachKind, ReportsTheLocksHolder)
{
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_unlock(zone), SLM_E_OWNER);
    EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_HELD);
    EXPECT_EQ(slm_zone_trylock(zone), SLM_E_HELD);
    EXPECT_EQ(slm_zone_timedlock(zone, 1), SLM_E_HELD);
    EXPECT_EQ(slm_zone_alloc(zone, 8, &status), nullptr);
    EXPECT_EQ(status, SLM_E_HELD);
    EXPECT_EQ(slm_zone_grow(zone, kZoneMaxBytes, &zone.error), SLM_E_HELD);
    EXPECT_EQ(zone.error.status, SLM_E_HELD);
    EXPECT_NE(strstr(zone.error.text, "keys"), nullptr);
    EXPECT_EQ(in_child([&] {
                  return slm_zone_trylock(zone) == SLM_E_LOCKED &&
                                 slm_zone_timedlock(zone, 1) == SLM_E_TIMEOUT &&
                                 slm_zone_unlock(zone) == SLM_E_OWNER
                             ? 0
                             : 1;
              }),
              0);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_trylock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_timedlock(zone, 1000), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_P(ZoneOfEachKind, UnlockCommitsAndAbortUndoes)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push(zone, 1));
    EXPECT_TRUE(push(zone, 2));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(pop(zone));
    EXPECT_TRUE(push(zone, 3));
    slm_zone_abort_locked(zone);
    EXPECT_EQ(numbers(zone), (Numbers{2, 1}));
    EXPECT_TRUE(push(zone, 4));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(numbers_alone(zone), (Numbers{4, 2, 1}));
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 3u);
}

TEST_P(ZoneOfEachKind, TwoCommitsUnderOneLockAreTwoTransactions)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push(zone, 1));
    EXPECT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    EXPECT_TRUE(push(zone, 2));
    EXPECT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    EXPECT_TRUE(push(zone, 3));
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(numbers_alone(zone), (Numbers{2, 1}));
}

TEST_P(ZoneOfEachKind, AResetFreesAllObjects)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(push(zone, 1));
    EXPECT_EQ(slm_zone_reset_locked(zone), SLM_OK);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_zone_root_locked(zone), nullptr);
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 0u);
    EXPECT_TRUE(push(zone, 2));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(numbers_alone(zone), (Numbers{2}));
}

TEST_P(ZoneOfEachKind, TheRootIsAnObjectOfTheZone)
{
    int elsewhere = 0;
    void *p = slm_zone_alloc(zone, 64, nullptr);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_set_root_locked(zone, &elsewhere), SLM_E_FOREIGN);
    EXPECT_EQ(slm_zone_set_root_locked(zone, zone.header()), SLM_E_FOREIGN);
    EXPECT_EQ(slm_zone_set_root_locked(zone, static_cast<char *>(p) + 8), SLM_E_FOREIGN);
    EXPECT_EQ(slm_zone_set_root_locked(zone, p), SLM_OK);
    EXPECT_EQ(slm_zone_root_locked(zone), p);
    EXPECT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    EXPECT_EQ(slm_zone_set_root_locked(zone, nullptr), SLM_OK);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_zone_root_locked(zone), p);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_P(ZoneOfEachKind, ForkedChildrenShareIt)
{
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  bool ok = numbers_alone(zone) == Numbers{1} && push_alone(zone, 2) == SLM_OK;
                  zone.detach();
                  return ok ? 0 : 1;
              }),
              0);
    EXPECT_EQ(numbers_alone(zone), (Numbers{2, 1}));
}

TEST_P(ZoneOfEachKind, WhatADeadHolderDidNotCommitIsUndone)
{
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                  (void)push(zone, 2);
                  EXPECT_EQ(slm_zone_commit_locked(zone), SLM_OK);
                  (void)push(zone, 3);
                  (void)pop(zone);
                  (void)pop(zone);
                  raise(SIGKILL);
                  return 0;
              }),
              128 + SIGKILL);
    if (lock() == SLM_LOCK_SPIN_SEM) {
        EXPECT_EQ(slm_zone_trylock(zone), SLM_E_LOCKED);
        EXPECT_EQ(slm_lock_force_unlock(slm_zone_lock_handle(zone), 0), SLM_OK);
    }
    EXPECT_EQ(numbers_alone(zone), (Numbers{2, 1}));
    EXPECT_EQ(check_alone(zone), 0u);
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 2u);
    EXPECT_EQ(zone.stats().n_recoveries, 1u);
    EXPECT_EQ(zone.stats().n_undone, 1u);
}

TEST_P(ZoneOfEachKind, GrowsInPlaceAndKeepsItsContent)
{
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    const void *root = slm_zone_root_locked(zone);
    EXPECT_EQ(slm_zone_grow(zone, kZoneBytes, &zone.error), SLM_OK);
    EXPECT_EQ(zone.stats().bytes, kZoneBytes);
    EXPECT_EQ(slm_zone_alloc(zone, kZoneBytes, nullptr), nullptr);
    EXPECT_EQ(slm_zone_grow(zone, kZoneMaxBytes - 100, &zone.error), SLM_OK) << zone.error.text;
    EXPECT_EQ(zone.stats().bytes, kZoneMaxBytes);
    EXPECT_EQ(slm_zone_root_locked(zone), root);
    EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
    auto *p = static_cast<unsigned char *>(slm_zone_calloc(zone, 2 * kZoneBytes, nullptr));
    ASSERT_NE(p, nullptr);
    memset(p, 1, 2 * kZoneBytes);
    EXPECT_EQ(check_alone(zone), 0u);
    EXPECT_EQ(slm_zone_grow(zone, kZoneMaxBytes + 1, &zone.error), SLM_E_SIZE);
    EXPECT_EQ(zone.error.status, SLM_E_SIZE);
    EXPECT_NE(strstr(zone.error.text, "keys"), nullptr);
    EXPECT_EQ(zone.stats().bytes, kZoneMaxBytes);
}

TEST_P(ZoneOfEachKind, GrowthByAChildIsSeenAtTheNextLock)
{
    EXPECT_EQ(in_child([&] {
                  if (slm_zone_grow(zone, 2 * kZoneBytes, nullptr) != SLM_OK) {
                      return 1;
                  }
                  for (uint64_t i = 0; i < 3; i++) {
                      void *p = slm_zone_alloc(zone, kZoneBytes / 2, nullptr);
                      if (p == nullptr) {
                          return 2;
                      }
                      memset(p, 1, kZoneBytes / 2);
                  }
                  return push_alone(zone, 7) == SLM_OK ? 0 : 3;
              }),
              0);
    EXPECT_EQ(numbers_alone(zone), (Numbers{7}));
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 4u);
    EXPECT_EQ(check_alone(zone), 0u);
    EXPECT_EQ(zone.stats().bytes, 2 * kZoneBytes);
}

/* --- Two mappings, for the kinds that can be attached --- */

class ZoneTwice : public ZoneOfEachKind {
  protected:
    void SetUp() override
    {
        ZoneOfEachKind::SetUp();
        options = all.to_attach(zone);
        ASSERT_EQ(other.attach(options), SLM_OK) << other.error.text;
    }

    slm_zone_attach_options options{};
    Zone other;
};

INSTANTIATE_TEST_SUITE_P(Kinds, ZoneTwice,
                         testing::Combine(testing::Values(SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX,
                                                          SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE),
                                          testing::ValuesIn(kEveryLock)),
                         name_of);

TEST_P(ZoneTwice, MappedAtTwoAddressesIsOneZone)
{
    EXPECT_NE(zone.base(), other.base());
    EXPECT_STREQ(slm_zone_name(other), "keys");
    EXPECT_STREQ(slm_zone_tag(other), "test v1");
    for (uint64_t i = 0; i < 100; i++) {
        ASSERT_EQ(push_alone(i % 2 == 0 ? zone : other, i), SLM_OK);
    }
    EXPECT_EQ(numbers_alone(zone), numbers_alone(other));
    EXPECT_EQ(numbers_alone(other).size(), 100u);
    for (uint64_t i = 0; i < 100; i++) {
        slm_zone *handle = i % 3 == 0 ? zone : other;
        ASSERT_EQ(slm_zone_lock(handle), SLM_OK);
        EXPECT_TRUE(pop(handle));
        EXPECT_EQ(slm_zone_unlock(handle), SLM_OK);
    }
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 0u);
    EXPECT_EQ(check_alone(other), 0u);
}

TEST_P(ZoneTwice, BothHandlesShareTheLock)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_trylock(other), SLM_E_HELD);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_trylock(other), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(other), SLM_OK);
}

TEST(ZoneLockFile, ThatWasRemovedIsRefusedUnlessTheCallerAllowsANewOne)
{
    ZoneOptions options;
    Zone zone;
    ASSERT_EQ(zone.create(options.of(SLM_SEGMENT_FILE, SLM_LOCK_FILE)), SLM_OK) << zone.error.text;
    slm_zone_attach_options again = options.to_attach(zone);
    ASSERT_EQ(unlink(again.lock_path), 0);
    Zone other;
    EXPECT_EQ(other.attach(again), SLM_E_REPLACED);
    EXPECT_NE(std::string(other.error.text).find(again.lock_path), std::string::npos)
        << other.error.text;
    again.is_unused = true;
    ASSERT_EQ(other.attach(again), SLM_OK) << other.error.text;
    ASSERT_EQ(slm_zone_lock(other), SLM_OK);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_REPLACED);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_HELD);
    EXPECT_EQ(slm_zone_unlock(other), SLM_OK);
    EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_P(ZoneTwice, GrowthByOneIsSeenByTheOtherUnderTheLock)
{
    ASSERT_EQ(slm_zone_grow(zone, 2 * kZoneBytes, &zone.error), SLM_OK) << zone.error.text;
    ASSERT_EQ(slm_zone_grow(other, 3 * kZoneBytes, &other.error), SLM_OK) << other.error.text;
    void *p = slm_zone_alloc(zone, 2 * kZoneBytes, nullptr);
    ASSERT_NE(p, nullptr);
    memset(p, 5, 2 * kZoneBytes);
    uint64_t offset = slm_journal_offset(zone.journal(), p);
    ASSERT_EQ(slm_zone_lock(other), SLM_OK);
    auto *there = static_cast<unsigned char *>(slm_journal_pointer(other.journal(), offset));
    EXPECT_EQ(there[2 * kZoneBytes - 1], 5);
    EXPECT_EQ(slm_journal_free(other.journal(), there), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(other), SLM_OK);
    EXPECT_EQ(check_alone(zone), 0u);
    EXPECT_EQ(check_alone(other), 0u);
    EXPECT_EQ(zone.stats().bytes, 3 * kZoneBytes);
}

TEST_P(ZoneTwice, AnotherProcessAttachesByItself)
{
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  Zone mine;
                  options.name = "keys";
                  options.tag = "test v1";
                  options.check = true;
                  if (mine.attach(options) != SLM_OK) {
                      return 1;
                  }
                  return numbers_alone(mine) == Numbers{1} && push_alone(mine, 2) == SLM_OK ? 0 : 2;
              }),
              0);
    EXPECT_EQ(numbers_alone(other), (Numbers{2, 1}));
}

TEST_P(ZoneTwice, TheOtherRepairsWhatADeadProcessLeft)
{
    EXPECT_EQ(in_child([&] {
                  Zone mine;
                  if (mine.attach(options) != SLM_OK || slm_zone_lock(mine) != SLM_OK) {
                      return 1;
                  }
                  (void)push(mine, 2);
                  raise(SIGKILL);
                  return 0;
              }),
              128 + SIGKILL);
    if (lock() == SLM_LOCK_SPIN_SEM) {
        EXPECT_EQ(slm_lock_force_unlock(slm_zone_lock_handle(other), 0), SLM_OK);
    }
    EXPECT_EQ(numbers_alone(other), Numbers{});
    EXPECT_EQ(check_alone(zone), 0u);
    EXPECT_EQ(zone.stats().n_recoveries, 1u);
}

TEST_P(ZoneTwice, AReadOnlyHandleReadsAndChangesNothing)
{
    Zone reader;
    options.segment.read_only = true;
    options.check = true;
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    EXPECT_EQ(numbers(reader), (Numbers{1}));
    EXPECT_EQ(slm_zone_lock_handle(reader), nullptr);
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_lock(reader), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_trylock(reader), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_timedlock(reader, 1), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_unlock(reader), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_alloc(reader, 8, &status), nullptr);
    EXPECT_EQ(status, SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_free(reader, slm_zone_root_locked(reader)), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_grow(reader, kZoneMaxBytes, nullptr), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_check_locked(reader), 0u);
    EXPECT_EQ(reader.stats().bytes, kZoneBytes);
}

/* A read-only handle never locks, so only the check itself can show it the added pages. */
TEST_P(ZoneTwice, AGrownZoneStaysSoundForAReadOnlyHandle)
{
    Zone reader;
    options.segment.read_only = true;
    ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    ASSERT_EQ(slm_zone_grow(zone, 2 * kZoneBytes, nullptr), SLM_OK);
    ASSERT_NE(slm_zone_alloc(zone, kZoneBytes, nullptr), nullptr);
    EXPECT_EQ(slm_zone_check_locked(reader), 0u);
    EXPECT_EQ(count_objects(slm_zone_slab(reader)), 1u);
}

/* --- What outlives the users --- */

TEST(Zone, WithANameOutlivesItsUsers)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions all;
        Zone zone, again;
        ASSERT_EQ(zone.create(all.of(kind)), SLM_OK) << zone.error.text;
        ASSERT_EQ(push_alone(zone, 3), SLM_OK);
        slm_zone_attach_options options = all.to_attach(zone);
        zone.detach();
        options.check = true;
        ASSERT_EQ(again.attach(options), SLM_OK) << again.error.text;
        EXPECT_EQ(numbers_alone(again), (Numbers{3}));
        EXPECT_EQ(slm_zone_remove(again, &again.error), SLM_OK) << again.error.text;
        EXPECT_EQ(push_alone(again, 4), SLM_OK);
        EXPECT_NE(access(all.path(kind).c_str(), F_OK), 0);
        EXPECT_EQ(slm_zone_remove(again, &again.error), SLM_E_MISSING);
    }
}

TEST(Zone, ThatOthersMayWriteToCanStillBeRemoved)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions all;
        Zone zone;
        slm_zone_options options = all.of(kind);
        options.segment.mode = 0666;
        ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
        EXPECT_EQ(slm_zone_remove(zone, &zone.error), SLM_OK) << zone.error.text;
        EXPECT_NE(access(all.path(kind).c_str(), F_OK), 0);
    }
}

/* A second remove of a zone must not remove the name of its successor. */
TEST(Zone, RemoveLeavesANameThatAnotherZoneHasNow)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions all;
        Zone old, successor, again;
        ASSERT_EQ(old.create(all.of(kind)), SLM_OK) << old.error.text;
        ASSERT_EQ(slm_zone_remove(old, nullptr), SLM_OK);
        ASSERT_EQ(successor.create(all.of(kind)), SLM_OK) << successor.error.text;
        EXPECT_EQ(slm_zone_remove(old, &old.error), SLM_E_MISSING);
        EXPECT_NE(strstr(old.error.text, all.path(kind).c_str()), nullptr) << old.error.text;
        EXPECT_EQ(again.attach(all.to_attach(successor)), SLM_OK) << again.error.text;
    }
}

TEST(Zone, OfAKindWithoutANameHasNothingToRemove)
{
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD}) {
        ZoneOptions all;
        Zone zone;
        ASSERT_EQ(zone.create(all.of(kind)), SLM_OK) << zone.error.text;
        EXPECT_EQ(slm_zone_remove(zone, &zone.error), SLM_OK);
        EXPECT_EQ(push_alone(zone, 4), SLM_OK);
    }
    slm_zone_detach(nullptr);
}

/* --- Growth that fails --- */

TEST(Zone, GrownPastTheAvailableSpaceStaysAsItWas)
{
    ZoneOptions all(kZoneBytes, 4 * 1024 * 1024);
    int status = in_child([&] {
        bool has_small = slm_test::enter_mount_namespace() &&
                         mount("none", all.folder().path().c_str(), "tmpfs", 0, "size=1m") == 0;
        if (!has_small) {
            return 99;
        }
        Zone zone;
        if (zone.create(all.of(SLM_SEGMENT_FILE)) != SLM_OK || push_alone(zone, 1) != SLM_OK) {
            return 1;
        }
        if (slm_zone_grow(zone, 2 * 1024 * 1024, &zone.error) != SLM_E_SPACE ||
            strstr(zone.error.text, all.path(SLM_SEGMENT_FILE).c_str()) == nullptr) {
            return 2;
        }
        bool same = zone.stats().bytes == kZoneBytes && numbers_alone(zone) == Numbers{1} &&
                    check_alone(zone) == 0;
        return same && slm_zone_grow(zone, 2 * kZoneBytes, nullptr) == SLM_OK ? 0 : 3;
    });
    if (status == 99) {
        GTEST_SKIP() << "this user can neither mount nor make a namespace to mount in";
    }
    EXPECT_EQ(status, 0);
}

/* A process that died after its reservation leaves backing that no process sees. */
TEST(Zone, KeepsItsLengthAndGrowsOnAfterADeathInGrow)
{
    for (Kind kind : kEveryKind) {
        ZoneOptions all;
        Zone zone;
        ASSERT_EQ(zone.create(all.of(kind)), SLM_OK);
        EXPECT_EQ(in_child([&] {
                      EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                      (void)slm_zone_reserve(zone, 2 * kZoneBytes, nullptr);
                      raise(SIGKILL);
                      return 0;
                  }),
                  128 + SIGKILL);
        EXPECT_EQ(check_alone(zone), 0u);
        EXPECT_EQ(zone.stats().bytes, kZoneBytes);
        EXPECT_EQ(slm_zone_grow(zone, kZoneBytes + 4096, nullptr), SLM_OK);
        EXPECT_EQ(zone.stats().bytes, kZoneBytes + 4096);
        EXPECT_EQ(check_alone(zone), 0u);
    }
}

TEST(Zone, WithAPublishedLengthAndOldPagesIsRepaired)
{
    ZoneOptions all;
    Zone zone, other;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                  (void)slm_zone_reserve(zone, 4 * kZoneBytes, nullptr);
                  zone.header()->bytes = 4 * kZoneBytes;
                  raise(SIGKILL);
                  return 0;
              }),
              128 + SIGKILL);
    ASSERT_EQ(other.attach(all.to_attach(zone)), SLM_OK);
    EXPECT_NE(slm_zone_alloc(zone, 3 * kZoneBytes, nullptr), nullptr);
    EXPECT_EQ(check_alone(zone), 0u);
    EXPECT_EQ(check_alone(other), 0u);
}

/* Attached while another process has reserved space that it then takes back. */
TEST(Zone, MappedLongerThanItIsWorksAndKeepsItsLength)
{
    ZoneOptions all;
    Zone zone, other;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_FILE)), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_zone_reserve(zone, 2 * kZoneBytes, nullptr), SLM_OK);
    ASSERT_EQ(other.attach(all.to_attach(zone)), SLM_OK) << other.error.text;
    slm_zone_unreserve(zone);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(slm_segment_bytes(slm_zone_segment(other)), 2 * kZoneBytes);
    EXPECT_EQ(push_alone(other, 1), SLM_OK);
    ASSERT_EQ(slm_zone_lock(other), SLM_OK);
    slm_zone_publish_growth(other);
    ASSERT_EQ(slm_zone_unlock(other), SLM_OK);
    EXPECT_EQ(zone.stats().bytes, kZoneBytes);
    EXPECT_EQ(check_alone(zone), 0u);
    ASSERT_EQ(slm_zone_grow(zone, 3 * kZoneBytes, nullptr), SLM_OK);
    EXPECT_EQ(numbers_alone(other), (Numbers{1}));
    EXPECT_EQ(check_alone(other), 0u);
}

/* Under the lock no other process reserves. So the mapping past the zone's end is unmapped there,
 * and does not count as a cut. */
TEST(Zone, MappedLongerThanItIsCanBeRepairedCheckedAndGrown)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        ZoneOptions all;
        Zone zone, other, reader;
        ASSERT_EQ(zone.create(all.of(kind)), SLM_OK);
        ASSERT_EQ(push_alone(zone, 1), SLM_OK);
        slm_zone_attach_options options = all.to_attach(zone);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        ASSERT_EQ(slm_zone_reserve(zone, 2 * kZoneBytes, nullptr), SLM_OK);
        ASSERT_EQ(other.attach(options), SLM_OK) << other.error.text;
        options.segment.read_only = true;
        ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
        slm_zone_unreserve(zone);
        ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
        EXPECT_EQ(slm_zone_check_locked(reader), 0u);
        EXPECT_EQ(in_child([&] {
                      EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                      (void)push(zone, 2);
                      raise(SIGKILL);
                      return 0;
                  }),
                  128 + SIGKILL);
        EXPECT_EQ(numbers_alone(other), (Numbers{1}));
        EXPECT_EQ(check_alone(other), 0u);
        EXPECT_EQ(slm_segment_bytes(slm_zone_segment(other)), kZoneBytes);
        EXPECT_EQ(slm_zone_grow(other, 2 * kZoneBytes, &other.error), SLM_OK) << other.error.text;
        EXPECT_EQ(push_alone(other, 3), SLM_OK);
        EXPECT_EQ(numbers_alone(zone), (Numbers{3, 1}));
        EXPECT_EQ(check_alone(zone), 0u);
    }
}

} // namespace
