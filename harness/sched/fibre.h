/* SPDX-License-Identifier: Apache-2.0 */
/* Fibres: several stacks in one thread, of which one runs. */
#ifndef HRN_FIBRE_H
#define HRN_FIBRE_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A fibre runs `body` over and over: body(arg) is called when it is switched to for the
 *          first time, and again each time after it has returned or was unwound. Between two bodies
 *          the fibre calls `ended`, which switches away.
 * Why      Threads that hand a baton on need a system call and the kernel's scheduler for each
 *          switch, and a thread that has died is hard to start anew. Here a switch costs a fraction
 *          of a microsecond, and a death is a longjmp to the bottom of the stack.
 * Safety   One thread. Sanitizers are told of each switch.
 * Failure  No memory for a stack: abort.
 */
struct hrn_fibre;

/* Makes one that has not run yet; it is never given back. */
struct hrn_fibre *hrn_fibre_make(void (*body)(void *), void (*ended)(void *), void *arg);

/* Of one that is in `ended`, or has not run: TSan keeps a list of calls for each fibre, which grows
 * with each unwinding; now and then it has to be a new one. Nothing without TSan. */
void hrn_fibre_renew(struct hrn_fibre *fibre);

/* The fibre of the thread's own stack. */
struct hrn_fibre *hrn_fibre_main(void);

/* Leaves the running fibre for another; returns when somebody switches back. */
void hrn_fibre_switch(struct hrn_fibre *from, struct hrn_fibre *to);

/* Ends the body of the running fibre, which is not main: everything that it called is gone. */
void hrn_fibre_unwind(struct hrn_fibre *running) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
