/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of lock_fuzz runs every operation. */
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "fuzz/lock/lock.h"
#include "tests/fuzz/replay_corpus.h"

namespace {

TEST(LockFuzz, CorpusRunsEveryKindOfOperation)
{
    EXPECT_GE(slm_test::ReplayCorpus("corpus/lock_fuzz", hrn_fuzz_lock), 30u);
    hrn_fuzz_kind kind;
    for (unsigned i = 0; hrn_lock_kind(i, &kind); i++) {
        std::printf("%-12s %" PRIu64 "\n", kind.name, kind.count);
        EXPECT_GT(kind.count, 20u) << kind.name;
    }
}

} // namespace
