/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep can fail: it finds mistakes planted in the journal. */
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "tests/kill/fault.h"
#include "tests/kill/scenario.h"

namespace {

using namespace kill_test;

Tally sweep_with(enum kill_fault fault, const std::string &name)
{
    for (const Scenario &scenario : scenarios()) {
        if (scenario.name == name) {
            kill_fault = fault;
            Tally tally = sweep(scenario, 3);
            kill_fault = KILL_FAULT_NONE;
            return tally;
        }
    }
    ADD_FAILURE() << "there is no operation named " << name;
    return {};
}

/* With the mistake the sweep finds a wrong zone, without it none. */
void expect_found(enum kill_fault fault, const std::string &name, const std::string &wrong)
{
    Tally tally = sweep_with(fault, name);
    EXPECT_FALSE(tally.not_traced) << "ptrace is not permitted here, so no kill was tried";
    EXPECT_LT(tally.n_recovered, tally.n_killed);
    EXPECT_NE(tally.first_wrong.find(wrong), std::string::npos) << tally.first_wrong;
    Tally sound = sweep_with(KILL_FAULT_NONE, name);
    EXPECT_EQ(sound.first_wrong, "");
    EXPECT_EQ(sound.n_recovered, sound.n_killed);
}

TEST(KillFault, AWordThatChangesBeforeItIsNotedIsFound)
{
    expect_found(KILL_FAULT_WRITES_BEFORE_NOTING, "commit: objects, words, frees and root",
                 "neither as before");
}

TEST(KillFault, ACommitThatDropsReleasesBeforeTheyAreDoneIsFound)
{
    expect_found(KILL_FAULT_CLEARS_BEFORE_FREEING, "commit: several frees", "neither as before");
}

TEST(KillFault, AnObjectThatIsNotNotedIsFound)
{
    expect_found(KILL_FAULT_NOTES_NO_OBJECT, "commit: objects, words, frees and root",
                 "neither as before");
}

TEST(KillFault, AReleaseThatDoesNotWaitForTheCommitIsFound)
{
    expect_found(KILL_FAULT_FREES_AT_ONCE, "commit: objects, words, frees and root",
                 "neither as before");
}

TEST(KillFault, ARecoveryThatDoesNothingIsFound)
{
    expect_found(KILL_FAULT_RECOVERS_NOTHING, "tree insert: recolouring", "");
}

TEST(KillFault, ALogClearedBeforeItIsFollowedNeedsASecondDeath)
{
    expect_found(KILL_FAULT_RECOVERS_ONCE, "repair of a commit, one of five carried out",
                 "neither as before");
}

TEST(KillFault, ALogClearedBeforeItIsFollowedSurvivesOneDeath)
{
    Tally tally = sweep_with(KILL_FAULT_RECOVERS_ONCE, "commit: several frees");
    EXPECT_EQ(tally.first_wrong, "");
}

/* --- The stepper's own mistake: a victim is stopped at the right place, one round too late --- */

uint64_t *n_victims; /* shared with the victims */

__attribute__((noinline)) void make_detour()
{
    for (volatile unsigned i = 0; i < 200; i = i + 1) {
    }
}

/* The first victim, which is recorded, makes the detour in each round. Others make it in the
 * last. */
void write_thrice(World &world, slm_zone *zone)
{
    if (slm_zone_lock(zone) != SLM_OK) {
        return;
    }
    for (uint64_t round = 1; round <= 3; round++) {
        slm_journal_write(slm_zone_journal(zone), &world.top(zone)->first, round);
        EXPECT_EQ(slm_zone_commit_locked(zone), SLM_OK);
        if (*n_victims == 1 || round == 3) {
            make_detour();
        }
    }
    (void)slm_zone_unlock(zone);
}

TEST(KillFault, AVictimThatIsARoundTooLateIsFound)
{
    void *shared =
        mmap(nullptr, sizeof *n_victims, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    n_victims = static_cast<uint64_t *>(shared);
    Scenario scenario;
    scenario.name = "a path that varies although varies is not set";
    scenario.prepare = [](World &world) { world.make_top(); };
    scenario.enter = [](World &, slm_zone *) { ++*n_victims; };
    scenario.operate = write_thrice;
    scenario.n_transactions = 3;
    Tally tally = sweep(scenario, 29); /* each single-stepped, since it strays */
    EXPECT_FALSE(tally.not_traced) << "ptrace is not permitted here, so no kill was tried";
    EXPECT_LT(tally.n_recovered, tally.n_killed);
    EXPECT_NE(tally.first_wrong.find("took another path"), std::string::npos) << tally.first_wrong;
    munmap(shared, sizeof *n_victims);
}

} // namespace
