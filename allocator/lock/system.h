/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of locks: one table, which a scheduler can replace. */
#ifndef SLM_LOCK_SYSTEM_H
#define SLM_LOCK_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include "allocator/base/yield.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/life.h"
#include "allocator/lock/proc.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the lock needs of the system. With SLM_SCHED=1 the table can be written to, so that a
 * scheduler simulates blocking, waking, time and death. It sets the members before the first actor
 * starts; this room calls them, and zones the clock, wait and wake. Each actor sets the thread that it plays with
 * slm_lock_set_self.
 */
struct slm_lock_system {
    /* life.h */
    struct slm_lock_life (*find_life)(uint64_t identity, uint32_t time_namespace);
    bool (*is_own_thread)(pid_t thread);
    /* proc.h */
    enum slm_lock_maps (*find_maps)(pid_t thread, const void *address);
    /* Sleeps if *half == value, compared in one step with falling asleep, until a wake, for at most
     * timeout_ms. May return early for any reason. */
    void (*wait)(uint32_t *half, uint32_t value, unsigned timeout_ms);
    /* Wakes up to n_most sleepers of half. */
    void (*wake)(uint32_t *half, int n_most);
    /* A clock that never goes back. */
    uint64_t (*now_ms)(void);
    /* Lets n short pauses pass between two reads of the word. */
    void (*pause)(unsigned n);
    /* How long after its first sleep a waiter asks for its turn. */
    unsigned patience_ms;
    /* The lock of fd's open file description on all of the file, as fcntl(2): F_WRLCK, which never
     * waits, or F_UNLCK. Answers 0 or an errno. */
    int (*set_file_lock)(int fd, short type);
};

#if SLM_SCHED
extern struct slm_lock_system slm_lock_system;
#else
extern const struct slm_lock_system slm_lock_system;
#endif

#ifdef __cplusplus
}
#endif
#endif
