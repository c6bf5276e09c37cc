/* SPDX-License-Identifier: Apache-2.0 */
/* The runner's model of objects, kept outside the memory under test. */
#ifndef HRN_MODEL_H
#define HRN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/registry/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Objects by id; the bytes of all live objects of all arenas in one map, one bit a byte;
 *          and the content of each object, a function of its id and the program's seed.
 * Safety   One thread. Memory is kept from one program to the next; its content is not.
 * Failure  Without memory the process stops.
 */

/* --- Huge objects --- */

/* Of longer objects only both ends, so many bytes each, are written and checked: they may have more
 * bytes than the machine has memory. */
#define HRN_HUGE_BYTES     ((size_t)1 << 24)
#define HRN_HUGE_END_BYTES ((size_t)1 << 16)

/* --- Map of taken bytes (map.c) --- */

struct hrn_map_page {
    uintptr_t page;    /* address >> 12, 0: empty slot */
    uint32_t n_taken;  /* bytes */
    uint32_t bits_idx; /* HRN_MAP_WHOLE: one object has the whole page */
};
#define HRN_MAP_WHOLE UINT32_MAX
#define HRN_MAP_WORDS 64u /* of bits a page */

/* Huge ranges, in no order. */
struct hrn_map_range {
    uintptr_t low;
    uintptr_t high; /* past its end */
};

/* Open addressing by page number; it has no pages without a taken byte. Ranges above HRN_HUGE_BYTES
 * are kept apart, since each would have thousands of pages. */
struct hrn_map {
    struct hrn_map_page *pages;
    size_t cap; /* slots, a power of two */
    size_t n;
    uint64_t (*bits)[HRN_MAP_WORDS];
    size_t n_bits; /* ever used; bits that are not in use are zero */
    size_t cap_bits;
    uint32_t *free_bits;
    size_t n_free_bits;
    size_t cap_free_bits;
    struct hrn_map_range *ranges;
    size_t n_ranges;
    size_t cap_ranges;
    struct hrn_map_range *sorted; /* for hrn_map_gap */
    size_t cap_sorted;
};

/* Takes bytes; false if one of them was already taken (then do not use the map any more). n > 0.
 * O(n / 64), by page for whole pages; O(pages taken) above HRN_HUGE_BYTES. */
bool hrn_map_take(struct hrn_map *map, const void *p, size_t n);
/* Gives back a range that was taken as a whole. */
void hrn_map_give(struct hrn_map *map, const void *p, size_t n);
/* True if p's byte is taken. */
bool hrn_map_taken(const struct hrn_map *map, const void *p);
/* The longest range of bytes in [low, high) that are not taken, at *at; the first one that has
 * `enough` bytes, if there is one. Cost O(bytes / 64), by page for pages without a taken byte; or,
 * where that is less, of sorting the pages with a taken byte. */
size_t hrn_map_gap(struct hrn_map *map, uintptr_t low, uintptr_t high, size_t enough,
                   uintptr_t *at);
void hrn_map_clear(struct hrn_map *map);
void hrn_map_fini(struct hrn_map *map);

/* --- Objects --- */

struct hrn_object {
    unsigned char *p;  /* NULL: not live */
    size_t size_bytes; /* usable bytes */
    struct slm_adapter_request rq;
    size_t align_bytes; /* asked for when it was made or last resized; 0: none was */
    uint32_t arena;
    uint32_t pos; /* in its list */
};

struct hrn_id_list {
    uint32_t *ids;
    size_t n;
    size_t cap;
};

struct hrn_model {
    struct hrn_object *objects;
    size_t n_objects;
    size_t cap_objects;
    struct hrn_map map;
    uint64_t seed;
};

void hrn_model_begin(struct hrn_model *model, size_t n_objects, uint32_t seed);
void hrn_model_fini(struct hrn_model *model);

/* Bytes of the map that an object takes: an empty object takes one, since its address must be
 * unique. */
static inline size_t hrn_object_extent(size_t size_bytes)
{
    return size_bytes == 0 ? 1 : size_bytes;
}

void hrn_id_list_add(struct hrn_id_list *list, struct hrn_object *objects, uint32_t id);
void hrn_id_list_drop(struct hrn_id_list *list, struct hrn_object *objects, uint32_t id);

/* --- Contents (model.c) --- */

/* Writes object `id`'s pattern to n bytes: the first 8, the last 8, every 61st. Above
 * HRN_HUGE_BYTES: at both ends. */
void hrn_contents_fill(const struct hrn_model *model, uint32_t id, unsigned char *p, size_t n);
/* Offset of the first byte below `upto` that is not the pattern of n bytes, or SIZE_MAX. */
size_t hrn_contents_wrong(const struct hrn_model *model, uint32_t id, const unsigned char *p,
                          size_t n, size_t upto);
/* Offset of the first byte that is not zero, or SIZE_MAX. All bytes count, also of huge objects. */
size_t hrn_contents_not_zero(const unsigned char *p, size_t n);

#ifdef __cplusplus
}
#endif
#endif
