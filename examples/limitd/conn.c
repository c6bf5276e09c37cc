/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of a connection. */
#include "examples/limitd/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct limitd_conn *limitd_conn_create(int fd)
{
    struct limitd_conn *conn = malloc(sizeof *conn);
    if (conn != NULL) {
        memset(conn, 0, offsetof(struct limitd_conn, in));
        conn->fd = fd;
    }
    return conn;
}

void limitd_conn_destroy(struct limitd_conn *conn, struct limitd_service *service)
{
    limitd_holds_release(service, &conn->holds);
    close(conn->fd);
    free(conn);
}

static bool has_room_for_answer(const struct limitd_conn *conn)
{
    return LIMITD_OUT_BYTES - conn->n_out >= LIMITD_ANSWER_BYTES_MAX;
}

bool limitd_conn_wants_in(const struct limitd_conn *conn)
{
    return !conn->no_more && !conn->is_broken && conn->n_in < LIMITD_IN_BYTES;
}

bool limitd_conn_wants_out(const struct limitd_conn *conn)
{
    return !conn->is_broken && conn->out_from < conn->n_out;
}

bool limitd_conn_is_over(const struct limitd_conn *conn)
{
    return conn->is_broken || (conn->no_more && conn->out_from == conn->n_out);
}

static void read_some(struct limitd_conn *conn)
{
    ssize_t n = recv(conn->fd, conn->in + conn->n_in, LIMITD_IN_BYTES - conn->n_in, 0);
    if (n > 0) {
        conn->n_in += (size_t)n;
    } else if (n == 0) {
        conn->no_more = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        conn->is_broken = true;
    }
}

static void write_some(struct limitd_conn *conn)
{
    ssize_t n = send(conn->fd, conn->out + conn->out_from, conn->n_out - conn->out_from,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        conn->out_from += (size_t)n;
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        conn->is_broken = true;
    }
    if (conn->out_from == conn->n_out) {
        conn->out_from = 0;
        conn->n_out = 0;
    }
}

static void refuse_long_line(struct limitd_conn *conn)
{
    int n = snprintf(conn->out + conn->n_out, LIMITD_ANSWER_BYTES_MAX,
                     "ERR a line of more than %u bytes\n", LIMITD_LINE_BYTES_MAX);
    conn->n_out += (size_t)n;
    conn->is_too_long = false;
}

/* One line of n bytes, its end not counted. */
static void answer_line(struct limitd_conn *conn, struct limitd_service *service, size_t n,
                        uint64_t now_ms)
{
    bool ends = false;
    conn->in[n] = '\0';
    if (n > 0 && conn->in[n - 1] == '\r') {
        conn->in[--n] = '\0';
    }
    if (conn->is_too_long || n > LIMITD_LINE_BYTES_MAX) {
        refuse_long_line(conn);
        return;
    }
    conn->n_out +=
        limitd_answer(service, &conn->holds, conn->in, n, now_ms, conn->out + conn->n_out, &ends);
    conn->no_more = conn->no_more || ends;
    if (ends) {
        conn->n_in = 0;
    }
}

/* False: no whole line, or no room for its answer. */
static bool answer_next(struct limitd_conn *conn, struct limitd_service *service, uint64_t now_ms)
{
    if (!has_room_for_answer(conn)) {
        return false;
    }
    const char *end = memchr(conn->in, '\n', conn->n_in);
    if (end == NULL && conn->n_in == LIMITD_IN_BYTES) {
        conn->is_too_long = true;
        conn->n_in = 0;
    }
    if (end == NULL) {
        return false;
    }
    size_t n = (size_t)(end - conn->in);
    size_t n_behind = conn->n_in - (n + 1);
    answer_line(conn, service, n, now_ms);
    if (conn->n_in != 0) {
        memmove(conn->in, conn->in + n + 1, n_behind);
        conn->n_in = n_behind;
    }
    return true;
}

void limitd_conn_serve(struct limitd_conn *conn, struct limitd_service *service, bool can_read,
                       uint64_t now_ms)
{
    if (can_read && limitd_conn_wants_in(conn)) {
        read_some(conn);
    }
    do {
        while (!conn->is_broken && answer_next(conn, service, now_ms)) {
        }
        if (limitd_conn_wants_out(conn)) {
            write_some(conn);
        }
        /* Room was made, and there may be a line that waits for it. */
    } while (!conn->is_broken && conn->n_out == 0 && memchr(conn->in, '\n', conn->n_in) != NULL);
}
