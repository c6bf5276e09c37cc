/* SPDX-License-Identifier: Apache-2.0 */
/* Events: the listener, what a holder notes, and the texts. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strnlen */
#endif
#include "allocator/lock/event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "allocator/base/cancel.h"
#include "allocator/lock/handle.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"

/*
 * A holder's events are in its handle, which the lock guards. To note one sets the waiters' mark,
 * as a waiter may do at any time: so unlock takes its slow path, which delivers them, and the fast
 * path knows nothing of events.
 */
#define HAS_REPORTED UINT64_MAX

static slm_event_listener *listener; /* NULL: none */
static void *listener_data;

void slm_event_listen(slm_event_listener *new_listener, void *data)
{
    __atomic_store_n(&listener, NULL, __ATOMIC_RELEASE);
    __atomic_store_n(&listener_data, data, __ATOMIC_RELEASE);
    __atomic_store_n(&listener, new_listener, __ATOMIC_RELEASE);
}

bool slm_lock_has_listener(void)
{
    return __atomic_load_n(&listener, __ATOMIC_RELAXED) != NULL;
}

/* A listener writes to its log, which is a cancellation point; the calls of a lock are none. */
static void deliver(const struct slm_event *event)
{
    slm_event_listener *to = __atomic_load_n(&listener, __ATOMIC_ACQUIRE);
    if (to != NULL) {
        int kept_errno = errno;
        int cancel = slm_cancel_off();
        to(event, __atomic_load_n(&listener_data, __ATOMIC_ACQUIRE));
        slm_cancel_restore(cancel);
        errno = kept_errno;
    }
}

/* Callable in a signal handler. */
static void fill_event(struct slm_event *event, const struct slm_lock *lock,
                       enum slm_event_kind kind, enum slm_status status, pid_t thread)
{
    *event = (struct slm_event){.kind = kind, .status = status, .thread_id = thread};
    if (lock->name != NULL) {
        memcpy(event->name, lock->name, strnlen(lock->name, sizeof event->name - 1));
    }
}

void slm_lock_set_name(struct slm_lock *lock, const char *name)
{
    lock->name = name;
}

void slm_lock_note_event(struct slm_lock *lock, enum slm_event_kind kind, enum slm_status status,
                         pid_t thread)
{
    struct slm_lock_events *noted = &lock->events;
    if (!slm_lock_has_listener() || noted->n == SLM_EVENTS_MAX) {
        return;
    }
    fill_event(&noted->events[noted->n++], lock, kind, status, thread);
    (void)__atomic_fetch_or(&lock->state->word, SLM_LOCK_WAITERS, __ATOMIC_RELAXED);
}

void slm_lock_report_event(const struct slm_lock *lock, enum slm_event_kind kind,
                           enum slm_status status, pid_t thread)
{
    struct slm_event event;
    if (slm_lock_has_listener()) {
        fill_event(&event, lock, kind, status, thread);
        deliver(&event);
    }
}

void slm_lock_report_wait(const struct slm_lock *lock, uint64_t word, uint64_t *since_ms)
{
    if (!slm_lock_has_listener() || *since_ms == HAS_REPORTED) {
        return;
    }
    uint64_t now_ms = slm_lock_system.now_ms();
    pid_t owner = (pid_t)(word & SLM_LOCK_TID);
    if (*since_ms == 0) {
        *since_ms = now_ms;
    } else if (owner != 0 && now_ms - *since_ms >= SLM_EVENT_HELD_MS) {
        *since_ms = HAS_REPORTED;
        slm_lock_report_event(lock, SLM_EVENT_HELD_LONG, SLM_OK, owner);
    }
}

void slm_lock_take_events(struct slm_lock *lock, struct slm_lock_events *taken)
{
    taken->n = lock->events.n;
    if (taken->n != 0) {
        *taken = lock->events;
        lock->events.n = 0;
    }
}

void slm_lock_deliver_events(const struct slm_lock_events *taken)
{
    for (unsigned i = 0; i < taken->n; i++) {
        deliver(&taken->events[i]);
    }
}

static size_t write_what(const struct slm_event *event, char *text, size_t text_bytes)
{
    int n;
    switch (event->kind) {
    case SLM_EVENT_OWNER_DIED:
        n = snprintf(text, text_bytes, "thread %ld died holding the lock", (long)event->thread_id);
        break;
    case SLM_EVENT_HELD_LONG:
        n = snprintf(text, text_bytes, "thread %ld holds the lock, and a waiter has waited %u ms",
                     (long)event->thread_id, SLM_EVENT_HELD_MS);
        break;
    case SLM_EVENT_REPAIRED:
        n = snprintf(text, text_bytes, "repaired");
        break;
    case SLM_EVENT_REFUSED:
        n = snprintf(text, text_bytes, "a lock is refused: %s", slm_status_text(event->status));
        break;
    default:
        n = snprintf(text, text_bytes, "its name is lost: %s", slm_status_text(event->status));
        break;
    }
    return n < 0 ? 0 : (size_t)n;
}

size_t slm_event_text(const struct slm_event *event, char *text, size_t text_bytes)
{
    char all[SLM_EVENT_TEXT_BYTES];
    if (event == NULL || (text == NULL && text_bytes != 0)) {
        return 0;
    }
    int n =
        event->name[0] == '\0'
            ? snprintf(all, sizeof all, "lock: ")
            : snprintf(all, sizeof all, "zone %.*s: ", (int)sizeof event->name - 1, event->name);
    size_t n_bytes = n < 0 ? 0 : (size_t)n;
    n_bytes += write_what(event, all + n_bytes, sizeof all - n_bytes);
    if (text_bytes != 0) {
        (void)snprintf(text, text_bytes, "%s", all);
    }
    return n_bytes;
}
