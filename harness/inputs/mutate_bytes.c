/* SPDX-License-Identifier: Apache-2.0 */
/* Mutation within records of unknown content. */
#include <string.h>

#include "harness/inputs/record.h"

uint8_t hrn_fields_any_byte(struct hrn_rng *rng)
{
    static const uint8_t edges[] = {0, 1, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255};
    switch (hrn_rng_below(rng, 4)) {
    case 0:
        return edges[hrn_rng_below(rng, sizeof edges)];
    case 1:
        return (uint8_t)hrn_rng_below(rng, 16);
    default:
        return (uint8_t)hrn_rng_below(rng, 256);
    }
}

/* A power of two, or one more or less. */
static uint64_t any_word(struct hrn_rng *rng)
{
    uint64_t word = UINT64_C(1) << hrn_rng_below(rng, 64);
    return word + hrn_rng_below(rng, 3) - 1;
}

/* Stores it at a place aligned to its length, if the record has room. */
static void store_word(const struct work *w, uint8_t *record)
{
    size_t n_bytes = (size_t)2 << work_below(w, 3);
    if (n_bytes > w->shape->record_bytes) {
        record[0] = hrn_fields_any_byte(w->rng);
        return;
    }
    uint64_t word = any_word(w->rng);
    uint8_t *at = record + n_bytes * work_below(w, w->shape->record_bytes / n_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        at[i] = (uint8_t)(word >> 8 * i);
    }
}

/* In most formats the first byte is the operation: makes each equally likely. */
static void make_record(const struct work *w, uint8_t *record)
{
    record[0] = (uint8_t)work_below(w, 256);
    for (size_t i = 1; i < w->shape->record_bytes; i++) {
        record[i] = hrn_fields_any_byte(w->rng);
    }
    if (work_below(w, 4) == 0) {
        store_word(w, record);
    }
}

static void change_byte(const struct work *w, uint8_t *byte)
{
    switch (work_below(w, 4)) {
    case 0:
        *byte ^= (uint8_t)(1u << work_below(w, 8));
        break;
    case 1:
        *byte = (uint8_t)(*byte + 1 - 2 * work_below(w, 2));
        break;
    default:
        *byte = hrn_fields_any_byte(w->rng);
        break;
    }
}

static void change_record(const struct work *w, uint8_t *record)
{
    if (work_below(w, 5) == 0) {
        store_word(w, record);
    } else {
        change_byte(w, record + work_below(w, w->shape->record_bytes));
    }
}

/* Sets one column, such as an object's number, to one value. */
static void level_column(const struct work *w, uint8_t *first, size_t n)
{
    size_t column = work_below(w, w->shape->record_bytes);
    for (size_t i = 1; i < n; i++) {
        first[i * w->shape->record_bytes + column] = first[column];
    }
}

static void change_head(const struct work *w)
{
    change_byte(w, w->bytes + work_below(w, w->shape->head_bytes));
}

const struct fields hrn_fields_of_bytes = {make_record, change_record, level_column, change_head};
