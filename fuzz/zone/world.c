/* SPDX-License-Identifier: Apache-2.0 */
/* The zones that programs run on, and those who have them. */
#include <string.h>

#include "fuzz/zone/world.h"

static struct zone_world worlds[ZONE_N_SETTINGS];
struct zone_world *zone_world;

void zone_attach_again(struct slm_zone **out, bool read_only)
{
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_MEMFD, .read_only = read_only},
        .name = "fuzz",
    };
    struct slm_error error;
    options.segment.id = slm_segment_id(slm_zone_segment(zone_world->zones[0]));
    if (slm_zone_attach(out, &options, &error) != SLM_OK) {
        zone_law_made("%s", error.text);
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
        .lock = (settings & 1u) != 0 ? SLM_LOCK_SPIN_SEM : SLM_LOCK_ROBUST,
        .slab = {.per_doubling = 1u << (settings >> 1 & 3u)},
        .segment = {.kind = SLM_SEGMENT_MEMFD},
    };
    struct slm_error error;
    if (slm_zone_create(&zone_world->zones[0], &options, &error) != SLM_OK) {
        zone_law_made("%s", error.text);
    }
    for (unsigned i = 1; i < ZONE_N_ACTORS; i++) {
        zone_attach_again(&zone_world->zones[i], false);
    }
    zone_attach_again(&zone_world->reader, true);
    zone_world->lock = options.lock;
    zone_world->was_grown = false;
    memcpy(zone_world->pristine, base_of(zone_world->zones[0]), ZONE_FIRST_BYTES);
}

static void end_world(void)
{
    for (unsigned i = 0; i < ZONE_N_ACTORS; i++) {
        slm_zone_detach(zone_world->zones[i]);
        zone_world->zones[i] = NULL;
    }
    slm_zone_detach(zone_world->reader);
}

void zone_begin_transaction(const struct zone_account *from)
{
    zone_committed = *from;
    zone_working = zone_committed;
    zone_world->n_noted = 0;
    zone_world->is_refused = false;
}

enum slm_status zone_end_transaction(void)
{
    enum slm_status expected = zone_world->is_refused ? SLM_E_FULL : SLM_OK;
    zone_begin_transaction(expected == SLM_OK ? &zone_working : &zone_committed);
    return expected;
}

void zone_begin_world(unsigned settings)
{
    zone_world = &worlds[settings];
    zone_play_system();
    if (zone_world->was_grown) {
        end_world();
    }
    if (zone_world->zones[0] == NULL) {
        make_world(settings);
    }
    memcpy(base_of(zone_world->zones[0]), zone_world->pristine, ZONE_FIRST_BYTES);
    zone_world->holder = ZONE_NOBODY;
    zone_world->holder_is_dead = false;
    zone_world->needs_repair = false;
    zone_world->n_repairs = 0;
    zone_world->bytes = ZONE_FIRST_BYTES;
    zone_world->next_stamp = 0;
    zone_begin_transaction(&(struct zone_account){.root = ZONE_NOBODY});
}
