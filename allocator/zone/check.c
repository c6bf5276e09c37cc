/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates the zone's invariants: read-only, bounded, safe for any content of the zone. */
#include <string.h>

#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

/*
 * 1 to 99: the slab's (slab/check.c).
 * 101  The constant part of the header is what the handle was opened on, and its checksum right.
 * 102  The zone is ready, clean or moved: neither being made, nor given up as broken.
 * 103  Its length is within its limits and no more than the segment's; the slab lies within it.
 * 110 and above: the journal's, 110 + their number (journal/check.c).
 */
static unsigned check_header(struct slm_zone *zone)
{
    const struct zone_header *header = zone->header;
    size_t end_of_slab = (size_t)zone->fixed.slab_offset + slm_slab_used_bytes(zone->slab);
    if (memcmp(&header->fixed, &zone->fixed, sizeof zone->fixed) != 0 ||
        header->checksum != slm_zone_checksum(&zone->fixed)) {
        return ZONE_HEADER;
    }
    if (!zone_state_is_usable(header->state) && !zone_state_is_moved(header->state)) {
        return ZONE_STATE;
    }
    uint64_t bytes = zone_bytes(zone);
    if (!slm_zone_bytes_are_right(&zone->fixed, bytes) || end_of_slab > bytes) {
        return ZONE_LENGTH;
    }
    slm_zone_unmap_surplus(zone, bytes);
    if (slm_segment_check_cut(zone->segment, NULL) != SLM_OK) {
        return ZONE_LENGTH;
    }
    /* A read-only handle never locks, so the length is refreshed here. A damaged count of pages is
     * reported by the slab's check. */
    enum slm_status seen = slm_zone_see_growth(zone, NULL);
    return seen == SLM_OK || seen == SLM_E_IMAGE ? 0 : ZONE_LENGTH;
}

unsigned slm_zone_check_parts(struct slm_slab *slab, const struct slm_journal *journal)
{
    unsigned broken = slm_slab_check_locked(slab);
    if (broken == 0) {
        broken = slm_journal_check(journal);
        broken = broken == 0 ? 0 : ZONE_JOURNAL + broken;
    }
    return broken;
}

unsigned slm_zone_check_locked(struct slm_zone *zone)
{
    if (zone == NULL) {
        return 0;
    }
    unsigned broken = check_header(zone);
    return broken == 0 ? slm_zone_check_parts(zone->slab, &zone->journal) : broken;
}
