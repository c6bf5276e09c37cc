/* SPDX-License-Identifier: Apache-2.0 */
/* Limiting a request, delaying it, and the page of counts. */
#include "examples/nginx_limit/request.h"

#define LINE_BYTES 400u /* of the page; a name has at most 63 */

/* --- A request is counted once --- */

/* It does nothing when the request ends: it only marks the request's pool, which redirects and
 * subrequests have in common. */
static void mark_of_counted(void *data)
{
    (void)data;
}

static bool is_counted(const ngx_http_request_t *r)
{
    const ngx_pool_cleanup_t *cleanup = r->pool->cleanup;
    while (cleanup != NULL && cleanup->handler != mark_of_counted) {
        cleanup = cleanup->next;
    }
    return cleanup != NULL;
}

static ngx_int_t mark_counted(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);
    if (cleanup == NULL) {
        return NGX_ERROR;
    }
    cleanup->handler = mark_of_counted;
    return NGX_OK;
}

/* --- Delay --- */

/* The write event of a delayed request: its timer, or the socket while the timer runs. */
static void continue_delayed(ngx_http_request_t *r)
{
    ngx_event_t *event = r->connection->write;
    if (!event->delayed) {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;
        ngx_http_core_run_phases(r);
    } else if (ngx_handle_write_event(event, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}

static ngx_int_t delay(ngx_http_request_t *r, ngx_msec_t time_ms)
{
    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->read_event_handler = ngx_http_test_reading; /* a client that leaves ends the request */
    r->write_event_handler = continue_delayed;
    r->connection->write->delayed = 1;
    ngx_add_timer(r->connection->write, time_ms);
    return NGX_AGAIN;
}

/* --- The limit --- */

static ngx_int_t refuse(const ngx_http_request_t *r, const struct nginx_limit_rule *rule,
                        const struct slm_limit_req_verdict *verdict)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "slabmill_limit: zone %V: limited, excess %uD.%03uD", &rule->zone->name,
                  verdict->excess_milli / 1000, verdict->excess_milli % 1000);
    return NGX_HTTP_SERVICE_UNAVAILABLE;
}

/* The key's value. NGX_DECLINED: requests with such a key are not limited. */
static ngx_int_t find_key(ngx_http_request_t *r, struct nginx_limit_zone *zone, ngx_str_t *key)
{
    if (ngx_http_complex_value(r, &zone->key, key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (key->len > SLM_TABLE_KEY_BYTES_MAX) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "slabmill_limit: zone %V: not limited, the key has %uz bytes, at most %ui",
                      &zone->name, key->len, (ngx_uint_t)SLM_TABLE_KEY_BYTES_MAX);
        return NGX_DECLINED;
    }
    return key->len == 0 ? NGX_DECLINED : NGX_OK;
}

ngx_int_t nginx_limit_request(ngx_http_request_t *r, const struct nginx_limit_rule *rule)
{
    struct slm_limit_req_verdict verdict;
    ngx_str_t key;
    if (rule->zone == NULL || is_counted(r)) {
        return NGX_DECLINED;
    }
    ngx_int_t found = find_key(r, rule->zone, &key);
    if (found != NGX_OK) {
        return found;
    }
    if (mark_counted(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    enum slm_status status = nginx_limit_zone_hit(rule->zone, &key, rule->burst_milli, &verdict);
    if (status != SLM_OK) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0, "slabmill_limit: zone %V: %s",
                      &rule->zone->name, slm_status_text(status));
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (verdict.is_limited) {
        return refuse(r, rule, &verdict);
    }
    if (rule->has_no_delay || verdict.excess_milli == 0) {
        return NGX_DECLINED;
    }
    return delay(r, (ngx_msec_t)verdict.excess_milli * 1000 / rule->zone->rate_milli);
}

/* --- The page --- */

static u_char *print_zone(u_char *at, u_char *end, struct nginx_limit_zone *zone)
{
    struct slm_limit_req_counts counts;
    struct slm_zone_stats stats;
    enum slm_status status = nginx_limit_zone_count(zone, &counts, &stats);
    if (status != SLM_OK) {
        return ngx_slprintf(at, end, "zone=%V error=\"%s\"\n", &zone->name,
                            slm_status_text(status));
    }
    return ngx_slprintf(at, end,
                        "zone=%V passed=%uL limited=%uL keys=%uL evicted=%uL expired=%uL "
                        "bytes=%uz repairs=%uL undone=%uL\n",
                        &zone->name, counts.n_passed, counts.n_limited, counts.n_keys,
                        counts.n_evicted, counts.n_expired, stats.bytes, stats.n_recoveries,
                        stats.n_undone);
}

static ngx_int_t send_text(ngx_http_request_t *r, ngx_buf_t *text)
{
    ngx_chain_t out = {.buf = text, .next = NULL};
    ngx_str_set(&r->headers_out.content_type, "text/plain");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text->last - text->pos;
    text->last_buf = r == r->main;
    text->last_in_chain = 1;
    ngx_int_t sent = ngx_http_send_header(r);
    if (sent == NGX_ERROR || sent > NGX_OK || r->header_only) {
        return sent;
    }
    return ngx_http_output_filter(r, &out);
}

ngx_int_t nginx_limit_send_status(ngx_http_request_t *r, ngx_array_t *zones)
{
    struct nginx_limit_zone **zone = zones->elts;
    if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    ngx_int_t discarded = ngx_http_discard_request_body(r);
    if (discarded != NGX_OK) {
        return discarded;
    }
    ngx_buf_t *text = ngx_create_temp_buf(r->pool, (zones->nelts + 1) * LINE_BYTES);
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    for (ngx_uint_t i = 0; i < zones->nelts; i++) {
        text->last = print_zone(text->last, text->end, zone[i]);
    }
    if (zones->nelts == 0) {
        text->last = ngx_slprintf(text->last, text->end, "no zones\n");
    }
    return send_text(r, text);
}
