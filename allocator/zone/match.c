/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a zone that exists is what options declare, or can become it without losing content. */
#include <string.h>

#include "allocator/zone/handle.h"

#define SLAB_VALUE_MAX 65536u /* of any option of a slab */

enum slab_option { PAGE_BYTES, MIN_OBJECT_BYTES, PER_DOUBLING, GAP_BYTES, N_SLAB_OPTIONS };

static const char *const slab_names[N_SLAB_OPTIONS] = {"slab.page_bytes", "slab.min_object_bytes",
                                                       "slab.per_doubling", "slab.gap_bytes"};

static unsigned long long value_of(const struct slm_slab_options *slab, enum slab_option which)
{
    switch (which) {
    case PAGE_BYTES:
        return slab->page_bytes;
    case MIN_OBJECT_BYTES:
        return slab->min_object_bytes;
    case PER_DOUBLING:
        return slab->per_doubling;
    default:
        return slab->gap_bytes;
    }
}

/* Options of which only one is set: the others are then what is stored. */
static struct slm_slab_options only(enum slab_option which, unsigned long long value)
{
    struct slm_slab_options slab = {0};
    switch (which) {
    case PAGE_BYTES:
        slab.page_bytes = (size_t)value;
        break;
    case MIN_OBJECT_BYTES:
        slab.min_object_bytes = (size_t)value;
        break;
    case PER_DOUBLING:
        slab.per_doubling = (unsigned)value;
        break;
    default:
        slab.gap_bytes = (size_t)value;
        break;
    }
    return slab;
}

static bool has_value(const struct slm_zone *zone, enum slab_option which, unsigned long long value)
{
    struct slm_slab_options slab = only(which, value);
    return slm_slab_has_options(zone->slab, &slab);
}

/* The slab answers only whether it has a value: so this asks for each. */
static unsigned long long stored_value(const struct slm_zone *zone, enum slab_option which)
{
    for (unsigned value = 1; value <= SLAB_VALUE_MAX; value++) {
        if (has_value(zone, which, value)) {
            return value;
        }
    }
    return 0;
}

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
    for (unsigned which = 0; which < N_SLAB_OPTIONS; which++) {
        unsigned long long declared = value_of(slab, which);
        if (!has_value(zone, which, declared)) {
            return differ(zone, slab_names[which], stored_value(zone, which), declared, error);
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
