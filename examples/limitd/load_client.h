/* SPDX-License-Identifier: Apache-2.0 */
/* A client of limitd that remembers what it was answered. */
#ifndef SLM_EXAMPLES_LIMITD_LOAD_CLIENT_H
#define SLM_EXAMPLES_LIMITD_LOAD_CLIENT_H

#include "examples/limitd/link.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Keys of its own, so that it alone knows what they must hold. A value that was answered
 *          OK is there, or a later one of which no answer came; a key's uses are no fewer than were
 *          answered and no more than were asked; connections held are counted.
 */
#define LOAD_KEYS 300u

/* In memory that the clients share with who started them. */
struct load_result {
    uint64_t n_answered;
    uint64_t n_reconnects;
    uint64_t n_lost; /* keys that were not as answered */
    uint64_t n_odd;  /* answers that may not come: errors, broken invariants */
    uint64_t n_hung;
    uint64_t n_verified; /* keys looked at in the end */
    char first_odd[160]; /* the question and the answer */
};

/* Asks until *stop is not 0, then verifies all keys. */
void load_client_run(const char *path, unsigned client_idx, const int *stop,
                     struct load_result *result);

#ifdef __cplusplus
}
#endif
#endif
