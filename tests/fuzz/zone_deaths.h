/* SPDX-License-Identifier: Apache-2.0 */
/* A turn of zone_fuzz in which the holder dies at each point in turn. */
#ifndef TESTS_ZONE_DEATHS_H
#define TESTS_ZONE_DEATHS_H

#include <cstdint>
#include <vector>

#include "fuzz/zone/zone.h"

namespace slm_test {

/* A program: actor 0 makes objects; actor 1 takes a turn with each kind of change, and dies at the
 * n-th point that it reaches; actor 2 takes the next turn. */
inline std::vector<uint8_t> TurnWithADeath(uint32_t n)
{
    std::vector<uint8_t> bytes = {0};
    auto add = [&bytes](hrn_zone_op kind, uint8_t actor, uint8_t slot, uint8_t extra,
                        uint32_t value) {
        bytes.insert(bytes.end(), {static_cast<uint8_t>(kind), actor, slot, extra});
        for (unsigned shift = 0; shift < 32; shift += 8) {
            bytes.push_back(static_cast<uint8_t>(value >> shift));
        }
    };
    add(HRN_ZONE_LOCK, 0, 0, 0, 0);
    for (uint8_t slot = 0; slot < 4; slot++) {
        add(HRN_ZONE_ALLOC, 0, slot, 0, slot * 1500u);
    }
    add(HRN_ZONE_UNLOCK, 0, 0, 0, 0);
    add(HRN_ZONE_DIE_WITHIN, 1, 0, 8, n - 1); /* 8: one of 512 points */
    add(HRN_ZONE_LOCK, 1, 0, 0, 0);
    add(HRN_ZONE_ALLOC, 1, 4, 0, 8);
    add(HRN_ZONE_ALLOC, 1, 5, 0, 8000);
    add(HRN_ZONE_WRITE, 1, 1, 0, 77);
    add(HRN_ZONE_SET_ROOT, 1, 1, 0, 0);
    add(HRN_ZONE_FREE, 1, 2, 0, 0);
    add(HRN_ZONE_FREE, 1, 3, 0, 0);
    add(HRN_ZONE_UNLOCK, 1, 0, 0, 0);
    add(HRN_ZONE_LOCK, 2, 0, 0, 0);
    add(HRN_ZONE_UNLOCK, 2, 0, 0, 0);
    return bytes;
}

/* The turn has fewer points. */
constexpr uint32_t kMostPoints = 200;

inline void DieAtEachPointOfATurn()
{
    for (uint32_t n = 1; n <= kMostPoints; n++) {
        std::vector<uint8_t> bytes = TurnWithADeath(n);
        hrn_fuzz_zone(bytes.data(), bytes.size());
    }
}

} // namespace slm_test

#endif
