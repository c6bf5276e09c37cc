/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes of the slabmill command, and what is known of how they ended. */
#ifndef MILL_CHILD_H
#define MILL_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

#include "tools/slabmill/slabmill.h"

/*
 * Model    A child runs a function, without core dumps, with its standard error in a file of its
 *          own. What it leaves in shared memory outlives any end that it comes to. It is killed
 *          when its parent ends.
 * Safety   One thread. Several children may run at once, each with a struct of its own.
 * Failure  If the system gives no memory, file or process, the command ends with MILL_WRONG.
 */
#define MILL_FRAMES 16

/* What a child leaves for its parent. */
struct mill_legacy {
    bool done; /* the function returned */
    struct hrn_result result;
    /* Left by a signal that ends the child. op_idx is also left by a sanitizer. */
    size_t op_idx;
    int dying; /* the first signal that was to end the child; 0: none */
    int signal;
    int code;
    uintptr_t fault;
    void *frames[MILL_FRAMES];
    int n_frames;
};

struct mill_child {
    struct mill_legacy *legacy;
    FILE *log; /* the child's standard error */
    pid_t pid;
};

void mill_child_init(struct mill_child *child);
void mill_child_fini(struct mill_child *child);

/* Forks. The child may use limit_ms of processor time, or ten times as much real time and 10
 * seconds. */
void mill_child_start(struct mill_child *child, mill_child_fn call, void *data, unsigned limit_ms);

/* The status of the ended child, as waitpid stores it. */
int mill_child_wait(const struct mill_child *child);

/* What the child came to. */
void mill_child_judge(const struct mill_child *child, int status, struct mill_trial *trial);

/* In the child: from now on it may use this much more, as above. */
void mill_child_limit(unsigned limit_ms);

/* In a child: it is killed when the parent ends. */
void mill_child_end_with(pid_t parent);

/* --- What children print (report.c) --- */

/* Reads a file with the standard error of a child into trial->log, and its report, if it has one
 * that --ignore does not name, into trial->report. In a crash any text is a report. False: no
 * report. */
bool mill_report_read(int fd, struct mill_trial *trial);

/* In the child: its standard error has a report that --ignore does not name. */
bool mill_report_is_due(void);

/* Where a signal ended the child, as trial->report. */
void mill_report_place(struct mill_trial *trial, const struct mill_legacy *legacy);

/* True if --ignore names a part of the text. */
bool mill_report_is_ignored(const char *text);

#endif
