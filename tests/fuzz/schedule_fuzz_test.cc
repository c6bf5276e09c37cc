/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of schedule_fuzz does something: both worlds, beyond the searches' bounds, deaths. */
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <vector>

#include "fuzz/schedule/schedule.h"

namespace {

size_t replay(const std::filesystem::path &folder)
{
    size_t n_inputs = 0;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        std::ifstream file(entry.path(), std::ios::binary);
        std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
        sch_fuzz_schedule(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
        n_inputs++;
    }
    return n_inputs;
}

TEST(ScheduleFuzz, TheCorpusRunsLocksAndZonesWithManyPreemptionsAndDeaths)
{
    size_t n_inputs = replay("corpus/schedule_fuzz");
    const sch_fuzz_totals *totals = sch_fuzz_schedule_totals();
    printf("%zu inputs, locks %" PRIu64 ", zones %" PRIu64 ", preemptions %" PRIu64
           ", deaths %" PRIu64 ", calls %" PRIu64 "\n",
           n_inputs, totals->n_lock_runs, totals->n_zone_runs, totals->n_preemptions,
           totals->n_deaths, totals->n_calls);
    EXPECT_GE(totals->n_lock_runs, 20u);
    EXPECT_GE(totals->n_zone_runs, 20u);
    EXPECT_GT(totals->n_preemptions, 3 * n_inputs) << "no more than what is exhausted anyway";
    EXPECT_GE(totals->n_deaths, n_inputs / 3);
    EXPECT_GE(totals->n_calls, 1000u);
}

} // namespace
