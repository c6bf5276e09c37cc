/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to a slab region: nothing that looks at it may crash, hang, write, or be fooled. */
#include "fuzz/common/fuzz.h"
#include "fuzz/slab_image/slab_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "slab_image_fuzz",
    .head_bytes = 1,
    .record_bytes = 16,
    .header = "fuzz/slab_image/slab_image.h",
    .call = "hrn_fuzz_image(bytes, n_bytes)",
    .kind = hrn_image_kind,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_image(bytes, n_bytes);
}
