/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that notes through a read-only handle: zone_fuzz finds it, since its reader makes each
 * call that changes something. */
#include <gtest/gtest.h>

#include <vector>

#include "fuzz/zone/zone.h"

namespace {

TEST(ZoneFuzz, FindsAReadOnlyHandleWhoseJournalHasRoom)
{
    const std::vector<uint8_t> bytes = {0, HRN_ZONE_REFUSE, 0, 0, 0, 1, 0, 0, 0};
    EXPECT_DEATH(hrn_fuzz_zone(bytes.data(), bytes.size()), "broken law: answer");
}

} // namespace
