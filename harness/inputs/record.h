/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the mutator's parts: the bytes being mutated, and the changes within a record. */
#ifndef HRN_MUTATE_PRIV_H
#define HRN_MUTATE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/random.h"
#include "harness/inputs/target.h"

/* A head and n whole records, with room for cap. */
struct work {
    uint8_t *bytes;
    size_t n;
    size_t cap;
    const struct hrn_shape *shape;
    struct hrn_rng *rng;
    const struct hrn_gen *gen; /* of programs */
};

static inline uint8_t *work_record(const struct work *w, size_t i)
{
    return w->bytes + w->shape->head_bytes + i * w->shape->record_bytes;
}

static inline size_t work_below(const struct work *w, size_t n)
{
    return hrn_rng_below(w->rng, (uint32_t)n);
}

/* The changes that suit a shape's records. */
struct fields {
    void (*make)(const struct work *w, uint8_t *record);
    void (*change)(const struct work *w, uint8_t *record);
    /* Copies a property of the first of n records to all of them. */
    void (*level)(const struct work *w, uint8_t *first, size_t n);
    void (*change_head)(const struct work *w);
};
extern const struct fields hrn_fields_of_programs;
extern const struct fields hrn_fields_of_bytes;

/* A byte: small, an edge, or any. */
uint8_t hrn_fields_any_byte(struct hrn_rng *rng);

#endif
