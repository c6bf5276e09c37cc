/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of actors and their schedules, told in bytes. */
#ifndef HRN_SCHEDULE_SCHEDULE_H
#define HRN_SCHEDULE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    One run of lock_world.h or zone_world.h, by its laws, with any number of preemptions:
 *          what the searches cannot exhaust. Any byte string is a program and a schedule.
 * Bytes    0: bit 0 zone, else lock; bit 1 a lock of nginx's kind; bits 2-3 actors, less 1; bits
 *          4-5 deaths at most; zone: bits 6-7 free pages, less 1; lock, not of nginx's kind: bit 6
 *          a file lock, bit 7 of threads that share a handle, of which none dies.
 *          1-32: 8 letters for each of 4 actors; 0 ends a program, others choose among the world's.
 *          33..: at most HRN_SCHEDULE_CHOICES of them: bits 3-7, so many questions are answered with
 *          the first answer; bits 0-2, the answer to the next, modulo how many there are. Behind
 *          the last byte the first answer is always given: the actor goes on.
 * Safety   One thread. Failure: a broken law aborts, of locks and of zones in functions of their
 *          own, having printed the schedule.
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

/* Decodes and runs; always 0, as libFuzzer wants it. */
int hrn_fuzz_schedule(const uint8_t *bytes, size_t n_bytes);

/* As struct hrn_fuzz_target has it: the totals. */
bool hrn_schedule_kind(unsigned idx, struct hrn_fuzz_kind *kind);

const struct hrn_schedule_counts *hrn_schedule_totals(void);

#ifdef __cplusplus
}
#endif
#endif
