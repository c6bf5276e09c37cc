/* SPDX-License-Identifier: Apache-2.0 */
/* The zones that programs run on, and the actors' handles. */
#include <string.h>

#include "fuzz/zone/op.h"
#include "fuzz/zone/world.h"
#include "harness/sched/system.h"

static struct zone_world worlds[ZONE_N_SETTINGS];
struct zone_world *hrn_zone_world;

void hrn_zone_attach_again(struct slm_zone **out, bool read_only)
{
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_MEMFD, .read_only = read_only},
        .name = "fuzz",
    };
    struct slm_error error;
    options.segment.id = slm_segment_id(slm_zone_segment(hrn_zone_world->zones[0]));
    if (slm_zone_attach(out, &options, &error) != SLM_OK) {
        hrn_zone_law_made("%s", error.text);
    }
}

static unsigned char *base_of(struct slm_zone *zone)
{
    return slm_segment_base(slm_zone_segment(zone));
}

static void make_world(unsigned settings)
{
    struct slm_zone_options options = {
        .name = "fuzz",
        .bytes = ZONE_FIRST_BYTES,
        .max_bytes = ZONE_MAX_BYTES,
        .journal_entries = ZONE_N_ENTRIES,
        .lock_kind = (settings & 1u) != 0 ? SLM_LOCK_SPIN_SEM : SLM_LOCK_ROBUST,
        .slab = {.per_doubling = 1u << (settings >> 1 & 3u)},
        .segment = {.kind = SLM_SEGMENT_MEMFD},
    };
    struct slm_error error;
    if (slm_zone_create(&hrn_zone_world->zones[0], &options, &error) != SLM_OK) {
        hrn_zone_law_made("%s", error.text);
    }
    for (unsigned i = 1; i < ZONE_N_ACTORS; i++) {
        hrn_zone_attach_again(&hrn_zone_world->zones[i], false);
    }
    hrn_zone_attach_again(&hrn_zone_world->reader, true);
    hrn_zone_world->lock = options.lock_kind;
    hrn_zone_world->was_grown = false;
    memcpy(hrn_zone_world->pristine, base_of(hrn_zone_world->zones[0]), ZONE_FIRST_BYTES);
}

static void end_world(void)
{
    for (unsigned i = 0; i < ZONE_N_ACTORS; i++) {
        slm_zone_detach(hrn_zone_world->zones[i]);
        hrn_zone_world->zones[i] = NULL;
    }
    slm_zone_detach(hrn_zone_world->reader);
}

void hrn_zone_begin_transaction(const struct zone_account *from)
{
    hrn_zone_committed = *from;
    hrn_zone_working = hrn_zone_committed;
    hrn_zone_world->n_noted = 0;
    hrn_zone_world->fresh_slot = ZONE_NOBODY;
    hrn_zone_world->is_refused = false;
}

enum slm_status hrn_zone_end_transaction(void)
{
    enum slm_status expected = hrn_zone_world->is_refused ? SLM_E_FULL : SLM_OK;
    if (expected == SLM_OK) {
        hrn_zone_offer(&hrn_zone_committed);
    }
    hrn_zone_begin_transaction(expected == SLM_OK ? &hrn_zone_working : &hrn_zone_committed);
    return expected;
}

void hrn_zone_begin_world(unsigned settings)
{
    hrn_zone_world = &worlds[settings];
    hrn_system_play(NULL);
    hrn_system_be(0);
    if (hrn_zone_world->was_grown) {
        end_world();
    }
    if (hrn_zone_world->zones[0] == NULL) {
        make_world(settings);
    }
    memcpy(base_of(hrn_zone_world->zones[0]), hrn_zone_world->pristine, ZONE_FIRST_BYTES);
    hrn_zone_world->holder = ZONE_NOBODY;
    hrn_zone_world->holder_is_dead = false;
    hrn_zone_world->needs_repair = false;
    hrn_zone_world->is_torn = false;
    hrn_zone_world->is_copied = false;
    hrn_zone_world->is_trimmed = false;
    hrn_zone_world->n_repairs = 0;
    hrn_zone_world->bytes = ZONE_FIRST_BYTES;
    hrn_zone_world->other_bytes = ZONE_FIRST_BYTES;
    hrn_zone_world->next_stamp = 0;
    hrn_zone_else.is_unsettled = false;
    hrn_zone_end_offers();
    hrn_zone_forget_deaths();
    hrn_zone_begin_transaction(&(struct zone_account){.root = ZONE_NOBODY});
}
