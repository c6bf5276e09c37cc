/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target that has something to find. */
#include "fuzz/common/fuzz.h"
#include "tests/harness/planted_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "planted_fuzz",
    .head_bytes = HRN_HEAD_BYTES,
    .record_bytes = HRN_RECORD_BYTES,
    .runs_programs = true,
    .header = "tests/harness/planted_target.h",
    .call = "hrn_fuzz_planted(bytes, n_bytes)",
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_planted(bytes, n_bytes);
}
