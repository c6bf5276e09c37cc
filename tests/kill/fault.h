/* SPDX-License-Identifier: Apache-2.0 */
/* Fault: a journal or lock with a mistake planted in it, to show that kills find such. Programs
 * that link it pass --wrap for each function that it stands in for: see BUILD. */
#ifndef SLM_TESTS_KILL_FAULT_H
#define SLM_TESTS_KILL_FAULT_H

#ifdef __cplusplus
extern "C" {
#endif

enum kill_fault {
    KILL_FAULT_NONE,
    KILL_FAULT_WRITES_BEFORE_NOTING,  /* the word changes before its old value counts */
    KILL_FAULT_CLEARS_BEFORE_FREEING, /* a commit forgets its releases before they are done */
    KILL_FAULT_NOTES_NO_OBJECT,       /* what was allocated stays, whatever becomes of the rest */
    KILL_FAULT_FREES_AT_ONCE,         /* not at the commit */
    KILL_FAULT_RECOVERS_NOTHING,
    KILL_FAULT_BELIEVES_ALL_DEAD, /* who waits for a lock takes it over from anybody */
    KILL_FAULT_RECOVERS_ONCE,     /* the log is forgotten before it is followed */
};

/* What is done wrong from now on, in this process and its children to come. */
extern enum kill_fault kill_fault;

#ifdef __cplusplus
}
#endif
#endif
