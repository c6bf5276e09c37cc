/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of zone_threads_fuzz runs every operation, two, three and four threads, refusals and
 * aborts. */
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "fuzz/zone_threads/threads.h"
#include "tests/fuzz/replay_corpus.h"

namespace {

TEST(ZoneThreadsFuzz, CorpusRunsEveryKindOfOperationWithTwoToFourThreads)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/zone_threads_fuzz", hrn_fuzz_zone_threads), 20u);
    hrn_fuzz_kind kind;
    unsigned n_kinds = 0;
    for (; hrn_threads_kind(n_kinds, &kind); n_kinds++) {
        std::printf("%-14s %" PRIu64 "\n", kind.name, kind.count);
        EXPECT_GT(kind.count, 0u) << kind.name << " never runs";
    }
    EXPECT_EQ(n_kinds, HRN_THREADS_COUNT + 0u);
    const hrn_threads_counts *totals = hrn_threads_totals();
    std::printf("refused %" PRIu64 ", no room %" PRIu64 ", aborted %" PRIu64 "\n",
                totals->n_refused, totals->n_full, totals->n_aborted);
    EXPECT_GT(totals->n_refused, 0u);
    EXPECT_GT(totals->n_full, 0u);
    EXPECT_GT(totals->n_aborted, 0u);
    std::printf("copied %" PRIu64 ", given back %" PRIu64 "\n", totals->n_copied,
                totals->n_given_back);
    EXPECT_GT(totals->n_copied, 0u);
    EXPECT_GT(totals->n_given_back, 0u);
    for (unsigned n_threads : {2u, 3u, 4u}) {
        EXPECT_GT(totals->n_inputs_of[n_threads], 0u) << n_threads << " threads";
    }
}

} // namespace
