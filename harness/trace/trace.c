/* SPDX-License-Identifier: Apache-2.0 */
/* Traces as values, and programs to trace text. */
#include "harness/trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/trace/text.h"

void hrn_trace_init(struct hrn_trace *trace)
{
    memset(trace, 0, sizeof *trace);
    hrn_program_init(&trace->program);
}

void hrn_trace_fini(struct hrn_trace *trace)
{
    hrn_program_fini(&trace->program);
    free(trace->refused);
    memset(trace, 0, sizeof *trace);
}

const char *hrn_trace_word_text(enum hrn_trace_word word)
{
    static const char *const texts[HRN_TRACE_WORD_COUNT] = {"arena", "pool", "slab"};
    return texts[word];
}

static void print_id(const struct hrn_op *op, char *text, size_t text_bytes)
{
    if (op->id == HRN_NO_ID) {
        snprintf(text, text_bytes, " -");
    } else {
        snprintf(text, text_bytes, " %u", op->id);
    }
}

static void print_word(const struct hrn_op *op, enum hrn_field field, char *text, size_t text_bytes)
{
    size_t n;
    const char *const *words = hrn_trace_field_words(field, &n);
    bool implied = op->aux == 0 && hrn_trace_is_optional(field);
    snprintf(text, text_bytes, "%s%s", implied ? "" : " ", implied ? "" : words[op->aux % n]);
}

static void print_field(const struct hrn_op *op, enum hrn_field field, char *text,
                        size_t text_bytes)
{
    switch (field) {
    case HRN_FIELD_NEW_ID:
    case HRN_FIELD_NEW_OR_NO:
    case HRN_FIELD_ID:
    case HRN_FIELD_VICTIM:
        print_id(op, text, text_bytes);
        return;
    case HRN_FIELD_SIZE:
        snprintf(text, text_bytes, " %zu", op->size_bytes);
        return;
    case HRN_FIELD_ALIGN:
        snprintf(text, text_bytes, " %zu", op->align_bytes);
        return;
    case HRN_FIELD_WAY_ALIGN:
        if (op->aux == HRN_WAY_ALIGNED) {
            snprintf(text, text_bytes, " %zu", op->align_bytes);
        }
        return;
    case HRN_FIELD_COUNT:
    case HRN_FIELD_NTH:
    case HRN_FIELD_WHICH:
        snprintf(text, text_bytes, " %u", op->count);
        return;
    case HRN_FIELD_REFUSALS:
        if (op->aux == HRN_TRACE_REFUSALS_ALL) {
            snprintf(text, text_bytes, " all");
        } else {
            snprintf(text, text_bytes, " %u", op->aux);
        }
        return;
    default:
        print_word(op, field, text, text_bytes);
    }
}

void hrn_trace_print_op(enum hrn_trace_word word, const struct hrn_op *op, char *line,
                        size_t line_bytes)
{
    char parts[HRN_FIELDS_MAX][32] = {"", "", "", ""};
    const enum hrn_field *fields = hrn_trace_fields(op->kind);
    for (size_t i = 0; i < HRN_FIELDS_MAX && fields[i] != HRN_FIELD_END; i++) {
        print_field(op, fields[i], parts[i], sizeof parts[i]);
    }
    snprintf(line, line_bytes, "%s %u %s%s%s%s%s", hrn_trace_word_text(word), op->arena,
             hrn_kind_word(op->kind), parts[0], parts[1], parts[2], parts[3]);
}

void hrn_trace_print_head(const struct hrn_head *head, char *lines, size_t lines_bytes)
{
    struct hrn_head copy = *head;
    size_t per_line = (HRN_HEAD_FIELDS + HRN_TRACE_HEAD_LINES - 1) / HRN_TRACE_HEAD_LINES;
    size_t used = 0;
    for (size_t i = 0; i < HRN_HEAD_FIELDS && used < lines_bytes; i++) {
        bool last = i % per_line == per_line - 1 || i == HRN_HEAD_FIELDS - 1;
        used += (size_t)snprintf(lines + used, lines_bytes - used, "%s %s=%u%s",
                                 i % per_line == 0 ? "head" : "", hrn_head_fields[i].name,
                                 *hrn_head_field_at(&copy, &hrn_head_fields[i]), last ? "\n" : "");
    }
}

struct text {
    char *bytes;
    size_t n;
    size_t cap;
};

static void append(struct text *text, const char *more)
{
    size_t n = strlen(more);
    text->bytes = hrn_array_grow(text->bytes, &text->cap, text->n + n + 1, 1);
    memcpy(text->bytes + text->n, more, n + 1);
    text->n += n;
}

/* True if op_idx is in `refused` and its free is the next operation. */
static bool is_refused(const struct hrn_trace *trace, size_t op_idx, size_t *next_refused)
{
    while (*next_refused < trace->n_refused && trace->refused[*next_refused] < op_idx) {
        ++*next_refused;
    }
    if (*next_refused == trace->n_refused || trace->refused[*next_refused] != op_idx) {
        return false;
    }
    const struct hrn_op *op = &trace->program.ops[op_idx];
    return op_idx + 1 < trace->program.n_ops && op[1].kind == HRN_FREE &&
           op[1].arena == op->arena && op[1].id == op->id;
}

char *hrn_trace_print(const struct hrn_trace *trace, size_t *n_bytes)
{
    struct text text = {0};
    char line[HRN_TRACE_LINE_BUF_BYTES];
    hrn_trace_print_head(&trace->program.head, line, sizeof line);
    append(&text, line);
    size_t next_refused = 0;
    for (size_t i = 0; i < trace->program.n_ops; i++) {
        struct hrn_op op = trace->program.ops[i];
        bool refused = is_refused(trace, i, &next_refused);
        op.id = refused ? HRN_NO_ID : op.id;
        hrn_trace_print_op(trace->word, &op, line, sizeof line);
        append(&text, line);
        append(&text, "\n");
        i += refused;
    }
    if (n_bytes != NULL) {
        *n_bytes = text.n;
    }
    return text.bytes;
}
