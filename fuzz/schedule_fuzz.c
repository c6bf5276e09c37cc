/* SPDX-License-Identifier: Apache-2.0 */
/* Actors with a lock or a zone: programs, schedules and deaths. */
#include "harness/fuzz.h"
#include "tests/sched/fuzz_schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

HRN_FUZZ_PLAIN_BYTES;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    return sch_fuzz_schedule(bytes, n_bytes);
}
