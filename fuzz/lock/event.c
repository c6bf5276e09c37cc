/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of events of every kind. */
#include <stdio.h>
#include <string.h>

#include "fuzz/lock/world.h"

static const char *const names[] = {
    "", "keys", "a zone", "a name of sixty-three bytes, which is the most that fits in it."};

static void write_expected(const struct slm_event *event, char *text, size_t n_bytes)
{
    char head[80] = "lock: ";
    long tid = (long)event->thread_id;
    if (event->name[0] != '\0') {
        (void)snprintf(head, sizeof head, "zone %s: ", event->name);
    }
    switch (event->kind) {
    case SLM_EVENT_OWNER_DIED:
        (void)snprintf(text, n_bytes, "%sthread %ld died holding the lock", head, tid);
        break;
    case SLM_EVENT_HELD_LONG:
        (void)snprintf(text, n_bytes,
                       "%sthread %ld holds the lock, and a waiter has waited 1000 ms", head, tid);
        break;
    case SLM_EVENT_REPAIRED:
        (void)snprintf(text, n_bytes, "%srepaired", head);
        break;
    case SLM_EVENT_REFUSED:
        (void)snprintf(text, n_bytes, "%sa lock is refused: %s", head,
                       slm_status_text(event->status));
        break;
    default:
        (void)snprintf(text, n_bytes, "%sits name is lost: %s", head,
                       slm_status_text(event->status));
        break;
    }
}

void hrn_lock_write_event(const struct op *op)
{
    char expected[2 * SLM_EVENT_TEXT_BYTES];
    char text[2 * SLM_EVENT_TEXT_BYTES];
    struct slm_event event = {.kind = (enum slm_event_kind)(op->extra % 5),
                              .status = (enum slm_status)(op->value % SLM_STATUS_COUNT),
                              .thread_id = (pid_t)(op->value >> 8)};
    memcpy(event.name, names[op->actor], strlen(names[op->actor]));
    write_expected(&event, expected, sizeof expected);
    size_t length = strlen(expected);
    size_t n_bytes = op->value % (length + 8);
    memset(text, 'x', sizeof text);
    size_t n = slm_event_text(&event, n_bytes == 0 ? NULL : text, n_bytes);
    size_t n_kept = n_bytes == 0 || n_bytes > length ? length : n_bytes - 1;
    bool is_whole = n_bytes == 0 ? text[0] == 'x'
                                 : strlen(text) == n_kept && memcmp(text, expected, n_kept) == 0;
    if (n != length || length >= SLM_EVENT_TEXT_BYTES || !is_whole || text[n_bytes] != 'x') {
        hrn_lock_law_text("%zu of %zu bytes: '%.*s', expected '%s'", n, n_bytes, (int)n_bytes, text,
                          expected);
    }
    if (slm_event_text(NULL, text, sizeof text) != 0 || slm_event_text(&event, NULL, 1) != 0) {
        hrn_lock_law_text("of no event, or to no place");
    }
}
