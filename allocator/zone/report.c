/* SPDX-License-Identifier: Apache-2.0 */
/* What a zone reports to the process's listener, and to the hook of its options. */
#include "allocator/lock/event.h"
#include "allocator/zone/handle.h"

void slm_zone_note_repair(struct slm_zone *zone)
{
    if (!slm_lock_has_listener()) {
        return;
    }
    slm_lock_note_event(zone->lock, SLM_EVENT_REPAIRED, SLM_OK, 0);
    enum slm_status name = slm_zone_find_lost_name(zone, NULL);
    if (name != SLM_OK) {
        slm_lock_note_event(zone->lock, SLM_EVENT_NAME_LOST, name, 0);
    }
}

enum slm_status slm_zone_report_refusal(struct slm_zone *zone, enum slm_status status, bool is_held)
{
    if (status == SLM_E_LOCKED || status == SLM_E_TIMEOUT || status == SLM_E_HELD ||
        !slm_lock_has_listener() ||
        __atomic_exchange_n(&zone->refused, (unsigned)status, __ATOMIC_RELAXED) ==
            (unsigned)status) {
        return status;
    }
    if (is_held) {
        slm_lock_note_event(zone->lock, SLM_EVENT_REFUSED, status, 0);
    } else {
        slm_lock_report_event(zone->lock, SLM_EVENT_REFUSED, status, 0);
    }
    return status;
}

void slm_zone_report_call(const struct slm_zone *zone, enum slm_status status, const char *call,
                          size_t size_bytes, const void *pointer)
{
    if (zone == NULL || zone->report == NULL || (status == SLM_E_NOMEM && zone->quiet_nomem)) {
        return;
    }
    struct slm_slab_event event = {status, zone->fixed.name, call, size_bytes, pointer};
    zone->report(zone->report_data, &event);
}
