/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/slab_image/tour.h"

#include <string.h>

#include "harness/laws/laws.h"

enum { CHUNKS_ALL = 40, CHUNK_STEP = 7 }; /* of a span's chunks, all of the first, then some */

struct tour {
    struct slm_slab *slab;
    unsigned char *memory; /* page 0 */
    size_t gap_bytes;
    struct slm_slab_stats stats;
    size_t next_page;
    size_t n_free;
    size_t longest;
    size_t n_runs;
    size_t n_run_pages;
    size_t n_kept;
    struct slm_slab_class_stats classes[SLM_SLAB_CLASSES_MAX]; /* sums */
};

static void expect_pointer(const struct tour *tour, const void *p, enum slm_status expected)
{
    enum slm_status status = slm_slab_check_pointer_locked(tour->slab, p);
    if (status != expected) {
        hrn_law_image("a pointer is judged %s, should be %s", slm_status_name(status),
                      slm_status_name(expected));
    }
}

/* What is at p: an object of n_bytes, or a part of something else. */
static void expect_place(const struct tour *tour, unsigned char *p, enum slm_slab_kind kind,
                         const struct slm_slab_extent *extent, size_t n_bytes)
{
    struct slm_slab_place place;
    bool is_live = kind == SLM_SLAB_RUN || kind == SLM_SLAB_CHUNK_USED;
    bool is_chunk = kind == SLM_SLAB_CHUNK_USED || kind == SLM_SLAB_CHUNK_FREE;
    unsigned char *first = tour->memory + extent->first_page * tour->stats.page_bytes;
    slm_slab_locate(tour->slab, p, &place);
    if (place.kind != kind || place.is_live != is_live || place.object != p ||
        place.object_bytes != n_bytes || place.span != first ||
        place.span_pages != extent->n_pages || (is_chunk && place.class_idx != extent->class_idx)) {
        hrn_law_image("a place of kind %d with %zu bytes, should be %d with %zu", (int)place.kind,
                      place.object_bytes, (int)kind, n_bytes);
    }
    size_t usable = slm_slab_usable_bytes(tour->slab, p);
    if (usable != (is_live ? n_bytes - tour->gap_bytes : 0)) {
        hrn_law_image("%zu usable bytes of %zu", usable, n_bytes);
    }
}

static void visit_chunk(struct tour *tour, const struct slm_slab_extent *extent, size_t idx,
                        size_t *n_used)
{
    size_t n_bytes = tour->classes[extent->class_idx].chunk_bytes;
    unsigned char *p = tour->memory + extent->first_page * tour->stats.page_bytes + idx * n_bytes;
    struct slm_slab_place place;
    slm_slab_locate(tour->slab, p + n_bytes - 1, &place);
    *n_used += place.is_live;
    expect_place(tour, p, place.is_live ? SLM_SLAB_CHUNK_USED : SLM_SLAB_CHUNK_FREE, extent,
                 n_bytes);
    expect_pointer(tour, p, place.is_live ? SLM_OK : SLM_E_FREED);
    expect_pointer(tour, p + 1, SLM_E_INTERIOR);
    if (place.object != p) {
        hrn_law_image("the last byte of a chunk is another object's");
    }
}

static void visit_span(struct tour *tour, const struct slm_slab_extent *extent)
{
    struct slm_slab_class_stats *class = &tour->classes[extent->class_idx];
    size_t span_bytes = extent->n_pages * tour->stats.page_bytes;
    size_t n_used = 0;
    size_t n_seen = 0;
    for (size_t i = 0; i < extent->n_chunks; i += i < CHUNKS_ALL ? 1 : CHUNK_STEP) {
        visit_chunk(tour, extent, i, &n_used);
        n_seen++;
    }
    if (extent->n_chunks != span_bytes / class->chunk_bytes || n_used > extent->n_used ||
        (n_seen == extent->n_chunks && n_used != extent->n_used)) {
        hrn_law_image("a span of %zu chunks, %zu of them used", extent->n_chunks, extent->n_used);
    }
    unsigned char *tail = tour->memory + extent->first_page * tour->stats.page_bytes +
                          extent->n_chunks * class->chunk_bytes;
    if (span_bytes % class->chunk_bytes != 0) {
        expect_place(tour, tail, SLM_SLAB_SPAN_TAIL, extent, span_bytes % class->chunk_bytes);
        expect_pointer(tour, tail, SLM_E_INTERIOR);
    }
    class->n_spans++;
    class->n_chunks += extent->n_chunks;
    class->n_used += extent->n_used;
    tour->n_kept += extent->n_used == 0 ? extent->n_pages : 0;
}

static bool visit(void *data, const struct slm_slab_extent *extent)
{
    struct tour *tour = data;
    size_t n_bytes = extent->n_pages * tour->stats.page_bytes;
    unsigned char *p = tour->memory + extent->first_page * tour->stats.page_bytes;
    if (extent->first_page != tour->next_page || extent->n_pages == 0) {
        hrn_law_image("the walk visits page %zu, should visit %zu", extent->first_page,
                      tour->next_page);
    }
    tour->next_page += extent->n_pages;
    switch (extent->kind) {
    case SLM_SLAB_EXTENT_FREE:
        tour->n_free += extent->n_pages;
        tour->longest = extent->n_pages > tour->longest ? extent->n_pages : tour->longest;
        expect_place(tour, p, SLM_SLAB_FREE_PAGE, extent, n_bytes);
        expect_pointer(tour, p + n_bytes - 1, SLM_E_PAGE_FREE);
        break;
    case SLM_SLAB_EXTENT_RUN:
        tour->n_runs++;
        tour->n_run_pages += extent->n_pages;
        expect_place(tour, p, SLM_SLAB_RUN, extent, n_bytes);
        expect_pointer(tour, p, SLM_OK);
        expect_pointer(tour, p + n_bytes - 1, SLM_E_INTERIOR);
        break;
    case SLM_SLAB_EXTENT_SPAN:
        visit_span(tour, extent);
        break;
    default:
        hrn_law_image("damage in a sound region, at page %zu", extent->first_page);
    }
    return true;
}

static bool visit_one(void *data, const struct slm_slab_extent *extent)
{
    (void)extent;
    ++*(size_t *)data;
    return false;
}

static void compare_classes(struct tour *tour)
{
    for (unsigned i = 0; i < tour->stats.n_classes; i++) {
        struct slm_slab_class_stats class;
        (void)slm_slab_get_class_stats(tour->slab, i, &class);
        const struct slm_slab_class_stats *sum = &tour->classes[i];
        size_t largest = class.chunk_bytes - tour->gap_bytes;
        if (class.n_spans != sum->n_spans || class.n_chunks != sum->n_chunks ||
            class.n_used != sum->n_used || slm_slab_class_of(tour->slab, largest) != (int)i ||
            slm_slab_class_of(tour->slab, largest + 1) !=
                (i + 1 < tour->stats.n_classes ? (int)i + 1 : -1)) {
            hrn_law_image("class %u: its counters, or the sizes that it serves", i);
        }
    }
}

static void look_outside(const struct tour *tour, unsigned char *region, size_t region_bytes)
{
    struct slm_slab_place place;
    const unsigned char *const outside[] = {NULL, region - 8, region + region_bytes};
    for (unsigned i = 0; i < 3; i++) {
        slm_slab_locate(tour->slab, outside[i], &place);
        if (place.kind != SLM_SLAB_OUTSIDE || place.is_live || place.object_bytes != 0) {
            hrn_law_image("a place outside of the region is of kind %d", (int)place.kind);
        }
    }
    expect_pointer(tour, NULL, SLM_E_NULL);
    expect_pointer(tour, region - 8, SLM_E_FOREIGN);
    expect_pointer(tour, region + region_bytes, SLM_E_FOREIGN);
    expect_pointer(tour, region, SLM_E_METADATA);
    expect_pointer(tour, tour->memory - 1, SLM_E_METADATA);
    slm_slab_locate(tour->slab, tour->memory - 1, &place);
    if (place.kind != SLM_SLAB_METADATA || slm_slab_offset(tour->slab, NULL) != 0 ||
        slm_slab_pointer(tour->slab, 0) != NULL ||
        slm_slab_pointer(tour->slab, slm_slab_offset(tour->slab, tour->memory)) != tour->memory) {
        hrn_law_image("offsets, or the metadata's last byte");
    }
}

void hrn_image_tour(struct slm_slab *slab, unsigned char *region, size_t region_bytes,
                    size_t gap_bytes)
{
    static struct tour tour;
    size_t n_visits = 0;
    tour = (struct tour){.slab = slab, .gap_bytes = gap_bytes};
    slm_slab_get_stats(slab, &tour.stats);
    tour.memory = region + tour.stats.metadata_bytes;
    for (unsigned i = 0; i < tour.stats.n_classes; i++) {
        (void)slm_slab_get_class_stats(slab, i, &tour.classes[i]);
        tour.classes[i] = (struct slm_slab_class_stats){.chunk_bytes = tour.classes[i].chunk_bytes};
    }
    slm_slab_walk_locked(slab, visit, &tour);
    slm_slab_walk_locked(slab, visit_one, &n_visits);
    const struct slm_slab_stats *stats = &tour.stats;
    if (tour.next_page != stats->n_pages || tour.n_free != stats->n_free_pages ||
        tour.longest != stats->longest_free_run_pages || tour.n_runs != stats->n_runs ||
        tour.n_run_pages != stats->n_run_pages || tour.n_kept != stats->n_kept_pages ||
        n_visits != 1) {
        hrn_law_image("the walk sums up to other counts of pages");
    }
    compare_classes(&tour);
    look_outside(&tour, region, region_bytes);
}

/* --- Nothing to ask --- */

static bool answers_without_slab(void *p)
{
    return slm_slab_alloc(NULL, 8) != NULL || slm_slab_alloc_locked(NULL, 8) != NULL ||
           slm_slab_calloc(NULL, 8) != NULL || slm_slab_calloc_locked(NULL, 8) != NULL ||
           slm_slab_memalign(NULL, 8, 8) != NULL || slm_slab_memalign_locked(NULL, 8, 8) != NULL ||
           slm_slab_usable_bytes(NULL, p) != 0 || slm_slab_grow_locked(NULL, 1 << 20) != 0 ||
           slm_slab_used_bytes(NULL) != 0 || slm_slab_trim(NULL) != 0 ||
           slm_slab_root(NULL) != NULL || slm_slab_name(NULL) != NULL ||
           slm_slab_offset(NULL, p) != 0 || slm_slab_pointer(NULL, 4096) != NULL ||
           slm_slab_class_of(NULL, 8) != -1 || slm_slab_check(NULL) != 0 ||
           slm_slab_check_locked(NULL) != 0 || slm_slab_has_options(NULL, NULL) ||
           slm_slab_last_allocation_locked(NULL) != NULL;
}

void hrn_image_nulls(struct slm_slab *slab, void *p)
{
    struct slm_slab_class_stats class = {.n_used = 5};
    struct slm_slab_stats stats = {.n_pages = 5};
    struct slm_slab_place place = {.span_pages = 5};
    size_t n_visits = 0;
    slm_slab_get_stats(NULL, &stats);
    slm_slab_get_stats_locked(NULL, &stats);
    slm_slab_get_stats(slab, NULL);
    slm_slab_get_stats_locked(slab, NULL);
    slm_slab_locate(NULL, p, &place);
    slm_slab_locate(slab, p, NULL);
    slm_slab_walk_locked(NULL, visit_one, &n_visits);
    slm_slab_walk_locked(slab, NULL, &n_visits);
    slm_slab_metadata_parts(NULL, NULL);
    slm_slab_metadata_parts(slab, NULL);
    slm_slab_clear_last_allocation_locked(NULL);
    slm_slab_detach(NULL);
    const enum slm_status refused[] = {
        slm_slab_free(NULL, p),
        slm_slab_free(NULL, NULL),
        slm_slab_free_locked(NULL, p),
        slm_slab_free_locked(NULL, NULL),
        slm_slab_check_pointer_locked(NULL, p),
        slm_slab_refresh_locked(NULL),
        slm_slab_set_root(NULL, p),
        slm_slab_reset(NULL),
        slm_slab_reset_locked(NULL),
        slm_slab_get_class_stats(NULL, 0, &class),
        slm_slab_get_class_stats_locked(NULL, 0, &class),
        slm_slab_get_class_stats(slab, 0, NULL),
        slm_slab_rebuild_locked(NULL),
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (refused[i] != SLM_E_NULL) {
            hrn_law_image("call %zu without a slab or an answer: %s", i,
                          slm_status_name(refused[i]));
        }
    }
    if (answers_without_slab(p) || class.n_used != 5 || stats.n_pages != 5 ||
        place.span_pages != 5 || n_visits != 0 || slm_slab_free(slab, NULL) != SLM_OK ||
        slm_slab_free_locked(slab, NULL) != SLM_OK) {
        hrn_law_image("a call without a slab has an answer");
    }
}
