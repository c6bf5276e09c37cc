/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of actors and their schedules, decoded from bytes. */
#ifndef HRN_SCHEDULE_SCHEDULE_H
#define HRN_SCHEDULE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    One run of harness/sched/lock_world.h or harness/sched/zone_world.h, with its laws and
 *          any number of preemptions, which the exhaustive searches cannot cover. Any byte string
 *          is a program and a schedule.
 * Bytes    0: bit 0 zone, else lock; bit 1 a lock of nginx's kind; bits 2-3 actors, minus 1; bits
 *          4-5 deaths at most; zone: bits 6-7 free pages, minus 1; lock, not of nginx's kind: bit 6
 *          a file lock, bit 7 threads that share a handle, and none dies. 1-32: 8 letters for each
 *          of 4 actors; 0 ends a program, others choose among the world's. 33..: at most
 *          HRN_SCHEDULE_CHOICES of them: bits 3-7 are how many choices get the first answer; bits
 *          0-2 are the answer to the next choice, modulo the number of answers. After the last byte
 *          every choice gets the first answer: the actor goes on.
 * Safety   One thread. Failure: a broken law aborts, after printing the schedule, in one function
 *          for locks and another for zones.
 */
#define HRN_SCHEDULE_LETTERS 8u
#define HRN_SCHEDULE_HEAD    33u
#define HRN_SCHEDULE_CHOICES 200u

struct hrn_schedule_counts {
    uint64_t n_lock_runs;
    uint64_t n_zone_runs;
    uint64_t n_preemptions;
    uint64_t n_deaths;
    uint64_t n_calls;
};

/* Decodes and runs an input. Always returns 0, as libFuzzer requires. */
int hrn_fuzz_schedule(const uint8_t *bytes, size_t n_bytes);

/* For struct hrn_fuzz_target: the totals. */
bool hrn_schedule_kind(unsigned idx, struct hrn_fuzz_kind *kind);

const struct hrn_schedule_counts *hrn_schedule_totals(void);

#ifdef __cplusplus
}
#endif
#endif
