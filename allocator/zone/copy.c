/* SPDX-License-Identifier: Apache-2.0 */
/* Copying a zone while others use it; marks.c has the design. */
#include <slabmill/zone_copy.h>

#include <string.h>

#include "allocator/journal/log.h"
#include "allocator/segment/for_zone.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"
#include <slabmill/zone_image.h>

#define PAGE_BYTES  ((uint64_t)1 << ZONE_COPY_SHIFT)
#define PIECE_BYTES (ZONE_COPY_PIECE_PAGES * PAGE_BYTES)
#define HEADS_BYTES                                                                                \
    (sizeof(struct slm_journal_log) + sizeof(struct slab_header) +                                 \
     SLM_SLAB_CLASSES_MAX * sizeof(struct slab_class))

_Static_assert(ZONE_COPY_PAGES *PAGE_BYTES + PIECE_BYTES + HEADS_BYTES <= SLM_ZONE_COPY_HOLD_BYTES,
               "all that is copied under one lock");

/* A zone that grew, or that was damaged, is copied from the start again. */
#define MOST_TRIES 8u

/* A zone that is changed faster than it is copied is given up after so many of its lengths. */
#define MOST_ROUNDS 16u

struct range {
    uint64_t from;
    uint64_t end;
};

struct copier {
    struct slm_zone *zone;
    struct slm_segment *to;
    uint64_t bytes;
    uint64_t shift;                             /* of a granule */
    struct range granule;                       /* what is left of the last one that was chosen */
    struct range ranges[ZONE_COPY_PIECE_PAGES]; /* what the next hold takes */
    unsigned n_ranges;
    uint64_t touched; /* pages below have been written to: they have their memory */
    struct slm_zone_copy_report *report;
};

/* --- Under the lock --- */

static void copy_range(struct copier *copier, uint64_t from, uint64_t end)
{
    /* The first page is made, not copied. */
    from = from < ZONE_JOURNAL_OFFSET ? ZONE_JOURNAL_OFFSET : from;
    end = end < copier->bytes ? end : copier->bytes;
    if (from < end) {
        memcpy((unsigned char *)slm_segment_base(copier->to) + from,
               (const unsigned char *)copier->zone->header + from, (size_t)(end - from));
        copier->report->n_copied_bytes += end - from;
    }
}

static void copy_marked_pages(struct copier *copier)
{
    struct zone_copying *copying = zone_copying_of(copier->zone->header);
    for (unsigned i = 0; i < ZONE_COPY_PAGES; i++) {
        uint64_t page = copying->pages[i] - 1;
        if (copying->pages[i] != 0 && page < copier->bytes >> ZONE_COPY_SHIFT) {
            copy_range(copier, page << ZONE_COPY_SHIFT, (page + 1) << ZONE_COPY_SHIFT);
        }
        copying->pages[i] = 0;
    }
}

/* The first granule from `at` on and around whose bit is set; n_granules: none. */
static uint64_t find_granule(const struct zone_copying *copying, uint64_t at, uint64_t n_granules)
{
    for (uint64_t i = 0; i < n_granules; i++, at++) {
        at = at < n_granules ? at : 0;
        if ((copying->granules[at / SLM_WORD_BITS] >> at % SLM_WORD_BITS & 1u) != 0) {
            return at;
        }
    }
    return n_granules;
}

/* Begins the next granule that is marked. False: there is none. */
static bool begin_granule(struct copier *copier)
{
    uint64_t n_granules = ((copier->bytes - 1) >> copier->shift) + 1;
    struct zone_copying *copying = zone_copying_of(copier->zone->header);
    uint64_t next = copier->granule.end >> copier->shift;
    uint64_t granule = find_granule(copying, next, n_granules);
    if (granule == n_granules) {
        return false;
    }
    copying->granules[granule / SLM_WORD_BITS] &= ~(UINT64_C(1) << granule % SLM_WORD_BITS);
    copier->granule = (struct range){granule << copier->shift, (granule + 1) << copier->shift};
    return true;
}

/* Chooses what the next hold takes: parts of granules, of PIECE_BYTES together. False: nothing is
 * left. */
static bool choose_ranges(struct copier *copier)
{
    struct range *left = &copier->granule;
    uint64_t left_bytes = PIECE_BYTES;
    copier->n_ranges = 0;
    while (left_bytes > 0 && (left->from < left->end || begin_granule(copier))) {
        uint64_t n_bytes =
            left->end - left->from < left_bytes ? left->end - left->from : left_bytes;
        copier->ranges[copier->n_ranges++] = (struct range){left->from, left->from + n_bytes};
        left->from += n_bytes;
        left_bytes -= n_bytes;
    }
    return copier->n_ranges > 0;
}

static void copy_ranges(struct copier *copier)
{
    for (unsigned i = 0; i < copier->n_ranges; i++) {
        copy_range(copier, copier->ranges[i].from, copier->ranges[i].end);
    }
}

/* What changes without marks: the log's head, and the slab's counters. */
static void copy_heads(struct copier *copier)
{
    struct slm_zone *zone = copier->zone;
    unsigned char *base = slm_segment_base(copier->to);
    struct slm_journal_log *log = (void *)(base + ZONE_JOURNAL_OFFSET);
    uint64_t slab_offset = zone->fixed.slab_offset;
    memcpy(log, zone->journal.log, sizeof *log);
    copy_range(copier, slab_offset,
               slab_offset + sizeof(struct slab_header) +
                   zone->slab->shape.n_classes * sizeof(struct slab_class));
    ((struct zone_header *)(void *)base)->n_recoveries = zone->header->n_recoveries;
    copier->report->n_copied_bytes += sizeof *log;
}

enum progress {
    GOES_ON,
    IS_DONE,
    IS_LOST, /* the zone grew, or does not know of this copy any more */
};

static bool is_lost(const struct copier *copier)
{
    const struct slm_zone *zone = copier->zone;
    return !slm_zone_is_my_copy(zone) || zone_bytes(zone) != copier->bytes ||
           zone_copying_of(zone->header)->shift != copier->shift;
}

/* What one hold does. If nothing is left afterwards, the copy is of this moment. */
static enum progress copy_some(struct copier *copier)
{
    struct slm_zone_copy_report *report = copier->report;
    uint64_t before = report->n_copied_bytes;
    enum progress progress = GOES_ON;
    if (is_lost(copier)) {
        return IS_LOST;
    }
    copy_marked_pages(copier);
    copy_ranges(copier);
    if (!choose_ranges(copier)) {
        copy_heads(copier);
        slm_zone_end_copy(copier->zone);
        progress = IS_DONE;
    }
    uint64_t held_bytes = report->n_copied_bytes - before;
    report->most_held_bytes =
        held_bytes > report->most_held_bytes ? held_bytes : report->most_held_bytes;
    report->n_holds++;
    return progress;
}

/* --- One copy --- */

static enum slm_status lock_zone(struct slm_zone *zone, struct slm_error *error)
{
    return slm_zone_lock_within(zone, SLM_ZONE_COPY_LOCK_MS, error);
}

/* Gets the memory of what the next hold takes, so that it waits for no page of the file. The first
 * time around the ranges ascend. */
static void touch_ranges(struct copier *copier)
{
    volatile unsigned char *base = slm_segment_base(copier->to);
    for (unsigned i = 0; i < copier->n_ranges; i++) {
        uint64_t end =
            copier->ranges[i].end < copier->bytes ? copier->ranges[i].end : copier->bytes;
        for (; copier->touched < end; copier->touched += PAGE_BYTES) {
            base[copier->touched] = 0;
        }
    }
}

static enum slm_status hold_once(struct copier *copier, enum progress *progress,
                                 struct slm_error *error)
{
    struct slm_zone *zone = copier->zone;
    enum slm_status status = lock_zone(zone, error);
    if (status != SLM_OK) {
        return status;
    }
    *progress = copy_some(copier);
    bool is_awaited = slm_zone_end_hold(zone, copier->touched >= copier->bytes);
    if (slm_segment_was_mended(zone->segment)) {
        status = slm_error_set(error, SLM_E_TRUNCATED, 0, "zone %s: was cut", zone->fixed.name);
    }
    (void)slm_zone_unlock(zone);
    if (is_awaited) {
        slm_zone_wake_writers(zone);
    }
    return status;
}

static bool is_too_much(const struct copier *copier, uint64_t before)
{
    return (copier->report->n_copied_bytes - before) / MOST_ROUNDS >
           copier->bytes + SLM_ZONE_COPY_HOLD_BYTES;
}

/* Reading a page without memory takes some. No page is given back while the copy is made. */
static enum slm_status back_holes(const struct copier *copier, struct slm_error *error)
{
    struct slm_zone *zone = copier->zone;
    return zone_copying_of(zone->header)->trimmed == 0
               ? SLM_OK
               : slm_zone_error_of(zone->fixed.name,
                                   slm_segment_back(zone->segment, 0, (size_t)copier->bytes, error),
                                   error);
}

static enum slm_status copy_all(struct copier *copier, enum progress *progress,
                                struct slm_error *error)
{
    uint64_t before = copier->report->n_copied_bytes;
    enum slm_status status = back_holes(copier, error);
    *progress = GOES_ON;
    while (status == SLM_OK && *progress == GOES_ON) {
        touch_ranges(copier);
        status = hold_once(copier, progress, error);
        if (status == SLM_OK && *progress == GOES_ON && is_too_much(copier, before)) {
            *progress = IS_LOST;
        }
    }
    return status;
}

static enum slm_status begin(struct copier *copier, struct slm_error *error)
{
    struct slm_zone *zone = copier->zone;
    enum slm_status status = lock_zone(zone, error);
    if (status == SLM_OK) {
        status = slm_zone_begin_copy(zone, error);
        copier->shift = zone_copying_of(zone->header)->shift;
        (void)slm_zone_unlock(zone);
        copier->report->n_holds++;
    }
    return status;
}

/* A call that failed leaves no copy under way, also when it failed since the content has another
 * version now. If another thread has the lock, the next locker ends it. */
static void end_copy(struct slm_zone *zone)
{
    slm_zone_abandon_copy(zone);
    if (slm_zone_timedlock_any(zone, 0) == SLM_OK) {
        (void)slm_zone_unlock(zone);
    }
}

/* --- The copy's file --- */

static enum slm_status create_segment(struct copier *copier, const struct slm_segment_options *to,
                                      struct slm_error *error)
{
    const struct zone_fixed *fixed = &copier->zone->fixed;
    struct slm_segment_options options = *to;
    options.bytes = (size_t)copier->bytes;
    options.max_bytes = (size_t)fixed->max_bytes;
    options.unnamed = true;
    return slm_zone_error_of(fixed->name, slm_segment_create(&copier->to, &options, error), error);
}

/* Everything of the first page, and nothing of a transaction in the log. */
static void write_head(const struct copier *copier)
{
    const struct zone_fixed *fixed = &copier->zone->fixed;
    struct zone_header *header = slm_segment_base(copier->to);
    struct slm_journal_log *log = (void *)((unsigned char *)header + ZONE_JOURNAL_OFFSET);
    uint64_t n_recoveries = header->n_recoveries;
    memset(header, 0, ZONE_JOURNAL_OFFSET);
    header->fixed = *fixed;
    header->checksum = slm_zone_checksum(fixed);
    header->bytes = copier->bytes;
    header->n_recoveries = n_recoveries;
    header->state = ZONE_READY;
    (void)slm_lock_init(&header->lock, (enum slm_lock_kind)fixed->lock_kind);
    memset(log->entries, 0, (size_t)(fixed->slab_offset - ZONE_JOURNAL_OFFSET) - sizeof *log);
    log->state = 0;
}

/* The lists of the slab were copied at different moments, so they are made again. */
static enum slm_status rebuild(const struct copier *copier, struct slm_error *error)
{
    const char *label = slm_segment_label(copier->to);
    unsigned char *base = slm_segment_base(copier->to);
    struct slm_zone_image image;
    struct slm_slab *slab = NULL;
    struct slm_journal journal = {0};
    enum slm_status status =
        slm_zone_image_read(&image, base, SLM_ZONE_IMAGE_HEAD_BYTES, label, error);
    if (status != SLM_OK) {
        return status;
    }
    ((struct slab_header *)(void *)(base + image.slab_offset))->pending = 0;
    status = slm_zone_image_open(&image, base, &slab, &journal);
    if (status == SLM_OK) {
        status = slm_zone_image_repair(&image, slab, &journal);
    }
    unsigned broken = status == SLM_OK ? slm_zone_image_check(&image, slab, &journal) : 0;
    slm_journal_detach(&journal);
    slm_slab_detach(slab);
    if (status == SLM_E_NOMEM) {
        return slm_error_set(error, status, 0, "%s: no memory to check the copy", label);
    }
    return status == SLM_OK && broken == 0
               ? SLM_OK
               : slm_error_set(error, SLM_E_BROKEN, 0,
                               "zone %s: is damaged: its copy breaks invariant %u",
                               copier->zone->fixed.name, broken);
}

/* The disk has all of it before it has its name. */
static enum slm_status finish(struct copier *copier, struct slm_error *error)
{
    const char *name = copier->zone->fixed.name;
    struct slm_zone copy = {
        .segment = copier->to,
        .header = slm_segment_base(copier->to),
        .fixed = copier->zone->fixed,
    };
    write_head(copier);
    enum slm_status status = rebuild(copier, error);
    if (status == SLM_OK && slm_zone_is_lasting(&copy)) {
        status = slm_zone_error_of(name, slm_zone_mark_clean(&copy, error), error);
    }
    if (status == SLM_OK) {
        status = slm_zone_publish(&copy, error);
    }
    if (status == SLM_OK) {
        slm_zone_note_whole(&copy);
    }
    return status;
}

static enum slm_status copy_once(struct slm_zone *zone, const struct slm_segment_options *to,
                                 struct slm_zone_copy_report *report, enum progress *progress,
                                 struct slm_error *error)
{
    struct copier copier = {.zone = zone, .bytes = zone_bytes(zone), .report = report};
    *progress = GOES_ON;
    report->bytes = copier.bytes;
    enum slm_status status = create_segment(&copier, to, error);
    if (status == SLM_OK) {
        status = begin(&copier, error);
    }
    if (status == SLM_OK) {
        status = copy_all(&copier, progress, error);
        if (*progress != IS_DONE) {
            end_copy(zone);
        }
    }
    if (status == SLM_OK && *progress == IS_DONE) {
        status = finish(&copier, error);
    }
    slm_segment_detach(copier.to);
    return status;
}

static enum slm_status check_arguments(const struct slm_zone *zone,
                                       const struct slm_segment_options *to,
                                       struct slm_error *error)
{
    if (zone == NULL || to == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone to copy, or no place for the copy");
    }
    if (!slm_zone_has_name(to->kind)) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "zone %s: a copy of kind %d: only POSIX and FILE have a name",
                             zone->fixed.name, (int)to->kind);
    }
    return zone->lock != NULL ? SLM_OK
                              : slm_error_set(error, SLM_E_READ_ONLY, 0,
                                              "zone %s: a copy takes its lock, and the handle is "
                                              "read-only",
                                              zone->fixed.name);
}

enum slm_status slm_zone_copy(struct slm_zone *zone, const struct slm_segment_options *to,
                              struct slm_zone_copy_report *report, struct slm_error *error)
{
    struct slm_zone_copy_report own = {0};
    struct slm_error why;
    enum progress progress = IS_LOST;
    enum slm_status status = check_arguments(zone, to, &why);
    for (unsigned i = 0; i < MOST_TRIES && status == SLM_OK && progress == IS_LOST; i++) {
        status = copy_once(zone, to, &own, &progress, &why);
    }
    if (report != NULL) {
        *report = own;
    }
    if (status == SLM_OK && progress == IS_DONE) {
        return slm_error_clear(error);
    }
    if (status == SLM_OK) {
        return slm_error_set(error, SLM_E_TIMEOUT, 0,
                             "zone %s: changes faster than it can be copied", zone->fixed.name);
    }
    return slm_error_set(error, status, why.os_errno, "%s", why.text);
}
