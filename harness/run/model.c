/* SPDX-License-Identifier: Apache-2.0 */
/* Objects by id, and their contents. */
#include "harness/run/model.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/base/quiet.h"
#include "harness/laws/scene.h"

HRN_QUIET_BEGIN

void hrn_model_begin(struct hrn_model *model, size_t n_objects, uint32_t seed)
{
    static uint32_t lost_seed;
    model->objects =
        hrn_array_grow(model->objects, &model->cap_objects, n_objects, sizeof *model->objects);
    if (n_objects > 0) {
        memset(model->objects, 0, n_objects * sizeof *model->objects);
    }
    model->n_objects = n_objects;
    model->seed = hrn_fault_on(HRN_FAULT_SEED_LOST) ? ++lost_seed : seed;
    hrn_map_clear(&model->map);
}

void hrn_model_fini(struct hrn_model *model)
{
    free(model->objects);
    hrn_map_fini(&model->map);
    memset(model, 0, sizeof *model);
}

void hrn_id_list_add(struct hrn_id_list *list, struct hrn_object *objects, uint32_t id)
{
    list->ids = hrn_array_grow(list->ids, &list->cap, list->n + 1, sizeof *list->ids);
    objects[id].pos = (uint32_t)list->n;
    list->ids[list->n++] = id;
}

void hrn_id_list_drop(struct hrn_id_list *list, struct hrn_object *objects, uint32_t id)
{
    uint32_t last = list->ids[--list->n];
    list->ids[objects[id].pos] = last;
    objects[last].pos = objects[id].pos;
}

/* --- Contents --- */

/*
 * Stamping the ends and every 61st byte finds what scanning everything finds, 30 times faster. 61
 * is prime, so writes of an allocator at a power-of-two stride cannot keep missing the stamps.
 * After the first page of an object a stamp every 4093 bytes is enough: wrong writes there are as
 * large as a page, and so hit one.
 */
#define STRIDE     61u
#define FAR        4096u
#define FAR_STRIDE 4093u

/* The offset after i that has a stamp, of n bytes. */
static size_t next_stamp(size_t i, size_t n)
{
    size_t next = i + (i < FAR ? STRIDE : FAR_STRIDE);
    bool is_between =
        n > HRN_HUGE_BYTES && next > HRN_HUGE_END_BYTES && next < n - HRN_HUGE_END_BYTES;
    return is_between ? n - HRN_HUGE_END_BYTES : next;
}

/* splitmix64's finisher; no byte of a stamp is zero, so that stale stamps are noticed in calloc. */
static uint64_t stamp_of(uint64_t seed, uint32_t id)
{
    uint64_t z = (seed << 32 | id) + UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (z ^ (z >> 31)) | UINT64_C(0x0101010101010101);
}

static uint64_t tail_of(uint64_t stamp)
{
    return stamp << 24 | stamp >> 40;
}

/* In memory order, so that bytes and words agree on any machine. */
static uint8_t byte_of(uint64_t stamp, size_t i)
{
    unsigned char bytes[8];
    memcpy(bytes, &stamp, 8);
    return bytes[i & 7u];
}

/* The pattern of an object too short for head and tail: every byte counts. */
static uint8_t short_byte(uint64_t stamp, size_t i)
{
    return byte_of(i < 8 ? stamp : tail_of(stamp), i);
}

void hrn_contents_fill(const struct hrn_model *model, uint32_t id, unsigned char *p, size_t n)
{
    uint64_t stamp = stamp_of(model->seed, id);
    if (n < 16) {
        for (size_t i = 0; i < n; i++) {
            p[i] = short_byte(stamp, i);
        }
        return;
    }
    uint64_t tail = tail_of(stamp);
    memcpy(p, &stamp, 8);
    for (size_t i = STRIDE, k = 1; i < n - 8; i = next_stamp(i, n), k++) {
        p[i] = byte_of(stamp, k);
    }
    memcpy(p + n - 8, &tail, 8);
}

/* Offset of the first difference between memory and a stamp that starts at `at`, or SIZE_MAX. */
static size_t word_wrong(const unsigned char *p, size_t at, uint64_t stamp)
{
    uint64_t seen;
    memcpy(&seen, p + at, 8);
    if (seen == stamp) {
        return SIZE_MAX;
    }
    const unsigned char *want = (const unsigned char *)&stamp;
    size_t i = 0;
    while (p[at + i] == want[i]) {
        i++;
    }
    return at + i;
}

/* Below `end` of n bytes. */
static size_t middle_wrong(const unsigned char *p, size_t end, size_t n, uint64_t stamp)
{
    for (size_t i = STRIDE, k = 1; i < end; i = next_stamp(i, n), k++) {
        if (p[i] != byte_of(stamp, k)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static size_t short_wrong(const unsigned char *p, size_t end, uint64_t stamp)
{
    for (size_t i = 0; i < end; i++) {
        if (p[i] != short_byte(stamp, i)) {
            return i;
        }
    }
    return SIZE_MAX;
}

size_t hrn_contents_wrong(const struct hrn_model *model, uint32_t id, const unsigned char *p,
                          size_t n, size_t upto)
{
    uint64_t stamp = stamp_of(model->seed, id);
    upto = upto < n ? upto : n;
    if (n < 16) {
        return short_wrong(p, upto, stamp);
    }
    if (hrn_fault_on(HRN_FAULT_TRUST_MEMORY) && upto >= 8) {
        memcpy(&stamp, p, 8);
    }
    size_t wrong = upto >= 8 ? word_wrong(p, 0, stamp) : short_wrong(p, upto, stamp);
    if (wrong == SIZE_MAX) {
        wrong = middle_wrong(p, upto < n - 8 ? upto : n - 8, n, stamp);
    }
    if (wrong == SIZE_MAX && upto == n) {
        wrong = word_wrong(p, n - 8, tail_of(stamp));
    }
    return wrong;
}

size_t hrn_contents_not_zero(const unsigned char *p, size_t n)
{
    static const unsigned char zeros[4096];
    for (size_t at = 0; at < n; at += sizeof zeros) {
        size_t part = n - at < sizeof zeros ? n - at : sizeof zeros;
        if (memcmp(p + at, zeros, part) == 0) {
            continue;
        }
        while (p[at] == 0) {
            at++;
        }
        return at;
    }
    return SIZE_MAX;
}

HRN_QUIET_END
