/* SPDX-License-Identifier: Apache-2.0 */
/* The calling thread's identity, and the namespaces in which it is valid. */
#ifndef SLM_LOCK_IDENTITY_H
#define SLM_LOCK_IDENTITY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The calling thread's identity; 0 before its first slm_lock_self. Initial-exec: a load, even in a
 * shared library. */
extern __thread uint64_t slm_lock_self_cached __attribute__((tls_model("initial-exec")));

/* Sets the identity of the calling thread; 0: the next slm_lock_self finds its own again. */
void slm_lock_set_self(uint64_t identity);

/* The namespaces of this process, as it or a forking ancestor first found them
 * (slm_lock_find_namespaces). */
uint64_t slm_lock_namespaces(void);

/* From now on a child of fork has its own identity and namespaces. Returns 0 or an errno. */
int slm_lock_follow_forks(void);

#ifdef __cplusplus
}
#endif
#endif
