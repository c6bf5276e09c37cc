/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that frees an object by a pointer into its middle: a broken law, not a crash. */
#include "fuzz/common/fuzz.h"
#include "harness/broken/broken.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "interior_free_fuzz",
    .head_bytes = HRN_HEAD_BYTES,
    .record_bytes = HRN_RECORD_BYTES,
    .runs_programs = true,
    .header = "harness/broken/broken.h",
    .call = "hrn_fuzz_one(hrn_broken_adapter(HRN_BUG_interior_free), bytes, n_bytes)",
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_one(hrn_broken_adapter(HRN_BUG_interior_free), bytes, n_bytes);
}
