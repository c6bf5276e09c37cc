/* SPDX-License-Identifier: Apache-2.0 */
/* Mutation of programs. */
#include "harness/mutate.h"

#include <stdbool.h>
#include <string.h>

#include "harness/fuzz.h"
#include "harness/gen.h"
#include "harness/ops.h"

#define HEAD   HRN_HEAD_BYTES
#define RECORD HRN_RECORD_BYTES

enum { RANGE_MAX = 16, STEPS_MAX = 4, PLAIN_PERCENT = 20, HEAD_SIZE_LOG = 19 };

__attribute__((weak)) extern const char hrn_fuzz_plain_bytes;

/* The bytes at work: a head and n whole records, with room for cap. */
struct work {
    uint8_t *bytes;
    size_t n;
    size_t cap;
    struct hrn_rng *rng;
    const struct hrn_gen *gen;
};

static uint8_t *record_at(const struct work *w, size_t i)
{
    return w->bytes + HEAD + i * RECORD;
}

static size_t below(const struct work *w, size_t n)
{
    return hrn_rng_below(w->rng, (uint32_t)n);
}

static void store32(uint8_t *p, uint32_t x)
{
    for (unsigned i = 0; i < 4; i++) {
        p[i] = (uint8_t)(x >> 8 * i);
    }
}

/* --- Fields --- */

static void change_size(const struct work *w, uint8_t *record)
{
    uint32_t random = (uint32_t)hrn_rng_next(w->rng);
    switch (below(w, 8)) {
    case 0:
        store32(record + 4, hrn_size_code_huge(random));
        break;
    case 1:
    case 2:
        store32(record + 4, hrn_size_code_log(random));
        break;
    case 3:
        record[4] = (uint8_t)(record[4] + 1 - 2 * (random & 1)); /* one more or less */
        break;
    default:
        store32(record + 4, hrn_size_code_edge(random));
        break;
    }
}

/* Mostly among the newest: those are what the last operations were about. */
static void change_target(const struct work *w, uint8_t *record)
{
    size_t target = below(w, 4) > 0 ? below(w, 8) : below(w, 65536);
    record[2] = (uint8_t)target;
    record[3] = (uint8_t)(target >> 8);
}

/* By the generator's weights: an arena made anew, say, costs as much as hundreds of objects. */
static void change_kind(const struct work *w, uint8_t *record)
{
    record[0] = (uint8_t)((record[0] & 0x20u) | (unsigned)hrn_gen_kind(w->gen, w->rng));
}

static void make_record(const struct work *w, uint8_t *record)
{
    memset(record, 0, RECORD);
    record[0] = below(w, 8) == 0 ? 0x20u : 0;
    record[1] = (uint8_t)below(w, 18);
    change_kind(w, record);
    change_target(w, record);
    change_size(w, record);
}

/* --- Steps: each returns false when there is nothing for it to do --- */

static size_t pick_range(const struct work *w, size_t at)
{
    size_t left = w->n - at;
    return 1 + below(w, left < RANGE_MAX ? left : RANGE_MAX);
}

static bool open_gap(struct work *w, size_t at, size_t n)
{
    if (w->n + n > w->cap) {
        return false;
    }
    memmove(record_at(w, at + n), record_at(w, at), (w->n - at) * RECORD);
    w->n += n;
    return true;
}

static bool insert_new(struct work *w)
{
    size_t at = below(w, w->n + 1);
    size_t n = 1 + below(w, 4);
    if (!open_gap(w, at, n)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        make_record(w, record_at(w, at + i));
    }
    return true;
}

static bool remove_range(struct work *w)
{
    if (w->n == 0) {
        return false;
    }
    size_t at = below(w, w->n);
    size_t n = pick_range(w, at);
    memmove(record_at(w, at), record_at(w, at + n), (w->n - at - n) * RECORD);
    w->n -= n;
    return true;
}

/* Copies some records to somewhere else, or several times to where they are. */
static bool repeat_range(struct work *w)
{
    uint8_t copy[RANGE_MAX * RECORD];
    if (w->n == 0) {
        return false;
    }
    size_t from = below(w, w->n);
    size_t n = pick_range(w, from);
    size_t at = below(w, 2) == 0 ? from : below(w, w->n + 1);
    memcpy(copy, record_at(w, from), n * RECORD);
    size_t times = 1 + below(w, 4);
    bool done = false;
    for (size_t i = 0; i < times && open_gap(w, at, n); i++) {
        memcpy(record_at(w, at), copy, n * RECORD);
        done = true;
    }
    return done;
}

static bool swap_two(struct work *w)
{
    if (w->n < 2) {
        return false;
    }
    uint8_t copy[RECORD];
    uint8_t *a = record_at(w, below(w, w->n));
    uint8_t *b = record_at(w, below(w, w->n));
    memcpy(copy, a, RECORD);
    memmove(a, b, RECORD);
    memcpy(b, copy, RECORD);
    return true;
}

static bool change_record(struct work *w)
{
    if (w->n == 0) {
        return false;
    }
    uint8_t *record = record_at(w, below(w, w->n));
    switch (below(w, 6)) {
    case 0:
        change_kind(w, record);
        break;
    case 1:
        record[1] = (uint8_t)below(w, 24);
        break;
    case 2:
        record[0] ^= 0x20u;
        break;
    case 3:
        change_target(w, record);
        break;
    default:
        change_size(w, record);
        break;
    }
    return true;
}

/* All sizes of a range become one: class and page boundaries are met by many objects of a size. */
static bool level_sizes(struct work *w)
{
    if (w->n == 0) {
        return false;
    }
    size_t at = below(w, w->n);
    size_t n = pick_range(w, at);
    uint8_t model[RECORD] = {0};
    change_size(w, model);
    for (size_t i = 0; i < n; i++) {
        memcpy(record_at(w, at + i) + 4, model + 4, 4);
    }
    return true;
}

/* One byte, or the region or block size, from the range that means something. */
static bool change_head(struct work *w)
{
    static const uint8_t n_values[8] = {1, 4, 3, 5, 4, 65, 16, 1};
    size_t at = below(w, HEAD);
    if (at < sizeof n_values) {
        w->bytes[at] = at == 0 ? HRN_VERSION : (uint8_t)below(w, n_values[at]);
    } else if (at < 12) {
        w->bytes[8] = (uint8_t)below(w, 32);
        w->bytes[9] = 0;
        w->bytes[10] = (uint8_t)below(w, 4);
        w->bytes[11] = 0;
    } else if (at < 20) {
        uint32_t top = 1u << below(w, HEAD_SIZE_LOG);
        store32(w->bytes + (at < 16 ? 12 : 16), top | (uint32_t)below(w, top));
    } else {
        store32(w->bytes + 20, (uint32_t)hrn_rng_next(w->rng));
    }
    return true;
}

static bool (*const steps[])(struct work *) = {
    insert_new,    insert_new,    insert_new,    remove_range,  remove_range,  repeat_range,
    repeat_range,  swap_two,      change_record, change_record, change_record, change_record,
    change_record, change_record, level_sizes,   change_head,
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

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n_bytes, size_t max_bytes, unsigned seed)
{
    struct hrn_rng rng;
    hrn_rng_seed(&rng, seed);
    if (&hrn_fuzz_plain_bytes != NULL || max_bytes < HEAD ||
        hrn_rng_below(&rng, 100) < PLAIN_PERCENT) {
        return mutate_plain(bytes, n_bytes, max_bytes, &rng);
    }
    if (n_bytes < HEAD) {
        memset(bytes + n_bytes, 0, HEAD - n_bytes);
        n_bytes = HEAD;
    }
    struct hrn_gen gen;
    hrn_gen_init(&gen, hrn_fuzz_can());
    struct work w = {bytes, (n_bytes - HEAD) / RECORD, (max_bytes - HEAD) / RECORD, &rng, &gen};
    size_t n_steps = 1 + below(&w, STEPS_MAX);
    for (size_t i = 0; i < n_steps; i++) {
        while (!steps[below(&w, sizeof steps / sizeof steps[0])](&w)) {
        }
    }
    return HEAD + w.n * RECORD;
}

static size_t n_records(size_t n_bytes)
{
    return n_bytes < HEAD ? 0 : (n_bytes - HEAD) / RECORD;
}

/* Appends up to RANGE_MAX records of `from`, beginning at *at. */
static void append(struct work *w, const uint8_t *from, size_t n_from, size_t *at)
{
    size_t n = 1 + below(w, RANGE_MAX);
    n = n < n_from - *at ? n : n_from - *at;
    n = n < w->cap - w->n ? n : w->cap - w->n;
    memcpy(record_at(w, w->n), from + HEAD + *at * RECORD, n * RECORD);
    w->n += n;
    *at += n;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b,
                                 uint8_t *out, size_t max_bytes, unsigned seed)
{
    struct hrn_rng rng;
    hrn_rng_seed(&rng, seed);
    if (&hrn_fuzz_plain_bytes != NULL || max_bytes < HEAD || n_a < HEAD || n_b < HEAD) {
        return 0; /* no child: the engine then mutates by the function above */
    }
    struct work w = {out, 0, (max_bytes - HEAD) / RECORD, &rng, NULL};
    size_t n[2] = {n_records(n_a), n_records(n_b)};
    size_t at[2] = {0, 0};
    const uint8_t *from[2] = {a, b};
    memcpy(out, a, HEAD);
    for (unsigned turn = 0; w.n < w.cap && (at[0] < n[0] || at[1] < n[1]); turn ^= 1u) {
        if (at[turn] < n[turn]) {
            append(&w, from[turn], n[turn], &at[turn]);
        }
    }
    return HEAD + w.n * RECORD;
}
