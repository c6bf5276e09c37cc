/* SPDX-License-Identifier: Apache-2.0 */
/* limitd's listening socket. */
#ifndef SLM_EXAMPLES_LIMITD_SOCKET_H
#define SLM_EXAMPLES_LIMITD_SOCKET_H

#include <stddef.h>

#include <slabmill/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A non-blocking socket that listens at path, in place of one that nobody listens at any more.
 * SLM_E_EXISTS: somebody does, or it is no socket; SLM_E_ACCESS, SLM_E_MISSING, SLM_E_IO. */
enum slm_status limitd_socket_listen(int *fd, const char *path, struct slm_error *error);

/* Hands it over to a new binary in the environment, or keeps it after all. */
enum slm_status limitd_socket_export(int fd, struct slm_error *error);
void limitd_socket_keep(int fd);
/* What was handed over, or -1. */
int limitd_socket_import(void);
/* Where it listens, cut to n_bytes with the final zero; "" if it cannot be told. */
void limitd_socket_path(int fd, char *path, size_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif
