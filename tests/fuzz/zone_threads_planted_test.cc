/* SPDX-License-Identifier: Apache-2.0 */
/* A zone that unlocks too early. Only threads that really interleave can show that;
 * zone_threads_fuzz finds it. */
#include <gtest/gtest.h>

#include <vector>

#include "fuzz/zone_threads/threads.h"

namespace {

/* In four of five cases the fault is found within ten thousand runs, about a second. */
constexpr int kRuns = 300000;

/* Four threads that lock, count and unlock, as often as fits in an input. */
std::vector<uint8_t> Counting()
{
    std::vector<uint8_t> bytes = {2};
    for (unsigned i = 0; i < 600; i++) {
        const uint8_t kinds[] = {HRN_THREADS_LOCK, HRN_THREADS_COUNT_UP, HRN_THREADS_UNLOCK};
        bytes.insert(bytes.end(), {kinds[i % 3], static_cast<uint8_t>(i / 3), 0, 0, 0, 0, 0, 0});
    }
    return bytes;
}

TEST(ZoneThreadsFuzz, FindsAnUnlockBeforeTheCommit)
{
    const std::vector<uint8_t> bytes = Counting();
    EXPECT_DEATH(
        {
            for (int run = 0; run < kRuns; run++) {
                hrn_fuzz_zone_threads(bytes.data(), bytes.size());
            }
        },
        "broken law: |Sanitizer");
}

} // namespace
