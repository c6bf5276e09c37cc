/* SPDX-License-Identifier: Apache-2.0 */
/* limitd's listening socket. */
#ifndef SLM_EXAMPLES_LIMITD_SOCKET_H
#define SLM_EXAMPLES_LIMITD_SOCKET_H

#include <stddef.h>

#include <slabmill/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A non-blocking socket that listens at path. Replaces a socket that has no listener any more.
 * SLM_E_EXISTS: another process listens there, or the file is no socket; SLM_E_ACCESS,
 * SLM_E_MISSING, SLM_E_IO. */
enum slm_status limitd_socket_listen(int *fd, const char *path, struct slm_error *error);

/* Passes the socket to a new binary through the environment; limitd_socket_keep takes it back. */
enum slm_status limitd_socket_export(int fd, struct slm_error *error);
void limitd_socket_keep(int fd);
/* The socket that was passed, or -1. */
int limitd_socket_import(void);
/* Where it listens, cut to n_bytes with the final zero; "" if that is not known. */
void limitd_socket_path(int fd, char *path, size_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif
