/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of limitd. */
#include "examples/limitd/protocol.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "examples/cache_index/cache_index.h"
#include "examples/limit_conn/limit_conn.h"
#include "examples/limit_req/limit_req.h"
#include "examples/session_cache/session_cache.h"

#define TICK_MAX 100u /* keys examined in one tick */

/* The command that is being carried out. */
struct call {
    struct limitd_service *service;
    struct limitd_holds *holds;
    struct slm_pool *pool;
    uint64_t now_ms;
    const char *key;
    size_t key_bytes;
    const char *rest; /* after the key and one blank */
    size_t rest_bytes;
};

/* An answer with room for n_bytes, the last of which is its line end. */
static struct limitd_answer *new_answer(struct slm_pool *pool, size_t n_bytes)
{
    struct limitd_answer *answer = slm_pool_calloc(pool, sizeof *answer);
    char *bytes = slm_pool_alloc_packed(pool, n_bytes);
    if (answer == NULL || bytes == NULL) {
        return NULL;
    }
    bytes[n_bytes - 1] = '\n';
    answer->bytes = bytes;
    answer->n_bytes = n_bytes;
    return answer;
}

struct limitd_answer *limitd_say(struct slm_pool *pool, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    size_t n_bytes = n < 0 ? 1 : (size_t)n + 1;
    if (n_bytes > LIMITD_ANSWER_BYTES_MAX) {
        n_bytes = LIMITD_ANSWER_BYTES_MAX;
    }
    struct limitd_answer *answer = new_answer(pool, n_bytes);
    if (answer != NULL) {
        va_start(arguments, format);
        vsnprintf(answer->bytes, n_bytes, format, arguments);
        va_end(arguments);
        answer->bytes[n_bytes - 1] = '\n'; /* in place of the final zero */
    }
    return answer;
}

static struct limitd_answer *fail(const struct call *call, enum limitd_zone zone,
                                  enum slm_status status)
{
    return limitd_say(call->pool, "ERR %s: %s", limitd_zone_name(zone), slm_status_text(status));
}

static struct limitd_answer *do_ping(struct call *call)
{
    return limitd_say(call->pool, "PONG %ld", (long)getpid());
}

static struct limitd_answer *do_req(struct call *call)
{
    const struct limitd_config *config = call->service->config;
    const struct slm_limit_req_rule rule = {config->rate_milli, config->burst_milli};
    struct slm_limit_req_verdict verdict;
    enum slm_status status = slm_limit_req_hit(call->service->zones[LIMITD_LIMIT_REQ], call->key,
                                               call->key_bytes, &rule, call->now_ms, &verdict);
    if (status != SLM_OK) {
        return fail(call, LIMITD_LIMIT_REQ, status);
    }
    return limitd_say(call->pool, "%s %u.%03u", verdict.is_limited ? "LIMITED" : "OK",
                      verdict.excess_milli / 1000, verdict.excess_milli % 1000);
}

static struct limitd_hold *find_hold(struct limitd_holds *holds, const char *key, size_t key_bytes)
{
    for (unsigned i = 0; i < holds->n; i++) {
        struct limitd_hold *hold = &holds->holds[i];
        if (hold->key_bytes == key_bytes && memcmp(hold->key, key, key_bytes) == 0) {
            return hold;
        }
    }
    return NULL;
}

static struct limitd_answer *do_conn_add(struct call *call)
{
    struct limitd_service *service = call->service;
    struct slm_limit_conn_grant grant;
    if (call->holds->n == LIMITD_HOLDS_MAX) {
        return limitd_say(call->pool, "ERR this connection holds %u counts, and no more",
                          LIMITD_HOLDS_MAX);
    }
    enum slm_status status =
        slm_limit_conn_acquire(service->zones[LIMITD_LIMIT_CONN], &service->conn_worker, call->key,
                               call->key_bytes, service->config->n_connections, &grant);
    if (status != SLM_OK) {
        return fail(call, LIMITD_LIMIT_CONN, status);
    }
    if (!grant.is_limited) {
        struct limitd_hold *hold = &call->holds->holds[call->holds->n++];
        memcpy(hold->key, call->key, call->key_bytes);
        hold->key_bytes = call->key_bytes;
        hold->lease = grant.lease;
    }
    return limitd_say(call->pool, "%s %llu", grant.is_limited ? "LIMITED" : "OK",
                      (unsigned long long)grant.n_connections);
}

static struct limitd_answer *do_conn_end(struct call *call)
{
    struct limitd_service *service = call->service;
    struct limitd_hold *hold = find_hold(call->holds, call->key, call->key_bytes);
    uint64_t n_left;
    if (hold == NULL) {
        return limitd_say(call->pool, "ERR this connection does not count for that key");
    }
    enum slm_status status = slm_limit_conn_release(service->zones[LIMITD_LIMIT_CONN],
                                                    &service->conn_worker, &hold->lease, &n_left);
    if (status != SLM_OK) {
        return fail(call, LIMITD_LIMIT_CONN, status);
    }
    *hold = call->holds->holds[--call->holds->n];
    return limitd_say(call->pool, "OK %llu", (unsigned long long)n_left);
}

static struct limitd_answer *do_cache(struct call *call)
{
    struct limitd_service *service = call->service;
    struct slm_zone *zone = service->zones[LIMITD_CACHE_INDEX];
    struct slm_cache_index_use use;
    enum slm_status status =
        slm_cache_index_open(zone, &service->cache_worker, call->key, call->key_bytes,
                             service->config->inactive_ms, call->now_ms, &use);
    if (status == SLM_OK) {
        status = slm_cache_index_close(zone, &service->cache_worker, &use.lease);
    }
    if (status != SLM_OK) {
        return fail(call, LIMITD_CACHE_INDEX, status);
    }
    return limitd_say(call->pool, "%s %llu", use.n_uses == 1 ? "MISS" : "HIT",
                      (unsigned long long)use.n_uses);
}

/* Splits "SECONDS value"; false if the text has another form. */
static bool cut_seconds(struct call *call, uint64_t *seconds)
{
    size_t n = 0;
    *seconds = 0;
    while (n < call->rest_bytes && n < 8 && call->rest[n] >= '0' && call->rest[n] <= '9') {
        *seconds = *seconds * 10 + (uint64_t)(call->rest[n++] - '0');
    }
    if (n == 0 || *seconds == 0 || n == call->rest_bytes || call->rest[n] != ' ') {
        return false;
    }
    call->rest += n + 1;
    call->rest_bytes -= n + 1;
    return true;
}

static struct limitd_answer *do_put(struct call *call)
{
    uint64_t seconds;
    if (!cut_seconds(call, &seconds)) {
        return limitd_say(call->pool,
                          "ERR expected PUT key SECONDS value, with 1 to 99999999 seconds");
    }
    enum slm_status status = slm_session_cache_put(call->service->zones[LIMITD_SESSION_CACHE],
                                                   call->key, call->key_bytes, call->rest,
                                                   call->rest_bytes, seconds * 1000, call->now_ms);
    return status == SLM_OK ? limitd_say(call->pool, "OK")
                            : fail(call, LIMITD_SESSION_CACHE, status);
}

static struct limitd_answer *do_get(struct call *call)
{
    static const char head[] = "VALUE ";
    char value[LIMITD_LINE_BYTES_MAX];
    struct slm_session session;
    enum slm_status status =
        slm_session_cache_get(call->service->zones[LIMITD_SESSION_CACHE], call->key,
                              call->key_bytes, call->now_ms, value, sizeof value, &session);
    if (status == SLM_E_NOT_MEMBER) {
        return limitd_say(call->pool, "NONE");
    }
    if (status != SLM_OK) {
        return fail(call, LIMITD_SESSION_CACHE, status);
    }
    struct limitd_answer *answer = new_answer(call->pool, sizeof head - 1 + session.n_bytes + 1);
    if (answer != NULL) {
        memcpy(answer->bytes, head, sizeof head - 1);
        memcpy(answer->bytes + sizeof head - 1, value, session.n_bytes);
    }
    return answer;
}

static struct limitd_answer *do_del(struct call *call)
{
    enum slm_status status = slm_session_cache_remove(call->service->zones[LIMITD_SESSION_CACHE],
                                                      call->key, call->key_bytes);
    if (status == SLM_E_NOT_MEMBER) {
        return limitd_say(call->pool, "NONE");
    }
    return status == SLM_OK ? limitd_say(call->pool, "OK")
                            : fail(call, LIMITD_SESSION_CACHE, status);
}

/* " limit_req=KEYS evicted=N expired=N ..." of one zone, which other workers may be changing. */
static enum slm_status stats_of(struct limitd_service *service, enum limitd_zone which,
                                struct slm_keyed_stats *keys)
{
    struct slm_zone *zone = service->zones[which];
    struct slm_limit_conn_stats conn;
    struct slm_cache_index_stats cache;
    enum slm_status status = SLM_OK;
    memset(keys, 0, sizeof *keys);
    switch (which) {
    case LIMITD_LIMIT_REQ:
        return slm_limit_req_get_stats(zone, keys);
    case LIMITD_LIMIT_CONN:
        status = slm_limit_conn_get_stats(zone, &conn);
        keys->n_entries = status == SLM_OK ? conn.n_connections : 0;
        return status;
    case LIMITD_CACHE_INDEX:
        status = slm_cache_index_get_stats(zone, &cache);
        *keys = status == SLM_OK ? cache.keys : *keys;
        return status;
    default:
        return slm_session_cache_get_stats(zone, keys);
    }
}

static struct limitd_answer *do_stats(struct call *call)
{
    char text[800];
    int n = 0;
    for (unsigned i = 0; i < LIMITD_N_ZONES; i++) {
        struct slm_keyed_stats keys;
        struct slm_zone_stats zone;
        enum slm_status status = stats_of(call->service, (enum limitd_zone)i, &keys);
        if (status != SLM_OK) {
            return fail(call, (enum limitd_zone)i, status);
        }
        slm_zone_get_stats(call->service->zones[i], &zone);
        n += snprintf(text + n, sizeof text - (size_t)n,
                      " %s.n=%llu %s.evicted=%llu %s.bytes=%zu %s.recoveries=%llu",
                      limitd_zone_name((enum limitd_zone)i), (unsigned long long)keys.n_entries,
                      limitd_zone_name((enum limitd_zone)i), (unsigned long long)keys.n_evicted,
                      limitd_zone_name((enum limitd_zone)i), zone.bytes,
                      limitd_zone_name((enum limitd_zone)i), (unsigned long long)zone.n_recoveries);
    }
    return limitd_say(call->pool, "STATS worker=%ld answered=%llu%s", (long)getpid(),
                      (unsigned long long)call->service->n_answered, text);
}

static struct limitd_answer *do_check(struct call *call)
{
    for (unsigned i = 0; i < LIMITD_N_ZONES; i++) {
        unsigned broken;
        enum slm_status status =
            limitd_zones_check(call->service->zones[i], (enum limitd_zone)i, &broken);
        if (status != SLM_OK) {
            return fail(call, (enum limitd_zone)i, status);
        }
        if (broken != 0) {
            return limitd_say(call->pool, "BROKEN %s %u", limitd_zone_name((enum limitd_zone)i),
                              broken);
        }
    }
    return limitd_say(call->pool, "OK");
}

static struct limitd_answer *do_quit(struct call *call)
{
    struct limitd_answer *answer = limitd_say(call->pool, "BYE");
    if (answer != NULL) {
        answer->ends = true;
    }
    return answer;
}

static const struct command {
    const char *name;
    struct limitd_answer *(*run)(struct call *call);
    bool has_key;
    bool has_rest;
} commands[] = {
    {"REQ", do_req, true, false},        {"CONN+", do_conn_add, true, false},
    {"CONN-", do_conn_end, true, false}, {"CACHE", do_cache, true, false},
    {"PUT", do_put, true, true},         {"GET", do_get, true, false},
    {"DEL", do_del, true, false},        {"PING", do_ping, false, false},
    {"STATS", do_stats, false, false},   {"CHECK", do_check, false, false},
    {"QUIT", do_quit, false, false},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

/* Cuts the first word, and one blank after it, off [*at, + *n_bytes). */
static size_t cut_word(const char **at, size_t *n_bytes, const char **word)
{
    const char *blank = memchr(*at, ' ', *n_bytes);
    size_t n = blank == NULL ? *n_bytes : (size_t)(blank - *at);
    size_t n_cut = blank == NULL ? n : n + 1;
    *word = *at;
    *at += n_cut;
    *n_bytes -= n_cut;
    return n;
}

static const struct command *find_command(const char *word, size_t n_bytes)
{
    for (unsigned i = 0; i < N_COMMANDS; i++) {
        if (strlen(commands[i].name) == n_bytes && memcmp(commands[i].name, word, n_bytes) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static struct limitd_answer *run(struct call *call, const char *line, size_t n_bytes)
{
    const char *word;
    size_t word_bytes = cut_word(&line, &n_bytes, &word);
    const struct command *command = find_command(word, word_bytes);
    if (command == NULL) {
        return limitd_say(call->pool, "ERR unknown command; limitd --help lists them");
    }
    if (command->has_key) {
        call->key_bytes = cut_word(&line, &n_bytes, &call->key);
        if (call->key_bytes == 0 || call->key_bytes > LIMITD_KEY_BYTES_MAX) {
            return limitd_say(call->pool, "ERR %s: expected a key of 1 to %u bytes", command->name,
                              LIMITD_KEY_BYTES_MAX);
        }
    }
    if ((n_bytes > 0 || line[-1] == ' ') && !command->has_rest) {
        return limitd_say(call->pool, "ERR %s: expected nothing more", command->name);
    }
    call->rest = line;
    call->rest_bytes = n_bytes;
    return command->run(call);
}

struct limitd_answer *limitd_answer_line(struct limitd_service *service, struct limitd_holds *holds,
                                         struct slm_pool *pool, const char *line, size_t n_bytes,
                                         uint64_t now_ms)
{
    struct call call = {
        .service = service,
        .holds = holds,
        .pool = pool,
        .now_ms = now_ms,
    };
    service->n_answered++;
    return run(&call, line, n_bytes);
}

void limitd_holds_release(struct limitd_service *service, struct limitd_holds *holds)
{
    while (holds->n > 0) {
        (void)slm_limit_conn_release(service->zones[LIMITD_LIMIT_CONN], &service->conn_worker,
                                     &holds->holds[--holds->n].lease, NULL);
    }
}

enum slm_status limitd_service_join(struct limitd_service *service, const struct slm_zone_set *set,
                                    const struct limitd_config *config)
{
    service->config = config;
    for (unsigned i = 0; i < LIMITD_N_ZONES; i++) {
        service->zones[i] = limitd_zones_find(set, (enum limitd_zone)i);
    }
    enum slm_status status =
        slm_limit_conn_join(service->zones[LIMITD_LIMIT_CONN], &service->conn_worker);
    if (status == SLM_OK) {
        status = slm_cache_index_join(service->zones[LIMITD_CACHE_INDEX], &service->cache_worker);
    }
    return status;
}

void limitd_service_leave(struct limitd_service *service)
{
    (void)slm_limit_conn_leave(service->zones[LIMITD_LIMIT_CONN], &service->conn_worker);
    (void)slm_cache_index_leave(service->zones[LIMITD_CACHE_INDEX], &service->cache_worker);
}

void limitd_service_tick(struct limitd_service *service, uint64_t now_ms)
{
    (void)slm_cache_index_expire(service->zones[LIMITD_CACHE_INDEX], service->config->inactive_ms,
                                 now_ms, TICK_MAX, NULL);
    (void)slm_session_cache_expire(service->zones[LIMITD_SESSION_CACHE], now_ms, TICK_MAX, NULL);
}
