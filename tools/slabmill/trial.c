/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in child processes, so that the command survives any crash of a program. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* strsignal */
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/failure/shrink.h"
#include "tools/slabmill/child.h"

void mill_trial_call(struct mill_trial *trial, mill_child_fn call, void *data,
                     unsigned timeout_seconds)
{
    static struct mill_child child;
    if (child.legacy == NULL) {
        mill_child_init(&child);
    }
    mill_child_start(&child, call, data, 1000 * timeout_seconds);
    mill_child_judge(&child, mill_child_wait(&child), trial);
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
    return a->end == b->end && a->result.law == b->result.law &&
           strcmp(a->report, b->report) == 0 && a->signal == b->signal;
}

const char *mill_end_name(enum mill_end end)
{
    static const char *const names[] = {
        [MILL_END_KEPT] = "kept", [MILL_END_LAW] = "law",       [MILL_END_CRASH] = "crash",
        [MILL_END_HANG] = "hang", [MILL_END_REPORT] = "report",
    };
    return names[end];
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
    case MILL_END_REPORT:
        snprintf(text, text_bytes, "kept every law, but: %s", trial->report);
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

void mill_place_text(const struct mill_trial *trial, size_t n_ops, char *place)
{
    size_t op_idx = trial->end == MILL_END_LAW ? trial->result.op_idx : trial->op_idx;
    if (op_idx < n_ops) {
        snprintf(place, MILL_PLACE_BYTES, "at operation %zu", op_idx);
    } else {
        snprintf(place, MILL_PLACE_BYTES, "%s", op_idx == n_ops ? "at the end" : "");
    }
}

void mill_trial_print_log(const struct mill_trial *trial, const char *indent)
{
    const char *at = trial->log;
    while (*at != '\0') {
        size_t n = strcspn(at, "\n");
        printf("%s%.*s\n", indent, (int)n, at);
        at += n + (at[n] == '\n');
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

/* Cuts the program after the operation that it ended at, if that is known and makes no difference.
 */
static bool cut_at(const struct same_call *call, struct hrn_program *program, size_t op_idx)
{
    size_t n_ops = program->n_ops;
    if (op_idx >= n_ops) {
        return false;
    }
    program->n_ops = op_idx + 1;
    bool same = breaks_same((void *)(uintptr_t)call, program);
    program->n_ops = same ? program->n_ops : n_ops;
    return same;
}

void mill_trial_find(struct mill_trial *trial, const struct slm_adapter *adapter,
                     struct hrn_program *program, unsigned timeout_seconds, size_t *op_idx)
{
    mill_trial_run(trial, adapter, program, timeout_seconds);
    *op_idx = trial->result.op_idx;
    if (trial->end == MILL_END_CRASH || trial->end == MILL_END_HANG ||
        trial->end == MILL_END_REPORT) {
        struct same_call call = {adapter, trial, timeout_seconds};
        struct hrn_shrink shrink = {.breaks = breaks_same, .data = &call, .runs_max = 64};
        if (!cut_at(&call, program, trial->op_idx)) {
            hrn_shrink_cut(&shrink, program);
        }
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
