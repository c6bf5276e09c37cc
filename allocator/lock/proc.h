/* SPDX-License-Identifier: Apache-2.0 */
/* What the system says about threads, namespaces and mappings; asked again at each call. */
#ifndef SLM_LOCK_PROC_H
#define SLM_LOCK_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "allocator/base/yield.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The calls of proc.c. With SLM_SCHED=1 tests replace them. */
struct slm_lock_proc_calls {
    int (*open)(const char *path);                     /* for reading; -1, with errno */
    int (*stat)(const char *path, struct stat *about); /* as stat(2) */
};

#if SLM_SCHED
extern struct slm_lock_proc_calls slm_lock_proc_calls;
#else
extern const struct slm_lock_proc_calls slm_lock_proc_calls;
#endif

/* Equals no process's namespaces. */
#define SLM_LOCK_NAMESPACES_UNKNOWN UINT64_C(1)

/* The calling process's pid namespace below bit 32, its time namespace above. */
uint64_t slm_lock_find_namespaces(void);

/* A number for the running boot of the system, the same in all processes; 0: unknown. */
uint64_t slm_lock_boot(void);

/* The start time of the calling thread; 0: unknown. */
uint32_t slm_lock_find_own_start(void);

/* Whether the system says that a thread of that identity lives. */
bool slm_lock_find_alive(uint64_t identity);

/* Parses state letter and start time from the text of a thread's stat file. False: no such text. */
bool slm_lock_parse_stat(const char *text, size_t length, char *state, uint32_t *start);

#ifdef __cplusplus
}
#endif
#endif
