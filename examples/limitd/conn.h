/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's connection: lines in, answers out, both bounded. */
#ifndef SLM_EXAMPLES_LIMITD_CONN_H
#define SLM_EXAMPLES_LIMITD_CONN_H

#include "examples/limitd/protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Reads while there is room, answers whole lines while there is room for an answer, writes
 *          when the client takes it. A client that sends without reading is not read from. A line
 *          that is too long is skipped, and answered with an error when it ends.
 * Memory   Answers are in the connection's pool until they are sent. The pool is reset when none is
 *          left: after each request, for a client that waits for its answer before it sends the
 *          next line.
 */
#define LIMITD_IN_BYTES  (LIMITD_LINE_BYTES_MAX + 2u) /* a line and its end */
#define LIMITD_OUT_BYTES (4u * LIMITD_ANSWER_BYTES_MAX)
#define LIMITD_POOL_BYTES                                                                          \
    4096u /* a block: many short answers; longer ones have blocks of their own */

struct limitd_conn {
    int fd;
    bool is_too_long; /* skipping the rest of a line */
    bool no_more;     /* reading has ended */
    bool is_broken;   /* the client is gone, or there is no memory for an answer */
    struct slm_pool *pool;
    struct limitd_answer *first; /* to be sent, oldest first; NULL: none */
    struct limitd_answer *last;
    size_t n_sent;    /* bytes of the first answer that are sent */
    size_t out_bytes; /* memory of answers that are not completely sent */
    uint64_t used_ms; /* when the client last sent or took bytes; its worker sets the first */
    struct limitd_holds holds;
    size_t n_in;
    char in[LIMITD_IN_BYTES + 1];
};

/* NULL: no memory. fd is non-blocking; the connection owns it from then on. */
struct limitd_conn *limitd_conn_create(int fd);
/* Gives back its counts and closes it. */
void limitd_conn_destroy(struct limitd_conn *conn, struct limitd_service *service);

bool limitd_conn_wants_in(const struct limitd_conn *conn);
bool limitd_conn_wants_out(const struct limitd_conn *conn);
/* Whether the connection has ended and can be destroyed. */
bool limitd_conn_has_ended(const struct limitd_conn *conn);

/* Reads once if can_read, answers, writes what the client takes. */
void limitd_conn_serve(struct limitd_conn *conn, struct limitd_service *service, bool can_read,
                       uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
