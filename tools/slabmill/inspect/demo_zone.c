/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a zone in a file and lets it age like a cache of sessions: something to inspect. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <slabmill/zone.h>

#define OBJECTS 6000u
#define ROUNDS  60000u

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u; /* Numerical Recipes */
    return *state >> 8;
}

/* Mostly keys and small entries, some responses, few bodies of whole pages. */
static size_t pick_size(uint32_t *state)
{
    uint32_t kind = next_random(state) % 100;
    uint32_t size = next_random(state);
    if (kind < 45) {
        return 24 + size % 80;
    }
    if (kind < 80) {
        return 100 + size % 400;
    }
    if (kind < 97) {
        return 600 + size % 3000;
    }
    return 20000 + size % 60000;
}

/* Bursts that fill it, and quiet phases in which more is freed than allocated. */
static void age(struct slm_zone *zone)
{
    static void *objects[OBJECTS];
    uint32_t state = 7;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        void **object = &objects[next_random(&state) % OBJECTS];
        bool is_lull = round / 5000 % 2 == 1;
        (void)slm_zone_free(zone, *object);
        *object = is_lull && next_random(&state) % 3 != 0
                      ? NULL
                      : slm_zone_alloc(zone, pick_size(&state), NULL);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: demo_zone FILE\nMakes a zone in a new file, to be inspected.\n", stderr);
        return 2;
    }
    struct slm_zone_options options = {
        .name = "sessions",
        .tag = "demo",
        .bytes = 4u << 20,
        .max_bytes = 16u << 20,
        .slab = {.per_doubling = 8},
        .segment = {.kind = SLM_SEGMENT_FILE, .name = argv[1]},
    };
    struct slm_zone *zone;
    struct slm_error error;
    if (slm_zone_create(&zone, &options, &error) != SLM_OK) {
        fprintf(stderr, "demo_zone: %s\n", error.text);
        return 2;
    }
    age(zone);
    slm_zone_detach(zone);
    return 0;
}
