/* SPDX-License-Identifier: Apache-2.0 */
/* Fibres: several stacks in one thread, one of which runs at a time. */
#ifndef HRN_FIBRE_H
#define HRN_FIBRE_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A fibre runs `body` repeatedly: body(arg) is called at the first switch to the fibre,
 *          and at the first switch after each return or unwinding. Between two bodies the fibre
 *          calls `ended`, which switches away.
 * Why      Threads that run one at a time need a system call and the kernel's scheduler for each
 *          switch, and a thread that has died is hard to restart. Here a switch costs a fraction of
 *          a microsecond, and a death is a longjmp to the bottom of the stack.
 * Safety   One thread. Each switch is reported to the sanitizers.
 * Failure  No memory for a stack: abort.
 */
struct hrn_fibre;

/* Makes a fibre that has not run yet. It is never freed. */
struct hrn_fibre *hrn_fibre_make(void (*body)(void *), void (*ended)(void *), void *arg);

/* Call sometimes, for a fibre that is in `ended` or has not run: TSan keeps a list of calls for
 * each fibre, which grows with each unwinding, so it needs a new list. Does nothing without TSan.
 */
void hrn_fibre_renew(struct hrn_fibre *fibre);

/* The fibre of the thread's own stack. */
struct hrn_fibre *hrn_fibre_main(void);

/* Leaves the running fibre for another; returns when another fibre switches back. */
void hrn_fibre_switch(struct hrn_fibre *from, struct hrn_fibre *to);

/* Ends the body of the running fibre, which is not main, with all functions that it has called. */
void hrn_fibre_unwind(struct hrn_fibre *running) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
