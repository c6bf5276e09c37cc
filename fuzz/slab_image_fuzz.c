/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to a slab region: functions that read it must not crash, hang, write, or miss damage that
 * breaks use. */
#include "fuzz/common/fuzz.h"
#include "fuzz/slab_image/slab_image.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "slab_image_fuzz",
    .head_bytes = 1,
    .record_bytes = 16,
    .header = "fuzz/slab_image/slab_image.h",
    HRN_FUZZ_RUNS(hrn_fuzz_image),
    .kind = hrn_image_kind,
};
