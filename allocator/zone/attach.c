/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a zone that exists: every field is checked before it is used. */
#include <string.h>

#include "allocator/zone/handle.h"

/* Whether this process may use the zone. */
static enum slm_status judge_use(const struct zone_header *header, const char *label,
                                 const struct slm_zone_attach_options *options,
                                 struct slm_error *error)
{
    const struct zone_fixed *fixed = &header->fixed;
    if (header->state == ZONE_BROKEN && !options->segment.read_only) {
        return slm_error_set(error, SLM_E_BROKEN, 0, "%s: could not be repaired", label);
    }
    if (slm_zone_is_elsewhere(fixed->namespaces)) {
        return slm_error_set(error, SLM_E_STATE, 0,
                             "%s: made in another namespace (pid %u, time %u)", label,
                             (uint32_t)fixed->namespaces, (uint32_t)(fixed->namespaces >> 32));
    }
    if (options->name != NULL && strcmp(options->name, fixed->name) != 0) {
        return slm_error_set(error, SLM_E_NAME, 0, "%s: zone \"%s\", expected \"%.60s\"", label,
                             fixed->name, options->name);
    }
    if (options->tag != NULL && strcmp(options->tag, fixed->tag) != 0) {
        return slm_error_set(error, SLM_E_NAME, 0, "%s: tag \"%s\", expected \"%.60s\"", label,
                             fixed->tag, options->tag);
    }
    return SLM_OK;
}

/* Checks and uses a copy, which no other process can change meanwhile. */
static enum slm_status open_header(struct slm_zone *zone,
                                   const struct slm_zone_attach_options *options,
                                   struct slm_error *error)
{
    const char *label = slm_segment_label(zone->segment);
    if (slm_segment_bytes(zone->segment) < ZONE_JOURNAL_OFFSET) {
        return slm_error_set(error, SLM_E_TRUNCATED, 0, "%s: %zu bytes, too short for a zone",
                             label, slm_segment_bytes(zone->segment));
    }
    zone->header = slm_segment_base(zone->segment);
    struct zone_header copy = *zone->header;
    enum slm_status status = slm_zone_check_header(&copy, label, error);
    if (status == SLM_OK) {
        status = judge_use(&copy, label, options, error);
    }
    zone->fixed = copy.fixed;
    return status;
}

/* Maps the zone with the addresses up to its max_bytes, which its header holds. The first mapping
 * is read-only: a file that turns out not to be a zone must not have its holes filled. */
static enum slm_status map_whole(struct slm_zone *zone,
                                 const struct slm_zone_attach_options *options,
                                 struct slm_error *error)
{
    struct slm_segment_options segment = options->segment;
    segment.max_bytes = 0;
    segment.read_only = true;
    enum slm_status status = slm_segment_attach(&zone->segment, &segment, error);
    if (status == SLM_OK) {
        status = open_header(zone, options, error);
    }
    if (status != SLM_OK) {
        return status;
    }
    segment.read_only = options->segment.read_only;
    if (zone->fixed.max_bytes > slm_segment_max_bytes(zone->segment)) {
        segment.max_bytes = (size_t)zone->fixed.max_bytes;
    } else if (segment.read_only) {
        return SLM_OK;
    }
    slm_segment_detach(zone->segment);
    zone->segment = NULL;
    status = slm_segment_attach(&zone->segment, &segment, error);
    return status == SLM_OK ? open_header(zone, options, error) : status;
}

static enum slm_status map_all(struct slm_zone *zone, uint64_t bytes, struct slm_error *error)
{
    if (!slm_zone_bytes_are_right(&zone->fixed, bytes)) {
        return slm_error_set(error, SLM_E_SIZE, 0, "%s: a length of %llu bytes",
                             slm_segment_label(zone->segment), (unsigned long long)bytes);
    }
    return bytes <= slm_segment_bytes(zone->segment)
               ? SLM_OK
               : slm_segment_refresh(zone->segment, (size_t)bytes, error);
}

/* The zone may have grown since it was mapped: then it tries again, with the new length. */
static enum slm_status open_all(struct slm_zone *zone,
                                const struct slm_zone_attach_options *options,
                                struct slm_error *error)
{
    struct slm_lock_options lock = {
        .path = options->lock_path,
        .file_is_new = options->lock_file_is_new,
    };
    for (;;) {
        uint64_t bytes = zone_bytes(zone);
        enum slm_status status = map_all(zone, bytes, error);
        if (status == SLM_OK) {
            status = slm_zone_open_parts(zone, &lock, error);
        }
        if (status == SLM_OK || zone_bytes(zone) <= bytes) {
            return status;
        }
    }
}

static enum slm_status check_content(struct slm_zone *zone, struct slm_error *error)
{
    unsigned broken = slm_zone_check_locked(zone);
    return broken == 0 ? SLM_OK
                       : slm_error_set(error, SLM_E_BROKEN, 0, "%s: breaks invariant %u",
                                       slm_segment_label(zone->segment), broken);
}

enum slm_status slm_zone_attach(struct slm_zone **out,
                                const struct slm_zone_attach_options *options,
                                struct slm_error *error)
{
    slm_error_clear(error);
    if (out != NULL) {
        *out = NULL;
    }
    if (out == NULL || options == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone: no options, or no place for it");
    }
    struct slm_zone *zone = slm_zone_new();
    if (zone == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "no memory for a zone's handle");
    }
    enum slm_status status = map_whole(zone, options, error);
    if (status == SLM_OK) {
        status = open_all(zone, options, error);
    }
    if (status == SLM_OK && options->check) {
        status = check_content(zone, error);
    }
    if (status != SLM_OK) {
        slm_zone_detach(zone);
        return status;
    }
    *out = zone;
    return SLM_OK;
}
