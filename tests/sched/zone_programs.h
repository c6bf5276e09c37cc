/* SPDX-License-Identifier: Apache-2.0 */
/* Runs zone programs, prints the number of schedules, and reports broken laws. */
#ifndef TESTS_SCHED_ZONE_PROGRAMS_H
#define TESTS_SCHED_ZONE_PROGRAMS_H

#include <cinttypes>
#include <cstdio>
#include <gtest/gtest.h>
#include <vector>

#include "harness/sched/zone_world.h"

namespace slm_test {

inline hrn_sched_found search_zone(const hrn_sched_zone_program &program)
{
    hrn_sched_search search = hrn_sched_zone_search(&program);
    hrn_sched_found found = hrn_sched_explore(&search);
    printf("%-16s pages %u  deaths<=%u  schedules %9" PRIu64 "  by preemptions", program.text,
           program.n_pages, program.n_deaths, found.n_runs);
    for (unsigned i = 0; i <= program.n_preemptions; i++) {
        printf(" %" PRIu64, found.n_by[i]);
    }
    printf("  with a death %" PRIu64 "\n", found.n_deaths);
    if (found.broken != nullptr) {
        printf("broken: %s, by\n", found.broken);
        hrn_sched_print_steps();
    }
    return found;
}

struct ZoneText {
    const char *text;
    unsigned n_pages;
};

/* Every schedule of each program within the bounds keeps every law. */
inline void expect_lawful(const std::vector<ZoneText> &programs, unsigned n_preemptions,
                          unsigned n_deaths)
{
    uint64_t n_runs = 0;
    for (const ZoneText &program : programs) {
        hrn_sched_found found =
            search_zone({program.text, program.n_pages, n_preemptions, n_deaths, true});
        EXPECT_STREQ(found.broken, nullptr) << program.text;
        EXPECT_TRUE(found.is_whole);
        EXPECT_EQ(found.n_deaths > 0, n_deaths > 0);
        n_runs += found.n_runs;
    }
    printf("all: %" PRIu64 " schedules\n", n_runs);
}

} // namespace slm_test

#endif
