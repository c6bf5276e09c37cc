/* SPDX-License-Identifier: Apache-2.0 */
/* Actors with a lock or a zone: programs, schedules and deaths. */
#include "fuzz/common/fuzz.h"
#include "fuzz/schedule/schedule.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "schedule_fuzz",
    .head_bytes = HRN_SCHEDULE_HEAD,
    .record_bytes = 1,
    .header = "fuzz/schedule/schedule.h",
    HRN_FUZZ_RUNS(hrn_fuzz_schedule),
    .kind = hrn_schedule_kind,
};
