/* SPDX-License-Identifier: Apache-2.0 */
/* Making a zone, and removing its name. */
#include <stdio.h>
#include <string.h>

#include "allocator/journal/log.h"
#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

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
    fixed->journal_entries = zone_journal_entries(options);
    fixed->slab_offset = slm_zone_slab_offset(fixed->journal_entries);
    fixed->lock_kind = (uint32_t)options->lock_kind;
    strncpy(fixed->name, options->name, sizeof fixed->name - 1);
    strncpy(fixed->tag, zone_tag(options), sizeof fixed->tag - 1);
}

/* The text names the smallest bytes with which the options are accepted, if there is one. */
static enum slm_status refuse_length(const struct slm_zone *zone,
                                     const struct slm_zone_options *options, const char *why,
                                     struct slm_error *error)
{
    size_t enough_bytes = slm_zone_bytes_for(options, 1, 1);
    if (enough_bytes == 0) {
        return slm_error_set(error, SLM_E_SIZE, 0,
                             "zone %s: bytes %zu are too few for %s, and so are those of max_bytes "
                             "%llu",
                             options->name, options->bytes, why,
                             (unsigned long long)zone->fixed.max_bytes);
    }
    return slm_error_set(error, SLM_E_SIZE, 0,
                         "zone %s: bytes %zu are too few for %s: the smallest that will do is %zu",
                         options->name, options->bytes, why, enough_bytes);
}

static enum slm_status format_slab(struct slm_zone *zone, const struct slm_zone_options *options,
                                   struct slm_error *error)
{
    unsigned char *base = slm_segment_base(zone->segment);
    const struct zone_fixed *fixed = &zone->fixed;
    struct slm_slab_options slab = options->slab;
    char why[96];
    slab.per_doubling = slm_zone_per_doubling(options, fixed->first_bytes);
    slab.name = options->name;
    slab.max_bytes = (size_t)(fixed->max_bytes - fixed->slab_offset);
    if (fixed->slab_offset >= fixed->first_bytes) {
        (void)snprintf(why, sizeof why, "journal_entries %u", fixed->journal_entries);
        return refuse_length(zone, options, why, error);
    }
    size_t slab_bytes = (size_t)(fixed->first_bytes - fixed->slab_offset);
    enum slm_status status = slm_slab_init(base + fixed->slab_offset, slab_bytes, &slab);
    if (status == SLM_E_SIZE) {
        (void)snprintf(why, sizeof why, "the metadata of a zone that may grow up to max_bytes %llu",
                       (unsigned long long)fixed->max_bytes);
        return refuse_length(zone, options, why, error);
    }
    return status == SLM_OK ? SLM_OK
                            : slm_error_set(error, status, 0, "zone %s: its slab: %s",
                                            options->name, slm_status_text(status));
}

/* Stores the state last: until then attach refuses the zone, if its segment needs no name. */
static enum slm_status format_zone(struct slm_zone *zone, const struct slm_zone_options *options,
                                   struct slm_error *error)
{
    zone->header = slm_segment_base(zone->segment);
    fill_fixed(&zone->fixed, options, zone->segment);
    (void)slm_lock_init(&zone->header->lock, options->lock_kind);
    void *log = (unsigned char *)zone->header + ZONE_JOURNAL_OFFSET;
    (void)slm_journal_init(log, zone->fixed.journal_entries);
    ((struct slm_journal_log *)log)->content_version = options->content_version;
    zone->content_version = options->content_version;
    zone->check_content = options->check_content;
    zone->check_data = options->check_data;
    zone->report = options->report;
    zone->report_data = options->report_data;
    zone->quiet_nomem = options->quiet_nomem;
    enum slm_status status = format_slab(zone, options, error);
    if (status != SLM_OK) {
        return status;
    }
    zone->header->bytes = zone->fixed.first_bytes;
    zone->header->fixed = zone->fixed;
    zone->header->checksum = slm_zone_checksum(&zone->fixed);
    /* No other process has the zone yet. */
    struct slm_lock_options lock = {.path = options->lock_path, .is_unused = true};
    status = slm_zone_error_of(options->name, slm_zone_open_parts(zone, &lock, error), error);
    if (status == SLM_OK) {
        slm_zone_vouch(zone);
        __atomic_store_n(&zone->header->state, ZONE_READY, __ATOMIC_RELEASE);
    }
    return status;
}

typedef enum slm_status create_any(struct slm_segment **out,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error);

static enum slm_status create_segment(struct slm_zone *zone, const struct slm_zone_options *options,
                                      create_any *create, struct slm_error *error)
{
    struct slm_segment_options segment = options->segment;
    segment.bytes = options->bytes;
    segment.max_bytes = options->max_bytes;
    segment.unnamed = slm_zone_has_name(segment.kind);
    segment.name = zone_declared_segment_name(options);
    enum slm_status status = create(&zone->segment, &segment, error);
    return slm_zone_error_of(options->name, status, error);
}

static enum slm_status make(struct slm_zone **out, const struct slm_zone_options *options,
                            create_any *create, struct slm_error *error)
{
    struct slm_zone *zone = slm_zone_new();
    if (zone == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "zone %s: no memory", options->name);
    }
    enum slm_status status = create_segment(zone, options, create, error);
    if (status == SLM_OK) {
        status = format_zone(zone, options, error);
    }
    if (status != SLM_OK) {
        slm_zone_detach(zone);
        return status;
    }
    *out = zone;
    return SLM_OK;
}

enum slm_status slm_zone_make(struct slm_zone **out, const struct slm_zone_options *options,
                              struct slm_error *error)
{
    return make(out, options, slm_segment_create, error);
}

enum slm_status slm_zone_make_successor(struct slm_zone **out,
                                        const struct slm_zone_options *options,
                                        struct slm_error *error)
{
    bool has_name = slm_zone_has_name(options->segment.kind);
    return make(out, options, has_name ? slm_segment_create_successor : slm_segment_create, error);
}

enum slm_status slm_zone_publish(struct slm_zone *zone, struct slm_error *error)
{
    return slm_zone_has_name(slm_segment_get_kind(zone->segment))
               ? slm_zone_error_of(zone->fixed.name, slm_segment_publish(zone->segment, error),
                                   error)
               : SLM_OK;
}

enum slm_status slm_zone_create(struct slm_zone **out, const struct slm_zone_options *options,
                                struct slm_error *error)
{
    struct slm_zone *zone = NULL;
    slm_error_clear(error);
    if (out != NULL) {
        *out = NULL;
    }
    if (out == NULL || options == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone: no options, or no place for it");
    }
    enum slm_status status = slm_zone_check_options(options, error);
    if (status == SLM_OK) {
        status = slm_zone_make(&zone, options, error);
    }
    if (status == SLM_OK) {
        status = slm_zone_publish(zone, error);
    }
    if (status != SLM_OK) {
        slm_zone_detach(zone);
        return status;
    }
    slm_zone_note_whole(zone);
    *out = zone;
    return SLM_OK;
}

enum slm_status slm_zone_remove(struct slm_zone *zone, struct slm_error *error)
{
    if (zone == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "NULL where a zone is needed");
    }
    enum slm_segment_kind kind = slm_segment_get_kind(zone->segment);
    slm_error_clear(error);
    if (!slm_zone_has_name(kind)) {
        return SLM_OK;
    }
    return slm_segment_remove_own(zone->segment, error);
}
