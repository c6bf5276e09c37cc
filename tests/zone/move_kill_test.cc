/* SPDX-License-Identifier: Apache-2.0 */
/* A master is killed at each step of a move: the zone is the earlier one or the new one, and whole. */
#include "tests/zone/move_steps.h"

namespace {

using namespace slm_test;

constexpr unsigned kLinks = 10;

/* One zone with content, and a set that has it. */
class Scene {
  public:
    explicit Scene(Kind kind) : kind_(kind)
    {
        options = moves.with(all.of(kind));
        next = options;
        next.bytes = next.max_bytes = SLM_ZONE_BYTES_MIN;
        next.slab.per_doubling = 4;
        EXPECT_EQ(slm_zone_set_share(set, true), SLM_OK);
        EXPECT_EQ(set.apply({{options, nullptr, nullptr, false}}), SLM_OK) << set.error.text;
        content = push_many(set["keys"], kLinks);
    }
    Scene(const Scene &) = delete;
    Scene &operator=(const Scene &) = delete;

    /* A child with the set of its parent makes the move, and is killed. False: it was not. */
    bool kill_at(unsigned step)
    {
        return in_child([&] {
                   begin_steps(step);
                   return static_cast<int>(set.apply({{next, nullptr, nullptr, false}}));
               }) == 128 + SIGKILL;
    }

    /* A worker of the earlier configuration. True: the move happened. */
    bool expect_worker_goes_on_or_is_refused()
    {
        slm_zone *zone = set["keys"];
        slm_status status = push_alone(zone, 99);
        if (status != SLM_OK) {
            EXPECT_EQ(status, SLM_E_REPLACED);
            return true;
        }
        content.insert(content.begin(), 99);
        EXPECT_EQ(numbers_alone(zone), content);
        EXPECT_EQ(check_alone(zone), 0u);
        return false;
    }

    /* The next start, after which no trace of the one that was killed is left. */
    void expect_next_start_has_all()
    {
        Zone zone;
        ASSERT_EQ(slm_zone_open(&zone.zone, &next, nullptr, &zone.error), SLM_OK)
            << zone.error.text;
        EXPECT_EQ(numbers_alone(zone), content);
        EXPECT_EQ(check_alone(zone), 0u);
        EXPECT_EQ(zone_bytes(zone), next.bytes);
        EXPECT_EQ(count_leftovers(all, kind_), 0u);
    }

    ZoneOptions all;
    slm_zone_options options{}, next{};
    Moves moves;
    Set set;
    Numbers content;

  private:
    Kind kind_;
};

class ZoneMoveKill : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Each, ZoneMoveKill,
                         testing::Values(SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_POSIX,
                                         SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE));

TEST_P(ZoneMoveKill, LeavesTheEarlierZoneOrTheNewOneToWorkersAndToTheNextStart)
{
    unsigned n_moved = 0, n_kept = 0;
    for (unsigned step = 1; !HasFailure(); step++) {
        SCOPED_TRACE(step);
        Scene scene(GetParam());
        if (!scene.kill_at(step)) {
            break;
        }
        (scene.expect_worker_goes_on_or_is_refused() ? n_moved : n_kept)++;
        if (slm_zone_has_name(GetParam())) {
            scene.expect_next_start_has_all();
        }
    }
    EXPECT_GE(n_moved, 3u);
    EXPECT_GE(n_kept, 50u);
}

class ZoneMoveKillByName : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Each, ZoneMoveKillByName,
                         testing::Values(SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE));

TEST_P(ZoneMoveKillByName, LeavesAllToAStartBeforeAnyWorkerLocks)
{
    unsigned n_killed = 0;
    for (unsigned step = 1; !HasFailure(); step++) {
        SCOPED_TRACE(step);
        Scene scene(GetParam());
        if (!scene.kill_at(step)) {
            break;
        }
        scene.expect_next_start_has_all();
        EXPECT_TRUE(scene.expect_worker_goes_on_or_is_refused());
        n_killed++;
    }
    EXPECT_GE(n_killed, 50u);
}

} // namespace
