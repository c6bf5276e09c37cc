/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a thread lives, and if nothing shows it, why. */
#ifndef SLM_LOCK_LIFE_H
#define SLM_LOCK_LIFE_H

#include <slabmill/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct slm_lock_life {
    bool is_alive;
    enum slm_lock_doubt doubt; /* not SLM_LOCK_NO_DOUBT: it may be dead all the same */
};

/* Of a thread of this pid namespace; its start time is of that time namespace. */
struct slm_lock_life slm_lock_find_life(uint64_t identity, uint32_t time_namespace);

/* Whether that thread is one of this process. */
bool slm_lock_is_own_thread(pid_t thread);

#ifdef __cplusplus
}
#endif
#endif
