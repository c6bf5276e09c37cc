/* SPDX-License-Identifier: Apache-2.0 */
/* Real threads that share a zone: for ThreadSanitizer as much as for AddressSanitizer. */
#include "fuzz/common/fuzz.h"
#include "fuzz/zone_threads/threads.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_threads_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/zone_threads/threads.h",
    .call = "hrn_fuzz_zone_threads(bytes, n_bytes)",
    .kind = hrn_threads_kind,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_zone_threads(bytes, n_bytes);
}
