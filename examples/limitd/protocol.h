/* SPDX-License-Identifier: Apache-2.0 */
/* limitd's line protocol: a line in, a line out. */
#ifndef SLM_EXAMPLES_LIMITD_PROTOCOL_H
#define SLM_EXAMPLES_LIMITD_PROTOCOL_H

#include <stdbool.h>

#include "examples/limitd/zones.h"
#include <slabmill/lease.h>
#include <slabmill/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Each line is a command and gets one line as its answer, in order. A key is 1 to 200
 *          bytes without blanks; a value is the rest of its line. A wrong command is answered "ERR"
 *          with a reason and changes nothing. Once a change is answered, no death of a worker
 *          undoes it.
 * Holds    CONN+ counts for the connection that sent it. When the connection ends, for any reason,
 *          its counts are given back.
 */
#define LIMITD_LINE_BYTES_MAX   16384u /* without its end */
#define LIMITD_KEY_BYTES_MAX    200u
#define LIMITD_ANSWER_BYTES_MAX (LIMITD_LINE_BYTES_MAX + 1024u) /* with its end */
#define LIMITD_HOLDS_MAX        64u                             /* CONN+ of one connection */
#define LIMITD_PROTOCOL_HELP                                                                       \
    "  PING                     PONG, and the worker's pid\n"                                      \
    "  REQ key                  OK or LIMITED, and the excess: a request of key\n"                 \
    "  CONN+ key, CONN- key     OK or LIMITED, and the count: connections of key\n"                \
    "  CACHE key                HIT or MISS, and the uses so far\n"                                \
    "  PUT key SECONDS value    OK: keeps a value for SECONDS\n"                                   \
    "  GET key                  VALUE and the value, or NONE\n"                                    \
    "  DEL key                  OK or NONE\n"                                                      \
    "  STATS, CHECK             figures of each zone; OK or the broken invariant\n"                \
    "  QUIT                     BYE, and the connection ends\n"

struct limitd_hold {
    char key[LIMITD_KEY_BYTES_MAX];
    size_t key_bytes; /* 0: free */
    struct slm_lease lease;
};

struct limitd_holds {
    struct limitd_hold holds[LIMITD_HOLDS_MAX];
    unsigned n;
};

/* All that a worker needs to serve. */
struct limitd_service {
    struct slm_zone *zones[LIMITD_N_ZONES];
    const struct limitd_config *config;
    struct slm_lease_worker conn_worker;
    struct slm_lease_worker cache_worker;
    uint64_t n_answered;
};

/* Makes the calling process a worker of the zones. As slm_limit_conn_join. */
enum slm_status limitd_service_join(struct limitd_service *service, const struct slm_zone_set *set,
                                    const struct limitd_config *config);
void limitd_service_leave(struct limitd_service *service);

/* Regular work: drops expired keys, a bounded number at a time. */
void limitd_service_tick(struct limitd_service *service, uint64_t now_ms);

struct limitd_answer {
    struct limitd_answer *next; /* for the connection, which keeps answers in order */
    char *bytes;                /* including its line end, LIMITD_ANSWER_BYTES_MAX at most */
    size_t n_bytes;
    bool ends; /* the connection ends once it is sent */
};

/*
 * Carries out a line, which ends with a zero in place of its line end. The answer is in the pool;
 * NULL: the pool has no memory for it, and whether the line was carried out is not known.
 */
struct limitd_answer *limitd_answer_line(struct limitd_service *service, struct limitd_holds *holds,
                                         struct slm_pool *pool, const char *line, size_t n_bytes,
                                         uint64_t now_ms);

/* Makes an answer from a text, for example an error, and adds the line end. NULL: no memory. */
__attribute__((format(printf, 2, 3))) struct limitd_answer *limitd_say(struct slm_pool *pool,
                                                                       const char *format, ...);

/* Gives back all counts that a connection holds. */
void limitd_holds_release(struct limitd_service *service, struct limitd_holds *holds);

#ifdef __cplusplus
}
#endif
#endif
