/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to a zone: functions that read or repair it must not crash, hang, or miss damage that
 * breaks use. */
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/zone.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_image_fuzz",
    .head_bytes = 2,
    .record_bytes = 16,
    .header = "fuzz/zone/zone.h",
    HRN_FUZZ_RUNS(hrn_fuzz_zone_image),
    .kind = hrn_zone_image_kind,
};
