/* SPDX-License-Identifier: Apache-2.0 */
/* Real threads that share a zone, for ThreadSanitizer and AddressSanitizer. */
#include "fuzz/common/fuzz.h"
#include "fuzz/zone_threads/threads.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "zone_threads_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/zone_threads/threads.h",
    HRN_FUZZ_RUNS(hrn_fuzz_zone_threads),
    .kind = hrn_threads_kind,
};
