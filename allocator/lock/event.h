/* SPDX-License-Identifier: Apache-2.0 */
/* Events of locks, and of what they guard: noted under the lock, delivered after it. */
#ifndef SLM_LOCK_EVENT_H
#define SLM_LOCK_EVENT_H

#include <stdbool.h>

#include <slabmill/event.h>
#include <slabmill/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a holder has noted. Only the holder reads and writes it. */
struct slm_lock_events {
    unsigned n;
    struct slm_event events[SLM_EVENTS_MAX];
};

/* Whether the process has a listener: without one nothing is noted. */
bool slm_lock_has_listener(void);

/* For the events of this handle; it lives as long as the handle. */
void slm_lock_set_name(struct slm_lock *lock, const char *name);

/* The caller holds the lock: the listener gets the event when it has unlocked. */
void slm_lock_note_event(struct slm_lock *lock, enum slm_event_kind kind, enum slm_status status,
                         pid_t thread);
/* The caller does not hold the lock: calls the listener. */
void slm_lock_report_event(const struct slm_lock *lock, enum slm_event_kind kind,
                           enum slm_status status, pid_t thread);

/* For a waiter before each sleep, which the owner in word keeps waiting. *since_ms: 0 before the
 * first one. */
void slm_lock_report_wait(const struct slm_lock *lock, uint64_t word, uint64_t *since_ms);

/* For unlock: takes over what was noted, and delivers it after the lock was released. */
void slm_lock_take_events(struct slm_lock *lock, struct slm_lock_events *taken);
void slm_lock_deliver_events(const struct slm_lock_events *taken);

#ifdef __cplusplus
}
#endif
#endif
