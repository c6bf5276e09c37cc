/* SPDX-License-Identifier: Apache-2.0 */
/* A table that does not copy a key which lies in the entry that it evicts: zone_table_fuzz finds
 * it, since entries have keys in them. */
#include <gtest/gtest.h>

#include <vector>

#include "fuzz/zone/table.h"

namespace {

constexpr uint8_t kInOldest =
    8 + 64; /* the bytes of the key are in the struct of the oldest entry */

/* More entries than fit, and then such keys. */
std::vector<uint8_t> KeysInOldEntries()
{
    std::vector<uint8_t> bytes = {0};
    auto get = [&bytes](uint8_t key, uint8_t extra, uint32_t value) {
        bytes.insert(bytes.end(), {static_cast<uint8_t>(HRN_TABLE_GET), 0, key, extra});
        for (unsigned shift = 0; shift < 32; shift += 8) {
            bytes.push_back(static_cast<uint8_t>(value >> shift));
        }
    };
    for (unsigned n = 0; n < 200; n++) {
        get(static_cast<uint8_t>(n % 48), n % 4 == 0 ? kInOldest : 0, 1900 + n);
    }
    return bytes;
}

TEST(ZoneTableFuzz, FindsAKeyThatIsLostWithTheEntryItLiesIn)
{
    const std::vector<uint8_t> bytes = KeysInOldEntries();
    EXPECT_DEATH(hrn_fuzz_zone_table(bytes.data(), bytes.size()),
                 "broken law: content|memcpy-param-overlap");
}

} // namespace
