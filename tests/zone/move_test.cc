/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a zone is moved to a zone of another size or other classes, as a part of a reload. */
#include <thread>

#include "tests/segment/hooks.h"
#include "tests/zone/move_fixture.h"

namespace {

using namespace slm_test;

constexpr unsigned kLinks = 300;

class ZoneMoveOfAKind : public testing::TestWithParam<Kind> {
  protected:
    void SetUp() override
    {
        options = all.of(GetParam());
        ASSERT_EQ(set.apply({moves.declare(options)}), SLM_OK) << set.error.text;
        zone = set["keys"];
        content = push_many(zone, kLinks);
        longer = options;
        longer.bytes = longer.max_bytes = 2 * kZoneMaxBytes;
    }

    void expect_as_before(const Holdings &before)
    {
        EXPECT_EQ(set["keys"], zone);
        EXPECT_EQ(set.size(), 1u);
        EXPECT_EQ(numbers_alone(zone), content);
        EXPECT_EQ(check_alone(zone), 0u);
        EXPECT_EQ(zone->header->state, uint64_t{ZONE_READY});
        EXPECT_EQ(Holdings(), before);
        EXPECT_EQ(slm_segment_verify(slm_zone_segment(zone), nullptr), SLM_OK);
        EXPECT_EQ(count_leftovers(all, SLM_SEGMENT_FILE), 0u);
        EXPECT_EQ(count_leftovers(all, SLM_SEGMENT_POSIX), 0u);
    }

    ZoneOptions all, other;
    slm_zone_options options{}, longer{};
    Moves moves;
    Set set;
    slm_zone *zone = nullptr;
    Numbers content;
};

INSTANTIATE_TEST_SUITE_P(Each, ZoneMoveOfAKind, testing::ValuesIn(kEveryKind));

TEST_P(ZoneMoveOfAKind, IsNotMadeWhereTheZoneGrowsInPlace)
{
    options.bytes = kZoneMaxBytes;
    ASSERT_EQ(set.apply({moves.declare(options)}), SLM_OK) << set.error.text;
    options.bytes = kZoneBytes;
    options.max_bytes = 0;
    options.journal_entries = 0;
    ASSERT_EQ(set.apply({moves.declare(options)}), SLM_OK) << set.error.text;
    EXPECT_EQ(moves.n_calls, 0u);
    EXPECT_EQ(set["keys"], zone);
    EXPECT_EQ(zone_bytes(zone), kZoneMaxBytes);
}

TEST_P(ZoneMoveOfAKind, OfAnotherTagOrKindIsRefused)
{
    Holdings before;
    longer.tag = "another";
    EXPECT_EQ(set.apply({moves.declare(longer)}), SLM_E_NAME);
    longer.tag = options.tag;
    longer.segment.kind = GetParam() == SLM_SEGMENT_MEMFD ? SLM_SEGMENT_SYSV : SLM_SEGMENT_MEMFD;
    EXPECT_EQ(set.apply({moves.declare(longer)}), SLM_E_OPTION);
    EXPECT_EQ(moves.n_calls, 0u);
    expect_as_before(before);
}

TEST_P(ZoneMoveOfAKind, ThatTheCallbackRefusesChangesNothing)
{
    Holdings before;
    moves.after = [](slm_zone *, slm_zone *from) {
        EXPECT_TRUE(pop(from)); /* it should only read: this is undone */
        return SLM_E_DUPLICATE;
    };
    EXPECT_EQ(set.apply({moves.declare(longer)}), SLM_E_DUPLICATE);
    EXPECT_STREQ(set.error.text, "zone keys: its content cannot be moved to bytes 2097152, "
                                 "max_bytes 2097152: an object is in the structure already");
    expect_as_before(before);
}

TEST_P(ZoneMoveOfAKind, ThatRunsOutOfRoomChangesNothing)
{
    content = push_many(zone, 1500);
    Holdings before;
    options.bytes = options.max_bytes = SLM_ZONE_BYTES_MIN;
    EXPECT_EQ(set.apply({moves.declare(options)}), SLM_E_NOMEM);
    EXPECT_NE(strstr(set.error.text, "cannot be moved to bytes 65536"), nullptr) << set.error.text;
    expect_as_before(before);
}

TEST_P(ZoneMoveOfAKind, ThatIgnoresARefusedCallChangesNothing)
{
    Holdings before;
    moves.after = [](slm_zone *to, slm_zone *) {
        while (slm_journal_calloc(slm_zone_journal(to), 8) != nullptr) {
        }
        return SLM_OK;
    };
    EXPECT_EQ(set.apply({moves.declare(longer)}), SLM_E_FULL);
    expect_as_before(before);
}

TEST_P(ZoneMoveOfAKind, ThatUnlocksChangesNothing)
{
    for (bool is_of_old : {true, false}) {
        Holdings before;
        moves.after = [&](slm_zone *to, slm_zone *from) {
            return slm_zone_unlock(is_of_old ? from : to);
        };
        EXPECT_EQ(set.apply({moves.declare(longer)}), SLM_E_OWNER);
        expect_as_before(before);
    }
}

slm_status refuse(slm_zone *, bool, void *)
{
    return SLM_E_FOREIGN;
}

TEST_P(ZoneMoveOfAKind, IsTakenBackWhenAnotherZoneOfTheReloadFails)
{
    slm_zone_options second = other.of(SLM_SEGMENT_FILE);
    second.name = "second";
    ASSERT_EQ(set.apply({moves.declare(options), moves.declare(second)}), SLM_OK);
    (void)push_many(set["second"], 30);
    slm_zone_options next = second, new_one = all.of(SLM_SEGMENT_ANONYMOUS);
    next.bytes = next.max_bytes = 2 * kZoneMaxBytes;
    new_one.name = "zzz";
    slm_zone_options impossible = new_one;
    impossible.segment.kind = SLM_SEGMENT_POSIX;
    impossible.segment.name = "a/b";
    const std::vector<slm_zone_declaration> failing[] = {
        {moves.declare(longer), {moves.with(next), refuse, nullptr, false}},
        {moves.declare(longer), moves.declare(next), {new_one, refuse, nullptr, false}},
        {moves.declare(longer), {second, refuse, nullptr, false}},
        {moves.declare(longer), moves.declare(next), {impossible, nullptr, nullptr, false}},
    };
    for (const auto &declarations : failing) {
        Holdings before;
        EXPECT_NE(set.apply(declarations), SLM_OK);
        EXPECT_EQ(set.size(), 2u);
        EXPECT_EQ(set["keys"], zone);
        EXPECT_EQ(numbers_alone(zone), content);
        EXPECT_EQ(numbers_alone(set["second"]).size(), 30u);
        EXPECT_EQ(check_alone(zone) + check_alone(set["second"]), 0u);
        EXPECT_EQ(Holdings(), before);
        EXPECT_EQ(slm_segment_verify(slm_zone_segment(set["second"]), nullptr), SLM_OK);
        EXPECT_EQ(count_leftovers(other, SLM_SEGMENT_FILE), 0u);
    }
    unsigned n_before = moves.n_calls;
    EXPECT_EQ(set.apply({moves.declare(longer), moves.declare(next)}), SLM_OK) << set.error.text;
    EXPECT_EQ(moves.n_calls, n_before + 2);
    EXPECT_EQ(numbers_alone(set["keys"]), content);
    EXPECT_EQ(numbers_alone(set["second"]).size(), 30u);
}

TEST_P(ZoneMoveOfAKind, GivesInitAZoneThatIsReused)
{
    auto init = [](slm_zone *, bool is_reused, void *data) {
        *static_cast<bool *>(data) = is_reused;
        return SLM_OK;
    };
    bool is_reused = false;
    ASSERT_EQ(set.apply({{moves.with(longer), init, &is_reused, false}}), SLM_OK);
    EXPECT_TRUE(is_reused);
}

TEST_P(ZoneMoveOfAKind, BringsEarlierContentForwardAndRefusesLater)
{
    longer.content_version = 2;
    ASSERT_EQ(set.apply({moves.declare(longer)}), SLM_OK) << set.error.text;
    struct slm_zone_stats stats;
    slm_zone_get_stats(set["keys"], &stats);
    EXPECT_EQ(stats.content_version, 2u);
    options.content_version = 1;
    EXPECT_EQ(set.apply({moves.declare(options)}), SLM_E_VERSION);
    EXPECT_STREQ(set.error.text,
                 "zone keys: its content has version 2, later than 1 of this program");
    EXPECT_EQ(numbers_alone(set["keys"]), content);
}

/* A child that has the set of its parent makes the move, and ends. Where the new zone has no name, it
 * ends with the child: the parent does not make an empty one in its place. */
TEST_P(ZoneMoveOfAKind, OfAZoneByAChildIsSeenByTheParent)
{
    EXPECT_EQ(in_child([&] { return static_cast<int>(set.apply({moves.declare(longer)})); }), 0);
    EXPECT_EQ(push_alone(zone, 5), SLM_E_REPLACED);
    bool is_named = slm_zone_has_name(GetParam());
    EXPECT_EQ(set.apply({moves.declare(longer)}), is_named ? SLM_OK : SLM_E_REPLACED);
    if (is_named) {
        EXPECT_EQ(numbers_alone(set["keys"]), content);
    } else {
        EXPECT_EQ(set["keys"], zone);
        EXPECT_STREQ(set.error.text, "zone keys: a file or zone was replaced or removed after all "
                                     "processes agreed on it");
    }
}

bool has_waiters(slm_zone *of)
{
    slm_lock_owner owner = {};
    slm_lock_get_owner(slm_zone_lock_handle(of), &owner);
    return owner.has_waiters;
}

/* A second handle of a zone, where that can be had. */
class ZoneMoveOfTwoHandles : public ZoneMoveOfAKind {
  protected:
    void SetUp() override
    {
        ZoneMoveOfAKind::SetUp();
        ASSERT_EQ(kept.attach(all.to_attach(zone)), SLM_OK) << kept.error.text;
    }
    Zone kept;
};

INSTANTIATE_TEST_SUITE_P(Each, ZoneMoveOfTwoHandles,
                         testing::Values(SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD,
                                         SLM_SEGMENT_FILE));

TEST_P(ZoneMoveOfTwoHandles, RefusesAThreadThatWaitedForTheLockMeanwhile)
{
    slm_status got = SLM_OK;
    std::thread waiter;
    moves.after = [&](slm_zone *, slm_zone *) {
        waiter = std::thread([&] { got = push_alone(kept, 9); });
        while (!has_waiters(kept)) {
            std::this_thread::yield();
        }
        return SLM_OK;
    };
    ASSERT_EQ(set.apply({moves.declare(longer)}), SLM_OK) << set.error.text;
    waiter.join();
    EXPECT_EQ(got, SLM_E_REPLACED);
    EXPECT_EQ(numbers_alone(set["keys"]), content);
}

TEST_P(ZoneMoveOfTwoHandles, LeavesAReadOnlyHandleTheEarlierContent)
{
    Zone reader;
    slm_zone_attach_options to_read = all.to_attach(zone);
    to_read.segment.read_only = GetParam() != SLM_SEGMENT_SYSV;
    ASSERT_EQ(reader.attach(to_read), SLM_OK) << reader.error.text;
    ASSERT_EQ(set.apply({moves.declare(longer)}), SLM_OK) << set.error.text;
    EXPECT_EQ(numbers(reader), content);
    EXPECT_EQ(slm_zone_check_locked(reader), 0u);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(slm_zone_lock(kept), SLM_E_REPLACED);
        EXPECT_EQ(slm_zone_trylock(kept), SLM_E_REPLACED);
        EXPECT_EQ(slm_zone_timedlock(kept, 5), SLM_E_REPLACED);
        EXPECT_EQ(slm_zone_grow(kept, kZoneMaxBytes, &kept.error), SLM_E_REPLACED);
    }
}

/* --- Zones with names --- */

class ZoneMoveByName : public ZoneMoveOfTwoHandles {
  protected:
    void TearDown() override
    {
        slm_segment_remove_leftovers(slm_zone_segment(kept));
    }
    /* The master dies in the move, before the rename. */
    void die_before_the_rename()
    {
        EXPECT_EQ(in_child([&] {
                      Set own;
                      slm_zone_set_share(own, true);
                      slm_segment_sys.rename_over = [](const char *, const char *) {
                          return raise(SIGKILL);
                      };
                      return static_cast<int>(own.apply({moves.declare(longer)}));
                  }),
                  128 + SIGKILL);
    }
};

INSTANTIATE_TEST_SUITE_P(Each, ZoneMoveByName, testing::ValuesIn(kNamedKinds));

TEST_P(ZoneMoveByName, LeavesTheZoneToItsWorkersIfTheMasterDiesBeforeTheRename)
{
    die_before_the_rename();
    EXPECT_EQ(zone->header->state, uint64_t{ZONE_MOVED});
    EXPECT_EQ(push_alone(kept, 5), SLM_OK);
    EXPECT_EQ(zone->header->state, uint64_t{ZONE_READY});
    content.insert(content.begin(), 5);
    EXPECT_EQ(numbers_alone(zone), content);
    EXPECT_EQ(check_alone(zone), 0u);
}

TEST_P(ZoneMoveByName, LeavesAFileThatTheNextStartRemoves)
{
    die_before_the_rename();
    EXPECT_EQ(count_leftovers(all, GetParam()), 1u);
    Zone opened;
    options = moves.with(options);
    ASSERT_EQ(slm_zone_open(&opened.zone, &options, nullptr, &opened.error), SLM_OK)
        << opened.error.text;
    EXPECT_EQ(numbers_alone(opened), content);
    EXPECT_EQ(count_leftovers(all, GetParam()), 0u);
}

/* The disk had the state when the power failed, and not the rename. */
TEST_P(ZoneMoveByName, LostWithThePowerLeavesAZoneThatIsChecked)
{
    unsigned n_checks = 0;
    kept.zone->check_data = &n_checks;
    kept.zone->check_content = [](slm_zone *, void *data) {
        ++*static_cast<unsigned *>(data);
        return SLM_OK;
    };
    kept.header()->state = ZONE_MOVED;
    kept.header()->vouched = 0;
    EXPECT_EQ(numbers_alone(kept), content);
    EXPECT_EQ(n_checks, GetParam() == SLM_SEGMENT_FILE ? 1u : 0u);
    EXPECT_EQ(kept.header()->state, uint64_t{ZONE_READY});
}

TEST_P(ZoneMoveByName, IsRefusedIfTheFileHasTwoNames)
{
    std::string path = all.path(GetParam()), second = path + ".second";
    ASSERT_EQ(link(path.c_str(), second.c_str()), 0);
    Holdings before;
    EXPECT_EQ(set.apply({moves.declare(longer)}), SLM_E_STATE);
    EXPECT_NE(strstr(set.error.text, "its file has 2 names"), nullptr) << set.error.text;
    ASSERT_EQ(unlink(second.c_str()), 0);
    expect_as_before(before);
    EXPECT_EQ(moves.n_calls, 0u);
}

TEST_P(ZoneMoveByName, IsRefusedIfTheNameIsGoneOrLeadsElsewhere)
{
    std::string path = all.path(GetParam()), away = path + ".away";
    ASSERT_EQ(rename(path.c_str(), away.c_str()), 0);
    EXPECT_EQ(set.apply({moves.declare(longer)}), SLM_E_MISSING);
    EXPECT_EQ(close(open(path.c_str(), O_CREAT | O_RDWR, 0600)), 0);
    EXPECT_EQ(set.apply({moves.declare(longer)}), SLM_E_REPLACED);
    ASSERT_EQ(rename(away.c_str(), path.c_str()), 0);
    EXPECT_EQ(moves.n_calls, 0u);
    EXPECT_EQ(numbers_alone(zone), content);
}

TEST_P(ZoneMoveByName, IsMadeByTheNextServerAfterTheFirstOneEnded)
{
    ASSERT_EQ(set.apply({}), SLM_OK);
    Set next;
    EXPECT_EQ(next.apply({moves.declare(longer)}), SLM_OK) << next.error.text;
    EXPECT_EQ(numbers_alone(next["keys"]), content);
    EXPECT_EQ(moves.n_calls, 1u);
}

TEST_P(ZoneMoveByName, IsRefusedWhileAnotherServerHasTheZone)
{
    EXPECT_EQ(in_child([&] {
                  Set own;
                  Zone opened;
                  slm_zone_options with = moves.with(longer);
                  if (own.apply({moves.declare(longer)}) != SLM_E_LOCKED) {
                      return 1;
                  }
                  return slm_zone_open(&opened.zone, &with, nullptr, nullptr) == SLM_E_LOCKED ? 0
                                                                                              : 2;
              }),
              0);
    EXPECT_EQ(numbers_alone(zone), content);
    EXPECT_EQ(count_leftovers(all, GetParam()), 0u);
}

TEST_P(ZoneMoveByName, OfServersThatShareTheZoneIsFoundByTheOther)
{
    Set other_set;
    for (slm_zone_set *each :
         {static_cast<slm_zone_set *>(set), static_cast<slm_zone_set *>(other_set)}) {
        ASSERT_EQ(slm_zone_set_share(each, true), SLM_OK);
    }
    ASSERT_EQ(other_set.apply({moves.declare(options)}), SLM_OK) << other_set.error.text;
    ASSERT_EQ(set.apply({moves.declare(longer)}), SLM_OK) << set.error.text;
    ASSERT_EQ(other_set.apply({moves.declare(longer)}), SLM_OK) << other_set.error.text;
    EXPECT_TRUE(slm_zone_are_one(set["keys"], other_set["keys"]));
    EXPECT_EQ(moves.n_calls, 1u);
}

/* --- Failures of the system --- */

TEST_P(ZoneMoveOfAKind, InWhichACallToTheSystemFailsChangesNothing)
{
    unsigned n_failed = 0;
    for (unsigned n = 1;; n++) {
        EveryCall hooks;
        Holdings before;
        faults.fail_at = n;
        faults.error = n % 2 == 0 ? ENOMEM : ENOSPC;
        slm_status status = set.apply({moves.declare(longer)});
        bool has_failed = faults.n_calls >= n;
        faults.fail_at = 0;
        if (status == SLM_OK) {
            ASSERT_EQ(numbers_alone(set["keys"]), content);
            if (!has_failed) {
                break;
            }
            zone = nullptr; /* the call has a fallback: back to the shorter one */
            ASSERT_EQ(set.apply({moves.declare(options)}), SLM_OK) << set.error.text;
            zone = set["keys"];
            continue;
        }
        n_failed++;
        EXPECT_EQ(set.error.status, status);
        EXPECT_STRNE(set.error.text, "");
        expect_as_before(before);
    }
    EXPECT_GE(n_failed, 2u);
}

/* --- Locks --- */

TEST(ZoneMoveOfALockFile, ToAnotherLockFileIsRefused)
{
    ZoneOptions all;
    Moves moves;
    Set set;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE, SLM_LOCK_FILE);
    ASSERT_EQ(set.apply({moves.declare(options)}), SLM_OK) << set.error.text;
    Numbers content = push_many(set["keys"], kLinks);
    options.bytes = options.max_bytes = 2 * kZoneMaxBytes;
    EXPECT_EQ(set.apply({moves.declare(options)}), SLM_E_OPTION);
    EXPECT_STREQ(set.error.text,
                 "zone keys: its content cannot be moved: a move holds the locks of both zones, "
                 "which a lock file does not allow");
    options.lock_kind = SLM_LOCK_ROBUST;
    ASSERT_EQ(set.apply({moves.declare(options)}), SLM_OK) << set.error.text;
    EXPECT_EQ(numbers_alone(set["keys"]), content);
    options.lock_kind = SLM_LOCK_FILE;
    ASSERT_EQ(set.apply({moves.declare(options)}), SLM_OK) << set.error.text;
    EXPECT_EQ(numbers_alone(set["keys"]), content);
    EXPECT_EQ(check_alone(set["keys"]), 0u);
    EXPECT_EQ(moves.n_calls, 2u);
}

} // namespace
