/* SPDX-License-Identifier: Apache-2.0 */
/* A table and leases that processes share: evictions, reclaims, deaths at any point of a turn. */
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/table.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_table_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/zone/table.h",
    HRN_FUZZ_RUNS(hrn_fuzz_zone_table),
    .kind = hrn_table_kind,
};
