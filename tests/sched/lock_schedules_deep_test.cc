/* SPDX-License-Identifier: Apache-2.0 */
/* Like lock_schedules_test, with bounds that take minutes. */
#include "tests/sched/lock_programs.h"

namespace {

using namespace slm_test;

TEST(LockSchedulesDeep, TwoActorsKeepLawsWithFivePreemptionsAndTwoDeaths)
{
    expect_lawful({"LU|LU", "LRU|tU", "LU|fTRU"}, SLM_LOCK_ROBUST, 5, 2);
}

TEST(LockSchedulesDeep, ThreeActorsKeepLawsWithThreePreemptionsAndADeath)
{
    expect_lawful({"LU|LU|LU", "LRU|tU|LRU", "LU|tU|F", "LRU|TRU|f"}, SLM_LOCK_ROBUST, 3, 1);
}

TEST(LockSchedulesDeep, ThreeActorsKeepLawsWithFourPreemptionsAndADeath)
{
    expect_lawful({"LU|LU|LU"}, SLM_LOCK_ROBUST, 4, 1);
}

TEST(LockSchedulesDeep, FourActorsKeepLawsWithTwoPreemptionsAndADeath)
{
    expect_lawful({"LU|LU|LU|LU", "LU|tU|LU|F"}, SLM_LOCK_ROBUST, 2, 1);
}

TEST(LockSchedulesDeep, FileLockOfTwoProcessesWithThreePreemptionsAndADeath)
{
    expect_lawful({"LU|LU", "LRU|LRU", "LULU|LU", "LU|tU", "LRU|tRU", "LU|FfFf"}, SLM_LOCK_FILE, 3,
                  1);
}

TEST(LockSchedulesDeep, FileLockOfThreeProcessesWithTwoPreemptionsAndADeath)
{
    expect_lawful({"LU|LU|LU", "LRU|tU|LRU", "LU|tU|F", "LRU|TRU|f"}, SLM_LOCK_FILE, 2, 1);
}

} // namespace
