/* SPDX-License-Identifier: Apache-2.0 */
/* Where the parts of a slab's region are, and how many pages it has. */
#include <string.h>

#include "allocator/base/hash.h"
#include "allocator/slab/view.h"

#define GAP_BYTES_MAX 64u

/* Offsets of the parts of the region, bytes. */
struct offsets {
    size_t classes;
    size_t pages;
    size_t lengths;
    size_t bitmaps;
    size_t memory;
    uint64_t end;
};

static bool page_shift_of(size_t page_bytes, uint32_t *shift)
{
    size_t bytes = page_bytes == 0 ? 4096 : page_bytes;
    if (bytes != 4096 && bytes != 16384 && bytes != 65536) {
        return false;
    }
    *shift = slm_bit_lowest(bytes);
    return true;
}

static bool min_shift_of(size_t min_object_bytes, uint32_t *shift)
{
    size_t bytes = min_object_bytes == 0 ? 8 : min_object_bytes;
    if (!slm_is_pow2(bytes) || bytes < 8 || bytes > 64) {
        return false;
    }
    *shift = slm_bit_lowest(bytes);
    return true;
}

bool slm_slab_layout_options(struct slab_shape *shape, const struct slm_slab_options *options)
{
    static const struct slm_slab_options defaults;
    const struct slm_slab_options *o = options != NULL ? options : &defaults;
    unsigned per_doubling = o->per_doubling == 0 ? 1 : o->per_doubling;
    memset(shape, 0, sizeof *shape);
    if (!page_shift_of(o->page_bytes, &shape->page_shift) ||
        !min_shift_of(o->min_object_bytes, &shape->min_shift) || !slm_is_pow2(per_doubling) ||
        per_doubling > 16 || o->gap_bytes > GAP_BYTES_MAX) {
        return false;
    }
    shape->per_doubling = per_doubling;
    shape->gap_bytes = (uint32_t)o->gap_bytes;
    shape->max_bytes = o->max_bytes;
    return true;
}

static uint32_t words_per_page(const struct slab_shape *shape)
{
    return 1u << (shape->page_shift - shape->min_shift) >> 6;
}

/* Words of the bitmaps over lengths 0..n_pages, each level one bit a word of the level below. */
static size_t length_words(uint32_t n_pages, size_t words_of_level[SLAB_LEVELS_MAX],
                           unsigned *n_levels)
{
    size_t bits = (size_t)n_pages + 1;
    size_t total = 0;
    unsigned level = 0;
    do {
        bits = slm_div_up(bits, SLM_WORD_BITS);
        words_of_level[level++] = bits;
        total += bits;
    } while (bits > 1);
    *n_levels = level;
    return total;
}

static void place_parts(const struct slab_shape *shape, uint32_t n_pages, struct offsets *at)
{
    size_t words_of_level[SLAB_LEVELS_MAX];
    unsigned n_levels;
    at->classes = sizeof(struct slab_header);
    at->pages = at->classes + shape->n_classes * sizeof(struct slab_class);
    at->lengths = at->pages + n_pages * sizeof(struct slab_page);
    at->bitmaps = at->lengths + length_words(n_pages, words_of_level, &n_levels) * sizeof(uint64_t);
    at->memory = at->bitmaps + (size_t)n_pages * words_per_page(shape) * sizeof(uint64_t);
    at->memory = slm_align_up(at->memory, SLM_SLAB_REGION_ALIGN);
    at->end = at->memory + ((uint64_t)n_pages << shape->page_shift);
}

/* The most pages that fit max_bytes; 0 when not even one does. */
static uint32_t fit_pages(const struct slab_shape *shape)
{
    struct offsets at;
    uint64_t low = 0;
    uint64_t high = (shape->max_bytes >> shape->page_shift) + 1;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        place_parts(shape, (uint32_t)middle, &at);
        if (at.end <= shape->max_bytes) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (uint32_t)low;
}

uint32_t slm_slab_layout_pages_in(const struct slab_shape *shape, uint64_t region_bytes)
{
    struct offsets at;
    place_parts(shape, shape->max_pages, &at);
    if (region_bytes <= at.memory) {
        return 0;
    }
    uint64_t n_pages = (region_bytes - at.memory) >> shape->page_shift;
    return n_pages < shape->max_pages ? (uint32_t)n_pages : shape->max_pages;
}

uint32_t slm_slab_layout_region(struct slab_shape *shape, size_t region_bytes)
{
    shape->region_bytes = region_bytes;
    shape->max_bytes = shape->max_bytes > region_bytes ? shape->max_bytes : region_bytes;
    if (shape->max_bytes >> shape->page_shift >= SLAB_PAGES_MAX) {
        return 0;
    }
    shape->n_classes = slm_slab_classes_count(shape);
    shape->max_pages = fit_pages(shape);
    return slm_slab_layout_pages_in(shape, region_bytes);
}

/* Of slabs whose pages have memory all the time. */
static const slm_word no_holes;

void slm_slab_layout_derive(struct slm_slab *slab, void *region)
{
    slab->may_have_holes = &no_holes;
    unsigned char *base = region;
    struct offsets at;
    place_parts(&slab->shape, slab->shape.max_pages, &at);
    slab->header = region;
    slab->classes = (struct slab_class *)(void *)(base + at.classes);
    slab->pages = (struct slab_page *)(void *)(base + at.pages);
    slab->bitmaps = (uint64_t *)(void *)(base + at.bitmaps);
    slab->memory = base + at.memory;
    slab->metadata_bytes = at.memory;
    slab->words_per_page = words_per_page(&slab->shape);
    slab->bitmap_bytes = slab->words_per_page * sizeof(uint64_t);
    slab->page_bytes = (size_t)1 << slab->shape.page_shift;
    slab->page_mask = slab->page_bytes - 1;
    length_words(slab->shape.max_pages, slab->length_words, &slab->n_levels);
    uint64_t *words = (uint64_t *)(void *)(base + at.lengths);
    for (unsigned level = 0; level < slab->n_levels; level++) {
        slab->lengths[level] = words;
        words += slab->length_words[level];
    }
    slm_slab_classes_derive(slab);
    slab_know_pages(slab, slab->n_pages);
}

uint64_t slm_slab_layout_checksum(const struct slab_header *header)
{
    return slm_hash(header, offsetof(struct slab_header, checksum));
}

uint32_t slm_slab_layout_n_pages(const struct slab_header *header, uint32_t max_pages)
{
    uint64_t sealed = __atomic_load_n(&header->n_pages, __ATOMIC_ACQUIRE);
    uint32_t n_pages = (uint32_t)sealed;
    return sealed == slab_pages_seal(n_pages) && n_pages <= max_pages ? n_pages : 0;
}

/* A span may have its class's preferred length or the shortest one. */
bool slm_slab_word_is_head(const struct slm_slab *slab, uint32_t idx)
{
    uint64_t word = slab->pages[idx].word;
    uint32_t n_pages = slab_word_pages(word);
    unsigned class_idx = slab_word_class(word);
    if (n_pages == 0 || n_pages > slab->n_pages - idx || (word & 0xffff0000u) != 0) {
        return false;
    }
    switch (slab_word_kind(word)) {
    case SLAB_SPAN:
        return class_idx < slab->shape.n_classes && (n_pages == slab->cuts[class_idx].span_pages ||
                                                     n_pages == slab->cuts[class_idx].min_pages);
    case SLAB_FREE:
    case SLAB_RUN:
        return class_idx == 0;
    default:
        return false;
    }
}
