/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that share a zone, and die: committed changes stay, all others are undone. */
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/zone.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/zone/zone.h",
    HRN_FUZZ_RUNS(hrn_fuzz_zone),
    .kind = hrn_zone_kind,
};
