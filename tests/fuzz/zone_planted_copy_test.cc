/* SPDX-License-Identifier: Apache-2.0 */
/* A copier that clears a mark before it reads it: what others change while it copies is lost.
 * zone_fuzz finds it, since other actors take turns meanwhile. */
#include <gtest/gtest.h>

#include <vector>

#include "fuzz/zone/zone.h"

namespace {

/* Objects in each slot, then copies with seven turns each. */
std::vector<uint8_t> ObjectsAndCopies()
{
    std::vector<uint8_t> bytes = {0};
    auto add = [&bytes](hrn_zone_op kind, uint8_t slot, uint8_t extra, uint32_t value) {
        bytes.insert(bytes.end(), {static_cast<uint8_t>(kind), 0, slot, extra});
        for (unsigned shift = 0; shift < 32; shift += 8) {
            bytes.push_back(static_cast<uint8_t>(value >> shift));
        }
    };
    add(HRN_ZONE_LOCK, 0, 0, 0);
    for (uint8_t slot = 0; slot < 40; slot++) {
        add(HRN_ZONE_ALLOC, slot, 0, 900);
    }
    add(HRN_ZONE_UNLOCK, 0, 0, 0);
    for (uint32_t n = 0; n < 50; n++) {
        add(HRN_ZONE_COPY, 0, 7, n * 77777);
    }
    return bytes;
}

TEST(ZoneFuzz, FindsAMarkThatIsClearedBeforeItIsRead)
{
    const std::vector<uint8_t> bytes = ObjectsAndCopies();
    EXPECT_DEATH(hrn_fuzz_zone(bytes.data(), bytes.size()), "broken law: (contents|count|copy)");
}

} // namespace
