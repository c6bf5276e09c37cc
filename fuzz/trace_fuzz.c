/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as trace text: what can be read is printed, and reads the same again. */
#include "fuzz/common/fuzz.h"
#include "fuzz/trace/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "trace_fuzz",
    .head_bytes = 0,
    .record_bytes = 1,
    .header = "fuzz/trace/trace.h",
    .call = "hrn_fuzz_trace(bytes, n_bytes)",
    .kind = hrn_trace_kind,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_trace(bytes, n_bytes);
}
