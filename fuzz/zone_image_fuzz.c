/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to a zone: nothing that looks at it, or repairs it, may crash, hang or be fooled. */
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_image_fuzz",
    .head_bytes = 2,
    .record_bytes = 16,
    .header = "fuzz/zone/zone.h",
    .call = "hrn_fuzz_zone_image(bytes, n_bytes)",
    .kind = hrn_zone_image_kind,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_zone_image(bytes, n_bytes);
}
