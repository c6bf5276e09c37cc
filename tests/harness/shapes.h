/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of inputs for tests of mutator and generator. */
#ifndef TESTS_SHAPES_H
#define TESTS_SHAPES_H

#include <vector>

#include "harness/adapters/adapters.h"
#include "harness/inputs/target.h"

namespace slm_test {

/* Programs of the slab, zone_fuzz and others of zones, slab_image_fuzz, zone_image_fuzz, schedule_fuzz. */
inline std::vector<hrn_shape> RecordShapes()
{
    return {
        {HRN_HEAD_BYTES, HRN_RECORD_BYTES, true, hrn_can(&hrn_adapter_slab)},
        {1, 8, false, 0},
        {1, 16, false, 0},
        {2, 16, false, 0},
        {33, 1, false, 0},
    };
}

constexpr hrn_shape kText = {0, 1, false, 0};

} // namespace slm_test

#endif
