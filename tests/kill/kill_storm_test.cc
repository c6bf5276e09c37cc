/* SPDX-License-Identifier: Apache-2.0 */
/* Short storms. None of them ends by the clock alone. Other tests show that a storm finds faults.
 * `bazel run //tests/kill:kill_storm` runs longer ones. */
#include <gtest/gtest.h>

#include "tests/kill/fault.h"
#include "tests/kill/storm.h"

namespace {

using namespace kill_test;

constexpr uint64_t N_KILLS = 20;

/* The storm lasts longer where kills are slow. */
StormOptions short_storm()
{
    StormOptions options;
    options.n_kills = N_KILLS;
    return options;
}

/* Ends with the first finding, after about forty kills. */
StormOptions search()
{
    StormOptions options;
    options.seconds = 0;
    options.n_kills = 20000;
    return options;
}

/* Later children inherit the fault. */
StormResult storm_with(enum kill_fault fault, StormResult (*storm)(const StormOptions &))
{
    kill_fault = fault;
    StormResult result = storm(search());
    kill_fault = KILL_FAULT_NONE;
    return result;
}

void expect_good(const StormResult &result)
{
    printf("%.1f s, %llu kills, %llu operations, %llu recoveries, %llu copies, %llu moves, %llu "
           "syncs, "
           "%llu trims\n",
           result.seconds, static_cast<unsigned long long>(result.n_kills),
           static_cast<unsigned long long>(result.n_operations),
           static_cast<unsigned long long>(result.n_recoveries),
           static_cast<unsigned long long>(result.n_copies),
           static_cast<unsigned long long>(result.n_moves),
           static_cast<unsigned long long>(result.n_syncs),
           static_cast<unsigned long long>(result.n_trims));
    EXPECT_EQ(result.n_hangs, 0u);
    EXPECT_EQ(result.n_lost, 0u) << result.first_wrong;
    EXPECT_EQ(result.n_double, 0u) << result.first_wrong;
    EXPECT_GE(result.n_kills, N_KILLS);
    EXPECT_GT(result.n_operations, 100u);
    EXPECT_GT(result.n_recoveries, 0u)
        << "no process died holding the lock, so no repair was tried";
}

TEST(KillStorm, InAZoneNothingHangsIsLostOrHasTwoOwners)
{
    StormResult result = storm_zone(short_storm());
    expect_good(result);
    EXPECT_GT(result.n_copies, 0u);
    EXPECT_GT(result.n_moves, 0u);
    EXPECT_GT(result.n_syncs, 0u);
    EXPECT_GT(result.n_trims, 0u);
}

TEST(KillStorm, OnALockAloneNothingHangsOrHasTwoOwners)
{
    expect_good(storm_lock(short_storm()));
}

TEST(KillStorm, AZoneThatIsNotRecoveredIsFound)
{
    EXPECT_FALSE(storm_with(KILL_FAULT_RECOVERS_NOTHING, storm_zone).is_good());
}

TEST(KillStorm, AnObjectThatIsNotNotedIsFound)
{
    EXPECT_FALSE(storm_with(KILL_FAULT_NOTES_NO_OBJECT, storm_zone).is_good());
}

TEST(KillStorm, AnEarlierZoneThatCanBeLockedIsFound)
{
    EXPECT_FALSE(storm_with(KILL_FAULT_LOCKS_AN_EARLIER_ZONE, storm_zone).is_good());
}

TEST(KillStorm, ACleanMarkThatStaysOnAZoneInUseIsFound)
{
    EXPECT_FALSE(storm_with(KILL_FAULT_STAYS_CLEAN, storm_zone).is_good());
}

TEST(KillStorm, ATrimOfAUsedPageIsFound)
{
    EXPECT_FALSE(storm_with(KILL_FAULT_TRIMS_A_USED_PAGE, storm_zone).is_good());
}

TEST(KillStorm, ALockTakenFromALivingOwnerIsFound)
{
    EXPECT_GT(storm_with(KILL_FAULT_TAKES_ALL_FOR_DEAD, storm_lock).n_double, 0u);
}

TEST(KillStorm, WaitersThatNoProcessWakesAreFound)
{
    StormOptions options = search();
    options.lock_is_robust = false;
    EXPECT_GT(storm_lock(options).n_lost, 0u);
}

} // namespace
