/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a zone: opening, repairing and closing them. */
#include <stdlib.h>
#include <string.h>

#include "allocator/base/yield.h"
#include "allocator/journal/log.h"
#include "allocator/lock/event.h"
#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

const char *slm_zone_segment_name(const struct slm_zone *zone)
{
    const char *label = slm_segment_label(zone->segment);
    const char *last =
        slm_segment_get_kind(zone->segment) == SLM_SEGMENT_POSIX ? strrchr(label, '/') : NULL;
    return last == NULL ? label : last + 1;
}

void slm_zone_note_whole(struct slm_zone *zone)
{
    __atomic_store_n(&zone->header->whole_file, slm_segment_file_version(zone->segment),
                     __ATOMIC_RELAXED);
}

struct slm_zone *slm_zone_new(void)
{
    return calloc(1, sizeof(struct slm_zone));
}

/* At SLM_CHECKS 2 the journal asks it. */
static bool is_held(const void *lock)
{
    return slm_lock_is_mine(lock);
}

/* Opened last, since it may create a file. */
static enum slm_status open_lock(struct slm_zone *zone, const struct slm_lock_options *lock,
                                 struct slm_error *error)
{
    struct slm_lock_options options = *lock;
    options.kind = (enum slm_lock_kind)zone->fixed.lock_kind;
    struct slm_error why;
    if (slm_segment_is_read_only(zone->segment)) {
        return SLM_OK;
    }
    enum slm_status status = slm_lock_attach(&zone->lock, &zone->header->lock, &options, &why);
    if (status == SLM_OK) {
        slm_lock_set_name(zone->lock, zone->fixed.name);
    }
    return status == SLM_OK ? SLM_OK
                            : slm_error_set(error, status, why.os_errno, "%s: its lock: %s",
                                            slm_segment_label(zone->segment), why.text);
}

static void close_journal_and_slab(struct slm_zone *zone)
{
    slm_journal_detach(&zone->journal);
    slm_slab_detach(zone->look);
    slm_slab_detach(zone->slab);
    zone->look = NULL;
    zone->slab = NULL;
}

/* The zone's length, as far as it is mapped: another process may grow the zone meanwhile. */
static size_t open_bytes(const struct slm_zone *zone)
{
    SLM_YIELD("zone: open its parts");
    uint64_t bytes = zone_bytes(zone);
    size_t mapped_bytes = slm_segment_bytes(zone->segment);
    return bytes < mapped_bytes ? (size_t)bytes : mapped_bytes;
}

/* The journal's view, and one that callers may have. */
static enum slm_status open_slab(struct slm_zone *zone)
{
    static const struct slm_slab_view looking = {.read_only = true};
    size_t slab_offset = (size_t)zone->fixed.slab_offset;
    size_t slab_bytes = open_bytes(zone) - slab_offset;
    unsigned char *region = (unsigned char *)slm_segment_base(zone->segment) + slab_offset;
    bool may_write = !slm_segment_is_read_only(zone->segment);
    enum slm_status status =
        slm_slab_attach(&zone->slab, region, slab_bytes, may_write ? NULL : &looking);
    if (status == SLM_OK) {
        status = slm_slab_attach(&zone->look, region, slab_bytes, &looking);
    }
    return status;
}

enum slm_status slm_zone_open_parts(struct slm_zone *zone, const struct slm_lock_options *lock,
                                    struct slm_error *error)
{
    unsigned char *base = slm_segment_base(zone->segment);
    const char *label = slm_segment_label(zone->segment);
    size_t slab_offset = (size_t)zone->fixed.slab_offset;
    enum slm_status status = open_slab(zone);
    if (status != SLM_OK) {
        close_journal_and_slab(zone);
        return slm_error_set(error, status, 0, "%s: its slab: %s", label, slm_status_text(status));
    }
    slm_zone_watch_holes(zone);
    status = slm_journal_attach(&zone->journal, base + ZONE_JOURNAL_OFFSET,
                                slab_offset - ZONE_JOURNAL_OFFSET, base, zone->slab);
    if (status == SLM_OK && zone->journal.n_max != zone->fixed.journal_entries) {
        status = SLM_E_IMAGE;
    }
    if (status != SLM_OK) {
        (void)slm_error_set(error, status, 0, "%s: %s", label,
                            status == SLM_E_NOMEM ? "no memory for its journal's handle"
                                                  : "its journal is damaged");
    } else {
        status = open_lock(zone, lock, error);
        journal_set_lock(&zone->journal, zone->lock == NULL ? NULL : is_held, zone->lock);
    }
    if (status != SLM_OK) {
        close_journal_and_slab(zone);
        return status;
    }
    zone->folder = slm_zone_find_folder(zone);
    return SLM_OK;
}

enum slm_status slm_zone_recover_parts(struct slm_slab *slab, struct slm_journal *journal,
                                       size_t slab_bytes)
{
    /* Zones keep their root in the log. The slab's own may be damaged, and would fail the whole
     * checks that releases make: so it is cleared first. */
    (void)slm_slab_set_root(slab, NULL);
    enum slm_status status = slm_journal_recover(journal);
    if (status == SLM_OK) {
        (void)slm_slab_grow_locked(slab, slab_bytes);
    }
    return status;
}

void slm_zone_detach(struct slm_zone *zone)
{
    if (zone != NULL) {
        close_journal_and_slab(zone);
        slm_lock_detach(zone->lock);
        slm_segment_detach(zone->segment);
        free(zone);
    }
}
