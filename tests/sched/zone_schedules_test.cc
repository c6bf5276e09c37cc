/* SPDX-License-Identifier: Apache-2.0 */
/* Every schedule of small transactions keeps every law of the zone (zone_world.h lists them). */
#include "tests/sched/zone_programs.h"

namespace {

using namespace slm_test;

const std::vector<ZoneText> pairs = {
    {"a|a", 2},   {"pa|dg", 2},   {"ra|rg", 3},    {"p|q", 1},
    {"pd|pg", 1}, {"p!a|q;d", 2}, {"r.|Tr.tg", 2},
};

const std::vector<ZoneText> triples = {
    {"a|a|a", 1}, {"p|d|g", 1}, {"ra|rp|dg", 2}, {"p;a|Ta|tg", 2}, {"r!|q.|rpg", 2},
};

TEST(ZoneSchedules, TwoActorsTransactionsAreLinearisableWithADeath)
{
    expect_lawful(pairs, 2, 1);
}

TEST(ZoneSchedules, TwoActorsTransactionsAreLinearisableIfBothMayDie)
{
    expect_lawful({{"pa|dg", 2}, {"ra|rg", 3}, {"p!a|q;d", 2}}, 1, 2);
}

TEST(ZoneSchedules, ThreeActorsTransactionsAreLinearisable)
{
    expect_lawful(triples, 2, 0);
}

TEST(ZoneSchedules, ThreeActorsTransactionsAreLinearisableWithADeath)
{
    expect_lawful(triples, 1, 1);
    expect_lawful({{"a|a|a", 1}}, 2, 1);
}

} // namespace
