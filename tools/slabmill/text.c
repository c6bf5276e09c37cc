/* SPDX-License-Identifier: Apache-2.0 */
/* Runs traces for tests that hold them as text. */
#include <stdio.h>
#include <string.h>

#include "tools/slabmill/slabmill.h"

#define FAILED_BYTES (HRN_TRACE_ERROR_BYTES + HRN_LAW_TEXT_BYTES)

static char failed[FAILED_BYTES];

static void run(const struct slm_adapter *adapter, const struct hrn_program *program)
{
    struct hrn_result result;
    if (hrn_run_catch(adapter, program, &result) != HRN_LAW_NONE) {
        int n = snprintf(failed, sizeof failed, "broke law %s: %s; seen: %s, at ",
                         hrn_law_name(result.law), hrn_law_sentence(result.law), result.text);
        if (result.op_idx < program->n_ops) {
            snprintf(failed + n, sizeof failed - (size_t)n, "operation %zu", result.op_idx);
        } else {
            snprintf(failed + n, sizeof failed - (size_t)n, "the end");
        }
    }
}

const char *mill_replay_text(const char *adapter, const char *trace)
{
    struct hrn_trace parsed;
    struct hrn_trace_error error;
    const struct slm_adapter *found = mill_adapter_need(adapter);
    failed[0] = '\0';
    hrn_trace_init(&parsed);
    if (found == NULL) {
        snprintf(failed, sizeof failed, "no adapter %s", adapter);
    } else if (!hrn_trace_parse(&parsed, trace, strlen(trace), &error)) {
        hrn_trace_error_text(&error, "the trace", failed, HRN_TRACE_ERROR_BYTES);
    } else {
        run(found, &parsed.program);
    }
    hrn_trace_fini(&parsed);
    return failed;
}
