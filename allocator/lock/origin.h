/* SPDX-License-Identifier: Apache-2.0 */
/* The boot and the namespaces that a lock belongs to. */
#ifndef SLM_LOCK_ORIGIN_H
#define SLM_LOCK_ORIGIN_H

#include <slabmill/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What SLM_E_STATE says. */
#define SLM_LOCK_ELSEWHERE_TEXT                                                                    \
    "it belongs to another pid or time namespace, or /proc does not show that it does not"

/* Whether the calling process may not attach the lock: it is in another namespace of this boot, or
 * cannot find out in which it is. Reads only. */
bool slm_lock_is_elsewhere(const struct slm_lock_state *state);

bool slm_lock_is_of_another_boot(const struct slm_lock_state *state);

/* The namespaces that the lock belongs to; 0: not agreed on yet. */
uint64_t slm_lock_recorded_namespaces(const struct slm_lock_state *state);

/* Resets a state of another boot, and makes the namespaces those of the caller if none are recorded
 * yet. False: as slm_lock_is_elsewhere. */
bool slm_lock_agree_on_origin(struct slm_lock_state *state);

/* Makes the lock belong to this boot, the caller's namespaces, and no file. No other process uses
 * the lock. */
void slm_lock_set_origin(struct slm_lock_state *state);

/* A recorded owner counts as dead (lock.c). No other process uses the lock. */
void slm_lock_bury_owner(struct slm_lock_state *state);

/* Whether the number, of this boot, is the one in *shared, a word of the state; if that has none,
 * records it. */
bool slm_lock_agree_on(struct slm_lock_state *state, slm_word *shared, uint64_t number);

#ifdef __cplusplus
}
#endif
#endif
