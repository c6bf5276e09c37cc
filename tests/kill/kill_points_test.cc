/* SPDX-License-Identifier: Apache-2.0 */
/* A part of the kill points of each operation; by yield points, all of them. `bazel run
 * //tests/kill:kill_points` kills after each instruction. */
#include <cctype>
#include <gtest/gtest.h>

#include "tests/kill/scenario.h"

namespace kill_test {

/* For messages of GoogleTest, which looks for it in this namespace. */
static void PrintTo(const Scenario &scenario, std::ostream *out)
{
    *out << scenario.name;
}

} // namespace kill_test

namespace {

using namespace kill_test;

class KillPoints : public testing::TestWithParam<Scenario> {};

TEST_P(KillPoints, AZoneIsWholeAndUsableWhereverItsUserIsKilled)
{
    Tally tally = sweep(GetParam(), usual_stride());
    ASSERT_FALSE(tally.not_traced) << "ptrace is not permitted here, so no kill was tried";
    EXPECT_EQ(tally.first_wrong, "");
    EXPECT_EQ(tally.n_recovered, tally.n_killed);
    EXPECT_GT(tally.n_killed, tally.n_instructions / (usual_stride() * GetParam().stride));
    EXPECT_TRUE(tally.n_stepped == 0 || GetParam().is_cold || GetParam().varies);
    EXPECT_EQ(tally.n_under_lock > 0, GetParam().locks);
}

/* Test names may have letters and digits only. */
std::string name_of(const testing::TestParamInfo<Scenario> &info)
{
    std::string name;
    for (char c : info.param.name) {
        if (isalnum(static_cast<unsigned char>(c)) != 0) {
            name += c;
        } else if (!name.empty() && name.back() != '_') {
            name += '_';
        }
    }
    return name;
}

INSTANTIATE_TEST_SUITE_P(Each, KillPoints, testing::ValuesIn(scenarios()), name_of);

} // namespace
