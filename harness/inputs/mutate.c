/* SPDX-License-Identifier: Apache-2.0 */
/* Mutation of programs. */
#include "harness/inputs/mutate.h"

#include <stdbool.h>
#include <string.h>

#include "harness/inputs/generate.h"
#include "harness/inputs/record.h"

enum { RANGE_MAX = 16, STEPS_MAX = 4, PLAIN_PERCENT = 20 };

static const struct fields *fields_of(const struct hrn_shape *shape)
{
    return shape->is_program ? &hrn_fields_of_programs : &hrn_fields_of_bytes;
}

/* --- Steps: each returns false if it cannot change anything --- */

static size_t pick_range(const struct work *w, size_t at)
{
    size_t left = w->n - at;
    return 1 + work_below(w, left < RANGE_MAX ? left : RANGE_MAX);
}

static bool open_gap(struct work *w, size_t at, size_t n)
{
    if (w->n + n > w->cap) {
        return false;
    }
    memmove(work_record(w, at + n), work_record(w, at), (w->n - at) * w->shape->record_bytes);
    w->n += n;
    return true;
}

static bool insert_new(struct work *w)
{
    size_t at = work_below(w, w->n + 1);
    size_t n = 1 + work_below(w, 4);
    if (!open_gap(w, at, n)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        fields_of(w->shape)->make(w, work_record(w, at + i));
    }
    return true;
}

static bool remove_range(struct work *w)
{
    if (w->n == 0) {
        return false;
    }
    size_t at = work_below(w, w->n);
    size_t n = pick_range(w, at);
    memmove(work_record(w, at), work_record(w, at + n), (w->n - at - n) * w->shape->record_bytes);
    w->n -= n;
    return true;
}

/* Copies some records to another place, or several times to their own place. */
static bool repeat_range(struct work *w)
{
    uint8_t copy[RANGE_MAX * HRN_SHAPE_RECORD_MAX];
    size_t record_bytes = w->shape->record_bytes;
    if (w->n == 0) {
        return false;
    }
    size_t from = work_below(w, w->n);
    size_t n = pick_range(w, from);
    size_t at = work_below(w, 2) == 0 ? from : work_below(w, w->n + 1);
    memcpy(copy, work_record(w, from), n * record_bytes);
    size_t times = 1 + work_below(w, 4);
    bool done = false;
    for (size_t i = 0; i < times && open_gap(w, at, n); i++) {
        memcpy(work_record(w, at), copy, n * record_bytes);
        done = true;
    }
    return done;
}

static bool swap_two(struct work *w)
{
    if (w->n < 2) {
        return false;
    }
    uint8_t copy[HRN_SHAPE_RECORD_MAX];
    size_t record_bytes = w->shape->record_bytes;
    uint8_t *a = work_record(w, work_below(w, w->n));
    uint8_t *b = work_record(w, work_below(w, w->n));
    memcpy(copy, a, record_bytes);
    memmove(a, b, record_bytes);
    memcpy(b, copy, record_bytes);
    return true;
}

static bool change_record(struct work *w)
{
    if (w->n == 0) {
        return false;
    }
    fields_of(w->shape)->change(w, work_record(w, work_below(w, w->n)));
    return true;
}

static bool level_range(struct work *w)
{
    if (w->n == 0) {
        return false;
    }
    size_t at = work_below(w, w->n);
    fields_of(w->shape)->level(w, work_record(w, at), pick_range(w, at));
    return true;
}

static bool change_head(struct work *w)
{
    if (w->shape->head_bytes == 0) {
        return false;
    }
    fields_of(w->shape)->change_head(w);
    return true;
}

static bool (*const steps[])(struct work *) = {
    insert_new,    insert_new,    insert_new,    remove_range,  remove_range,  repeat_range,
    repeat_range,  swap_two,      change_record, change_record, change_record, change_record,
    change_record, change_record, level_range,   change_head,
};

/* --- The engine's interface --- */

static size_t mutate_plain(uint8_t *bytes, size_t n_bytes, size_t max_bytes, struct hrn_rng *rng)
{
    if (LLVMFuzzerMutate != NULL) {
        return LLVMFuzzerMutate(bytes, n_bytes, max_bytes);
    }
    if (n_bytes > 0) {
        bytes[hrn_rng_below(rng, (uint32_t)n_bytes)] ^= (uint8_t)(1u << hrn_rng_below(rng, 8));
    }
    return n_bytes;
}

/* Text, or no room for what a step needs. */
static bool is_for_engine(const struct hrn_shape *shape, size_t max_bytes)
{
    size_t least = shape->head_bytes > 0 ? shape->head_bytes : shape->record_bytes;
    return hrn_shape_is_text(shape) || max_bytes < least;
}

static size_t n_records(const struct hrn_shape *shape, size_t n_bytes)
{
    return n_bytes < shape->head_bytes ? 0 : (n_bytes - shape->head_bytes) / shape->record_bytes;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n_bytes, size_t max_bytes, unsigned seed)
{
    const struct hrn_shape *shape = hrn_shape_now();
    uint64_t stream;
    struct hrn_rng rng;
    if (hrn_generate_is_on(&stream)) {
        static uint64_t n_made;
        return hrn_generate(shape, stream, n_made++, bytes, max_bytes);
    }
    hrn_rng_seed(&rng, seed);
    if (is_for_engine(shape, max_bytes) || hrn_rng_below(&rng, 100) < PLAIN_PERCENT) {
        return mutate_plain(bytes, n_bytes, max_bytes, &rng);
    }
    if (n_bytes < shape->head_bytes) {
        memset(bytes + n_bytes, 0, shape->head_bytes - n_bytes);
        n_bytes = shape->head_bytes;
    }
    struct hrn_gen gen;
    hrn_gen_init(&gen, shape->can);
    struct work w = {bytes, n_records(shape, n_bytes), n_records(shape, max_bytes), shape, &rng,
                     &gen};
    size_t n_steps = 1 + work_below(&w, STEPS_MAX);
    for (size_t i = 0; i < n_steps; i++) {
        while (!steps[work_below(&w, sizeof steps / sizeof steps[0])](&w)) {
        }
    }
    return shape->head_bytes + w.n * shape->record_bytes;
}

/* Appends up to RANGE_MAX records of `from`, beginning at *at. */
static void append(struct work *w, const uint8_t *from, size_t n_from, size_t *at)
{
    size_t record_bytes = w->shape->record_bytes;
    size_t n = 1 + work_below(w, RANGE_MAX);
    n = n < n_from - *at ? n : n_from - *at;
    n = n < w->cap - w->n ? n : w->cap - w->n;
    memcpy(work_record(w, w->n), from + w->shape->head_bytes + *at * record_bytes,
           n * record_bytes);
    w->n += n;
    *at += n;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b,
                                 uint8_t *out, size_t max_bytes, unsigned seed)
{
    const struct hrn_shape *shape = hrn_shape_now();
    uint64_t stream;
    struct hrn_rng rng;
    hrn_rng_seed(&rng, seed);
    if (hrn_generate_is_on(&stream) || is_for_engine(shape, max_bytes) || n_a < shape->head_bytes ||
        n_b < shape->head_bytes) {
        return 0; /* no child: the engine then calls the function above */
    }
    struct work w = {out, 0, n_records(shape, max_bytes), shape, &rng, NULL};
    size_t n[2] = {n_records(shape, n_a), n_records(shape, n_b)};
    size_t at[2] = {0, 0};
    const uint8_t *from[2] = {a, b};
    memcpy(out, a, shape->head_bytes);
    for (unsigned turn = 0; w.n < w.cap && (at[0] < n[0] || at[1] < n[1]); turn ^= 1u) {
        if (at[turn] < n[turn]) {
            append(&w, from[turn], n[turn], &at[turn]);
        }
    }
    return shape->head_bytes + w.n * shape->record_bytes;
}
