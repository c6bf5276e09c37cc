/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says about threads, namespaces and mappings; read again at each call. */
#ifndef SLM_LOCK_PROC_H
#define SLM_LOCK_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "allocator/base/large_files.h"
#include "allocator/base/yield.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The system calls of proc.c and life.c. With SLM_SCHED=1 tests replace them. */
struct slm_lock_proc_calls {
    int (*open)(const char *path);                     /* for reading; -1, with errno */
    int (*stat)(const char *path, struct stat *about); /* as stat(2) */
    int (*signal)(pid_t thread);                       /* signal 0; 0, or -1 with errno */
};

#if SLM_SCHED
extern struct slm_lock_proc_calls slm_lock_proc_calls;
#else
extern const struct slm_lock_proc_calls slm_lock_proc_calls;
#endif

/* Equals the namespaces of no process. */
#define SLM_LOCK_NAMESPACES_UNKNOWN UINT64_C(1)

/* The calling process's pid namespace below bit 32, its time namespace above. */
uint64_t slm_lock_find_namespaces(void);

/* A number for the running boot of the system, the same in all processes; 0: unknown. */
uint64_t slm_lock_boot(void);

/* Whether /proc is that of this pid namespace: elsewhere its numbers are other threads'. */
bool slm_lock_is_own_proc(void);

/* What a thread's stat file says. */
struct slm_lock_stat {
    char state;
    bool has_signal; /* a signal ends it; a hint, since this flag is the kernel's own */
    uint32_t start;
};

/* Of a thread; 0: of the calling one. False: cannot be read. */
bool slm_lock_read_stat(pid_t thread, struct slm_lock_stat *stat);

/* Parses the text of a thread's stat file. False: no such text. */
bool slm_lock_parse_stat(const char *text, size_t length, struct slm_lock_stat *stat);

/* Whether the thread's process writes its core file, and the thread runs none of the program's
 * instructions any more. False: also if nothing shows it (before Linux 4.15). */
bool slm_lock_is_dumped(pid_t thread);

enum slm_lock_maps {
    SLM_LOCK_MAPS,       /* a mapping of the same file or memory */
    SLM_LOCK_MAPS_NOT,   /* none, and all mappings were read */
    SLM_LOCK_MAPS_HIDDEN /* unknown: cannot be read, or the memory is not shared */
};

/* Whether the process of that thread maps the object that this process has at the address. Cost
 * O(mappings of both). */
enum slm_lock_maps slm_lock_find_maps(pid_t thread, const void *address);

/* Whether this process has one mapping of the object at the address, and no more. False: more, or
 * unknown. */
bool slm_lock_is_mapped_once(const void *address);

#ifdef __cplusplus
}
#endif
#endif
