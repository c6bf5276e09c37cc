/* SPDX-License-Identifier: Apache-2.0 */
/* Giving the memory of free pages back to the system; holes.c has the design. */
#include "allocator/base/yield.h"
#include "allocator/segment/for_zone.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

#define HOLD_PIECES 64u
#define HOLD_BYTES  (UINT64_C(64) << 20)

/* One call of slm_zone_trim. */
struct trim {
    struct slm_zone *zone;
    size_t next_page; /* all before it are done */
    unsigned n_pieces;
    uint64_t n_hold_bytes; /* of free pages, under this lock */
    bool goes_on;
    uint64_t n_bytes;
    enum slm_status status;
    struct slm_error *error;
};

static void give_back(struct trim *trim, size_t first_page, size_t n_pages)
{
    struct slm_zone *zone = trim->zone;
    uint64_t n_bytes;
    enum slm_status status =
        slm_zone_give_pages_back(zone, first_page, n_pages, &n_bytes, trim->error);
    trim->status = slm_zone_error_of(zone->fixed.name, status, trim->error);
    trim->n_bytes += n_bytes;
    trim->n_hold_bytes += n_pages * zone->slab->page_bytes;
    trim->next_page = first_page + n_pages;
    trim->n_pieces++;
}

static bool visit(void *data, const struct slm_slab_extent *extent)
{
    struct trim *trim = data;
    size_t end = extent->first_page + extent->n_pages;
    if (extent->kind != SLM_SLAB_EXTENT_FREE || end <= trim->next_page) {
        return true;
    }
    if (trim->n_pieces == HOLD_PIECES || trim->n_hold_bytes >= HOLD_BYTES) {
        trim->goes_on = true;
        return false;
    }
    size_t first = extent->first_page > trim->next_page ? extent->first_page : trim->next_page;
    size_t most = (size_t)(HOLD_BYTES / trim->zone->slab->page_bytes);
    size_t n_pages = end - first < most ? end - first : most;
    give_back(trim, first, n_pages);
    trim->goes_on = n_pages < end - first;
    return trim->status == SLM_OK && !trim->goes_on;
}

/* Under the lock. */
static void trim_some(struct trim *trim)
{
    struct slm_zone *zone = trim->zone;
    struct zone_copying *copying = zone_copying_of(zone->header);
    trim->goes_on = false;
    trim->n_pieces = 0;
    trim->n_hold_bytes = 0;
    if (zone->header->state == ZONE_COPIED) {
        trim->status =
            slm_error_set(trim->error, SLM_E_LOCKED, 0, "zone %s: thread %u makes a copy of it",
                          zone->fixed.name, (unsigned)(copying->copier & UINT32_MAX));
        return;
    }
    slm_zone_note_holes(zone);
    slm_slab_walk_locked(zone->slab, visit, trim);
}

static enum slm_status check_arguments(const struct slm_zone *zone, struct slm_error *error)
{
    if (zone == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone to trim");
    }
    if (zone->lock == NULL) {
        return slm_error_set(error, SLM_E_READ_ONLY, 0, "zone %s: the handle is read-only",
                             zone->fixed.name);
    }
    return zone->slab->back != NULL
               ? SLM_OK
               : slm_error_set(error, SLM_E_OPTION, 0,
                               "zone %s: its memory cannot be given back: it has no file",
                               zone->fixed.name);
}

enum slm_status slm_zone_trim(struct slm_zone *zone, uint64_t *n_bytes, struct slm_error *error)
{
    struct trim trim = {.zone = zone, .goes_on = true, .error = error};
    slm_error_clear(error);
    trim.status = check_arguments(zone, error);
    for (bool is_first = true; trim.status == SLM_OK && trim.goes_on; is_first = false) {
        trim.status = slm_zone_lock_within(zone, SLM_ZONE_OPEN_MS, error);
        if (trim.status == SLM_OK) {
            if (is_first) {
                (void)slm_slab_span_trim(zone->slab);
            }
            trim_some(&trim);
            (void)slm_zone_unlock(zone);
        }
    }
    if (n_bytes != NULL) {
        *n_bytes = trim.n_bytes;
    }
    return trim.status;
}
