/* SPDX-License-Identifier: Apache-2.0 */
/* limitd's configuration: a file of lines "name value". */
#ifndef SLM_EXAMPLES_LIMITD_CONFIG_H
#define SLM_EXAMPLES_LIMITD_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include <slabmill/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A line is a name and its values, separated by blanks; # begins a comment. Each setting
 *          may appear once, each zone once. A missing setting has its default.
 * Failure  Errors name the file, the line and what was expected. The config must not be used then.
 */
#define LIMITD_PATH_BYTES  100u /* of a socket's path with its final zero */
#define LIMITD_WORKERS_MAX 16u
#define LIMITD_CLIENTS_MAX 4096u
#define LIMITD_CONFIG_HELP                                                                         \
    "  listen PATH              the Unix socket; required\n"                                       \
    "  workers N                worker processes, 1 to 16 (2)\n"                                   \
    "  clients N                connections of one worker, 1 to 4096 (256); if all are\n"          \
    "                           taken, one that is idle makes room for a new client\n"             \
    "  rate R                   REQ: requests a second, 0.001 to 1000000 (100)\n"                  \
    "  burst N                  REQ: requests above the rate, 0 to 1000000 (50)\n"                 \
    "  connections N            CONN+: of one key, 1 to 1000000 (10)\n"                            \
    "  inactive SECONDS         CACHE: an unused key expires, 1 to 1000000 (600)\n"                \
    "  drain SECONDS            until a replaced worker leaves, 0 to 1000000 (2)\n"                \
    "  zone NAME BYTES [MAX]    limit_req, limit_conn, cache_index, session_cache;\n"              \
    "                           k, m and g stand for KiB, MiB and GiB (1m 16m)\n"

enum limitd_zone {
    LIMITD_LIMIT_REQ,
    LIMITD_LIMIT_CONN,
    LIMITD_CACHE_INDEX,
    LIMITD_SESSION_CACHE,
    LIMITD_N_ZONES,
};

struct limitd_zone_config {
    size_t bytes;
    size_t max_bytes;
};

struct limitd_config {
    char listen[LIMITD_PATH_BYTES];
    unsigned n_workers;
    unsigned n_clients;
    uint32_t rate_milli;
    uint32_t burst_milli;
    uint64_t n_connections;
    uint64_t inactive_ms;
    uint64_t drain_ms;
    struct limitd_zone_config zones[LIMITD_N_ZONES];
};

/* "limit_req" and so on. */
const char *limitd_zone_name(enum limitd_zone zone);

/* Reads a file. SLM_E_MISSING, SLM_E_ACCESS, SLM_E_IO: the file; SLM_E_OPTION: a line of it. */
enum slm_status limitd_config_read(struct limitd_config *config, const char *path,
                                   struct slm_error *error);

#ifdef __cplusplus
}
#endif
#endif
