/* SPDX-License-Identifier: Apache-2.0 */
/* Actors with a lock or a zone: programs, schedules and deaths. */
#include "fuzz/common/fuzz.h"
#include "fuzz/schedule/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "schedule_fuzz",
    .head_bytes = SCH_FUZZ_HEAD,
    .record_bytes = 1,
    .header = "fuzz/schedule/schedule.h",
    .call = "sch_fuzz_schedule(bytes, n_bytes)",
    .kind = sch_fuzz_kind,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return sch_fuzz_schedule(bytes, n_bytes);
}
