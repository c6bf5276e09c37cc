/* SPDX-License-Identifier: Apache-2.0 */
/* The zones of nginx_limit: in nginx's master, over its reloads, and in its workers. */
#ifndef SLM_EXAMPLES_NGINX_LIMIT_ZONES_H
#define SLM_EXAMPLES_NGINX_LIMIT_ZONES_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "examples/limit_req/limit_req.h"

/*
 * Model    The master has one zone set. At a start and at each reload it makes the set what the
 *          configuration declares, as a whole or not at all. Workers inherit the handles. A zone
 *          that a reload moved to another size does not serve the old workers any more: they open
 *          it again, by its name.
 * Owner    If the master is root, a zone belongs to root and to the group of the workers, with mode
 *          0660. Otherwise it belongs to the user of the master, with mode 0600.
 * Servers  An upgrade has two masters for a while. So the set shares its zones: two servers that
 *          name one zone use it together.
 */
struct nginx_limit_zone {
    ngx_str_t name;               /* as all words of nginx, it ends with a zero */
    ngx_str_t file;               /* no data: a POSIX segment of that name */
    size_t bytes;                 /* 0: a location uses it, and it is not declared yet */
    uint32_t rate_milli;          /* requests per 1000 s */
    ngx_http_complex_value_t key; /* what requests are counted by */
    struct slm_zone *handle;      /* of this process */
    bool is_own;                  /* this worker opened the handle, which is not the set's */
};

/* The calls below take an array of pointers to zones, of one cycle of nginx. */

/* Keeps the set until the cycle's pool is destroyed. */
ngx_int_t nginx_limit_zones_keep(ngx_cycle_t *cycle);

/* Makes the set what the zones declare. NGX_ERROR: nothing changed, and the reason is in the
 * cycle's log. */
ngx_int_t nginx_limit_zones_apply(ngx_cycle_t *cycle, ngx_array_t *zones);

/* For a process that starts: fills in the handles. */
void nginx_limit_zones_take(ngx_array_t *zones);

/* As slm_limit_req_hit_counted and slm_limit_req_get_counts, with the time of nginx; *stats is of
 * the zone. A zone that was moved is opened again. */
enum slm_status nginx_limit_zone_hit(struct nginx_limit_zone *zone, const ngx_str_t *key,
                                     uint32_t burst_milli, struct slm_limit_req_verdict *verdict);
enum slm_status nginx_limit_zone_count(struct nginx_limit_zone *zone,
                                       struct slm_limit_req_counts *counts,
                                       struct slm_zone_stats *stats);

#endif
