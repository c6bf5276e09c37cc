/* SPDX-License-Identifier: Apache-2.0 */
/* Declaring zones, and opening them again after a move. */
#include "examples/nginx_limit/zones.h"

#include <unistd.h>

#include <slabmill/event.h>
#include <slabmill/zone_set.h>

#define JOURNAL_ENTRIES 256u
#define REOPENS_MAX     8u /* each time, a reload has moved the zone once more */

static struct slm_zone_set *set; /* the master's; workers inherit it and only look at it */
static unsigned n_cycles;        /* that keep the set */
static mode_t zone_mode;         /* workers are no root, and open zones with the master's */

/* --- The set's life --- */

static void log_event(const struct slm_event *event, void *data)
{
    char text[SLM_EVENT_TEXT_BYTES];
    (void)data;
    (void)slm_event_text(event, text, sizeof text);
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "slabmill_limit: %s", text);
}

/* A worker that ends leaves the set alone: it is the master's. */
static void leave_cycle(void *data)
{
    (void)data;
    n_cycles--;
    if (n_cycles == 0 && ngx_process != NGX_PROCESS_WORKER) {
        slm_event_listen(NULL, NULL);
        slm_zone_set_destroy(set);
        set = NULL;
    }
}

ngx_int_t nginx_limit_zones_keep(ngx_cycle_t *cycle)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(cycle->pool, 0);
    if (cleanup == NULL) {
        return NGX_ERROR;
    }
    cleanup->handler = leave_cycle;
    n_cycles++;
    return NGX_OK;
}

static enum slm_status make_set(void)
{
    if (set != NULL) {
        return SLM_OK;
    }
    enum slm_status status = slm_zone_set_create(&set);
    if (status == SLM_OK) {
        slm_event_listen(log_event, NULL);
        status = slm_zone_set_share(set, true);
    }
    return status;
}

/* --- What is declared --- */

static enum slm_status init_zone(struct slm_zone *zone, bool is_reused, void *data)
{
    (void)is_reused; /* finds the head if there is one */
    (void)data;
    return slm_limit_req_init_locked(zone);
}

static enum slm_status check_zone(struct slm_zone *zone, void *data)
{
    (void)data;
    return slm_limit_req_check_locked(zone) == 0 ? SLM_OK : SLM_E_BROKEN;
}

static struct slm_segment_options segment_of(const struct nginx_limit_zone *zone)
{
    bool is_file = zone->file.data != NULL;
    return (struct slm_segment_options){
        .kind = is_file ? SLM_SEGMENT_FILE : SLM_SEGMENT_POSIX,
        .name = (const char *)(is_file ? zone->file.data : zone->name.data),
        .mode = zone_mode,
    };
}

static void declare(struct slm_zone_declaration *declaration, const struct nginx_limit_zone *zone)
{
    *declaration = (struct slm_zone_declaration){
        .options =
            {
                .name = (const char *)zone->name.data,
                .tag = SLM_LIMIT_REQ_TAG,
                .bytes = zone->bytes,
                .max_bytes = zone->bytes,
                .slab = {.per_doubling = 8, .min_object_bytes = 8},
                .journal_entries = JOURNAL_ENTRIES,
                .segment = segment_of(zone),
                .move = slm_limit_req_move,
                .check_content = check_zone,
            },
        .init = init_zone,
    };
}

/* Files get the group of the workers as they are made: before other processes see their names. */
static enum slm_status apply_as_group(ngx_gid_t group,
                                      const struct slm_zone_declaration *declarations, size_t n,
                                      struct slm_error *error)
{
    gid_t before = getegid();
    bool is_root = geteuid() == 0;
    if (is_root && setegid(group) != 0) {
        return slm_error_set(error, SLM_E_ACCESS, ngx_errno, "setegid(%u) failed", (unsigned)group);
    }
    enum slm_status status = slm_zone_set_apply(set, declarations, n, error);
    if (is_root && setegid(before) != 0) {
        status =
            slm_error_set(error, SLM_E_ACCESS, ngx_errno, "setegid(%u) failed", (unsigned)before);
    }
    return status;
}

ngx_int_t nginx_limit_zones_apply(ngx_cycle_t *cycle, ngx_array_t *zones)
{
    struct nginx_limit_zone **zone = zones->elts;
    const ngx_core_conf_t *core = (ngx_core_conf_t *)ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    struct slm_error error;
    struct slm_zone_declaration *declarations =
        ngx_palloc(cycle->pool, (zones->nelts + 1) * sizeof *declarations);
    if (declarations == NULL || make_set() != SLM_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "slabmill_limit: no memory");
        return NGX_ERROR;
    }
    zone_mode = geteuid() == 0 ? 0660 : 0600;
    for (ngx_uint_t i = 0; i < zones->nelts; i++) {
        declare(&declarations[i], zone[i]);
    }
    if (apply_as_group(core->group, declarations, zones->nelts, &error) != SLM_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "slabmill_limit: %s", error.text);
        return NGX_ERROR;
    }
    return NGX_OK;
}

/* --- Workers --- */

void nginx_limit_zones_take(ngx_array_t *zones)
{
    struct nginx_limit_zone **zone = zones->elts;
    for (ngx_uint_t i = 0; i < zones->nelts; i++) {
        zone[i]->handle = slm_zone_set_find(set, (const char *)zone[i]->name.data);
    }
}

/* Inherited handles are the set's, and stay. */
static enum slm_status reopen(struct nginx_limit_zone *zone)
{
    struct slm_zone_attach_options options = {
        .segment = segment_of(zone),
        .name = (const char *)zone->name.data,
        .tag = SLM_LIMIT_REQ_TAG,
    };
    struct slm_error error;
    struct slm_zone *handle;
    enum slm_status status = slm_zone_attach(&handle, &options, &error);
    if (status != SLM_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "slabmill_limit: %s", error.text);
        return status;
    }
    if (zone->is_own) {
        slm_zone_detach(zone->handle);
    }
    zone->handle = handle;
    zone->is_own = true;
    return SLM_OK;
}

/* Whether a call that had this result is to be made again: a reload moved the zone, or dropped it
 * before this worker started, and the zone was opened again. */
static bool is_reopened(struct nginx_limit_zone *zone, enum slm_status status, unsigned n_tries)
{
    return (status == SLM_E_REPLACED || zone->handle == NULL) && n_tries <= REOPENS_MAX &&
           reopen(zone) == SLM_OK;
}

enum slm_status nginx_limit_zone_hit(struct nginx_limit_zone *zone, const ngx_str_t *key,
                                     uint32_t burst_milli, struct slm_limit_req_verdict *verdict)
{
    const struct slm_limit_req_rule rule = {zone->rate_milli, burst_milli};
    enum slm_status status;
    unsigned n_tries = 0;
    do {
        n_tries++;
        status = slm_limit_req_hit_counted(zone->handle, key->data, key->len, &rule,
                                           ngx_current_msec, verdict);
    } while (is_reopened(zone, status, n_tries));
    return status;
}

enum slm_status nginx_limit_zone_count(struct nginx_limit_zone *zone,
                                       struct slm_limit_req_counts *counts,
                                       struct slm_zone_stats *stats)
{
    enum slm_status status;
    unsigned n_tries = 0;
    do {
        n_tries++;
        status = slm_limit_req_get_counts(zone->handle, counts);
    } while (is_reopened(zone, status, n_tries));
    if (status == SLM_OK) {
        slm_zone_get_stats(zone->handle, stats);
    }
    return status;
}
