/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in the planted targets. */
#ifndef PLANTED_FAULTS_H
#define PLANTED_FAULTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Model    Each takes an input of records of 2 bytes, counts them as operations, and does what its
 *          name says once three records in a row begin with 'B', 'U' and 'G': soon enough for
 *          guidance to find, and not before. Always 0, if it comes back.
 * Safety   As each fault has it: none.
 */
int hrn_planted_overrun(const uint8_t *bytes, size_t n_bytes);
int hrn_planted_hang(const uint8_t *bytes, size_t n_bytes);
int hrn_planted_memory(const uint8_t *bytes, size_t n_bytes);
int hrn_planted_uninitialised(const uint8_t *bytes, size_t n_bytes);
int hrn_planted_race(const uint8_t *bytes, size_t n_bytes);

/* Ends the process before anything is run. */
void hrn_planted_start(void);

/* A target's own words. */
#define PLANTED(fault)                                                                             \
    const struct hrn_fuzz_target hrn_fuzz_target = {                                               \
        .name = #fault "_fuzz",                                                                    \
        .record_bytes = 2,                                                                         \
        .header = "fuzz/planted/faults.h",                                                         \
        HRN_FUZZ_RUNS(hrn_planted_##fault),                                                        \
    }

#endif
