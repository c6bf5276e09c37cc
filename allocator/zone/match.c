/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a zone that exists is what options declare, or can become it without losing content. */
#include <string.h>

#include "allocator/lock/handle.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

static enum slm_status differ(const struct slm_zone *zone, const char *option,
                              unsigned long long stored, unsigned long long declared,
                              struct slm_error *error)
{
    return slm_error_set(error, SLM_E_OPTION, 0, "zone %s: its %s is %llu, and %llu is declared",
                         zone->fixed.name, option, stored, declared);
}

static enum slm_status match_slab(const struct slm_zone *zone, const struct slm_slab_options *slab,
                                  struct slm_error *error)
{
    struct slm_slab_options stored = slm_slab_stored_options(zone->slab);
    const struct {
        const char *name;
        size_t stored;
        size_t declared; /* 0: what is stored */
    } values[] = {
        {"slab.page_bytes", stored.page_bytes, slab->page_bytes},
        {"slab.min_object_bytes", stored.min_object_bytes, slab->min_object_bytes},
        {"slab.per_doubling", stored.per_doubling, slab->per_doubling},
        {"slab.gap_bytes", stored.gap_bytes, slab->gap_bytes},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (values[i].declared != 0 && values[i].declared != values[i].stored) {
            return differ(zone, values[i].name, values[i].stored, values[i].declared, error);
        }
    }
    return SLM_OK;
}

enum slm_status slm_zone_match(const struct slm_zone *zone, const struct slm_zone_options *options,
                               struct slm_error *error)
{
    const struct zone_fixed *fixed = &zone->fixed;
    enum slm_segment_kind kind = slm_segment_get_kind(zone->segment);
    unsigned n_entries = options->journal_entries;
    if (strcmp(fixed->tag, zone_tag(options)) != 0) {
        return slm_error_set(error, SLM_E_NAME, 0,
                             "zone %s: its tag is \"%s\", and \"%s\" is declared", fixed->name,
                             fixed->tag, zone_tag(options));
    }
    if (kind != options->segment.kind) {
        return differ(zone, "segment.kind", kind, options->segment.kind, error);
    }
    if (fixed->lock_kind != (uint32_t)options->lock_kind) {
        return differ(zone, "lock_kind", fixed->lock_kind, options->lock_kind, error);
    }
    if (n_entries != 0 && n_entries != fixed->journal_entries) {
        return differ(zone, "journal_entries", fixed->journal_entries, n_entries, error);
    }
    if (options->bytes > fixed->max_bytes) {
        return slm_error_set(error, SLM_E_SIZE, 0,
                             "zone %s: its max_bytes is %llu, and bytes %zu is declared",
                             fixed->name, (unsigned long long)fixed->max_bytes, options->bytes);
    }
    return match_slab(zone, &options->slab, error);
}

bool slm_zone_may_succeed(const struct slm_zone *zone, const struct slm_zone_options *options)
{
    return strcmp(zone->fixed.tag, zone_tag(options)) == 0 &&
           slm_segment_get_kind(zone->segment) == options->segment.kind;
}

enum slm_status slm_zone_match_lock_file(const struct slm_zone *zone,
                                         const struct slm_zone_options *options,
                                         struct slm_error *error)
{
    struct slm_lock_options lock = {.kind = SLM_LOCK_FILE, .path = options->lock_path};
    struct slm_lock *again = NULL;
    if (options->lock_kind != SLM_LOCK_FILE ||
        (lock.path[0] != '/' && slm_lock_file_was_given(zone->lock, lock.path))) {
        return SLM_OK;
    }
    enum slm_status status = slm_lock_attach(&again, &zone->header->lock, &lock, error);
    slm_lock_detach(again);
    return slm_zone_error_of(slm_zone_name(zone), status, error);
}
