/* SPDX-License-Identifier: Apache-2.0 */
/* Mutation within the records and the head of a program. */
#include <string.h>

#include "harness/inputs/record.h"
#include "harness/program/program.h"

enum { HEAD_SIZE_LOG = 19 };

static void store32(uint8_t *p, uint32_t x)
{
    for (unsigned i = 0; i < 4; i++) {
        p[i] = (uint8_t)(x >> 8 * i);
    }
}

static void change_size(const struct work *w, uint8_t *record)
{
    uint32_t random = (uint32_t)hrn_rng_next(w->rng);
    switch (work_below(w, 8)) {
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

/* Chooses mostly new objects: the last operations used those. */
static void change_target(const struct work *w, uint8_t *record)
{
    size_t target = work_below(w, 4) > 0 ? work_below(w, 8) : work_below(w, 65536);
    record[2] = (uint8_t)target;
    record[3] = (uint8_t)(target >> 8);
}

/* By the generator's weights: for example, making an arena again costs as much as hundreds of
 * objects. */
static void change_kind(const struct work *w, uint8_t *record)
{
    record[0] = (uint8_t)((record[0] & 0x20u) | (unsigned)hrn_gen_kind(w->gen, w->rng));
}

static void make_record(const struct work *w, uint8_t *record)
{
    memset(record, 0, HRN_RECORD_BYTES);
    record[0] = work_below(w, 8) == 0 ? 0x20u : 0;
    record[1] = (uint8_t)work_below(w, 18);
    change_kind(w, record);
    change_target(w, record);
    change_size(w, record);
}

static void change_record(const struct work *w, uint8_t *record)
{
    switch (work_below(w, 6)) {
    case 0:
        change_kind(w, record);
        break;
    case 1:
        record[1] = (uint8_t)work_below(w, work_below(w, 4) == 0 ? 256 : 24);
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
}

/* Makes all sizes equal: many objects of one size reach the limits of classes and pages. */
static void level_sizes(const struct work *w, uint8_t *first, size_t n)
{
    uint8_t model[HRN_RECORD_BYTES] = {0};
    change_size(w, model);
    for (size_t i = 0; i < n; i++) {
        memcpy(first + i * HRN_RECORD_BYTES + 4, model + 4, 4);
    }
}

/* Changes one byte, or the region or block size, within the useful range. */
static void change_head(const struct work *w)
{
    static const uint8_t n_values[8] = {1, 4, 3, 5, 4, 65, 16, 1};
    size_t at = work_below(w, HRN_HEAD_BYTES);
    if (at < sizeof n_values) {
        w->bytes[at] = at == 0 ? HRN_VERSION : (uint8_t)work_below(w, n_values[at]);
    } else if (at < 12) {
        w->bytes[8] = (uint8_t)work_below(w, 32);
        w->bytes[9] = 0;
        w->bytes[10] = (uint8_t)work_below(w, 4);
        w->bytes[11] = 0;
    } else if (at < 20) {
        uint32_t top = 1u << work_below(w, HEAD_SIZE_LOG);
        store32(w->bytes + (at < 16 ? 12 : 16), top | (uint32_t)work_below(w, top));
    } else {
        store32(w->bytes + 20, (uint32_t)hrn_rng_next(w->rng));
    }
}

const struct fields hrn_fields_of_programs = {make_record, change_record, level_sizes, change_head};
