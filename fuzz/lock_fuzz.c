/* SPDX-License-Identifier: Apache-2.0 */
/* One lock, and a system that says what the program wants of threads, namespaces and files. */
#include "fuzz/common/fuzz.h"
#include "fuzz/lock/lock.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "lock_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/lock/lock.h",
    HRN_FUZZ_RUNS(hrn_fuzz_lock),
    .kind = hrn_lock_kind,
};
