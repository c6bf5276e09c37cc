/* SPDX-License-Identifier: Apache-2.0 */
/* A Unix socket to listen at. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* lstat */
#endif
#include "examples/limitd/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VARIABLE "LIMITD_LISTEN"

static enum slm_status fail(struct slm_error *error, const char *path)
{
    return slm_error_set(error, slm_error_of_errno(errno), errno, "%s: %s", path, strerror(errno));
}

static void address_of(const char *path, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strncpy(address->sun_path, path, sizeof address->sun_path - 1);
}

/* Removes a socket with no listener: its server was killed. */
static enum slm_status clear_path(const char *path, struct slm_error *error)
{
    struct stat about;
    struct sockaddr_un address;
    if (lstat(path, &about) != 0) {
        return errno == ENOENT ? SLM_OK : fail(error, path);
    }
    if (!S_ISSOCK(about.st_mode)) {
        return slm_error_set(error, SLM_E_EXISTS, 0, "%s: is there, and no socket", path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_of(path, &address);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno == ECONNREFUSED) {
        close(fd);
        return unlink(path) == 0 ? SLM_OK : fail(error, path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return slm_error_set(error, SLM_E_EXISTS, 0, "%s: another server listens there", path);
}

enum slm_status limitd_socket_listen(int *fd, const char *path, struct slm_error *error)
{
    struct sockaddr_un address;
    enum slm_status status = clear_path(path, error);
    if (status != SLM_OK) {
        return status;
    }
    address_of(path, &address);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd >= 0 && bind(*fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(*fd, SOMAXCONN) == 0) {
        return SLM_OK;
    }
    status = fail(error, path);
    if (*fd >= 0) {
        close(*fd);
    }
    return status;
}

enum slm_status limitd_socket_export(int fd, struct slm_error *error)
{
    char text[16];
    snprintf(text, sizeof text, "%d", fd);
    if (fcntl(fd, F_SETFD, 0) != 0 || setenv(VARIABLE, text, 1) != 0) {
        return slm_error_set(error, SLM_E_IO, errno, "the socket cannot be handed over");
    }
    return SLM_OK;
}

void limitd_socket_keep(int fd)
{
    (void)unsetenv(VARIABLE);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int limitd_socket_import(void)
{
    const char *text = getenv(VARIABLE);
    int is_listening = 0;
    socklen_t n = sizeof is_listening;
    int fd = text == NULL ? -1 : (int)strtol(text, NULL, 10);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &n) != 0 ||
        is_listening == 0) {
        return -1;
    }
    limitd_socket_keep(fd);
    return fd;
}

void limitd_socket_path(int fd, char *path, size_t n_bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t n = sizeof address;
    path[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&address, &n) == 0) {
        snprintf(path, n_bytes, "%.*s", (int)sizeof address.sun_path, address.sun_path);
    }
}
