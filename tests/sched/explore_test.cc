/* SPDX-License-Identifier: Apache-2.0 */
/* The search runs each schedule once and skips none. */
#include <cinttypes>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "harness/sched/explore.h"

namespace {

/* Actors that only yield, and record which actor ran. */
struct Steps {
    unsigned n_yields = 0;
    std::string run;
    std::set<std::string> seen;
    unsigned n_repeated = 0;
};

void act(void *world, unsigned actor)
{
    auto *steps = static_cast<Steps *>(world);
    for (unsigned i = 0; i < steps->n_yields; i++) {
        hrn_sched_yield("step");
        steps->run += static_cast<char>('a' + actor);
    }
}

void note_death(void *world, unsigned actor)
{
    static_cast<Steps *>(world)->run += static_cast<char>('A' + actor);
}

void never_stuck(void *)
{
    hrn_sched_fail("no actor sleeps here");
}

void begin(void *world)
{
    static_cast<Steps *>(world)->run.clear();
}

void end(void *world)
{
    auto *steps = static_cast<Steps *>(world);
    steps->n_repeated += steps->seen.insert(steps->run).second ? 0 : 1;
}

hrn_sched_search search_of(Steps &steps, unsigned n_actors, unsigned n_preemptions,
                           unsigned n_deaths)
{
    hrn_sched_search search = {};
    search.run.n_actors = n_actors;
    search.run.limits = {n_preemptions, n_deaths, 1000, true};
    search.run.world = &steps;
    search.run.body = act;
    search.run.died = note_death;
    search.run.stuck = never_stuck;
    search.begin = begin;
    search.end = end;
    return search;
}

/* A slice begins at a yield point. An actor that arrives at its first yield point has done nothing
 * yet. So an actor with n yields can be preempted at n + 1 places, one of them before its first
 * step. */
TEST(Explore, WithoutPreemptionEachOrderOfActorsIsOneSchedule)
{
    for (unsigned n_actors = 1; n_actors <= 4; n_actors++) {
        Steps steps;
        steps.n_yields = 3;
        hrn_sched_search search = search_of(steps, n_actors, 0, 0);
        hrn_sched_found found = hrn_sched_explore(&search);
        const uint64_t factorial[] = {1, 1, 2, 6, 24};
        EXPECT_EQ(found.n_runs, factorial[n_actors]);
        EXPECT_EQ(steps.seen.size(), factorial[n_actors]);
        EXPECT_TRUE(found.is_whole);
    }
}

TEST(Explore, WithEnoughPreemptionsEveryInterleavingIsSeen)
{
    Steps steps;
    steps.n_yields = 4;
    hrn_sched_search search = search_of(steps, 2, 8, 0);
    hrn_sched_found found = hrn_sched_explore(&search);
    EXPECT_EQ(steps.seen.size(), 70u) << "the ways to choose 4 of 8 steps";
    EXPECT_TRUE(found.is_whole);
}

TEST(Explore, OnePreemptionIsAtAnyYieldPointOfTheFirstActor)
{
    Steps steps;
    steps.n_yields = 5;
    hrn_sched_search search = search_of(steps, 2, 1, 0);
    hrn_sched_found found = hrn_sched_explore(&search);
    /* Either of two actors runs first and is preempted at 5 points. Later no actor is left to
     * preempt. */
    EXPECT_EQ(found.n_by[0], 2u);
    EXPECT_EQ(found.n_by[1], 2u * 5u);
    EXPECT_EQ(found.n_runs, 12u);
}

TEST(Explore, OneDeathIsAtAnyYieldPointOfAnyActor)
{
    Steps steps;
    steps.n_yields = 3;
    hrn_sched_search search = search_of(steps, 2, 0, 1);
    hrn_sched_found found = hrn_sched_explore(&search);
    /* Two orders. In each no actor dies, or either dies at one of 3 points. */
    EXPECT_EQ(found.n_runs, 2u * (1u + 6u));
    EXPECT_EQ(steps.seen.size(), found.n_runs);
    EXPECT_EQ(steps.n_repeated, 0u);
    EXPECT_EQ(found.n_deaths, 12u);
}

TEST(Explore, ABrokenLawEndsTheSearchAndIsNamed)
{
    Steps steps;
    steps.n_yields = 2;
    hrn_sched_search search = search_of(steps, 2, 2, 0);
    search.end = [](void *world) {
        if (static_cast<Steps *>(world)->run == "abba") {
            hrn_sched_fail("never abba");
        }
    };
    hrn_sched_found found = hrn_sched_explore(&search);
    EXPECT_STREQ(found.broken, "never abba");
    EXPECT_FALSE(found.is_whole);
    EXPECT_EQ(found.n_by[2], 0u) << "one preemption is enough for it";
}

TEST(Explore, ARunThatDoesNotEndIsABrokenLaw)
{
    Steps steps;
    steps.n_yields = 2000;
    hrn_sched_search search = search_of(steps, 2, 0, 0);
    EXPECT_STREQ(hrn_sched_explore(&search).broken, "every actor ends");
    steps.n_yields = 3;
    EXPECT_STREQ(hrn_sched_explore(&search).broken, nullptr) << "the next search is not disturbed";
}

} // namespace
