/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of zone_edge_fuzz runs every operation, reloads that reuse zones, and refusals. */
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "fuzz/zone/edge.h"
#include "tests/fuzz/replay_corpus.h"

namespace {

TEST(ZoneEdgeFuzz, CorpusRunsEveryKindOfOperationAndRefusals)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/zone_edge_fuzz", hrn_fuzz_zone_edge), 50u);
    const hrn_edge_counts *totals = hrn_edge_totals();
    for (int kind = 0; kind < HRN_EDGE_COUNT; kind++) {
        const char *name = hrn_edge_op_name(static_cast<hrn_edge_op>(kind));
        std::printf("%-14s %" PRIu64 "\n", name, totals->n_kind[kind]);
        EXPECT_GT(totals->n_kind[kind], 0u) << name << " never runs";
    }
    std::printf("applied %" PRIu64 ", reused zones %" PRIu64 ", refused %" PRIu64
                ", repaired copies %" PRIu64 ", taken copies %" PRIu64 ", moved zones %" PRIu64
                "\n",
                totals->n_applied, totals->n_reused, totals->n_refused, totals->n_repaired_copies,
                totals->n_taken, totals->n_moved);
    EXPECT_GT(totals->n_applied, 50u);
    EXPECT_GT(totals->n_reused, 20u);
    EXPECT_GT(totals->n_refused, 30u);
    EXPECT_GT(totals->n_repaired_copies, 2u);
    EXPECT_GT(totals->n_taken, 10u);
    EXPECT_GT(totals->n_moved, 15u);
}

} // namespace
