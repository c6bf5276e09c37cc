/* SPDX-License-Identifier: Apache-2.0 */
/* Taking and releasing a lock that no other thread wants, inline: for this room and for the slab. */
#ifndef SLM_LOCK_FAST_H
#define SLM_LOCK_FAST_H

#include <stdbool.h>

#include "allocator/base/check.h"
#include "allocator/base/yield.h"
#include "allocator/lock/handle.h"
#include "allocator/lock/identity.h"

/* Whether the calling thread holds the lock now, as after SLM_OK of slm_lock_lock. If not, nothing
 * has changed: call slm_lock_lock. A thread without a cached identity must not compare 0 with 0. */
static inline bool slm_lock_take_fast(struct slm_lock *lock)
{
    uint64_t self = slm_lock_self_cached;
    uint64_t unowned = 0;
    SLM_YIELD("lock: take");
    return SLM_LIKELY(self != 0) &&
           SLM_LIKELY(__atomic_compare_exchange_n(lock->fast_word, &unowned, self, false,
                                                  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
}

/* Whether the lock is free now. If not, nothing has changed: call slm_lock_unlock. */
static inline bool slm_lock_give_fast(struct slm_lock *lock)
{
    uint64_t self = slm_lock_self_cached;
    SLM_YIELD("unlock: give");
    return SLM_LIKELY(self != 0) &&
           SLM_LIKELY(__atomic_compare_exchange_n(lock->fast_word, &self, 0, false,
                                                  __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

#endif
