/* SPDX-License-Identifier: Apache-2.0 */
/* Runs lock programs, prints the number of schedules, and reports broken laws. */
#ifndef TESTS_SCHED_LOCK_PROGRAMS_H
#define TESTS_SCHED_LOCK_PROGRAMS_H

#include <cinttypes>
#include <cstdio>
#include <gtest/gtest.h>
#include <vector>

#include "harness/sched/lock_world.h"

namespace slm_test {

inline hrn_sched_found search_lock(const hrn_sched_lock_program &program)
{
    hrn_sched_search search = hrn_sched_lock_search(&program);
    hrn_sched_found found = hrn_sched_explore(&search);
    static const char *const kinds[] = {"robust  ", "spin_sem", "file    "};
    printf("%-20s %s deaths<=%u  schedules %9" PRIu64 "  by preemptions", program.text,
           kinds[program.kind], program.n_deaths, found.n_runs);
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

/* Every schedule of each program within the bounds keeps every law. */
inline void expect_lawful(const std::vector<const char *> &programs, slm_lock_kind kind,
                          unsigned n_preemptions, unsigned n_deaths, bool one_handle = false)
{
    uint64_t n_runs = 0;
    for (const char *text : programs) {
        hrn_sched_found found =
            search_lock({text, kind, n_preemptions, n_deaths, true, one_handle});
        EXPECT_STREQ(found.broken, nullptr) << text;
        EXPECT_TRUE(found.is_whole);
        EXPECT_EQ(found.n_deaths > 0, n_deaths > 0);
        n_runs += found.n_runs;
    }
    printf("all: %" PRIu64 " schedules\n", n_runs);
}

} // namespace slm_test

#endif
