/* SPDX-License-Identifier: Apache-2.0 */
/* The zone's invariants, evaluated: read-only, bounded, safe on a zone full of anything. */
#include <string.h>

#include "allocator/zone/handle.h"

/*
 * 1 to 99: the slab's (slab_check.c).
 * 101  The constant part of the header is what the handle was opened on, and its checksum right.
 * 102  The zone is ready: neither being made, nor given up as broken.
 * 103  Its length is one it can have, and no more than the segment's; the slab lies within it.
 * 110 and above: the journal's, 110 + their number (journal_check.c).
 */
enum { HEADER = 101, STATE = 102, LENGTH = 103, JOURNAL = 110 };

static unsigned check_header(struct slm_zone *zone)
{
    const struct zone_header *header = zone->header;
    size_t end_of_slab = (size_t)zone->fixed.slab_offset + slm_slab_used_bytes(zone->slab);
    if (memcmp(&header->fixed, &zone->fixed, sizeof zone->fixed) != 0 ||
        header->checksum != zone_checksum(&zone->fixed)) {
        return HEADER;
    }
    if (header->state != ZONE_READY) {
        return STATE;
    }
    uint64_t bytes = zone_bytes(zone);
    if (!zone_bytes_are_right(&zone->fixed, bytes) || end_of_slab > bytes) {
        return LENGTH;
    }
    zone_forget_surplus(zone, bytes);
    if (slm_segment_verify(zone->segment, NULL) != SLM_OK) {
        return LENGTH;
    }
    /* A handle that never locks, for it may only read, sees here what others added or took back. A
     * count of pages that is damaged is the slab's to tell. */
    enum slm_status seen = zone_see_growth(zone, NULL);
    return seen == SLM_OK || seen == SLM_E_IMAGE ? 0 : LENGTH;
}

unsigned slm_zone_check_locked(struct slm_zone *zone)
{
    unsigned broken = check_header(zone);
    if (broken == 0) {
        broken = slm_slab_check_locked(zone->slab);
    }
    if (broken == 0) {
        broken = slm_journal_check(&zone->journal);
        broken = broken == 0 ? 0 : JOURNAL + broken;
    }
    return broken;
}
