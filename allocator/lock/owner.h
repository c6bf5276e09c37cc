/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the owner that a word records holds the lock. */
#ifndef SLM_LOCK_OWNER_H
#define SLM_LOCK_OWNER_H

#include "allocator/lock/handle.h"
#include "allocator/lock/life.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the owner's thread lives, as the state's boot and namespaces let this process see it. */
struct slm_lock_life slm_lock_judge_thread(const struct slm_lock_state *state, uint64_t owner);

/* The same, and a thread whose process does not have the state's memory mapped is no owner. */
struct slm_lock_life slm_lock_judge_owner(const struct slm_lock_state *state, uint64_t owner);

/* For waiters: as slm_lock_judge_thread at most looks, as slm_lock_judge_owner at some. */
bool slm_lock_is_owner_gone(struct slm_lock *lock, uint64_t owner);

/* Whether the owner is a thread of this process that did not take the lock: the word was copied
 * with a file, or is from before an exec. No handle of this process has the state. */
bool slm_lock_is_left_over(const struct slm_lock_state *state, uint64_t owner);

#ifdef __cplusplus
}
#endif
#endif
