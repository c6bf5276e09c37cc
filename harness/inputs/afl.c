/* SPDX-License-Identifier: Apache-2.0 */
/* The mutator for AFL++: a shared object for AFL_CUSTOM_MUTATOR_LIBRARY. */
#include "harness/inputs/afl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/inputs/mutate.h"
#include "harness/inputs/random.h"
#include "harness/inputs/target.h"

enum { CROSS_PERCENT = 20 };

struct afl_mutator {
    struct hrn_rng rng;
    uint8_t *out;
    size_t cap;
};

void *afl_custom_init(void *afl, unsigned seed)
{
    struct afl_mutator *mutator = calloc(1, sizeof *mutator);
    (void)afl;
    if (getenv("HRN_FUZZ_SHAPE") == NULL) {
        fprintf(stderr, "slabmill: HRN_FUZZ_SHAPE is not set: the mutator does not know what "
                        "inputs are made of\n");
        exit(2);
    }
    (void)hrn_shape_now();
    if (mutator != NULL) {
        hrn_rng_seed(&mutator->rng, seed);
    }
    return mutator;
}

static bool make_room(struct afl_mutator *mutator, size_t n_bytes)
{
    if (mutator->cap >= n_bytes) {
        return true;
    }
    uint8_t *grown = realloc(mutator->out, n_bytes);
    if (grown != NULL) {
        mutator->out = grown;
        mutator->cap = n_bytes;
    }
    return grown != NULL;
}

size_t afl_custom_fuzz(void *data, uint8_t *bytes, size_t n_bytes, uint8_t **out, uint8_t *other,
                       size_t n_other, size_t max_bytes)
{
    struct afl_mutator *mutator = data;
    unsigned seed = (unsigned)hrn_rng_next(&mutator->rng);
    size_t n = 0;
    *out = NULL;
    if (max_bytes == 0 || !make_room(mutator, max_bytes)) {
        return 0;
    }
    if (other != NULL && hrn_rng_below(&mutator->rng, 100) < CROSS_PERCENT) {
        n = LLVMFuzzerCustomCrossOver(bytes, n_bytes, other, n_other, mutator->out, max_bytes,
                                      seed);
    }
    if (n == 0) {
        n_bytes = n_bytes < max_bytes ? n_bytes : max_bytes;
        if (n_bytes > 0) {
            memcpy(mutator->out, bytes, n_bytes);
        }
        n = LLVMFuzzerCustomMutator(mutator->out, n_bytes, max_bytes, seed);
    }
    *out = mutator->out;
    return n;
}

void afl_custom_deinit(void *data)
{
    struct afl_mutator *mutator = data;
    if (mutator != NULL) {
        free(mutator->out);
    }
    free(mutator);
}
