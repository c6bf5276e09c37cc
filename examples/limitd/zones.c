/* SPDX-License-Identifier: Apache-2.0 */
/* Declaring zones, passing them to a new binary. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* setenv */
#endif
#include "examples/limitd/zones.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "examples/cache_index/cache_index.h"
#include "examples/limit_conn/limit_conn.h"
#include "examples/limit_req/limit_req.h"
#include "examples/session_cache/session_cache.h"

static const struct library {
    const char *tag;
    enum slm_status (*init)(struct slm_zone *zone);
    unsigned (*check)(struct slm_zone *zone);
} libraries[LIMITD_N_ZONES] = {
    {SLM_LIMIT_REQ_TAG, slm_limit_req_init_locked, slm_limit_req_check_locked},
    {SLM_LIMIT_CONN_TAG, slm_limit_conn_init_locked, slm_limit_conn_check_locked},
    {SLM_CACHE_INDEX_TAG, slm_cache_index_init_locked, slm_cache_index_check_locked},
    {SLM_SESSION_CACHE_TAG, slm_session_cache_init_locked, slm_session_cache_check_locked},
};

static enum slm_status init(struct slm_zone *zone, bool is_reused, void *data)
{
    const struct library *library = data;
    (void)is_reused; /* finds the head if there is one */
    return library->init(zone);
}

/* The possible size that is nearest to bytes. */
static size_t possible_bytes(const struct slm_zone *zone, size_t bytes)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    if (bytes < stats.bytes) {
        return stats.bytes;
    }
    return bytes > stats.max_bytes ? stats.max_bytes : bytes;
}

struct slm_zone *limitd_zones_find(const struct slm_zone_set *set, enum limitd_zone which)
{
    return slm_zone_set_find(set, limitd_zone_name(which));
}

enum slm_status limitd_zones_apply(struct slm_zone_set *set, const struct limitd_config *config,
                                   void (*resized)(const char *name, size_t bytes),
                                   struct slm_error *error)
{
    struct slm_zone_declaration declarations[LIMITD_N_ZONES] = {0};
    for (unsigned i = 0; i < LIMITD_N_ZONES; i++) {
        struct slm_zone *zone = limitd_zones_find(set, (enum limitd_zone)i);
        struct slm_zone_declaration *one = &declarations[i];
        one->options.name = limitd_zone_name((enum limitd_zone)i);
        one->options.tag = libraries[i].tag;
        one->options.bytes = config->zones[i].bytes;
        one->options.max_bytes = config->zones[i].max_bytes;
        one->options.slab.per_doubling = 8;
        one->options.slab.min_object_bytes = 32; /* metadata for all of max_bytes comes first */
        one->options.segment.kind = SLM_SEGMENT_MEMFD;
        one->init = init;
        one->data = (void *)(uintptr_t)&libraries[i];
        if (zone != NULL) {
            one->options.bytes = possible_bytes(zone, one->options.bytes);
        }
        if (one->options.max_bytes < one->options.bytes) {
            one->options.max_bytes = one->options.bytes; /* less would be refused */
        }
        if (one->options.bytes != config->zones[i].bytes) {
            resized(one->options.name, one->options.bytes);
        }
    }
    return slm_zone_set_apply(set, declarations, LIMITD_N_ZONES, error);
}

/* "LIMITD_ZONE_limit_req" */
static void variable_of(enum limitd_zone which, char name[64])
{
    snprintf(name, 64, "LIMITD_ZONE_%s", limitd_zone_name(which));
}

enum slm_status limitd_zones_export(const struct slm_zone_set *set, struct slm_error *error)
{
    for (unsigned i = 0; i < LIMITD_N_ZONES; i++) {
        char name[64];
        char text[SLM_ZONE_EXPORT_BYTES];
        enum slm_status status =
            slm_zone_export(limitd_zones_find(set, (enum limitd_zone)i), text, error);
        if (status != SLM_OK) {
            return status;
        }
        variable_of((enum limitd_zone)i, name);
        if (setenv(name, text, 1) != 0) {
            return slm_error_set(error, SLM_E_NOMEM, 0, "%s: no memory", name);
        }
    }
    return SLM_OK;
}

void limitd_zones_keep(const struct slm_zone_set *set)
{
    for (unsigned i = 0; i < LIMITD_N_ZONES; i++) {
        char name[64];
        struct slm_zone *zone = limitd_zones_find(set, (enum limitd_zone)i);
        variable_of((enum limitd_zone)i, name);
        (void)unsetenv(name);
        (void)fcntl(slm_segment_id(slm_zone_segment(zone)), F_SETFD, FD_CLOEXEC);
    }
}

enum slm_status limitd_zones_import(struct slm_zone_set *set, struct slm_error *error)
{
    for (unsigned i = 0; i < LIMITD_N_ZONES; i++) {
        char name[64];
        struct slm_zone *zone;
        variable_of((enum limitd_zone)i, name);
        const char *text = getenv(name);
        if (text == NULL) {
            continue;
        }
        struct slm_zone_attach_options options = {.name = limitd_zone_name((enum limitd_zone)i)};
        enum slm_status status = slm_zone_import(&zone, text, &options, error);
        if (status == SLM_OK) {
            status = slm_zone_set_adopt(set, zone);
        }
        if (status != SLM_OK) {
            return status;
        }
        (void)unsetenv(name);
    }
    return SLM_OK;
}

enum slm_status limitd_zones_check(struct slm_zone *zone, enum limitd_zone which, unsigned *broken)
{
    enum slm_status status = slm_zone_lock(zone);
    if (status != SLM_OK) {
        return status;
    }
    *broken = libraries[which].check(zone);
    return slm_zone_end(zone, SLM_OK);
}
