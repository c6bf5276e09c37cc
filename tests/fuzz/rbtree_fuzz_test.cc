/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of rbtree_fuzz runs every operation, misuse, damage that is found and damage that is
 * not. */
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "fuzz/rbtree/rbtree.h"
#include "tests/fuzz/replay_corpus.h"

namespace {

TEST(RbtreeFuzz, CorpusRunsEveryKindOfOperationMisuseAndDamage)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/rbtree_fuzz", hrn_fuzz_rbtree), 10u);
    const hrn_tree_counts *totals = hrn_tree_totals();
    for (int kind = 0; kind < HRN_TREE_COUNT; kind++) {
        const char *name = hrn_tree_op_name(static_cast<hrn_tree_op>(kind));
        std::printf("%-12s %" PRIu64 "\n", name, totals->n_kind[kind]);
        EXPECT_GT(totals->n_kind[kind], 0u) << name << " never runs";
    }
    std::printf("refused %" PRIu64 ", damage found %" PRIu64 ", still sound %" PRIu64 "\n",
                totals->n_refused, totals->n_broken, totals->n_sound);
    EXPECT_GT(totals->n_refused, 0u);
    EXPECT_GT(totals->n_broken, 0u);
    EXPECT_GT(totals->n_sound, 0u);
}

} // namespace
