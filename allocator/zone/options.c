/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a zone that is to be made: compared with their limits before anything is made. */
#include <string.h>

#include "allocator/zone/handle.h"

static enum slm_status check_text(const char *zone, const char *option, const char *text,
                                  struct slm_error *error)
{
    size_t n = strlen(text);
    return n < SLM_ZONE_NAME_BYTES ? SLM_OK
                                   : slm_error_set(error, SLM_E_NAME, 0,
                                                   "zone %.80s: its %s has %zu bytes, more than %u",
                                                   zone, option, n, SLM_ZONE_NAME_BYTES - 1);
}

static enum slm_status check_texts(const struct slm_zone_options *options, struct slm_error *error)
{
    if (options->name == NULL || options->name[0] == '\0') {
        return slm_error_set(error, SLM_E_NAME, 0, "a zone's name is %s",
                             options->name == NULL ? "NULL" : "empty");
    }
    enum slm_status status = check_text(options->name, "name", options->name, error);
    if (status == SLM_OK) {
        status = check_text(options->name, "tag", zone_tag(options), error);
    }
    if (status == SLM_OK && slm_zone_has_name(options->segment.kind) &&
        zone_declared_segment_name(options) == NULL) {
        status = slm_error_set(error, SLM_E_NAME, 0,
                               "zone %s: segment.name is NULL, and a file needs its path",
                               options->name);
    }
    return status;
}

static enum slm_status check_sizes(const struct slm_zone_options *options, struct slm_error *error)
{
    uint64_t bytes = options->bytes;
    uint64_t max_bytes = options->max_bytes;
    if (bytes < SLM_ZONE_BYTES_MIN || bytes > ZONE_BYTES_MAX) {
        return slm_error_set(error, SLM_E_SIZE, 0, "zone %s: bytes %llu is not within %u to %llu",
                             options->name, (unsigned long long)bytes, SLM_ZONE_BYTES_MIN,
                             (unsigned long long)ZONE_BYTES_MAX);
    }
    if (max_bytes != 0 && (max_bytes < bytes || max_bytes > ZONE_BYTES_MAX)) {
        return slm_error_set(error, SLM_E_SIZE, 0,
                             "zone %s: max_bytes %llu is not 0, nor within its bytes %llu to %llu",
                             options->name, (unsigned long long)max_bytes,
                             (unsigned long long)bytes, (unsigned long long)ZONE_BYTES_MAX);
    }
    unsigned n = options->journal_entries;
    return n == 0 || slm_journal_log_bytes(n) != 0
               ? SLM_OK
               : slm_error_set(error, SLM_E_OPTION, 0,
                               "zone %s: journal_entries %u is not 0, nor within %u to %u",
                               options->name, n, SLM_JOURNAL_ENTRIES_MIN, SLM_JOURNAL_ENTRIES_MAX);
}

static enum slm_status check_lock(const struct slm_zone_options *options, struct slm_error *error)
{
    if ((unsigned)options->lock_kind > SLM_LOCK_FILE) {
        return slm_error_set(error, SLM_E_OPTION, 0, "zone %s: lock_kind %u is not within 0 to %u",
                             options->name, (unsigned)options->lock_kind, (unsigned)SLM_LOCK_FILE);
    }
    bool has_path = options->lock_path != NULL && options->lock_path[0] != '\0';
    if (options->lock_kind == SLM_LOCK_FILE && !has_path) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "zone %s: lock_path is %s, and lock_kind SLM_LOCK_FILE needs one",
                             options->name, options->lock_path == NULL ? "NULL" : "empty");
    }
    enum slm_status status = slm_zone_compare_files(options, options, error);
    if (status == SLM_OK && options->lock_kind == SLM_LOCK_FILE &&
        slm_zone_is_file_of_zone(options->lock_path)) {
        status = slm_error_set(error, SLM_E_DUPLICATE, 0, "zone %s: lock_path %s is a zone's file",
                               options->name, options->lock_path);
    }
    return status;
}

/* Options of the parts that the zone sets itself. */
static enum slm_status check_parts(const struct slm_zone_options *options, struct slm_error *error)
{
    const char *option = NULL;
    if (options->slab.name != NULL) {
        option = "slab.name";
    } else if (options->slab.max_bytes != 0) {
        option = "slab.max_bytes";
    } else if (options->segment.bytes != 0) {
        option = "segment.bytes";
    } else if (options->segment.max_bytes != 0) {
        option = "segment.max_bytes";
    } else if (options->segment.read_only) {
        option = "segment.read_only";
    } else if (options->segment.unnamed) {
        option = "segment.unnamed";
    } else if (options->segment.id != 0) {
        option = "segment.id";
    }
    return option == NULL ? SLM_OK
                          : slm_error_set(error, SLM_E_OPTION, 0,
                                          "zone %s: %s is set: the zone sets it, so it must be 0",
                                          options->name, option);
}

static bool slab_allows(struct slm_slab_options one)
{
    return slm_slab_region_bytes(&one, 1) != 0;
}

static enum slm_status check_slab(const struct slm_zone_options *options, struct slm_error *error)
{
    const struct slm_slab_options *slab = &options->slab;
    const char *option = NULL;
    const char *allowed = NULL;
    size_t value = 0;
    if (!slab_allows((struct slm_slab_options){.page_bytes = slab->page_bytes})) {
        option = "page_bytes";
        value = slab->page_bytes;
        allowed = "0, 4096, 16384 or 65536";
    } else if (!slab_allows(
                   (struct slm_slab_options){.min_object_bytes = slab->min_object_bytes})) {
        option = "min_object_bytes";
        value = slab->min_object_bytes;
        allowed = "0, 8, 16, 32 or 64";
    } else if (!slab_allows((struct slm_slab_options){.per_doubling = slab->per_doubling})) {
        option = "per_doubling";
        value = slab->per_doubling;
        allowed = "0, 1, 2, 4, 8 or 16";
    } else if (!slab_allows((struct slm_slab_options){.gap_bytes = slab->gap_bytes})) {
        option = "gap_bytes";
        value = slab->gap_bytes;
        allowed = "0 to 64";
    }
    return option == NULL ? SLM_OK
                          : slm_error_set(error, SLM_E_OPTION, 0, "zone %s: slab.%s %zu is not %s",
                                          options->name, option, value, allowed);
}

enum slm_status slm_zone_check_options(const struct slm_zone_options *options,
                                       struct slm_error *error)
{
    enum slm_status (*const checks[])(const struct slm_zone_options *, struct slm_error *) = {
        check_texts, check_sizes, check_lock, check_parts, check_slab,
    };
    enum slm_status status = SLM_OK;
    for (size_t i = 0; i < sizeof checks / sizeof *checks && status == SLM_OK; i++) {
        status = checks[i](options, error);
    }
    return status;
}

enum slm_status slm_zone_error_of(const char *name, enum slm_status status, struct slm_error *error)
{
    if (error != NULL && status != SLM_OK) {
        struct slm_error why = *error;
        (void)slm_error_set(error, status, why.os_errno, "zone %s: %s", name, why.text);
    }
    return status;
}
