/* SPDX-License-Identifier: Apache-2.0 */
/* Fault: a journal, lock or zone with a planted mistake, which shows that kills find such mistakes.
 * Programs that link it pass --wrap for each function that it replaces: see BUILD. */
#ifndef SLM_TESTS_KILL_FAULT_H
#define SLM_TESTS_KILL_FAULT_H

#ifdef __cplusplus
extern "C" {
#endif

enum kill_fault {
    KILL_FAULT_NONE,
    KILL_FAULT_WRITES_BEFORE_NOTING,  /* the word changes before its old value is logged */
    KILL_FAULT_CLEARS_BEFORE_FREEING, /* a commit drops its releases before they are done */
    KILL_FAULT_NOTES_NO_OBJECT, /* an allocated object stays even if its transaction is undone */
    KILL_FAULT_FREES_AT_ONCE,   /* instead of at the commit */
    KILL_FAULT_RECOVERS_NOTHING,
    KILL_FAULT_TAKES_ALL_FOR_DEAD,    /* a waiter takes the lock from a living owner */
    KILL_FAULT_RECOVERS_ONCE,         /* the log is cleared before it is followed */
    KILL_FAULT_LOCKS_AN_EARLIER_ZONE, /* after a move of its content to another one */
    KILL_FAULT_STAYS_CLEAN,           /* a zone that slm_zone_sync wrote, when it is used again */
    KILL_FAULT_TRIMS_A_USED_PAGE,
};

/* The current mistake, in this process and in its later children. */
extern enum kill_fault kill_fault;

#ifdef __cplusplus
}
#endif
#endif
