/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in child processes, so that the command survives any crash of a program. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/failure/shrink.h"
#include "tools/slabmill/slabmill.h"

/* The results that a child leaves for its parent. */
struct legacy {
    bool done;
    struct hrn_result result;
};

__attribute__((noreturn)) static void stop(const char *what)
{
    (void)mill_complain("%s: %s", what, strerror(errno));
    exit(MILL_WRONG);
}

static struct legacy *legacy_page(void)
{
    static struct legacy *page;
    if (page == NULL) {
        void *map =
            mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED) {
            stop("mmap");
        }
        page = map;
    }
    memset(page, 0, sizeof *page);
    return page;
}

/* The parent reads only the shared page and the child's standard error. */
__attribute__((noreturn)) static void be_child(struct legacy *legacy, mill_child_fn call,
                                               void *data, FILE *log, unsigned timeout_seconds)
{
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)dup2(fileno(log), STDERR_FILENO);
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(timeout_seconds);
    call(data, &legacy->result);
    legacy->done = true;
    (void)fflush(stdout);
    _exit(0);
}

/* "SUMMARY: AddressSanitizer: heap-use-after-free f.c:1 in f" gives its two middle words; reports
 * without a summary give the text after "runtime error: ". */
static void read_report(FILE *log, char *report, size_t report_bytes)
{
    char line[512];
    rewind(log);
    while (fgets(line, sizeof line, log) != NULL) {
        const char *summary = strstr(line, "SUMMARY: ");
        const char *runtime = strstr(line, "runtime error: ");
        if (summary != NULL) {
            summary += strlen("SUMMARY: ");
            size_t n = strcspn(summary, " ");
            n += summary[n] == ' ' ? 1 + strcspn(summary + n + 1, " \n") : 0;
            snprintf(report, report_bytes, "%.*s", (int)n, summary);
            return;
        }
        if (runtime != NULL && report[0] == '\0') {
            snprintf(report, report_bytes, "%.*s", (int)strcspn(runtime, "\n"), runtime);
        }
    }
}

static void judge(struct mill_trial *trial, const struct legacy *legacy, int status, FILE *log)
{
    if (legacy->done) {
        trial->result = legacy->result;
        trial->end = trial->result.law == HRN_LAW_NONE ? MILL_END_KEPT : MILL_END_LAW;
        return;
    }
    trial->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    trial->end = trial->signal == SIGALRM ? MILL_END_HANG : MILL_END_CRASH;
    read_report(log, trial->report, sizeof trial->report);
}

void mill_trial_call(struct mill_trial *trial, mill_child_fn call, void *data,
                     unsigned timeout_seconds)
{
    memset(trial, 0, sizeof *trial);
    struct legacy *legacy = legacy_page();
    FILE *log = tmpfile();
    if (log == NULL) {
        stop("temporary file");
    }
    (void)fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        stop("fork");
    }
    if (child == 0) {
        be_child(legacy, call, data, log, timeout_seconds);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            stop("waitpid");
        }
    }
    judge(trial, legacy, status, log);
    fclose(log);
}

struct run_call {
    const struct slm_adapter *adapter;
    const struct hrn_program *program;
};

static void run_in_child(void *data, struct hrn_result *result)
{
    const struct run_call *call = data;
    (void)hrn_run_catch(call->adapter, call->program, result);
}

void mill_trial_run(struct mill_trial *trial, const struct slm_adapter *adapter,
                    const struct hrn_program *program, unsigned timeout_seconds)
{
    struct run_call call = {adapter, program};
    mill_trial_call(trial, run_in_child, &call, timeout_seconds);
}

bool mill_trial_same(const struct mill_trial *a, const struct mill_trial *b)
{
    bool reported = a->report[0] != '\0' || b->report[0] != '\0';
    return a->end == b->end && a->result.law == b->result.law &&
           strcmp(a->report, b->report) == 0 && (reported || a->signal == b->signal);
}

void mill_trial_text(const struct mill_trial *trial, char *text, size_t text_bytes)
{
    switch (trial->end) {
    case MILL_END_KEPT:
        snprintf(text, text_bytes, "kept every law");
        return;
    case MILL_END_LAW:
        snprintf(text, text_bytes, "broke law %s: %s", hrn_law_name(trial->result.law),
                 hrn_law_sentence(trial->result.law));
        return;
    case MILL_END_HANG:
        snprintf(text, text_bytes, "did not end in time");
        return;
    default:
        if (trial->report[0] != '\0') {
            snprintf(text, text_bytes, "crashed: %s", trial->report);
        } else if (trial->signal == 0) {
            snprintf(text, text_bytes, "exited without a report");
        } else {
            snprintf(text, text_bytes, "crashed: signal %d (%s)", trial->signal,
                     strsignal(trial->signal));
        }
    }
}

struct same_call {
    const struct slm_adapter *adapter;
    const struct mill_trial *wanted;
    unsigned timeout_seconds;
};

static bool breaks_same(void *data, const struct hrn_program *candidate)
{
    const struct same_call *call = data;
    struct mill_trial trial;
    mill_trial_run(&trial, call->adapter, candidate, call->timeout_seconds);
    return mill_trial_same(&trial, call->wanted);
}

void mill_trial_find(struct mill_trial *trial, const struct slm_adapter *adapter,
                     struct hrn_program *program, unsigned timeout_seconds, size_t *op_idx)
{
    mill_trial_run(trial, adapter, program, timeout_seconds);
    *op_idx = trial->result.op_idx;
    if (trial->end == MILL_END_CRASH || trial->end == MILL_END_HANG) {
        struct same_call call = {adapter, trial, timeout_seconds};
        struct hrn_shrink shrink = {.breaks = breaks_same, .data = &call, .runs_max = 64};
        hrn_shrink_cut(&shrink, program);
        *op_idx = program->n_ops == 0 ? 0 : program->n_ops - 1;
    }
}

bool mill_trial_shrink(const struct mill_trial *wanted, const struct slm_adapter *adapter,
                       struct hrn_program *program, unsigned timeout_seconds, size_t runs_max,
                       size_t *n_runs)
{
    struct same_call call = {adapter, wanted, timeout_seconds};
    struct hrn_shrink shrink = {.breaks = breaks_same, .data = &call, .runs_max = runs_max};
    hrn_shrink_program(&shrink, program);
    *n_runs = shrink.n_runs;
    return shrink.is_minimal;
}
