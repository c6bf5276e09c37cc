/* SPDX-License-Identifier: Apache-2.0 */
/* A connection: received bytes, and answers to be sent. */
#include "examples/limitd/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct limitd_conn *limitd_conn_create(int fd)
{
    struct slm_pool *pool;
    if (slm_pool_create(&pool, LIMITD_POOL_BYTES, NULL, 0) != SLM_OK) {
        return NULL;
    }
    struct limitd_conn *conn = malloc(sizeof *conn);
    if (conn == NULL) {
        (void)slm_pool_destroy(pool);
        return NULL;
    }
    memset(conn, 0, offsetof(struct limitd_conn, in));
    conn->fd = fd;
    conn->pool = pool;
    return conn;
}

void limitd_conn_destroy(struct limitd_conn *conn, struct limitd_service *service)
{
    limitd_holds_release(service, &conn->holds);
    close(conn->fd);
    (void)slm_pool_destroy(conn->pool);
    free(conn);
}

static bool has_room_for_answer(const struct limitd_conn *conn)
{
    return conn->out_bytes + LIMITD_ANSWER_BYTES_MAX <= LIMITD_OUT_BYTES;
}

bool limitd_conn_wants_in(const struct limitd_conn *conn)
{
    return !conn->no_more && !conn->is_broken && conn->n_in < LIMITD_IN_BYTES;
}

bool limitd_conn_wants_out(const struct limitd_conn *conn)
{
    return !conn->is_broken && conn->first != NULL;
}

bool limitd_conn_has_ended(const struct limitd_conn *conn)
{
    return conn->is_broken || (conn->no_more && conn->first == NULL);
}

static void read_some(struct limitd_conn *conn, uint64_t now_ms)
{
    ssize_t n = recv(conn->fd, conn->in + conn->n_in, LIMITD_IN_BYTES - conn->n_in, 0);
    if (n > 0) {
        conn->n_in += (size_t)n;
        conn->used_ms = now_ms;
    } else if (n == 0) {
        conn->no_more = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        conn->is_broken = true;
    }
}

static size_t memory_of(const struct limitd_answer *answer)
{
    return sizeof *answer + answer->n_bytes;
}

static void keep_answer(struct limitd_conn *conn, struct limitd_answer *answer)
{
    if (answer == NULL) {
        conn->is_broken = true;
        return;
    }
    if (conn->first == NULL) {
        conn->first = answer;
    } else {
        conn->last->next = answer;
    }
    conn->last = answer;
    conn->out_bytes += memory_of(answer);
}

/* Records that the client took n more bytes. */
static void drop_sent(struct limitd_conn *conn, size_t n)
{
    conn->n_sent += n;
    if (conn->n_sent < conn->first->n_bytes) {
        return;
    }
    conn->n_sent = 0;
    conn->out_bytes -= memory_of(conn->first);
    conn->first = conn->first->next;
    if (conn->first == NULL) {
        (void)slm_pool_reset(conn->pool);
    }
}

/* Sends until the client takes no more. */
static void write_some(struct limitd_conn *conn, uint64_t now_ms)
{
    while (limitd_conn_wants_out(conn)) {
        ssize_t n = send(conn->fd, conn->first->bytes + conn->n_sent,
                         conn->first->n_bytes - conn->n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            conn->is_broken = errno != EAGAIN && errno != EINTR;
            return;
        }
        conn->used_ms = now_ms;
        drop_sent(conn, (size_t)n);
    }
}

/* One line of n bytes, its end not counted. */
static void answer_line(struct limitd_conn *conn, struct limitd_service *service, size_t n,
                        uint64_t now_ms)
{
    conn->in[n] = '\0';
    if (n > 0 && conn->in[n - 1] == '\r') {
        conn->in[--n] = '\0';
    }
    if (conn->is_too_long || n > LIMITD_LINE_BYTES_MAX) {
        conn->is_too_long = false;
        keep_answer(conn, limitd_say(conn->pool, "ERR a line of more than %u bytes",
                                     LIMITD_LINE_BYTES_MAX));
        return;
    }
    struct limitd_answer *answer =
        limitd_answer_line(service, &conn->holds, conn->pool, conn->in, n, now_ms);
    keep_answer(conn, answer);
    if (answer != NULL && answer->ends) {
        conn->no_more = true;
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
    size_t n_after = conn->n_in - (n + 1);
    answer_line(conn, service, n, now_ms);
    if (conn->n_in != 0) {
        memmove(conn->in, conn->in + n + 1, n_after);
        conn->n_in = n_after;
    }
    return true;
}

void limitd_conn_serve(struct limitd_conn *conn, struct limitd_service *service, bool can_read,
                       uint64_t now_ms)
{
    if (can_read && limitd_conn_wants_in(conn)) {
        read_some(conn, now_ms);
    }
    do {
        while (!conn->is_broken && answer_next(conn, service, now_ms)) {
        }
        if (limitd_conn_wants_out(conn)) {
            write_some(conn, now_ms);
        }
        /* Sending made room; a line may be waiting for it. */
    } while (!conn->is_broken && conn->first == NULL && memchr(conn->in, '\n', conn->n_in) != NULL);
}
