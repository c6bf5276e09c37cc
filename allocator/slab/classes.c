/* SPDX-License-Identifier: Apache-2.0 */
/* The size classes of a slab: their sizes, how long their spans are, how a size finds its class. */
#include "allocator/slab/view.h"

/* A span is long enough when less than 1/64 of it is lost after its last chunk. */
#define WASTE_SHIFT 6u

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

uint32_t slm_slab_classes_count(const struct slab_shape *shape)
{
    size_t largest = largest_class_bytes(shape);
    uint32_t n = 0;
    for (size_t bytes = (size_t)1 << shape->min_shift; bytes <= largest;
         bytes = next_class_bytes(shape, bytes)) {
        n++;
    }
    return n;
}

/*
 * Few pages that lose little after the last chunk. Small regions get short spans, so that a class
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

bool slm_slab_classes_find(const struct slab_shape *shape, uint64_t bytes, struct slab_cut *cut)
{
    size_t chunk_bytes = (size_t)1 << shape->min_shift;
    for (unsigned i = 0; i < shape->n_classes; i++) {
        if (chunk_bytes >= bytes) {
            cut_class(shape, cut, chunk_bytes);
            return true;
        }
        chunk_bytes = next_class_bytes(shape, chunk_bytes);
    }
    return false;
}

void slm_slab_classes_derive(struct slm_slab *slab)
{
    const struct slab_shape *shape = &slab->shape;
    size_t bytes = (size_t)1 << shape->min_shift;
    size_t filled = 0;
    slab->class_shift = slm_bit_lowest(shape->per_doubling);
    for (unsigned i = 0; i < shape->n_classes; i++) {
        cut_class(shape, &slab->cuts[i], bytes);
        slab->cuts[i].stored = &slab->classes[i];
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
    slab->low_bytes = SLAB_LOW_MAX - shape->gap_bytes;
    slab->low_extra = shape->gap_bytes + SLAB_LOW_STEP - 1;
}
