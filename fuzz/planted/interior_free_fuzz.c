/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that frees an object by a pointer into its middle: a broken law, not a crash. */
#include "fuzz/common/fuzz.h"
#include "harness/broken/broken.h"

static int run(const uint8_t *bytes, size_t n_bytes)
{
    return hrn_fuzz_one(hrn_broken_adapter(HRN_BUG_interior_free), bytes, n_bytes);
}

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "interior_free_fuzz",
    .head_bytes = HRN_HEAD_BYTES,
    .record_bytes = HRN_RECORD_BYTES,
    .runs_programs = true,
    .header = "harness/broken/broken.h",
    .run = run,
    .call = "hrn_fuzz_one(hrn_broken_adapter(HRN_BUG_interior_free), bytes, n_bytes)",
};
