/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's connection: lines in, answers out, both bounded. */
#ifndef SLM_EXAMPLES_LIMITD_CONN_H
#define SLM_EXAMPLES_LIMITD_CONN_H

#include "examples/limitd/protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Reads when there is room for it, answers whole lines while there is room for an answer,
 *          writes when the other side takes it: one that sends and does not read is not read from.
 *          A line that is too long is answered once it ends, and passed over.
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
    bool is_too_long; /* passing over the rest of a line */
    bool no_more;     /* nothing is read any more */
    bool is_broken;   /* the other side is gone, or there is no memory for an answer */
    struct slm_pool *pool;
    struct limitd_answer *first; /* to be sent, oldest first; NULL: none */
    struct limitd_answer *last;
    size_t n_sent;    /* bytes of the first that are sent */
    size_t out_bytes; /* memory of answers that are not sent to the end */
    struct limitd_holds holds;
    size_t n_in;
    char in[LIMITD_IN_BYTES + 1];
};

/* NULL: no memory. fd is non-blocking and the connection's from then on. */
struct limitd_conn *limitd_conn_create(int fd);
/* Gives back what it holds, closes it. */
void limitd_conn_destroy(struct limitd_conn *conn, struct limitd_service *service);

bool limitd_conn_wants_in(const struct limitd_conn *conn);
bool limitd_conn_wants_out(const struct limitd_conn *conn);
/* Nothing to do for it any more. */
bool limitd_conn_is_over(const struct limitd_conn *conn);

/* Reads once if can_read, answers, writes what the other side takes. */
void limitd_conn_serve(struct limitd_conn *conn, struct limitd_service *service, bool can_read,
                       uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
