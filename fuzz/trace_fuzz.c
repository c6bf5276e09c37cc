/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as trace text: a text that can be parsed is printed and parsed again, with the same
 * result. */
#include "fuzz/common/fuzz.h"
#include "fuzz/trace/trace.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "trace_fuzz",
    .head_bytes = 0,
    .record_bytes = 1,
    .header = "fuzz/trace/trace.h",
    HRN_FUZZ_RUNS(hrn_fuzz_trace),
    .kind = hrn_trace_kind,
};
