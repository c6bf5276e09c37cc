/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting a region as a slab, and opening a view of one. */
#include <string.h>

#include "allocator/slab/view.h"

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
    header->checksum = slm_slab_layout_checksum(header);
}

/* The largest region that slm_slab_layout_region takes and a size_t can hold, in units of its
 * alignment.
 */
static uint64_t most_region_steps(const struct slab_shape *shape)
{
    uint64_t by_pages = ((uint64_t)SLAB_PAGES_MAX << shape->page_shift) / SLM_SLAB_REGION_ALIGN - 1;
    uint64_t by_size = SIZE_MAX / SLM_SLAB_REGION_ALIGN;
    return by_pages < by_size ? by_pages : by_size;
}

size_t slm_slab_region_bytes(const struct slm_slab_options *options, size_t n_pages)
{
    struct slab_shape shape;
    if (n_pages == 0 || n_pages >= SLAB_PAGES_MAX || !slm_slab_layout_options(&shape, options)) {
        return 0;
    }
    uint64_t max_bytes = shape.max_bytes;
    uint64_t low = 0;
    uint64_t end = most_region_steps(&shape) + 1;
    uint64_t high = end;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        shape.max_bytes = max_bytes;
        if (slm_slab_layout_region(&shape, (size_t)(middle * SLM_SLAB_REGION_ALIGN)) >= n_pages) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high == end ? 0 : (size_t)(high * SLM_SLAB_REGION_ALIGN);
}

/* Tables of pages that may be added later are not written until then. */
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
static void format_region(struct slm_slab *slab, const char *name)
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
    if (!slm_slab_layout_options(&slab.shape, options)) {
        return SLM_E_OPTION;
    }
    slab.n_pages = slm_slab_layout_region(&slab.shape, region_bytes);
    if (slab.n_pages == 0) {
        return SLM_E_SIZE;
    }
    slm_slab_layout_derive(&slab, region);
    format_region(&slab, options != NULL ? options->name : NULL);
    return SLM_OK;
}

/* Accepts a stored shape only if the same options and region size lead to it again. Another process
 * may grow the slab meanwhile: the count that is compared with region_bytes is the view's. */
static enum slm_status read_shape(const struct slab_header *header, size_t region_bytes,
                                  struct slab_shape *shape, uint32_t *n_pages)
{
    const struct slab_shape *stored = &header->shape;
    if (header->magic != SLAB_MAGIC || header->version != SLAB_VERSION ||
        header->header_bytes != sizeof *header ||
        header->checksum != slm_slab_layout_checksum(header) ||
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
    if (!slm_slab_layout_options(shape, &options) ||
        slm_slab_layout_region(shape, (size_t)stored->region_bytes) == 0 ||
        memcmp(shape, stored, sizeof *shape) != 0) {
        return SLM_E_IMAGE;
    }
    *n_pages = slm_slab_layout_n_pages(header, shape->max_pages);
    if (*n_pages == 0) {
        return SLM_E_IMAGE;
    }
    bool is_long = stored->region_bytes <= region_bytes &&
                   *n_pages <= slm_slab_layout_pages_in(shape, region_bytes);
    return is_long ? SLM_OK : SLM_E_SIZE;
}

/* One lock, of either kind, or none; a repair is of a shared_lock only. */
static bool lock_is_served(const struct slm_slab_view *view)
{
    return (view->lock == NULL) == (view->unlock == NULL) &&
           (view->lock == NULL || view->shared_lock == NULL) &&
           (view->repair == NULL || view->shared_lock != NULL);
}

static enum slm_status check_attach(void *region, size_t region_bytes,
                                    const struct slm_slab_view *view, struct slab_shape *shape,
                                    uint32_t *n_pages)
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
    if (view != NULL && !lock_is_served(view)) {
        return SLM_E_OPTION;
    }
    return read_shape(region, region_bytes, shape, n_pages);
}

enum slm_status slm_slab_attach(struct slm_slab **out, void *region, size_t region_bytes,
                                const struct slm_slab_view *view)
{
    struct slab_shape shape;
    uint32_t n_pages;
    if (out == NULL) {
        return SLM_E_NULL;
    }
    *out = NULL;
    enum slm_status status = check_attach(region, region_bytes, view, &shape, &n_pages);
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
    slab->n_pages = n_pages;
    if (view != NULL) {
        slab->view = *view;
    }
    slab->view.source = source;
    slm_slab_layout_derive(slab, region);
    memcpy(slab->name, slab->header->name, sizeof slab->name - 1);
    if (slab_is_poisoned(slab)) {
        slm_slab_poison_attach(slab);
    }
    *out = slab;
    return SLM_OK;
}

struct slm_slab_options slm_slab_stored_options(const struct slm_slab *slab)
{
    return (struct slm_slab_options){
        .page_bytes = (size_t)1 << slab->shape.page_shift,
        .min_object_bytes = (size_t)1 << slab->shape.min_shift,
        .per_doubling = slab->shape.per_doubling,
        .gap_bytes = slab->shape.gap_bytes,
    };
}

bool slm_slab_has_options(const struct slm_slab *slab, const struct slm_slab_options *options)
{
    if (slab == NULL) {
        return false;
    }
    const struct slab_shape *is = &slab->shape;
    struct slab_shape asked;
    if (options == NULL) {
        return true;
    }
    return slm_slab_layout_options(&asked, options) &&
           (options->page_bytes == 0 || asked.page_shift == is->page_shift) &&
           (options->min_object_bytes == 0 || asked.min_shift == is->min_shift) &&
           (options->per_doubling == 0 || asked.per_doubling == is->per_doubling) &&
           (options->gap_bytes == 0 || asked.gap_bytes == is->gap_bytes);
}

void slm_slab_detach(struct slm_slab *slab)
{
    if (slab != NULL) {
        const struct slm_source *source = slab->view.source;
        if (slab_is_poisoned(slab)) {
            slm_slab_poison_detach(slab);
        }
        source->free(source->data, slab, sizeof *slab, 64);
    }
}
