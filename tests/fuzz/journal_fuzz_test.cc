/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of journal_fuzz runs every operation. */
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "fuzz/journal/journal.h"
#include "tests/fuzz/replay_corpus.h"

namespace {

TEST(JournalFuzz, CorpusRunsEveryKindOfOperation)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/journal_fuzz", hrn_fuzz_journal), 30u);
    hrn_fuzz_kind kind;
    for (unsigned i = 0; hrn_journal_kind(i, &kind); i++) {
        std::printf("%-12s %" PRIu64 "\n", kind.name, kind.count);
        EXPECT_GT(kind.count, 20u) << kind.name;
    }
}

} // namespace
