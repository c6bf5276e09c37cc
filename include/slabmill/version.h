/* SPDX-License-Identifier: Apache-2.0 */
/* Version: of the headers that a program was compiled with, and of the library it runs with. */
#ifndef SLM_VERSION_H
#define SLM_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    docs/stability.md says what each number promises. Below 1.0 a new minor version may
 *          break programs. So a program runs only with the minor version that it was compiled for:
 *          that version is in the shared library's name (libslabmill.so.0.2).
 * Safety   Constants and a pure function: callable from any thread, process or signal handler.
 */
/* The version of the headers. */
#define SLM_VERSION_MAJOR  0
#define SLM_VERSION_MINOR  2
#define SLM_VERSION_PATCH  0
#define SLM_VERSION_STRING "0.2.0"

/* SLM_VERSION_STRING of the library that the program runs with. Never NULL, never changes. */
const char *slm_version(void);

#ifdef __cplusplus
}
#endif
#endif
