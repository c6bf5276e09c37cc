/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of threads: the calling one, and whether another one lives. */
#ifndef SLM_LOCK_IDENTITY_H
#define SLM_LOCK_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The calling thread's identity; 0 before its first slm_lock_self. Initial-exec: a load, even in a
 * shared library. */
extern __thread uint64_t slm_lock_self_cached __attribute__((tls_model("initial-exec")));

/* Sets the identity of the calling thread; 0: the next slm_lock_self finds its own again. */
void slm_lock_set_self(uint64_t identity);

/* Whether the system says that a thread of that identity lives. */
bool slm_lock_find_alive(uint64_t identity);

/* A number for the running boot of the system, the same in all processes; 0: unknown. */
uint64_t slm_lock_boot(void);

/* Parses state letter and start time from the text of a thread's stat file. False: no such text. */
bool slm_lock_parse_stat(const char *text, size_t length, char *state, uint32_t *start);

#ifdef __cplusplus
}
#endif
#endif
