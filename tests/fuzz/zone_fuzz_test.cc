/* SPDX-License-Identifier: Apache-2.0 */
/* The corpora of zone_fuzz and zone_image_fuzz run every operation, deaths and repairs, and damage
 * that is refused, repaired and given up. */
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "fuzz/zone/zone.h"
#include "tests/fuzz/replay_corpus.h"

namespace {

TEST(ZoneFuzz, CorpusRunsEveryKindOfOperationAndDeaths)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/zone_fuzz", hrn_fuzz_zone), 50u);
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
}

} // namespace
