/* SPDX-License-Identifier: Apache-2.0 */
/* Event: what happened to a lock or a zone that an operator wants to read in a log. */
#ifndef SLM_EVENT_H
#define SLM_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A process has one listener, which gets the events that its own threads caused or saw. A
 *          listener is never called under the lock that the event is about: a holder's events wait
 *          until it has unlocked. Events of a thread that dies before that are lost; the zone's
 *          counters have them (slm_zone_get_stats).
 * Safety   Set the listener before other threads use locks and zones; a child of fork inherits it.
 *          The listener runs in the thread of the lock call or unlock call, at any time in several
 *          threads. It may make any call, also for that lock. A thread that holds a second lock
 *          holds it while the listener runs. In a signal handler that locks, the listener runs in
 *          the handler. Cancellation: no call is a cancellation point, and the listener runs with
 *          cancellation disabled.
 * Cost     Nothing is looked for without a listener, and nothing on the fast path of a lock. An
 *          event makes one unlock take its slow path.
 * Limits   At most SLM_EVENTS_MAX events of one hold; later ones are dropped. NAME_LOST is not
 *          reported where the process cannot know it: the path leads to another folder than when the
 *          process opened the zone (after a chroot, in another mount namespace, a relative path from
 *          another working folder), and the file still has a name.
 */
#define SLM_EVENTS_MAX       4u    /* of one hold; see Limits */
#define SLM_EVENT_HELD_MS    1000u /* how long a waiter waits before it reports the holder */
#define SLM_EVENT_NAME_BYTES 64u   /* a zone's name with its final zero */
#define SLM_EVENT_TEXT_BYTES 200u  /* any text fits */

/* What happened. */
enum slm_event_kind {
    SLM_EVENT_OWNER_DIED, /* a thread died holding the lock, which was taken over or freed */
    SLM_EVENT_HELD_LONG,  /* a waiter has waited for SLM_EVENT_HELD_MS; once for each wait */
    SLM_EVENT_REPAIRED,   /* a zone was repaired after that */
    SLM_EVENT_REFUSED,    /* a zone refused a lock; again only when the reason changes */
    SLM_EVENT_NAME_LOST,  /* a repaired zone's name was removed, or leads to another file; see
                             Limits */
};

/* What a listener gets. */
struct slm_event {
    enum slm_event_kind kind;
    enum slm_status status;          /* REFUSED, NAME_LOST: the reason; others: SLM_OK */
    pid_t thread_id;                 /* OWNER_DIED, HELD_LONG: the owner; others: 0 */
    char name[SLM_EVENT_NAME_BYTES]; /* the zone's; "": a lock without a zone */
};

/* Called for each event; see Safety. */
typedef void slm_event_listener(const struct slm_event *event, void *data);

/* Sets the process's listener. NULL: there is none. */
void slm_event_listen(slm_event_listener *listener, void *data);

/* Writes a line without its end: "zone keys: thread 12 died holding the lock". Returns its length,
 * even if the buffer is shorter. text may be NULL if text_bytes is 0. */
size_t slm_event_text(const struct slm_event *event, char *text, size_t text_bytes);

#ifdef __cplusplus
}
#endif
#endif
