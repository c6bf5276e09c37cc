/* SPDX-License-Identifier: Apache-2.0 */
/* The corpora of zone_fuzz and zone_image_fuzz run every operation, deaths and repairs, and damage
 * that is refused, repaired and given up. */
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "fuzz/zone/zone.h"
#include "tests/fuzz/replay_corpus.h"
#include "tests/fuzz/zone_deaths.h"

namespace {

TEST(ZoneFuzz, CorpusRunsEveryKindOfOperationAndDeaths)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/zone_fuzz", hrn_fuzz_zone), 60u);
    const hrn_zone_counts *totals = hrn_zone_totals();
    for (int kind = 0; kind < HRN_ZONE_COUNT; kind++) {
        const char *name = hrn_zone_op_name(static_cast<hrn_zone_op>(kind));
        std::printf("%-14s %" PRIu64 "\n", name, totals->n_kind[kind]);
        EXPECT_GT(totals->n_kind[kind], 0u) << name << " never runs";
    }
    std::printf("refused %" PRIu64 ", repaired %" PRIu64 ", of these undone %" PRIu64
                ", no room %" PRIu64 "\n",
                totals->n_refused, totals->n_repaired, totals->n_undone, totals->n_full);
    EXPECT_GT(totals->n_refused, 0u);
    EXPECT_GT(totals->n_repaired, 0u);
    EXPECT_GT(totals->n_undone, 0u);
    EXPECT_GT(totals->n_full, 0u);
    std::printf("died within calls %" PRIu64 ", of these within commits %" PRIu64 "\n",
                totals->n_died_within, totals->n_unsettled);
    EXPECT_GT(totals->n_died_within, 100u);
    EXPECT_GT(totals->n_unsettled, 50u);
    std::printf("copies %" PRIu64 ", turns in them %" PRIu64 ", objects after a trim %" PRIu64 "\n",
                totals->n_copies_taken, totals->n_turns_in_copies, totals->n_backed);
    EXPECT_GT(totals->n_copies_taken, 20u);
    EXPECT_GT(totals->n_turns_in_copies, 50u);
    EXPECT_GT(totals->n_backed, 20u);
    std::printf("compared with a reader %" PRIu64 "\n", totals->n_compared);
    EXPECT_GT(totals->n_compared, 20u);
}

TEST(ZoneFuzz, DeathAtEachPointOfATurnIsRepaired)
{
    uint64_t n_before = hrn_zone_totals()->n_died_within;
    slm_test::DieAtEachPointOfATurn();
    uint64_t n_points = hrn_zone_totals()->n_died_within - n_before;
    EXPECT_GT(n_points, 40u);
    EXPECT_LT(n_points, slm_test::kMostPoints);
}

TEST(ZoneImageFuzz, CorpusHasDamageThatIsRefusedRepairedAndGivenUp)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/zone_image_fuzz", hrn_fuzz_zone_image), 200u);
    const hrn_zone_counts *totals = hrn_zone_totals();
    std::printf("refused %" PRIu64 ", sound %" PRIu64 ", repaired %" PRIu64 ", given up %" PRIu64
                "\n",
                totals->n_images_refused, totals->n_images_sound, totals->n_images_repaired,
                totals->n_images_given_up);
    EXPECT_GT(totals->n_images_refused, 0u);
    EXPECT_GT(totals->n_images_sound, 0u);
    EXPECT_GT(totals->n_images_repaired, 0u);
    EXPECT_GT(totals->n_images_given_up, 0u);
    EXPECT_GT(totals->n_copies_opened, 0u);
    EXPECT_GT(totals->n_copies_repaired, 0u);
    EXPECT_GT(totals->n_copies_taken, 0u);
}

} // namespace
