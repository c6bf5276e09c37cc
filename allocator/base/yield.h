/* SPDX-License-Identifier: Apache-2.0 */
/* Yield points: where a deterministic scheduler may run another actor. */
#ifndef SLM_BASE_YIELD_H
#define SLM_BASE_YIELD_H

/*
 * Model    SLM_YIELD("unit: what comes next") is before each access to memory that other threads or
 *          processes change meanwhile. Built with -DSLM_SCHED=1 it calls slm_yield_hook,
 *          if there is one, which may run other actors, or never return. The point's text is a
 *          constant: it names the place in schedules, and tests compare it with strcmp.
 * Safety   The hook is set before the first actor starts. It must not call code that yields.
 * Cost     Nothing in ordinary builds: not even the text is there.
 */
#ifndef SLM_SCHED
#define SLM_SCHED 0
#endif

#if SLM_SCHED
#ifdef __cplusplus
extern "C" {
#endif

/* Weak, so that each unit can define it and a program still has only one. */
__attribute__((weak)) void (*slm_yield_hook)(const char *point);

#ifdef __cplusplus
}
#endif

#define SLM_YIELD(point)                                                                           \
    do {                                                                                           \
        if (slm_yield_hook != 0) {                                                                 \
            slm_yield_hook(point);                                                                 \
        }                                                                                          \
    } while (0)
#else
#define SLM_YIELD(point) ((void)0)
#endif

#endif
