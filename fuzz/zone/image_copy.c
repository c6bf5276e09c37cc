/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that the library makes of zones that were damaged before. */
#include "allocator/zone/handle.h"
#include "fuzz/zone/edge_world.h"
#include "fuzz/zone/world.h"
#include <slabmill/zone_copy.h>

void hrn_zone_copy_image(struct slm_zone *zone)
{
    struct slm_segment_options place = {.kind = SLM_SEGMENT_FILE, .name = hrn_edge_path(0)};
    struct slm_zone_attach_options options = {.segment = place};
    struct slm_zone_copy_report report;
    struct slm_error error;
    hrn_edge_clean_folder(); /* some machines have no /dev/shm to write to */
    enum slm_status status = slm_zone_copy(zone, &place, &report, &error);
    if (status == SLM_E_NOMEM && zone->fixed.max_bytes > HRN_SURE_ADDRESSES_BYTES) {
        return;
    }
    if (status != SLM_OK) {
        hrn_zone_law_sound_image("it cannot be copied: %.150s", error.text);
    }
    hrn_zone_close_copy(hrn_zone_open_copy(&options, hrn_zone_law_sound_image));
    (void)slm_segment_remove(&place, NULL);
    hrn_zone_counted.n_copies_taken++;
}
