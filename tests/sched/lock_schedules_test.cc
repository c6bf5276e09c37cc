/* SPDX-License-Identifier: Apache-2.0 */
/* Every schedule of small programs keeps every law of the lock (lock_world.h lists them). */
#include "tests/sched/lock_programs.h"

namespace {

using namespace slm_test;

const std::vector<const char *> pairs = {
    "LU|LU",   "LRU|LRU", "LULU|LU", "LU|TU",    "TU|TU",   "LU|tU",      "tU|tU",
    "LRU|tRU", "LU|F",    "LRU|f",   "LRU|FLRU", "LLU|UtR", "LRULU|fTRU", "LU|FfFf",
};

const std::vector<const char *> triples = {
    "LU|LU|LU", "LRU|LRU|LRU", "LU|tU|LU", "LU|tU|tU", "LU|TU|LRU",
    "LU|LU|F",  "LRU|TRU|f",   "LU|tRU|F", "LU|F|F",   "TU|TU|TU",
};

TEST(LockSchedules, TwoActorsKeepLawsWithThreePreemptionsAndADeath)
{
    expect_lawful(pairs, SLM_LOCK_ROBUST, 3, 1);
}

TEST(LockSchedules, TwoActorsKeepLawsIfBothMayDie)
{
    expect_lawful(pairs, SLM_LOCK_ROBUST, 2, 2);
}

TEST(LockSchedules, ThreeActorsKeepLawsWithTwoPreemptions)
{
    expect_lawful(triples, SLM_LOCK_ROBUST, 2, 0);
}

TEST(LockSchedules, ThreeActorsKeepLawsWithTwoPreemptionsAndADeath)
{
    expect_lawful(triples, SLM_LOCK_ROBUST, 2, 1);
}

TEST(LockSchedules, NginxsKindKeepsLawsIfTheDeadAreReaped)
{
    expect_lawful(pairs, SLM_LOCK_SPIN_SEM, 2, 1);
    expect_lawful(triples, SLM_LOCK_SPIN_SEM, 2, 1);
}

TEST(LockSchedules, FileLockOfTwoProcessesWithTwoPreemptionsAndADeath)
{
    expect_lawful(pairs, SLM_LOCK_FILE, 2, 1);
}

TEST(LockSchedules, FileLockOfTwoProcessesIfBothMayDie)
{
    expect_lawful(pairs, SLM_LOCK_FILE, 1, 2);
}

TEST(LockSchedules, FileLockOfThreeProcessesWithAPreemptionAndADeath)
{
    expect_lawful(triples, SLM_LOCK_FILE, 1, 1);
}

TEST(LockSchedules, FileLockOfThreadsThatShareAHandleKeepsLaws)
{
    expect_lawful(pairs, SLM_LOCK_FILE, 3, 0, true);
    expect_lawful(triples, SLM_LOCK_FILE, 2, 0, true);
}

/* The search is exhaustive within a program: in each program it reaches every point. */
TEST(LockSchedules, ARepeatedSearchFindsTheSameNumber)
{
    hrn_sched_lock_program program = {"LRU|tU|LU", SLM_LOCK_ROBUST, 2, 1, true, false};
    hrn_sched_search search = hrn_sched_lock_search(&program);
    hrn_sched_found once = hrn_sched_explore(&search);
    hrn_sched_found twice = hrn_sched_explore(&search);
    EXPECT_EQ(once.n_runs, twice.n_runs);
    EXPECT_EQ(once.n_steps, twice.n_steps);
}

} // namespace
