/* SPDX-License-Identifier: Apache-2.0 */
/* Short storms; and that a storm can tell. `bazel run //tests:kill_storm` for longer ones. */
#include <gtest/gtest.h>

#include "tests/kill/fault.h"
#include "tests/kill/storm.h"

namespace {

using namespace kill_test;

/* A fault is one of the processes to come, too. */
StormResult storm_with(enum kill_fault fault, StormResult (*storm)(const StormOptions &),
                       const StormOptions &options)
{
    kill_fault = fault;
    StormResult result = storm(options);
    kill_fault = KILL_FAULT_NONE;
    return result;
}

void expect_good(const StormResult &result)
{
    EXPECT_EQ(result.n_hangs, 0u);
    EXPECT_EQ(result.n_lost, 0u) << result.first_wrong;
    EXPECT_EQ(result.n_double, 0u) << result.first_wrong;
    EXPECT_GT(result.n_kills, 6u);
    EXPECT_GT(result.n_turns, 100u);
    EXPECT_GT(result.n_recoveries, 0u) << "nobody died with the lock: nothing was shown";
}

TEST(KillStorm, NothingHangsIsLostOrHasTwoOwnersInAZone)
{
    expect_good(storm_zone({}));
}

TEST(KillStorm, NothingHangsOrHasTwoOwnersAtTheLockAlone)
{
    expect_good(storm_lock({}));
}

TEST(KillStorm, AZoneThatIsNotRecoveredIsFound)
{
    EXPECT_FALSE(storm_with(KILL_FAULT_RECOVERS_NOTHING, storm_zone, {}).is_good());
}

TEST(KillStorm, AnObjectThatIsNotNotedIsFound)
{
    StormOptions options;
    options.seconds = 60; /* at most: it ends with the first find */
    EXPECT_FALSE(storm_with(KILL_FAULT_NOTES_NO_OBJECT, storm_zone, options).is_good());
}

TEST(KillStorm, ALockThatIsTakenFromTheLivingIsFound)
{
    EXPECT_GT(storm_with(KILL_FAULT_BELIEVES_ALL_DEAD, storm_lock, {}).n_double, 0u);
}

TEST(KillStorm, WaitersWhomNobodyWakesAreFound)
{
    StormOptions options;
    options.seconds = 60; /* at most, as above */
    options.lock_is_robust = false;
    options.hang_s = 2;
    EXPECT_GT(storm_lock(options).n_lost, 0u);
}

} // namespace
