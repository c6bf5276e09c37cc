/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep can fail: mistakes planted in the journal are found. */
#include <gtest/gtest.h>

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
    ADD_FAILURE() << "no operation is called " << name;
    return {};
}

/* Found with the mistake, by what is wrong with the zone; and not without. */
void expect_found(enum kill_fault fault, const std::string &name, const std::string &wrong)
{
    Tally tally = sweep_with(fault, name);
    EXPECT_FALSE(tally.not_traced) << "ptrace is not permitted here: nothing was proved";
    EXPECT_LT(tally.n_recovered, tally.n_killed);
    EXPECT_NE(tally.first_wrong.find(wrong), std::string::npos) << tally.first_wrong;
    Tally sound = sweep_with(KILL_FAULT_NONE, name);
    EXPECT_EQ(sound.first_wrong, "");
    EXPECT_EQ(sound.n_recovered, sound.n_killed);
}

TEST(KillFault, AWordThatChangesBeforeItIsNotedIsFound)
{
    expect_found(KILL_FAULT_WRITES_BEFORE_NOTING, "tree insert: double rotation left",
                 "neither as before");
}

TEST(KillFault, ACommitThatForgetsItsReleasesBeforeTheyAreDoneIsFound)
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

TEST(KillFault, ALogThatIsForgottenBeforeItIsFollowedIsFoundByASecondDeath)
{
    expect_found(KILL_FAULT_RECOVERS_ONCE, "repair of a commit, one of five carried out",
                 "neither as before");
}

TEST(KillFault, ALogThatIsForgottenBeforeItIsFollowedIsNoMatterToTheFirstDeath)
{
    Tally tally = sweep_with(KILL_FAULT_RECOVERS_ONCE, "commit: several frees");
    EXPECT_EQ(tally.first_wrong, "");
}

} // namespace
