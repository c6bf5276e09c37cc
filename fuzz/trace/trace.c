/* SPDX-License-Identifier: Apache-2.0 */
/* The body of trace_fuzz. */
#include <stdlib.h>

#include "fuzz/common/fuzz.h"
#include "fuzz/trace/trace.h"
#include "harness/failure/say.h"
#include "harness/trace/trace.h"

static struct {
    uint64_t n_read;
    uint64_t n_malformed;
    uint64_t n_kind[HRN_KIND_COUNT]; /* operations read */
} totals;

bool hrn_trace_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    if (idx < HRN_KIND_COUNT) {
        *kind = (struct hrn_fuzz_kind){hrn_kind_word(idx), totals.n_kind[idx]};
    } else if (idx == HRN_KIND_COUNT) {
        *kind = (struct hrn_fuzz_kind){"text_read", totals.n_read};
    } else {
        *kind = (struct hrn_fuzz_kind){"text_malformed", totals.n_malformed};
    }
    return idx <= HRN_KIND_COUNT + 1;
}

static void count(const struct hrn_trace *trace)
{
    totals.n_read++;
    for (size_t i = 0; i < trace->program.n_ops; i++) {
        const struct hrn_op *op = &trace->program.ops[i];
        totals.n_kind[op->kind]++;
        if (__builtin_expect(hrn_says_ops, 0)) {
            char line[HRN_TRACE_LINE_BUF_BYTES];
            hrn_trace_print_op(trace->word, op, line, sizeof line);
            hrn_say_op("%s", line);
        }
    }
}

static void expect_same_again(const struct hrn_trace *first)
{
    struct hrn_trace second;
    struct hrn_trace_error error;
    size_t n_text;
    hrn_trace_init(&second);
    char *text = hrn_trace_print(first, &n_text);
    bool again = hrn_trace_parse(&second, text, n_text, &error);
    if (!again || !hrn_program_equal(&first->program, &second.program)) {
        abort();
    }
    free(text);
    hrn_trace_fini(&second);
}

int hrn_fuzz_trace(const uint8_t *bytes, size_t n_bytes)
{
    struct hrn_trace trace;
    struct hrn_trace_error error;
    hrn_trace_init(&trace);
    HRN_SAY_OP("parse %zu bytes of text", n_bytes);
    if (hrn_trace_parse(&trace, (const char *)bytes, n_bytes, &error)) {
        count(&trace);
        expect_same_again(&trace);
    } else {
        totals.n_malformed++;
        HRN_SAY_OP("line %zu, column %zu: expected %s, found %s", error.line, error.column,
                   error.expected, error.found);
    }
    hrn_fuzz_count(trace.program.n_ops);
    hrn_trace_fini(&trace);
    return 0;
}
