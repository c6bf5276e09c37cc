/* SPDX-License-Identifier: Apache-2.0 */
/* What nginx_limit does with a request. */
#ifndef SLM_EXAMPLES_NGINX_LIMIT_REQUEST_H
#define SLM_EXAMPLES_NGINX_LIMIT_REQUEST_H

#include "examples/nginx_limit/zones.h"

/* Of a location. */
struct nginx_limit_rule {
    struct nginx_limit_zone *zone; /* NULL: requests are not limited */
    uint32_t burst_milli;
    bool has_no_delay;
};

/* For the preaccess phase: passes the request, delays it, or answers 503 (limited) or 500 (the zone
 * cannot be used). Each request is counted once, with all its redirects and subrequests. */
ngx_int_t nginx_limit_request(ngx_http_request_t *r, const struct nginx_limit_rule *rule);

/* A content handler's answer: a line of text for each zone. */
ngx_int_t nginx_limit_send_status(ngx_http_request_t *r, ngx_array_t *zones);

#endif
