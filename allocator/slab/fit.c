/* SPDX-License-Identifier: Apache-2.0 */
/* How many objects of one size a new slab holds. */
#include "allocator/slab/view.h"

static uint64_t chunks_of(const struct slab_shape *shape, const struct slab_cut *cut,
                          uint64_t n_pages)
{
    return (n_pages << shape->page_shift) / cut->chunk_bytes;
}

/* All pages of a new slab are one run: spans of the preferred length come first, then shorter ones,
 * as grow_class of span.c takes them. */
uint64_t slm_slab_n_fit(const struct slm_slab_options *options, size_t region_bytes,
                        size_t object_bytes)
{
    struct slab_shape shape;
    struct slab_cut cut;
    if (!slm_slab_layout_options(&shape, options)) {
        return 0;
    }
    uint64_t n_pages = slm_slab_layout_region(&shape, region_bytes);
    uint64_t page_bytes = UINT64_C(1) << shape.page_shift;
    /* No more than all pages: then the sum cannot wrap. */
    if (n_pages == 0 || object_bytes > n_pages * page_bytes) {
        return 0;
    }
    uint64_t bytes = (uint64_t)object_bytes + (object_bytes == 0) + shape.gap_bytes;
    if (!slm_slab_classes_find(&shape, bytes, &cut)) {
        return n_pages / ((bytes + page_bytes - 1) / page_bytes);
    }
    return n_pages / cut.span_pages * chunks_of(&shape, &cut, cut.span_pages) +
           n_pages % cut.span_pages / cut.min_pages * chunks_of(&shape, &cut, cut.min_pages);
}
