/* SPDX-License-Identifier: Apache-2.0 */
/* Like zone_schedules_test, with bounds that take minutes. */
#include "tests/sched/zone_programs.h"

namespace {

using namespace slm_test;

TEST(ZoneSchedulesDeep, TwoActorsLinearisableWithThreePreemptionsAndADeath)
{
    expect_lawful({{"pa|dg", 2}, {"ra|rg", 3}}, 3, 1);
}

TEST(ZoneSchedulesDeep, TwoActorsLinearisableWithTwoPreemptionsAndTwoDeaths)
{
    expect_lawful({{"pa|dg", 2}}, 2, 2);
}

TEST(ZoneSchedulesDeep, ThreeActorsLinearisableWithTwoPreemptionsAndADeath)
{
    expect_lawful({{"p|a|g", 1}, {"ra|rp|dg", 2}, {"p;a|Ta|tg", 2}, {"r!|q.|rpg", 2}}, 2, 1);
}

} // namespace
