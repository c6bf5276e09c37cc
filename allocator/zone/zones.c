/* SPDX-License-Identifier: Apache-2.0 */
/* The zones that a set has: finding, adopting and leaving them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/zone/set.h"

enum slm_status slm_zone_set_create(struct slm_zone_set **out)
{
    if (out == NULL) {
        return SLM_E_NULL;
    }
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return SLM_E_NOMEM;
    }
    (*out)->lock_timeout_ms = SLM_ZONE_SET_LOCK_MS;
    return SLM_OK;
}

enum slm_status slm_zone_set_limit_wait(struct slm_zone_set *set, unsigned timeout_ms)
{
    if (set == NULL) {
        return SLM_E_NULL;
    }
    set->lock_timeout_ms = timeout_ms;
    return SLM_OK;
}

/* A child of fork that leaves its copy leaves the zone to its parent. */
void slm_zone_set_leave(const struct slm_zone_set *set, struct slm_zone *zone)
{
    if (slm_zone_is_named(zone) && set->server != 0 && set->process == getpid()) {
        slm_zone_clear_server(zone, set->server);
    }
    slm_zone_detach(zone);
}

enum slm_status slm_zone_set_share(struct slm_zone_set *set, bool is_shared)
{
    if (set == NULL) {
        return SLM_E_NULL;
    }
    set->is_shared = is_shared;
    return SLM_OK;
}

void slm_zone_set_destroy(struct slm_zone_set *set)
{
    if (set != NULL) {
        for (size_t i = 0; i < set->n; i++) {
            slm_zone_set_leave(set, set->zones[i]);
        }
        free(set->zones);
        free(set);
    }
}

struct slm_zone *slm_zone_set_find(const struct slm_zone_set *set, const char *name)
{
    for (size_t i = 0; set != NULL && name != NULL && i < set->n; i++) {
        if (strcmp(slm_zone_name(set->zones[i]), name) == 0) {
            return set->zones[i];
        }
    }
    return NULL;
}

struct slm_zone *slm_zone_set_at(const struct slm_zone_set *set, size_t idx)
{
    return set != NULL && idx < set->n ? set->zones[idx] : NULL;
}

enum slm_status slm_zone_set_adopt(struct slm_zone_set *set, struct slm_zone *zone)
{
    if (set == NULL || zone == NULL) {
        return SLM_E_NULL;
    }
    if (slm_zone_set_find(set, slm_zone_name(zone)) != NULL) {
        return SLM_E_DUPLICATE;
    }
    struct slm_zone **zones = realloc(set->zones, (set->n + 1) * sizeof *zones);
    if (zones == NULL) {
        return SLM_E_NOMEM;
    }
    zones[set->n++] = zone;
    set->zones = zones;
    return SLM_OK;
}
