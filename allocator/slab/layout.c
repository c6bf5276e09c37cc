/* SPDX-License-Identifier: Apache-2.0 */
/* How a slab's region is laid out: classes, offsets, formatting, attaching. */
#include <string.h>

#include "allocator/base/hash.h"
#include "allocator/slab/view.h"

#define PAGES_MAX     (UINT32_C(1) << 31)
#define GAP_BYTES_MAX 64u
/* A span is long enough when less than 1/64 of it is lost behind its last chunk. */
#define WASTE_SHIFT 6u

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

/* Everything of the shape that the options say; false when one of them is not allowed. */
static bool shape_options(struct slab_shape *shape, const struct slm_slab_options *options)
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

static size_t largest_class_bytes(const struct slab_shape *shape)
{
    size_t page_bytes = (size_t)1 << shape->page_shift;
    /* In whole steps: a few bytes more of region must not mean more classes and fewer pages. */
    size_t region_bytes = (size_t)shape->region_bytes & ~((size_t)SLM_SLAB_REGION_ALIGN - 1);
    size_t limit = region_bytes / 16;
    if (shape->per_doubling == 1 || limit < page_bytes / 2) {
        return page_bytes / 2;
    }
    return limit < 8 * page_bytes ? limit : 8 * page_bytes;
}

/* The class above one of `bytes`: steps of an equal part of the doubling, at least the smallest
 * object. */
static size_t next_class_bytes(const struct slab_shape *shape, size_t bytes)
{
    size_t step = ((size_t)1 << slm_bit_highest(bytes)) / shape->per_doubling;
    size_t least = (size_t)1 << shape->min_shift;
    return bytes + (step > least ? step : least);
}

static uint32_t count_classes(const struct slab_shape *shape)
{
    size_t largest = largest_class_bytes(shape);
    uint32_t n = 0;
    for (size_t bytes = (size_t)1 << shape->min_shift; bytes <= largest;
         bytes = next_class_bytes(shape, bytes)) {
        n++;
    }
    return n;
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

uint32_t slab_layout_pages_in(const struct slab_shape *shape, uint64_t region_bytes)
{
    struct offsets at;
    place_parts(shape, shape->max_pages, &at);
    if (region_bytes <= at.memory) {
        return 0;
    }
    uint64_t n_pages = (region_bytes - at.memory) >> shape->page_shift;
    return n_pages < shape->max_pages ? (uint32_t)n_pages : shape->max_pages;
}

/* Needs what the options say, max_bytes among it; says how many pages there are. */
static uint32_t shape_region(struct slab_shape *shape, size_t region_bytes)
{
    shape->region_bytes = region_bytes;
    shape->max_bytes = shape->max_bytes > region_bytes ? shape->max_bytes : region_bytes;
    if (shape->max_bytes >> shape->page_shift >= PAGES_MAX) {
        return 0;
    }
    shape->n_classes = count_classes(shape);
    shape->max_pages = fit_pages(shape);
    return slab_layout_pages_in(shape, region_bytes);
}

/*
 * Few pages that lose little behind the last chunk. Small regions get short spans, so that a class
 * with one object does not hold much of them. Chunks fit a uint16_t: one page has 8192 of them at
 * most, and a longer span is only looked at where a chunk is more than 1/64 of the one before.
 */
static uint32_t choose_span_pages(const struct slab_shape *shape, size_t chunk_bytes,
                                  uint32_t min_pages)
{
    size_t most = (size_t)(shape->region_bytes >> shape->page_shift) / 16;
    size_t best_waste = SIZE_MAX;
    uint32_t best = min_pages;
    most = most > SLAB_SPAN_PAGES_MAX ? SLAB_SPAN_PAGES_MAX : most;
    for (uint32_t n_pages = min_pages; n_pages <= most || n_pages == min_pages; n_pages++) {
        size_t span_bytes = (size_t)n_pages << shape->page_shift;
        size_t waste = (span_bytes % chunk_bytes << 20) / span_bytes;
        if (waste < best_waste) {
            best_waste = waste;
            best = n_pages;
        }
        if (waste <= (size_t)1 << (20 - WASTE_SHIFT)) {
            break;
        }
    }
    return best;
}

/*
 * inverse = ceil(2^40 / chunk) divides exactly while offset * (inverse * chunk - 2^40) < 2^40. The
 * bracket is below chunk; offset is at most a span, 16 pages of 64 KiB = 2^20, and chunk at most
 * half of that.
 */
static void cut_class(const struct slab_shape *shape, struct slab_cut *cut, size_t chunk_bytes)
{
    size_t page_bytes = (size_t)1 << shape->page_shift;
    cut->chunk_bytes = (uint32_t)chunk_bytes;
    cut->inverse = ((UINT64_C(1) << SLAB_INVERSE_SHIFT) + chunk_bytes - 1) / chunk_bytes;
    cut->min_pages = (uint32_t)slm_div_up(chunk_bytes, page_bytes);
    cut->span_pages = choose_span_pages(shape, chunk_bytes, cut->min_pages);
}

static void derive_classes(struct slm_slab *slab)
{
    const struct slab_shape *shape = &slab->shape;
    size_t bytes = (size_t)1 << shape->min_shift;
    size_t filled = 0;
    slab->class_shift = slm_bit_lowest(shape->per_doubling);
    for (unsigned i = 0; i < shape->n_classes; i++) {
        cut_class(shape, &slab->cuts[i], bytes);
        slab->largest_chunk_bytes = bytes;
        for (; filled * SLAB_LOW_STEP <= bytes && filled * SLAB_LOW_STEP <= SLAB_LOW_MAX;
             filled++) {
            slab->low_classes[filled] = (uint8_t)i;
        }
        if (bytes <= SLAB_LOW_MAX) {
            slab->first_high_class = i + 1;
        }
        bytes = next_class_bytes(shape, bytes);
    }
}

void slab_layout_derive(struct slm_slab *slab, void *region)
{
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
    length_words(slab->shape.max_pages, slab->length_words, &slab->n_levels);
    uint64_t *words = (uint64_t *)(void *)(base + at.lengths);
    for (unsigned level = 0; level < slab->n_levels; level++) {
        slab->lengths[level] = words;
        words += slab->length_words[level];
    }
    derive_classes(slab);
}

uint64_t slab_layout_checksum(const struct slab_header *header)
{
    return slm_hash(header, offsetof(struct slab_header, checksum));
}

uint32_t slab_layout_n_pages(const struct slab_header *header)
{
    uint32_t n_pages = (uint32_t)header->n_pages;
    bool is_right = header->n_pages == slab_pages_seal(n_pages);
    return is_right && n_pages <= header->shape.max_pages ? n_pages : 0;
}

static void write_header(struct slab_header *header, const struct slab_shape *shape,
                         const char *name)
{
    memset(header, 0, sizeof *header);
    header->magic = SLAB_MAGIC;
    header->version = SLAB_VERSION;
    header->header_bytes = sizeof *header;
    header->shape = *shape;
    if (name != NULL) {
        strncpy(header->name, name, sizeof header->name - 1);
    }
    header->checksum = slab_layout_checksum(header);
}

/* The largest region that shape_region takes and a size_t can tell, in units of its alignment. */
static uint64_t most_region_steps(const struct slab_shape *shape)
{
    uint64_t by_pages = ((uint64_t)PAGES_MAX << shape->page_shift) / SLM_SLAB_REGION_ALIGN - 1;
    uint64_t by_size = SIZE_MAX / SLM_SLAB_REGION_ALIGN;
    return by_pages < by_size ? by_pages : by_size;
}

size_t slm_slab_region_bytes(const struct slm_slab_options *options, size_t n_pages)
{
    struct slab_shape shape;
    if (n_pages == 0 || n_pages >= PAGES_MAX || !shape_options(&shape, options)) {
        return 0;
    }
    uint64_t max_bytes = shape.max_bytes;
    uint64_t low = 0;
    uint64_t end = most_region_steps(&shape) + 1;
    uint64_t high = end;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        shape.max_bytes = max_bytes;
        if (shape_region(&shape, (size_t)(middle * SLM_SLAB_REGION_ALIGN)) >= n_pages) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high == end ? 0 : (size_t)(high * SLM_SLAB_REGION_ALIGN);
}

/* What belongs to pages that may come later is not touched before they do. */
static void clear_tables(struct slm_slab *slab)
{
    unsigned char *end_of_pages = (unsigned char *)(slab->pages + slab->n_pages);
    uint64_t *end_of_bitmaps = slab->bitmaps + (size_t)slab->n_pages * slab->words_per_page;
    if (slab->n_pages == slab->shape.max_pages) {
        memset(slab->header, 0, slab->metadata_bytes);
        return;
    }
    memset(slab->header, 0, (size_t)(end_of_pages - (unsigned char *)slab->header));
    memset(slab->lengths[0], 0, (size_t)(end_of_bitmaps - slab->lengths[0]) * sizeof(uint64_t));
}

/* A region all of whose pages are free: the rest follows by rebuilding. */
static void format(struct slm_slab *slab, const char *name)
{
    clear_tables(slab);
    write_header(slab->header, &slab->shape, name);
    slab->header->n_pages = slab_pages_seal(slab->n_pages);
    slab->pages[0].word = slab_word(SLAB_FREE, 0, slab->n_pages);
    slm_slab_rebuild_locked(slab);
}

enum slm_status slm_slab_init(void *region, size_t region_bytes,
                              const struct slm_slab_options *options)
{
    struct slm_slab slab = {0};
    if (region == NULL) {
        return SLM_E_NULL;
    }
    if ((uintptr_t)region % SLM_SLAB_REGION_ALIGN != 0) {
        return SLM_E_ALIGN;
    }
    if (!shape_options(&slab.shape, options)) {
        return SLM_E_OPTION;
    }
    slab.n_pages = shape_region(&slab.shape, region_bytes);
    if (slab.n_pages == 0) {
        return SLM_E_SIZE;
    }
    slab_layout_derive(&slab, region);
    format(&slab, options != NULL ? options->name : NULL);
    return SLM_OK;
}

/* The stored shape is believed only if the same options and region size lead to it again. */
static enum slm_status read_shape(const struct slab_header *header, size_t region_bytes,
                                  struct slab_shape *shape)
{
    const struct slab_shape *stored = &header->shape;
    if (header->magic != SLAB_MAGIC || header->version != SLAB_VERSION ||
        header->header_bytes != sizeof *header ||
        header->checksum != slab_layout_checksum(header) ||
        header->name[sizeof header->name - 1] != '\0' || stored->page_shift > 16 ||
        stored->min_shift > 6 || stored->per_doubling == 0) {
        return SLM_E_IMAGE;
    }
    struct slm_slab_options options = {
        .page_bytes = (size_t)1 << stored->page_shift,
        .min_object_bytes = (size_t)1 << stored->min_shift,
        .per_doubling = stored->per_doubling,
        .gap_bytes = stored->gap_bytes,
        .max_bytes = (size_t)stored->max_bytes,
    };
    if (!shape_options(shape, &options) || shape_region(shape, (size_t)stored->region_bytes) == 0 ||
        memcmp(shape, stored, sizeof *shape) != 0) {
        return SLM_E_IMAGE;
    }
    uint32_t n_pages = slab_layout_n_pages(header);
    if (n_pages == 0) {
        return SLM_E_IMAGE;
    }
    bool is_long = stored->region_bytes <= region_bytes &&
                   n_pages <= slab_layout_pages_in(shape, region_bytes);
    return is_long ? SLM_OK : SLM_E_SIZE;
}

static enum slm_status check_attach(void *region, size_t region_bytes,
                                    const struct slm_slab_view *view, struct slab_shape *shape)
{
    if (region == NULL) {
        return SLM_E_NULL;
    }
    if ((uintptr_t)region % SLM_SLAB_REGION_ALIGN != 0) {
        return SLM_E_ALIGN;
    }
    if (region_bytes < sizeof(struct slab_header)) {
        return SLM_E_SIZE;
    }
    if (view != NULL && (view->lock == NULL) != (view->unlock == NULL)) {
        return SLM_E_OPTION;
    }
    return read_shape(region, region_bytes, shape);
}

enum slm_status slm_slab_attach(struct slm_slab **out, void *region, size_t region_bytes,
                                const struct slm_slab_view *view)
{
    struct slab_shape shape;
    if (out == NULL) {
        return SLM_E_NULL;
    }
    *out = NULL;
    enum slm_status status = check_attach(region, region_bytes, view, &shape);
    if (status != SLM_OK) {
        return status;
    }
    const struct slm_source *source =
        view != NULL && view->source != NULL ? view->source : slm_source_heap();
    struct slm_slab *slab = source->alloc(source->data, sizeof *slab, 64);
    if (slab == NULL) {
        return SLM_E_NOMEM;
    }
    memset(slab, 0, sizeof *slab);
    slab->shape = shape;
    slab->n_pages = slab_layout_n_pages(region);
    if (view != NULL) {
        slab->view = *view;
    }
    slab->view.source = source;
    slab_layout_derive(slab, region);
    memcpy(slab->name, slab->header->name, sizeof slab->name - 1);
    if (slab_is_poisoned(slab)) {
        slab_poison_attach(slab);
    }
    *out = slab;
    return SLM_OK;
}

bool slm_slab_has_options(const struct slm_slab *slab, const struct slm_slab_options *options)
{
    const struct slab_shape *is = &slab->shape;
    struct slab_shape asked;
    return shape_options(&asked, options) && asked.page_shift == is->page_shift &&
           asked.min_shift == is->min_shift && asked.per_doubling == is->per_doubling &&
           asked.gap_bytes == is->gap_bytes;
}

void slm_slab_detach(struct slm_slab *slab)
{
    if (slab != NULL) {
        const struct slm_source *source = slab->view.source;
        if (slab_is_poisoned(slab)) {
            slab_poison_detach(slab);
        }
        source->free(source->data, slab, sizeof *slab, 64);
    }
}
