/* SPDX-License-Identifier: Apache-2.0 */
/* A limitd in a temporary folder, for its test and its load. */
#ifndef SLM_EXAMPLES_LIMITD_RIG_H
#define SLM_EXAMPLES_LIMITD_RIG_H

#include <sys/types.h>

#include "examples/limitd/link.h"

#ifdef __cplusplus
extern "C" {
#endif

struct limitd_rig {
    char dir[64];
    char program[96]; /* a copy of limitd, which tests replace before an upgrade */
    char config[96];
    char socket[96];
    pid_t pid;
    int log_fd;
    size_t n_log;
    char log[8192]; /* the last part of its log */
};

/* Makes the folder and copies the program there. False: the reason is on stderr. */
bool limitd_rig_init(struct limitd_rig *rig, const char *program);
/* Writes the configuration: "listen", and these lines. */
bool limitd_rig_configure(const struct limitd_rig *rig, const char *lines);
/* Replaces limitd's program by another. */
bool limitd_rig_replace(const struct limitd_rig *rig, const char *program);
/* Starts limitd and waits until it is ready. */
bool limitd_rig_start(struct limitd_rig *rig);
/* Reads the log until a line contains that text, for at most wait_ms; drops the lines before it. */
bool limitd_rig_await(struct limitd_rig *rig, const char *text, int wait_ms);
/* Asks limitd and kills the worker that answers, later_us microseconds later. 0: no worker
 * answered. */
pid_t limitd_rig_kill_worker(const struct limitd_rig *rig, unsigned later_us);
/* Ends it, removes the folder, returns the exit status, or -1. */
int limitd_rig_fini(struct limitd_rig *rig);

#ifdef __cplusplus
}
#endif
#endif
