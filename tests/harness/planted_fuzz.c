/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target with a planted bug. */
#include "fuzz/common/fuzz.h"
#include "tests/harness/planted_target.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "planted_fuzz",
    .head_bytes = HRN_HEAD_BYTES,
    .record_bytes = HRN_RECORD_BYTES,
    .runs_programs = true,
    .header = "tests/harness/planted_target.h",
    HRN_FUZZ_RUNS(hrn_fuzz_planted),
};
