/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection: asks and reads answers. */
#include "examples/limitd/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

void limitd_link_init(struct limitd_link *link, const char *path)
{
    memset(link, 0, sizeof *link);
    link->path = path;
    link->fd = -1;
}

static void disconnect(struct limitd_link *link)
{
    if (link->fd >= 0) {
        close(link->fd);
    }
    link->fd = -1;
}

void limitd_link_fini(struct limitd_link *link)
{
    disconnect(link);
}

static bool connect_link(struct limitd_link *link)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {LIMITD_LINK_SECONDS, 0};
    strncpy(address.sun_path, link->path, sizeof address.sun_path - 1);
    link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link->fd < 0 || setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        connect(link->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        disconnect(link);
        return false;
    }
    link->n_made++;
    link->n_in = 0;
    return true;
}

bool limitd_link_send(struct limitd_link *link, const char *bytes, size_t n_bytes)
{
    if (link->fd < 0 && !connect_link(link)) {
        return false;
    }
    while (n_bytes > 0) {
        ssize_t n = send(link->fd, bytes, n_bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            disconnect(link);
            return false;
        }
        bytes += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

/* Removes the line that the last call returned and moves the rest to the front. */
static void discard_line(struct limitd_link *link)
{
    const char *end = memchr(link->in, '\0', link->n_in);
    if (end != NULL) {
        size_t n = (size_t)(end - link->in) + 1;
        memmove(link->in, link->in + n, link->n_in - n);
        link->n_in -= n;
    }
}

const char *limitd_link_line(struct limitd_link *link)
{
    char *end;
    discard_line(link);
    while ((end = memchr(link->in, '\n', link->n_in)) == NULL) {
        if (link->fd < 0 || link->n_in == sizeof link->in) {
            disconnect(link);
            return NULL;
        }
        ssize_t n = recv(link->fd, link->in + link->n_in, sizeof link->in - link->n_in, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        link->n_hung += n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 1 : 0;
        if (n <= 0) {
            disconnect(link);
            return NULL;
        }
        link->n_in += (size_t)n;
    }
    *end = '\0';
    return link->in;
}

const char *limitd_link_ask(struct limitd_link *link, const char *line)
{
    if (!limitd_link_send(link, line, strlen(line)) || !limitd_link_send(link, "\n", 1)) {
        return NULL;
    }
    return limitd_link_line(link);
}
