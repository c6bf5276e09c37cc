/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of zone_table_fuzz runs every operation, evictions, reclaims and deaths between. */
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "fuzz/zone/table.h"
#include "tests/fuzz/replay_corpus.h"

namespace {

TEST(ZoneTableFuzz, CorpusRunsEveryOperationAndDiesHalfwayInTurns)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/zone_table_fuzz", hrn_fuzz_zone_table), 60u);
    const hrn_table_counts *totals = hrn_table_totals();
    for (int kind = 0; kind < HRN_TABLE_COUNT; kind++) {
        const char *name = hrn_table_op_name(static_cast<hrn_table_op>(kind));
        std::printf("%-14s %" PRIu64 "\n", name, totals->n_kind[kind]);
        EXPECT_GT(totals->n_kind[kind], 0u) << name << " never runs";
    }
    std::printf("evicted %" PRIu64 ", refused %" PRIu64 ", reclaimed %" PRIu64 ", died %" PRIu64
                ", of these halfway %" PRIu64 "\n",
                totals->n_evicted, totals->n_refused, totals->n_reclaimed, totals->n_died_within,
                totals->n_halfway);
    EXPECT_GT(totals->n_evicted, 100u);
    EXPECT_GT(totals->n_refused, 5u);
    EXPECT_GT(totals->n_reclaimed, 20u);
    EXPECT_GT(totals->n_died_within, 40u);
    EXPECT_GT(totals->n_halfway, 3u);
    std::printf("keys in entries %" PRIu64 ", of these evicted %" PRIu64 ", looks %" PRIu64
                ", of these within turns %" PRIu64 "\n",
                totals->n_inside, totals->n_inside_evicted, totals->n_looks,
                totals->n_looks_within);
    EXPECT_GT(totals->n_inside, 500u);
    EXPECT_GT(totals->n_inside_evicted, 50u);
    EXPECT_GT(totals->n_looks, 150u);
    EXPECT_GT(totals->n_looks_within, 50u);
}

} // namespace
