/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes of the address space belong to live objects. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/base/quiet.h"
#include "harness/run/model.h"

HRN_BOOKS_BEGIN

#define PAGE_SHIFT 12u
#define PAGE_BYTES ((size_t)1 << PAGE_SHIFT)
#define FIRST_CAP  256u
#define SORT_FROM  65536u /* pages of a range in which gaps are looked for */

/* Multiplicative hash by 2^64 over the golden ratio (Knuth, vol. 3). */
static size_t home_slot(const struct hrn_map *map, uintptr_t page)
{
    return (size_t)((uint64_t)page * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (map->cap - 1);
}

/* The page's slot, or the empty slot where it belongs. */
static struct hrn_map_page *find(const struct hrn_map *map, uintptr_t page)
{
    size_t i = home_slot(map, page);
    while (map->pages[i].page != 0 && map->pages[i].page != page) {
        i = (i + 1) & (map->cap - 1);
    }
    return &map->pages[i];
}

static void grow(struct hrn_map *map)
{
    struct hrn_map old = *map;
    map->cap = old.cap == 0 ? FIRST_CAP : old.cap * 2;
    size_t cap = 0;
    map->pages = hrn_array_grow(NULL, &cap, map->cap, sizeof *map->pages);
    memset(map->pages, 0, map->cap * sizeof *map->pages);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.pages[i].page != 0) {
            *find(map, old.pages[i].page) = old.pages[i];
        }
    }
    free(old.pages);
}

static uint32_t bits_get(struct hrn_map *map)
{
    if (map->n_free_bits > 0) {
        return map->free_bits[--map->n_free_bits];
    }
    map->bits = hrn_array_grow(map->bits, &map->cap_bits, map->n_bits + 1, sizeof *map->bits);
    memset(map->bits[map->n_bits], 0, sizeof map->bits[0]);
    return (uint32_t)map->n_bits++;
}

static void bits_put(struct hrn_map *map, uint32_t idx)
{
    map->free_bits = hrn_array_grow(map->free_bits, &map->cap_free_bits, map->n_free_bits + 1,
                                    sizeof *map->free_bits);
    map->free_bits[map->n_free_bits++] = idx;
}

/* Empties a slot and closes the gap: later entries move up unless that is before their home. */
static void drop_slot(struct hrn_map *map, struct hrn_map_page *slot)
{
    size_t mask = map->cap - 1;
    size_t hole = (size_t)(slot - map->pages);
    for (size_t i = (hole + 1) & mask; map->pages[i].page != 0; i = (i + 1) & mask) {
        if (((i - home_slot(map, map->pages[i].page)) & mask) >= ((i - hole) & mask)) {
            map->pages[hole] = map->pages[i];
            hole = i;
        }
    }
    map->pages[hole].page = 0;
    map->n--;
}

/* The bits of word w that the bytes [from, from + n) of a page have in it. */
static uint64_t word_mask(size_t w, size_t from, size_t n)
{
    size_t low = w * 64;
    size_t start = from > low ? from - low : 0;
    size_t end = from + n - low < 64 ? from + n - low : 64;
    uint64_t below_end = end == 64 ? UINT64_MAX : (UINT64_C(1) << end) - 1;
    return below_end & (UINT64_MAX << start);
}

static bool take_part(struct hrn_map *map, struct hrn_map_page *slot, size_t from, size_t n)
{
    if (slot->n_taken == 0) {
        slot->bits_idx = bits_get(map);
    } else if (slot->bits_idx == HRN_MAP_WHOLE) {
        return false;
    }
    uint64_t *bits = map->bits[slot->bits_idx];
    for (size_t w = from / 64; w <= (from + n - 1) / 64; w++) {
        uint64_t mask = word_mask(w, from, n);
        if ((bits[w] & mask) != 0) {
            return false;
        }
        bits[w] |= mask;
    }
    slot->n_taken += (uint32_t)n;
    return true;
}

static bool take_in_page(struct hrn_map *map, uintptr_t page, size_t from, size_t n)
{
    if (2 * (map->n + 1) > map->cap) {
        grow(map);
    }
    struct hrn_map_page *slot = find(map, page);
    if (slot->page == 0) {
        *slot = (struct hrn_map_page){.page = page};
        map->n++;
    }
    if (n < PAGE_BYTES) {
        return take_part(map, slot, from, n);
    }
    bool fresh = slot->n_taken == 0;
    slot->n_taken = PAGE_BYTES;
    slot->bits_idx = HRN_MAP_WHOLE;
    return fresh;
}

/* --- Huge ranges --- */

/* The range that shares a byte with [low, high); NULL: none. */
static struct hrn_map_range *find_range(const struct hrn_map *map, uintptr_t low, uintptr_t high)
{
    for (size_t i = 0; i < map->n_ranges; i++) {
        if (map->ranges[i].low < high && low < map->ranges[i].high) {
            return &map->ranges[i];
        }
    }
    return NULL;
}

/* Whether a byte of the page is taken in [low, high). */
static bool page_meets(const struct hrn_map *map, const struct hrn_map_page *slot, uintptr_t low,
                       uintptr_t high)
{
    uintptr_t start = slot->page << PAGE_SHIFT;
    if (slot->page == 0 || start >= high || low >= start + PAGE_BYTES) {
        return false;
    }
    if (slot->bits_idx == HRN_MAP_WHOLE) {
        return true;
    }
    size_t from = low > start ? low - start : 0;
    size_t end = high - start < PAGE_BYTES ? high - start : PAGE_BYTES;
    const uint64_t *bits = map->bits[slot->bits_idx];
    for (size_t i = from; i < end; i++) {
        if ((bits[i / 64] >> i % 64 & 1u) != 0) {
            return true;
        }
    }
    return false;
}

static bool take_range(struct hrn_map *map, uintptr_t low, uintptr_t high)
{
    bool is_free = find_range(map, low, high) == NULL;
    for (size_t i = 0; i < map->cap && is_free; i++) {
        is_free = !page_meets(map, &map->pages[i], low, high);
    }
    if (is_free) {
        map->ranges =
            hrn_array_grow(map->ranges, &map->cap_ranges, map->n_ranges + 1, sizeof *map->ranges);
        map->ranges[map->n_ranges++] = (struct hrn_map_range){low, high};
    }
    return is_free;
}

/* --- Any ranges --- */

bool hrn_map_take(struct hrn_map *map, const void *p, size_t n)
{
    uintptr_t at = (uintptr_t)p;
    if (n > HRN_HUGE_BYTES) {
        return take_range(map, at, at + n);
    }
    if (find_range(map, at, at + n) != NULL) {
        return false;
    }
    while (n > 0) {
        size_t from = at & (PAGE_BYTES - 1);
        size_t part = n < PAGE_BYTES - from ? n : PAGE_BYTES - from;
        if (!take_in_page(map, at >> PAGE_SHIFT, from, part)) {
            return false;
        }
        at += part;
        n -= part;
    }
    return true;
}

static void give_in_page(struct hrn_map *map, uintptr_t page, size_t from, size_t n)
{
    struct hrn_map_page *slot = find(map, page);
    if (slot->bits_idx != HRN_MAP_WHOLE) {
        uint64_t *bits = map->bits[slot->bits_idx];
        for (size_t w = from / 64; w <= (from + n - 1) / 64; w++) {
            bits[w] &= ~word_mask(w, from, n);
        }
    }
    slot->n_taken -= (uint32_t)n;
    if (slot->n_taken == 0) {
        if (slot->bits_idx != HRN_MAP_WHOLE) {
            bits_put(map, slot->bits_idx);
        }
        drop_slot(map, slot);
    }
}

void hrn_map_give(struct hrn_map *map, const void *p, size_t n)
{
    uintptr_t at = (uintptr_t)p;
    if (n > HRN_HUGE_BYTES) {
        struct hrn_map_range *range = find_range(map, at, at + n);
        if (range != NULL) {
            *range = map->ranges[--map->n_ranges];
        }
        return;
    }
    while (n > 0) {
        size_t from = at & (PAGE_BYTES - 1);
        size_t part = n < PAGE_BYTES - from ? n : PAGE_BYTES - from;
        give_in_page(map, at >> PAGE_SHIFT, from, part);
        at += part;
        n -= part;
    }
}

bool hrn_map_taken(const struct hrn_map *map, const void *p)
{
    uintptr_t at_byte = (uintptr_t)p;
    if (find_range(map, at_byte, at_byte + 1) != NULL) {
        return true;
    }
    if (map->cap == 0) {
        return false;
    }
    const struct hrn_map_page *slot = find(map, (uintptr_t)p >> PAGE_SHIFT);
    if (slot->page == 0 || slot->bits_idx == HRN_MAP_WHOLE) {
        return slot->page != 0;
    }
    size_t at = (uintptr_t)p & (PAGE_BYTES - 1);
    return (map->bits[slot->bits_idx][at / 64] >> at % 64 & 1u) != 0;
}

/* --- Gaps --- */

struct gap {
    uintptr_t start; /* of the present range */
    uintptr_t low;
    uintptr_t high;
    uintptr_t best_at;
    size_t best;
    size_t enough;
};

/* The present range ends before a taken byte at `at`; the next one starts at `next`. */
static void end_range(struct gap *gap, uintptr_t at, uintptr_t next)
{
    uintptr_t start = gap->start > gap->low ? gap->start : gap->low;
    uintptr_t end = at < gap->high ? at : gap->high;
    if (end > start && end - start > gap->best) {
        gap->best = end - start;
        gap->best_at = start;
    }
    gap->start = next;
}

/* 64 bytes from `at` on, with a bit for each that is taken. */
static void add_word(struct gap *gap, uintptr_t at, uint64_t taken)
{
    while (taken != 0) {
        unsigned first = (unsigned)__builtin_ctzll((unsigned long long)taken);
        uint64_t shifted = ~(taken >> first);
        unsigned n = shifted == 0 ? 64 : (unsigned)__builtin_ctzll((unsigned long long)shifted);
        n = n > 64 - first ? 64 - first : n;
        end_range(gap, at + first, at + first + n);
        taken = first + n >= 64 ? 0 : taken >> (first + n) << (first + n);
    }
}

static void add_page(const struct hrn_map *map, struct gap *gap, uintptr_t page)
{
    const struct hrn_map_page *slot = map->cap == 0 ? NULL : find(map, page);
    uintptr_t at = page << PAGE_SHIFT;
    if (slot == NULL || slot->page == 0) {
        return;
    }
    if (slot->bits_idx == HRN_MAP_WHOLE) {
        end_range(gap, at, at + PAGE_BYTES);
        return;
    }
    const uint64_t *bits = map->bits[slot->bits_idx];
    for (size_t w = 0; w < HRN_MAP_WORDS && gap->best < gap->enough; w++) {
        add_word(gap, at + w * 64, bits[w]);
    }
}

static int by_low(const void *a, const void *b)
{
    const struct hrn_map_range *x = a;
    const struct hrn_map_range *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

/* All pages with a taken byte, and all huge ranges, by address. Returns how many. */
static size_t sort_taken(struct hrn_map *map)
{
    size_t n = 0;
    map->sorted = hrn_array_grow(map->sorted, &map->cap_sorted, map->n + map->n_ranges + 1,
                                 sizeof *map->sorted);
    for (size_t i = 0; i < map->cap; i++) {
        uintptr_t start = map->pages[i].page << PAGE_SHIFT;
        if (start != 0) {
            map->sorted[n++] = (struct hrn_map_range){start, start + PAGE_BYTES};
        }
    }
    for (size_t i = 0; i < map->n_ranges; i++) {
        map->sorted[n++] = map->ranges[i];
    }
    qsort(map->sorted, n, sizeof *map->sorted, by_low);
    return n;
}

static void add_sorted(struct hrn_map *map, struct gap *gap)
{
    size_t n = sort_taken(map);
    for (size_t i = 0; i < n && gap->best < gap->enough; i++) {
        const struct hrn_map_range *range = &map->sorted[i];
        if (range->high <= gap->low || range->low >= gap->high) {
            continue;
        }
        if (range->high - range->low > PAGE_BYTES) {
            end_range(gap, range->low, range->high);
        } else {
            add_page(map, gap, range->low >> PAGE_SHIFT);
        }
    }
}

size_t hrn_map_gap(struct hrn_map *map, uintptr_t low, uintptr_t high, size_t enough, uintptr_t *at)
{
    struct gap gap = {.start = low, .low = low, .high = high, .enough = enough};
    if (map->n_ranges > 0 || (high - low) >> PAGE_SHIFT > SORT_FROM) {
        add_sorted(map, &gap);
    } else {
        for (uintptr_t page = low >> PAGE_SHIFT; page << PAGE_SHIFT < high && gap.best < enough;
             page++) {
            add_page(map, &gap, page);
        }
    }
    if (gap.best < enough) {
        end_range(&gap, high, high);
    }
    *at = gap.best_at;
    return gap.best;
}

void hrn_map_clear(struct hrn_map *map)
{
    map->n_ranges = 0;
    if (map->n == 0) {
        return;
    }
    memset(map->pages, 0, map->cap * sizeof *map->pages);
    map->n = 0;
    map->n_bits = 0;
    map->n_free_bits = 0;
}

void hrn_map_fini(struct hrn_map *map)
{
    free(map->pages);
    free(map->bits);
    free(map->free_bits);
    free(map->ranges);
    free(map->sorted);
    memset(map, 0, sizeof *map);
}

HRN_BOOKS_END
