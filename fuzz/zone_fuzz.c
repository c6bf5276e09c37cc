/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that share a zone, and die: what they committed stays, what they did not is gone. */
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/zone/zone.h",
    .call = "hrn_fuzz_zone(bytes, n_bytes)",
    .kind = hrn_zone_kind,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_zone(bytes, n_bytes);
}
