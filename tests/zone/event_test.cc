/* SPDX-License-Identifier: Apache-2.0 */
/* Events of zones: repairs, refusals, lost names; the listener may use the zone. */
#include <slabmill/event.h>

#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

struct Seen {
    slm_event_kind kind;
    slm_status status;
    bool operator==(const Seen &other) const
    {
        return kind == other.kind && status == other.status;
    }
};

std::ostream &operator<<(std::ostream &out, const Seen &seen)
{
    return out << seen.kind << " " << slm_status_name(seen.status);
}

class ZoneEvent : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_FILE)), SLM_OK) << zone.error.text;
        slm_event_listen(listen, this);
    }
    ~ZoneEvent() override
    {
        slm_event_listen(nullptr, nullptr);
    }
    static void listen(const slm_event *event, void *data)
    {
        auto *self = static_cast<ZoneEvent *>(data);
        EXPECT_STREQ(event->name, "keys");
        EXPECT_FALSE(slm_lock_is_mine(slm_zone_lock_handle(self->zone)));
        if (self->uses_zone) {
            EXPECT_EQ(push_alone(self->zone, 5), SLM_OK);
        }
        self->seen.push_back({event->kind, event->status});
    }

    ZoneOptions all;
    Zone zone;
    bool uses_zone = false;
    std::vector<Seen> seen;
};

TEST_F(ZoneEvent, DeathAndRepairAreReportedAfterTheTurn)
{
    expect_death_in_turn(zone);
    uses_zone = true;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_TRUE(push(zone, 2));
    EXPECT_TRUE(seen.empty());
    ASSERT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    EXPECT_EQ(seen,
              (std::vector<Seen>{{SLM_EVENT_OWNER_DIED, SLM_OK}, {SLM_EVENT_REPAIRED, SLM_OK}}));
    EXPECT_EQ(numbers_alone(zone), (Numbers{5, 5, 2}));
}

TEST_F(ZoneEvent, ATurnThatIsUndoneReportsTheRepairToo)
{
    expect_death_in_turn(zone);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_end(zone, SLM_E_NOMEM), SLM_E_NOMEM);
    EXPECT_EQ(seen.size(), 2u);
}

TEST_F(ZoneEvent, ARepairReportsThatTheNameIsLost)
{
    ASSERT_EQ(unlink(all.path(SLM_SEGMENT_FILE).c_str()), 0);
    expect_death_in_turn(zone);
    ASSERT_EQ(push_alone(zone, 2), SLM_OK);
    EXPECT_EQ(seen, (std::vector<Seen>{{SLM_EVENT_OWNER_DIED, SLM_OK},
                                       {SLM_EVENT_REPAIRED, SLM_OK},
                                       {SLM_EVENT_NAME_LOST, SLM_E_MISSING}}));
}

const std::vector<Seen> kRepaired = {{SLM_EVENT_OWNER_DIED, SLM_OK}, {SLM_EVENT_REPAIRED, SLM_OK}};

TEST_F(ZoneEvent, ARepairReportsThatTheNameLeadsToAnotherFile)
{
    std::string path = all.path(SLM_SEGMENT_FILE);
    ASSERT_EQ(rename(path.c_str(), (path + ".old").c_str()), 0);
    std::ofstream(path) << "another file";
    expect_death_in_turn(zone);
    ASSERT_EQ(push_alone(zone, 2), SLM_OK);
    std::vector<Seen> expected = kRepaired;
    expected.push_back({SLM_EVENT_NAME_LOST, SLM_E_REPLACED});
    EXPECT_EQ(seen, expected);
}

/* Its root has no such path, or has another file there. */
TEST_F(ZoneEvent, AWorkerInAChrootReportsOnlyANameThatIsGone)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can enter a chroot";
    }
    std::string jail = all.folder() / "jail";
    ASSERT_EQ(mkdir(jail.c_str(), 0700), 0);
    for (bool is_gone : {false, true}) {
        if (is_gone) {
            ASSERT_EQ(unlink(all.path(SLM_SEGMENT_FILE).c_str()), 0);
        }
        expect_death_in_turn(zone);
        std::vector<Seen> expected = kRepaired;
        if (is_gone) {
            expected.push_back({SLM_EVENT_NAME_LOST, SLM_E_MISSING});
        }
        EXPECT_EQ(in_child([&] {
                      bool is_in = chroot(jail.c_str()) == 0 && chdir("/") == 0;
                      return first_wrong({is_in, push_alone(zone, 2) == SLM_OK, seen == expected});
                  }),
                  0)
            << is_gone;
    }
}

TEST_F(ZoneEvent, ADaemonThatChangedItsFolderReportsNoLostName)
{
    std::string path = all.folder() / "relative";
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    options.segment.name = "relative";
    for (bool is_gone : {false, true}) {
        std::vector<Seen> expected = kRepaired;
        if (is_gone) {
            expected.push_back({SLM_EVENT_NAME_LOST, SLM_E_MISSING});
        }
        EXPECT_EQ(in_child([&] {
                      zone.detach();
                      bool is_made =
                          chdir(all.folder().path().c_str()) == 0 && zone.create(options) == SLM_OK;
                      expect_death_in_turn(zone);
                      bool is_away = chdir("/") == 0 && (!is_gone || unlink(path.c_str()) == 0);
                      bool is_used = push_alone(zone, 2) == SLM_OK;
                      (void)unlink(path.c_str());
                      return first_wrong({is_made, is_away, is_used, seen == expected});
                  }),
                  0)
            << is_gone;
    }
}

TEST_F(ZoneEvent, ARefusalIsReportedOnceUntilItsReasonChanges)
{
    zone.header()->state = ZONE_BROKEN;
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_BROKEN);
    EXPECT_EQ(slm_zone_trylock(zone), SLM_E_BROKEN);
    zone.header()->state = ZONE_READY;
    zone.zone->content_version = 77;
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_VERSION);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_VERSION);
    EXPECT_EQ(seen, (std::vector<Seen>{{SLM_EVENT_REFUSED, SLM_E_BROKEN},
                                       {SLM_EVENT_REFUSED, SLM_E_VERSION}}));
}

TEST_F(ZoneEvent, ALockThatIsHeldIsNoRefusal)
{
    Zone other;
    ASSERT_EQ(other.attach(all.to_attach(zone)), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_HELD);
    EXPECT_EQ(in_child([&] {
                  return first_wrong({slm_zone_trylock(other) == SLM_E_LOCKED,
                                      slm_zone_timedlock(other, 1) == SLM_E_TIMEOUT, seen.empty()});
              }),
              0);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_TRUE(seen.empty());
}

} // namespace
