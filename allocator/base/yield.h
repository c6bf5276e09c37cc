/* SPDX-License-Identifier: Apache-2.0 */
/* Yield points: where a deterministic scheduler may run another actor, or one may die. */
#ifndef SLM_BASE_YIELD_H
#define SLM_BASE_YIELD_H

/*
 * Model    SLM_YIELD("unit: what comes next") is before each access to memory that other threads or
 *          processes change meanwhile. Built with -DSLM_SCHED=1 it calls slm_yield_hook,
 *          if there is one, which may run other actors, or never return. The point's text is a
 *          constant: it names the place in schedules, and tests compare it with strcmp.
 *          SLM_STORED, right after a store that a repair relies on, calls slm_stored_hook. There an
 *          actor may die, so that a store that belongs before this one and comes later is missed.
 *          It is no point for schedules: its next yield point shows other actors the same.
 * Safety   The hooks are set before the first actor starts. They must not call code that yields.
 * Cost     Nothing in ordinary builds: not even the text is there.
 */
#ifndef SLM_SCHED
#define SLM_SCHED 0
#endif

#if SLM_SCHED
#ifdef __cplusplus
extern "C" {
#endif

/* Weak, so that each unit can define them and a program still has only one of each. */
__attribute__((weak)) void (*slm_yield_hook)(const char *point);
__attribute__((weak)) void (*slm_stored_hook)(const char *point);

#ifdef __cplusplus
}
#endif

#define SLM_YIELD(point)                                                                           \
    do {                                                                                           \
        if (slm_yield_hook != 0) {                                                                 \
            slm_yield_hook(point);                                                                 \
        }                                                                                          \
    } while (0)
#define SLM_STORED(point)                                                                          \
    do {                                                                                           \
        if (slm_stored_hook != 0) {                                                                \
            slm_stored_hook(point);                                                                \
        }                                                                                          \
    } while (0)
#else
#define SLM_YIELD(point)  ((void)0)
#define SLM_STORED(point) ((void)0)
#endif

#endif
