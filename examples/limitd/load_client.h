/* SPDX-License-Identifier: Apache-2.0 */
/* A client of limitd that remembers the answers it got. */
#ifndef SLM_EXAMPLES_LIMITD_LOAD_CLIENT_H
#define SLM_EXAMPLES_LIMITD_LOAD_CLIENT_H

#include "examples/limitd/link.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Each client has its own keys, so it knows what they must hold: a value that was answered
 *          OK, or a later one that got no answer. A key's uses are at least those answered and at
 *          most those asked. Connections held are counted.
 */
#define LOAD_KEYS 300u

/* In memory that the clients share with the process that started them. */
struct load_result {
    uint64_t n_answered;
    uint64_t n_reconnects;
    uint64_t n_lost; /* keys that differ from what was answered */
    uint64_t n_odd;  /* answers that must not occur: errors, broken invariants */
    uint64_t n_hung;
    uint64_t n_verified; /* keys checked in the end */
    char first_odd[160]; /* the question and the answer */
};

/* Asks until *stop is not 0, then verifies all keys. */
void load_client_run(const char *path, unsigned client_idx, const int *stop,
                     struct load_result *result);

#ifdef __cplusplus
}
#endif
#endif
