/* SPDX-License-Identifier: Apache-2.0 */
/* The faults of the planted targets. */
#ifndef PLANTED_FAULTS_H
#define PLANTED_FAULTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Model    Each takes an input of records of 2 bytes and counts them as operations. Its fault
 *          occurs when three consecutive records begin with 'B', 'U' and 'G', which a guided fuzzer
 *          finds soon. Always returns 0, if it returns.
 * Safety   None; each fault breaks something.
 */
int hrn_planted_overrun(const uint8_t *bytes, size_t n_bytes);
int hrn_planted_hang(const uint8_t *bytes, size_t n_bytes);
int hrn_planted_memory(const uint8_t *bytes, size_t n_bytes);
int hrn_planted_uninitialised(const uint8_t *bytes, size_t n_bytes);
int hrn_planted_race(const uint8_t *bytes, size_t n_bytes);

/* Ends the process before any input is run. */
void hrn_planted_start(void);

/* The definitions that a target needs. */
#define PLANTED(fault)                                                                             \
    const struct hrn_fuzz_target hrn_fuzz_target = {                                               \
        .name = #fault "_fuzz",                                                                    \
        .record_bytes = 2,                                                                         \
        .header = "fuzz/planted/faults.h",                                                         \
        HRN_FUZZ_RUNS(hrn_planted_##fault),                                                        \
    }

#endif
