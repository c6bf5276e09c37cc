/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill shrink and emit-test: make a failing program small, and make a test of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/failure/emit.h"
#include "tools/slabmill/slabmill.h"

#define PATH_BYTES 4096u

/* An input, how it fails, and where. */
struct failure {
    struct mill_input input;
    const struct slm_adapter *adapter;
    struct mill_trial trial;
    size_t op_idx;
    size_t n_ops; /* of the input */
    unsigned limit;
};

/* MILL_GOOD: there is a failure. */
static int find_failure(struct failure *failure, const struct mill_options *options)
{
    if (!mill_input_read(&failure->input, options, options->files[0])) {
        return MILL_WRONG;
    }
    failure->adapter = mill_input_adapter(&failure->input, options);
    if (failure->adapter == NULL) {
        mill_input_fini(&failure->input);
        return MILL_WRONG;
    }
    failure->n_ops = mill_input_ops(&failure->input);
    failure->limit = mill_limit_of(options, &failure->input.trace.program);
    mill_trial_find(&failure->trial, failure->adapter, &failure->input.trace.program,
                    failure->limit, &failure->op_idx);
    failure->input.trace.word = mill_adapter_word(failure->adapter);
    failure->input.trace.n_refused = 0;
    if (failure->trial.end != MILL_END_KEPT) {
        return MILL_GOOD;
    }
    mill_input_fini(&failure->input);
    return mill_complain("%s: keeps every law under %s in this build: nothing to do",
                         options->files[0], failure->adapter->name);
}

static bool write_trace(const char *path, const struct hrn_trace *trace)
{
    size_t n_bytes;
    char *text = hrn_trace_print(trace, &n_bytes);
    bool good = mill_file_write(path, text, n_bytes);
    free(text);
    return good;
}

/* INPUT.small.trace, without the .trace of INPUT. False, with a message. */
static bool name_small(const char *input, char *path, size_t path_bytes)
{
    char stem[PATH_BYTES];
    size_t n = strlen(input);
    const size_t n_suffix = strlen(".trace");
    if (n > n_suffix && strcmp(input + n - n_suffix, ".trace") == 0) {
        n -= n_suffix;
    }
    snprintf(stem, sizeof stem, "%.*s", (int)n, input);
    return mill_free_path(stem, ".small.trace", path, path_bytes);
}

int mill_shrink(const struct mill_options *options)
{
    struct failure failure;
    char out[PATH_BYTES + 64];
    if (!mill_file_may_be(options->out != NULL ? options->out : options->files[0])) {
        return MILL_WRONG;
    }
    int status = find_failure(&failure, options);
    if (status != MILL_GOOD) {
        return status;
    }
    struct hrn_program *program = &failure.input.trace.program;
    size_t n_runs;
    bool minimal = mill_trial_shrink(&failure.trial, failure.adapter, program, failure.limit,
                                     options->runs, &n_runs);
    char text[MILL_TRIAL_TEXT_BYTES];
    mill_trial_text(&failure.trial, text, sizeof text);
    printf("%s: %s under %s\n%zu operations made %zu in %zu runs%s\n", options->files[0], text,
           failure.adapter->name, failure.n_ops, program->n_ops, n_runs,
           minimal ? "" : " (not the end: more --runs would go on)");
    bool named = options->out != NULL || name_small(options->files[0], out, sizeof out);
    const char *path = options->out != NULL ? options->out : out;
    status = named && write_trace(path, &failure.input.trace) ? MILL_GOOD : MILL_WRONG;
    if (status == MILL_GOOD) {
        printf("the small program is in %s\n", path);
    }
    mill_input_fini(&failure.input);
    return status;
}

int mill_emit_test(const struct mill_options *options)
{
    struct failure failure;
    int status = find_failure(&failure, options);
    if (status != MILL_GOOD) {
        return status;
    }
    bool plugin = options->adapter != NULL && mill_adapter_is_plugin(options->adapter);
    struct hrn_emit emit = {.trace = &failure.input.trace,
                            .adapter_name = failure.adapter->name,
                            .adapter = plugin ? options->adapter : failure.adapter->name,
                            .law = failure.trial.result.law,
                            .op_idx = failure.op_idx,
                            .name = options->name};
    char *test = hrn_emit_test(&emit);
    fputs(test, stdout);
    free(test);
    mill_input_fini(&failure.input);
    return MILL_GOOD;
}
