/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of schedule_fuzz runs both worlds, schedules beyond the searches' bounds, and deaths.
 */
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/resource.h>
#include <vector>

#include "fuzz/schedule/schedule.h"

namespace {

using Input = std::vector<char>;

std::vector<Input> read_corpus()
{
    std::vector<Input> inputs;
    for (const auto &entry :
         std::filesystem::recursive_directory_iterator("corpus/schedule_fuzz")) {
        if (entry.is_regular_file()) {
            std::ifstream file(entry.path(), std::ios::binary);
            inputs.emplace_back(std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>());
        }
    }
    return inputs;
}

void replay(const std::vector<Input> &inputs)
{
    for (const Input &bytes : inputs) {
        hrn_fuzz_schedule(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
    }
}

enum { LOCKS_WITH_FILES = 10, LOCKS_WITHOUT_FILES, NO_LOCKS };

/* Replays the inputs with locks; the exit status shows which kinds ran. */
int kinds_of_locks(const std::vector<Input> &inputs)
{
    uint64_t n_runs[2] = {0, 0};
    for (const Input &bytes : inputs) {
        if (bytes.empty() || (bytes[0] & 1) != 0) {
            continue;
        }
        bool is_file = (bytes[0] & 64) != 0 && (bytes[0] & 2) == 0;
        uint64_t n_before = hrn_schedule_totals()->n_lock_runs;
        replay({bytes});
        n_runs[is_file] += hrn_schedule_totals()->n_lock_runs - n_before;
    }
    int kinds = n_runs[1] > 0 ? LOCKS_WITH_FILES : LOCKS_WITHOUT_FILES;
    return n_runs[0] > 0 ? kinds : NO_LOCKS;
}

/* The limit is for the replay only: the sanitizers open files when the process ends. */
[[noreturn]] void end_with_kinds_without_descriptors(const std::vector<Input> &inputs)
{
    struct rlimit before = {};
    if (getrlimit(RLIMIT_NOFILE, &before) != 0) {
        exit(1);
    }
    const struct rlimit none = {0, before.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &none) != 0) {
        exit(1);
    }
    int kinds = kinds_of_locks(inputs);
    exit(setrlimit(RLIMIT_NOFILE, &before) == 0 ? kinds : 1);
}

/* Each case runs in a separate process, since handles are attached once. */
class ScheduleFuzzFolder : public testing::Test {
  protected:
    void SetUp() override
    {
        testing::FLAGS_gtest_death_test_style = "threadsafe";
        ASSERT_EQ(setenv("TEST_TMPDIR", "/proc/none", 1), 0);
        ASSERT_EQ(setenv("TMPDIR", "/proc/none", 1), 0);
    }
    std::vector<Input> inputs = read_corpus();
};

TEST_F(ScheduleFuzzFolder, FileLocksUseTmpIfOtherFoldersAreNotWritable)
{
    EXPECT_EXIT(exit(kinds_of_locks(inputs)), testing::ExitedWithCode(LOCKS_WITH_FILES), "");
}

/* A process that may not open any descriptor cannot write to any folder. */
TEST_F(ScheduleFuzzFolder, OnlyFileLocksAreLeftOutIfNoFolderIsWritable)
{
    EXPECT_EXIT(end_with_kinds_without_descriptors(inputs),
                testing::ExitedWithCode(LOCKS_WITHOUT_FILES),
                "inputs with FILE locks are left out");
}

TEST(ScheduleFuzz, CorpusRunsLocksAndZonesWithManyPreemptionsAndDeaths)
{
    std::vector<Input> inputs = read_corpus();
    size_t n_inputs = inputs.size();
    replay(inputs);
    const hrn_schedule_counts *totals = hrn_schedule_totals();
    printf("%zu inputs, locks %" PRIu64 ", zones %" PRIu64 ", preemptions %" PRIu64
           ", deaths %" PRIu64 ", calls %" PRIu64 "\n",
           n_inputs, totals->n_lock_runs, totals->n_zone_runs, totals->n_preemptions,
           totals->n_deaths, totals->n_calls);
    EXPECT_GE(totals->n_lock_runs, 20u);
    EXPECT_GE(totals->n_zone_runs, 20u);
    EXPECT_GT(totals->n_preemptions, 3 * n_inputs) << "no more than the exhaustive searches cover";
    EXPECT_GE(totals->n_deaths, n_inputs / 3);
    EXPECT_GE(totals->n_calls, 1000u);
}

} // namespace
