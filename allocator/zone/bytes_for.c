/* SPDX-License-Identifier: Apache-2.0 */
/* The length that a zone needs for so many objects. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <unistd.h>

#include "allocator/base/bits.h"
#include "allocator/slab/view.h"
#include "allocator/zone/header.h"

/* What one search looks at. */
struct wanted {
    const struct slm_zone_options *options;
    size_t object_bytes;
    uint64_t n_objects;
    uint64_t unit_bytes; /* a page of the system */
    uint64_t most_bytes;
};

/* Whether the objects fit in a new zone of that length. */
static bool do_fit(const struct wanted *wanted, uint64_t bytes)
{
    const struct slm_zone_options *options = wanted->options;
    uint64_t slab_offset = slm_zone_slab_offset(zone_journal_entries(options));
    struct slm_slab_options slab = options->slab;
    if (bytes <= slab_offset) {
        return false;
    }
    slab.per_doubling = slm_zone_per_doubling(options, bytes);
    slab.max_bytes = (size_t)((options->max_bytes == 0 ? bytes : wanted->most_bytes) - slab_offset);
    return slm_slab_n_fit(&slab, (size_t)(bytes - slab_offset), wanted->object_bytes) >=
           wanted->n_objects;
}

/* Lengths are doubled until one fits, and then the units between it and the one before are halved.
 * A longer zone may have another class or longer spans, and so room for a few objects less. So the
 * search ends at a length that fits and is one unit longer than one that does not. */
static uint64_t find_bytes(const struct wanted *wanted)
{
    uint64_t low = 0;
    uint64_t high = slm_align_up(SLM_ZONE_BYTES_MIN, wanted->unit_bytes);
    if (high > wanted->most_bytes) {
        return 0;
    }
    while (!do_fit(wanted, high)) {
        if (high == wanted->most_bytes) {
            return 0;
        }
        low = high;
        high = high > wanted->most_bytes / 2 ? wanted->most_bytes : 2 * high;
    }
    while (low != 0 && high - low > wanted->unit_bytes) {
        uint64_t n_units = (high - low) / wanted->unit_bytes;
        uint64_t middle = low + n_units / 2 * wanted->unit_bytes;
        if (do_fit(wanted, middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

size_t slm_zone_bytes_for(const struct slm_zone_options *options, size_t object_bytes,
                          size_t n_objects)
{
    if (options == NULL || slm_journal_log_bytes(zone_journal_entries(options)) == 0) {
        return 0;
    }
    uint64_t unit = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = PTRDIFF_MAX < ZONE_BYTES_MAX ? PTRDIFF_MAX : ZONE_BYTES_MAX;
    if (options->max_bytes > limit - unit) {
        return 0;
    }
    struct wanted wanted = {
        .options = options,
        .object_bytes = object_bytes,
        .n_objects = n_objects == 0 ? 1 : n_objects,
        .unit_bytes = unit,
        .most_bytes =
            options->max_bytes == 0 ? limit - limit % unit : slm_align_up(options->max_bytes, unit),
    };
    return (size_t)find_bytes(&wanted);
}
