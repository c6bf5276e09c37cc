/* SPDX-License-Identifier: Apache-2.0 */
/* Making zones, and what they are. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* lstat */
#endif
#include <slabmill/zone.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "allocator/base/bits.h"
#include "allocator/zone/handle.h"

/* FNV-1a, 64 bits: against chance, not an enemy. */
uint64_t zone_checksum(const struct zone_fixed *fixed)
{
    const unsigned char *bytes = (const unsigned char *)fixed;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof *fixed; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

uint64_t zone_slab_offset(unsigned journal_entries)
{
    return slm_align_up(ZONE_JOURNAL_OFFSET + slm_journal_log_bytes(journal_entries), ZONE_ALIGN);
}

static uint32_t namespace_number(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? (uint32_t)about.st_ino : 0;
}

uint64_t zone_namespaces(void)
{
    return (uint64_t)namespace_number("/proc/self/ns/time") << 32 |
           namespace_number("/proc/self/ns/pid");
}

const char *zone_segment_name(const struct slm_zone *zone)
{
    const char *label = slm_segment_label(zone->segment);
    const char *last =
        slm_segment_get_kind(zone->segment) == SLM_SEGMENT_POSIX ? strrchr(label, '/') : NULL;
    return last == NULL ? label : last + 1;
}

struct slm_zone *zone_new(void)
{
    return calloc(1, sizeof(struct slm_zone));
}

/* Last, since it may make a file. */
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
    return status == SLM_OK ? SLM_OK
                            : slm_error_set(error, status, why.os_errno, "%s: %.150s",
                                            slm_segment_label(zone->segment), why.text);
}

static void close_journal_and_slab(struct slm_zone *zone)
{
    slm_journal_detach(&zone->journal);
    slm_slab_detach(zone->slab);
    zone->slab = NULL;
}

enum slm_status zone_open_parts(struct slm_zone *zone, const struct slm_lock_options *lock,
                                struct slm_error *error)
{
    unsigned char *base = slm_segment_base(zone->segment);
    const char *label = slm_segment_label(zone->segment);
    size_t slab_offset = (size_t)zone->fixed.slab_offset;
    enum slm_status status = slm_slab_attach(&zone->slab, base + slab_offset,
                                             (size_t)zone_bytes(zone) - slab_offset, NULL);
    if (status != SLM_OK) {
        return slm_error_set(error, status, 0, "%s: its slab: %s", label, slm_status_text(status));
    }
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
    }
    if (status != SLM_OK) {
        close_journal_and_slab(zone);
    }
    return status;
}

static bool name_is_right(const char *name, bool may_be_empty)
{
    size_t n = strlen(name);
    return n < SLM_ZONE_NAME_BYTES && (n > 0 || may_be_empty);
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static enum slm_status check_options(const struct slm_zone_options *options,
                                     struct slm_error *error)
{
    const char *name = or_empty(options->name);
    if (!name_is_right(name, false) || !name_is_right(or_empty(options->tag), true)) {
        return slm_error_set(error, SLM_E_NAME, 0,
                             "zone \"%.80s\": name or tag is empty or longer than %u bytes", name,
                             SLM_ZONE_NAME_BYTES - 1);
    }
    if (options->journal_entries != 0 && slm_journal_log_bytes(options->journal_entries) == 0) {
        return slm_error_set(error, SLM_E_OPTION, 0, "zone %s: a journal of %u entries", name,
                             options->journal_entries);
    }
    uint64_t bytes = options->bytes;
    uint64_t max_bytes = options->max_bytes;
    if (bytes < SLM_ZONE_BYTES_MIN || bytes > ZONE_BYTES_MAX || max_bytes > ZONE_BYTES_MAX) {
        return slm_error_set(error, SLM_E_SIZE, 0, "zone %s: %zu bytes, up to %zu, cannot be", name,
                             options->bytes, options->max_bytes);
    }
    return SLM_OK;
}

/* The constant part, as the options have it; lengths are those of the segment. */
static void fill_fixed(struct zone_fixed *fixed, const struct slm_zone_options *options,
                       const struct slm_segment *segment)
{
    memset(fixed, 0, sizeof *fixed);
    fixed->magic = SLM_ZONE_MAGIC;
    fixed->version = SLM_ZONE_VERSION;
    fixed->header_bytes = sizeof(struct zone_header);
    fixed->asked_bytes = options->bytes;
    fixed->first_bytes = slm_segment_bytes(segment);
    fixed->max_bytes = slm_segment_max_bytes(segment);
    fixed->journal_entries = options->journal_entries != 0 ? options->journal_entries : 1024;
    fixed->slab_offset = zone_slab_offset(fixed->journal_entries);
    fixed->lock_kind = (uint32_t)options->lock;
    fixed->namespaces = zone_namespaces();
    strncpy(fixed->name, options->name, sizeof fixed->name - 1);
    strncpy(fixed->tag, or_empty(options->tag), sizeof fixed->tag - 1);
}

static enum slm_status format_slab(struct slm_zone *zone, const struct slm_zone_options *options,
                                   struct slm_error *error)
{
    unsigned char *base = slm_segment_base(zone->segment);
    const struct zone_fixed *fixed = &zone->fixed;
    struct slm_slab_options slab = options->slab;
    slab.name = options->name;
    slab.max_bytes = (size_t)(fixed->max_bytes - fixed->slab_offset);
    enum slm_status status = SLM_E_SIZE;
    if (fixed->slab_offset < fixed->first_bytes) {
        status = slm_slab_init(base + fixed->slab_offset,
                               (size_t)(fixed->first_bytes - fixed->slab_offset), &slab);
    }
    return status == SLM_OK
               ? SLM_OK
               : slm_error_set(error, status, 0, "zone %s: no slab in %zu bytes, up to %zu: %s",
                               options->name, options->bytes, options->max_bytes,
                               slm_status_text(status));
}

/* Nobody can take it for a zone before the state says that it is ready: the last store. */
static enum slm_status format_zone(struct slm_zone *zone, const struct slm_zone_options *options,
                                   struct slm_error *error)
{
    zone->header = slm_segment_base(zone->segment);
    fill_fixed(&zone->fixed, options, zone->segment);
    enum slm_status status = slm_lock_init(&zone->header->lock, options->lock);
    if (status != SLM_OK) {
        return slm_error_set(error, status, 0, "zone %s: no such kind of lock", options->name);
    }
    (void)slm_journal_init((unsigned char *)zone->header + ZONE_JOURNAL_OFFSET,
                           zone->fixed.journal_entries);
    status = format_slab(zone, options, error);
    if (status != SLM_OK) {
        return status;
    }
    zone->header->bytes = zone->fixed.first_bytes;
    zone->header->fixed = zone->fixed;
    zone->header->checksum = zone_checksum(&zone->fixed);
    struct slm_lock_options lock = {.path = options->lock_path};
    status = zone_open_parts(zone, &lock, error);
    if (status == SLM_OK) {
        __atomic_store_n(&zone->header->state, ZONE_READY, __ATOMIC_RELEASE);
    }
    return status;
}

static enum slm_status create_segment(struct slm_zone *zone, const struct slm_zone_options *options,
                                      struct slm_error *error)
{
    struct slm_segment_options segment = options->segment;
    segment.bytes = options->bytes;
    segment.max_bytes = options->max_bytes;
    if (segment.name == NULL) {
        segment.name = options->name;
    }
    return slm_segment_create(&zone->segment, &segment, error);
}

enum slm_status slm_zone_create(struct slm_zone **out, const struct slm_zone_options *options,
                                struct slm_error *error)
{
    slm_error_clear(error);
    if (out == NULL || options == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone: no options, or no place for it");
    }
    *out = NULL;
    enum slm_status status = check_options(options, error);
    if (status != SLM_OK) {
        return status;
    }
    struct slm_zone *zone = zone_new();
    if (zone == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "zone %s: no memory", options->name);
    }
    status = create_segment(zone, options, error);
    if (status == SLM_OK) {
        status = format_zone(zone, options, error);
        if (status != SLM_OK) {
            (void)slm_zone_remove(zone, NULL);
        }
    }
    if (status != SLM_OK) {
        slm_zone_detach(zone);
        return status;
    }
    *out = zone;
    return SLM_OK;
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

/* Somebody may have removed it, and made another one of that name. */
static bool is_anothers(const struct slm_segment *segment)
{
    struct stat mine;
    struct stat there;
    return lstat(slm_segment_label(segment), &there) == 0 &&
           fstat(slm_segment_id(segment), &mine) == 0 &&
           (mine.st_dev != there.st_dev || mine.st_ino != there.st_ino);
}

enum slm_status slm_zone_remove(struct slm_zone *zone, struct slm_error *error)
{
    enum slm_segment_kind kind = slm_segment_get_kind(zone->segment);
    slm_error_clear(error);
    if (kind != SLM_SEGMENT_POSIX && kind != SLM_SEGMENT_FILE) {
        return SLM_OK;
    }
    if (is_anothers(zone->segment)) {
        return slm_error_set(error, SLM_E_MISSING, 0, "%s: another file by now",
                             slm_segment_label(zone->segment));
    }
    struct slm_segment_options options = {
        .kind = kind,
        .name = zone_segment_name(zone),
        .mode = 0777, /* whoever may write to it: it is the one that is open here */
    };
    return slm_segment_remove(&options, error);
}

struct slm_journal *slm_zone_journal(struct slm_zone *zone)
{
    return &zone->journal;
}

struct slm_slab *slm_zone_slab(struct slm_zone *zone)
{
    return zone->slab;
}

struct slm_lock *slm_zone_lock_handle(struct slm_zone *zone)
{
    return zone->lock;
}

const struct slm_segment *slm_zone_segment(const struct slm_zone *zone)
{
    return zone->segment;
}

const char *slm_zone_name(const struct slm_zone *zone)
{
    return zone->fixed.name;
}

const char *slm_zone_tag(const struct slm_zone *zone)
{
    return zone->fixed.tag;
}

void slm_zone_get_stats(const struct slm_zone *zone, struct slm_zone_stats *stats)
{
    *stats = (struct slm_zone_stats){
        .bytes = (size_t)zone_bytes(zone),
        .max_bytes = (size_t)zone->fixed.max_bytes,
        .n_recoveries = __atomic_load_n(&zone->header->n_recoveries, __ATOMIC_RELAXED),
        .n_undone = slm_journal_n_undone(&zone->journal),
        .n_finished = slm_journal_n_finished(&zone->journal),
        .journal_entries = zone->fixed.journal_entries,
    };
}
