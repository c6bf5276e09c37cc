/* SPDX-License-Identifier: Apache-2.0 */
/* The life of zones: reload, growth, second handles, copies, names; content is kept, or a refusal
 * says why. */
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/edge.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_edge_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/zone/edge.h",
    HRN_FUZZ_RUNS(hrn_fuzz_zone_edge),
    .kind = hrn_edge_kind,
};
