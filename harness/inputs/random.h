/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs by weight: the same seed and settings give the same program. */
#ifndef HRN_GEN_H
#define HRN_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/program/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A generator is a stream of random numbers and weights: how often each operation occurs,
 *          and how often sizes come from the table of edges, near the limits of arithmetic, or by
 *          even logarithm. Its programs can be written as bytes exactly, so a fuzzer can continue
 *          from them.
 * Safety   Plain values. Failure: none.
 * Source   splitmix64, as published by Steele, Lea and Flood (2014).
 */
struct hrn_rng {
    uint64_t state;
};

void hrn_rng_seed(struct hrn_rng *rng, uint64_t seed);
uint64_t hrn_rng_next(struct hrn_rng *rng);

/* Evenly distributed below n; n is not 0. */
uint32_t hrn_rng_below(struct hrn_rng *rng, uint32_t n);

struct hrn_gen {
    uint16_t weight[HRN_KIND_COUNT]; /* of each operation; 0: never; their sum is not 0 */
    bool has_threads;                /* objects are freed by another thread, too */
    bool is_sparse;                  /* arenas with sparse regions are made, too */
    uint8_t edge_percent;            /* sizes from the table of edges */
    uint8_t huge_percent;            /* sizes near the limits of arithmetic */
    uint8_t size_log_max;            /* the other sizes are below 2 to this power */
    uint8_t arena1_percent;          /* operations on the second arena */
    uint32_t live_max;               /* objects of an arena; then frees outweigh allocations */
};

/* Weights for adapters that support the operations in `can` (HRN_BIT of each kind). */
void hrn_gen_init(struct hrn_gen *gen, uint32_t can);

/* A random kind, by weight. */
enum hrn_kind hrn_gen_kind(const struct hrn_gen *gen, struct hrn_rng *rng);

/* A random head: every field from its whole range, small regions and blocks most often. */
void hrn_gen_head(struct hrn_rng *rng, struct hrn_head *head);

/* Makes n_ops operations over what program held; its head is kept. */
void hrn_gen_program(const struct hrn_gen *gen, struct hrn_rng *rng, size_t n_ops,
                     struct hrn_program *program);

#ifdef __cplusplus
}
#endif
#endif
