/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a zone to the disk; power.c has the design. */
#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

enum slm_status slm_zone_sync(struct slm_zone *zone, struct slm_error *error)
{
    if (zone == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone to write to the disk");
    }
    if (zone->lock == NULL) {
        return slm_error_set(error, SLM_E_READ_ONLY, 0, "%s: read-only",
                             slm_segment_label(zone->segment));
    }
    if (!slm_zone_is_lasting(zone)) {
        return slm_error_clear(error);
    }
    /* Most pages, while others work. */
    enum slm_status status = slm_segment_sync(zone->segment, 0, (size_t)zone_bytes(zone), error);
    if (status != SLM_OK) {
        return status;
    }
    status = slm_zone_lock(zone);
    if (status != SLM_OK) {
        return slm_error_set(error, status, 0, "%s: its lock: %s", slm_segment_label(zone->segment),
                             slm_status_text(status));
    }
    status = slm_zone_mark_clean(zone, error);
    (void)slm_lock_unlock(zone->lock);
    return status == SLM_OK ? slm_error_clear(error) : status;
}
