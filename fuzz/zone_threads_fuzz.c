/* SPDX-License-Identifier: Apache-2.0 */
/* Real threads that share a zone: for ThreadSanitizer as much as for AddressSanitizer. */
#include "harness/fuzz.h"
#include "harness/fuzz_zone_threads.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_threads_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "harness/fuzz_zone_threads.h",
    .call = "hrn_fuzz_zone_threads(bytes, n_bytes)",
    .kind = hrn_threads_kind,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_zone_threads(bytes, n_bytes);
}
