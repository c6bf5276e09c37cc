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
 */
#define LIMITD_IN_BYTES  (LIMITD_LINE_BYTES_MAX + 2u) /* a line and its end */
#define LIMITD_OUT_BYTES (4u * LIMITD_ANSWER_BYTES_MAX)

struct limitd_conn {
    int fd;
    bool is_too_long; /* passing over the rest of a line */
    bool no_more;     /* nothing is read any more */
    bool is_broken;   /* the other side is gone */
    size_t n_in;
    size_t out_from;
    size_t n_out;
    struct limitd_holds holds;
    char in[LIMITD_IN_BYTES + 1];
    char out[LIMITD_OUT_BYTES];
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
