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

/* The calling thread's identity, or 0 if it was not asked for yet. Initial-exec: a load, even in a
 * shared library. */
extern __thread uint64_t slm_lock_self_cached __attribute__((tls_model("initial-exec")));

/* From now on the calling thread is this one; 0: itself, as slm_lock_self finds out again. */
void slm_lock_set_self(uint64_t identity);

/* Whether the system says that a thread of that identity lives. */
bool slm_lock_find_alive(uint64_t identity);

/* A number for the running boot of the system, the same in all processes; 0: it does not tell. */
uint64_t slm_lock_boot(void);

/* The state letter and start of a thread out of the text of its stat file. False: not such text. */
bool slm_lock_parse_stat(const char *text, size_t length, char *state, uint32_t *start);

#ifdef __cplusplus
}
#endif
#endif
