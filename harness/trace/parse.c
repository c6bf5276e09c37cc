/* SPDX-License-Identifier: Apache-2.0 */
/* Trace text to programs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/trace/text.h"

struct token {
    const char *at;
    size_t n; /* 0: there was none */
};

struct parser {
    struct hrn_trace *trace;
    struct hrn_trace_error *error;
    struct hrn_trace_names names;
    const char *line;
    const char *at; /* in the line */
    const char *end;
    size_t line_number;
    uint32_t head_seen; /* bits of the fields that were set */
    bool has_op;        /* then the trace's word is known */
};

/* --- Errors --- */

static void show(char *text, size_t text_bytes, struct token token)
{
    if (token.n == 0) {
        snprintf(text, text_bytes, "the end of the line");
        return;
    }
    size_t n = token.n < 32 ? token.n : 32;
    char shown[33];
    for (size_t i = 0; i < n; i++) {
        shown[i] = '?';
        if (token.at[i] >= ' ' && token.at[i] <= '~') {
            shown[i] = token.at[i];
        }
    }
    shown[n] = '\0';
    snprintf(text, text_bytes, "'%s%s'", shown, n < token.n ? "..." : "");
}

/* Always false, so that callers can return it. */
static bool complain(struct parser *parser, struct token token, const char *expected)
{
    struct hrn_trace_error *error = parser->error;
    error->line = parser->line_number;
    error->column = (size_t)(token.at - parser->line) + 1;
    snprintf(error->expected, sizeof error->expected, "%s", expected);
    show(error->found, sizeof error->found, token);
    return false;
}

void hrn_trace_error_text(const struct hrn_trace_error *error, const char *name, char *text,
                          size_t text_bytes)
{
    snprintf(text, text_bytes, "%.300s:%zu:%zu: expected %s, found %s", name, error->line,
             error->column, error->expected, error->found);
}

/* --- Tokens --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct token next_token(struct parser *parser)
{
    while (parser->at < parser->end && is_blank(*parser->at)) {
        parser->at++;
    }
    struct token token = {.at = parser->at};
    while (parser->at < parser->end && !is_blank(*parser->at) && *parser->at != '#') {
        parser->at++;
    }
    token.n = (size_t)(parser->at - token.at);
    return token;
}

/* Returns the next token without consuming it. */
static struct token peek_token(struct parser *parser)
{
    const char *at = parser->at;
    struct token token = next_token(parser);
    parser->at = at;
    return token;
}

static bool is_word(struct token token, const char *word)
{
    return token.n == strlen(word) && memcmp(token.at, word, token.n) == 0;
}

static bool end_of_line(struct parser *parser)
{
    struct token token = next_token(parser);
    return token.n == 0 || complain(parser, token, "the end of the line");
}

static bool to_number(struct token token, uint64_t max, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < token.n; i++) {
        if (token.at[i] < '0' || token.at[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(token.at[i] - '0');
        if (digit > max || *number > (max - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    return token.n > 0;
}

static bool take_number(struct parser *parser, uint64_t min, uint64_t max, const char *expected,
                        uint64_t *number)
{
    struct token token = next_token(parser);
    return (to_number(token, max, number) && *number >= min) || complain(parser, token, expected);
}

/* The index of the token among n words, or n. */
static size_t word_idx(struct token token, const char *const *words, size_t n)
{
    size_t i = 0;
    while (i < n && !is_word(token, words[i])) {
        i++;
    }
    return i;
}

/* --- Head --- */

static bool in_steps(const struct hrn_head_field *field, uint64_t number)
{
    uint64_t step = field->min;
    while (field->step_shift > 0 && step < number) {
        step <<= field->step_shift;
    }
    return field->step_shift == 0 || step == number;
}

/* NAME=N. */
static bool parse_head_field(struct parser *parser, struct token token)
{
    const char *equals = memchr(token.at, '=', token.n);
    struct token name = {.at = token.at, .n = equals ? (size_t)(equals - token.at) : token.n};
    size_t i = 0;
    while (i < HRN_HEAD_FIELDS && !is_word(name, hrn_head_fields[i].name)) {
        i++;
    }
    if (i == HRN_HEAD_FIELDS || equals == NULL) {
        return complain(parser, token, "FIELD=NUMBER with a field of the head");
    }
    if ((parser->head_seen >> i & 1u) != 0) {
        return complain(parser, token, "each field of the head once");
    }
    parser->head_seen |= 1u << i;
    const struct hrn_head_field *field = &hrn_head_fields[i];
    struct token value = {.at = equals + 1, .n = token.n - name.n - 1};
    uint64_t number;
    if (!to_number(value, field->max, &number) || number < field->min || !in_steps(field, number)) {
        return complain(parser, value, field->expected);
    }
    *hrn_head_field_at(&parser->trace->program.head, field) = (uint32_t)number;
    return true;
}

static bool parse_head(struct parser *parser, struct token word)
{
    if (parser->has_op) {
        return complain(parser, word, "the head before any operation");
    }
    parser->trace->has_head = true;
    for (struct token token = next_token(parser); token.n > 0; token = next_token(parser)) {
        if (!parse_head_field(parser, token)) {
            return false;
        }
    }
    const struct hrn_head *head = &parser->trace->program.head;
    return head->region_bytes >= 4 * head->page_bytes ||
           complain(parser, word, "region_bytes of at least 4 pages");
}

/* --- Operations --- */

static const char *expected_words(enum hrn_field field)
{
    switch (field) {
    case HRN_FIELD_ORDER:
        return "oldest, newest or every_other";
    case HRN_FIELD_HANDLER:
        return "plain, allocs, registers, armed or child";
    case HRN_FIELD_FILE:
        return "close, delete, gone or bad";
    case HRN_FIELD_TWICE:
        return "once or twice";
    case HRN_FIELD_BY:
        return "any, alloc or resize";
    case HRN_FIELD_WHERE:
        return "here or elsewhere";
    case HRN_FIELD_WAY:
        return "any, plain, in_place or aligned";
    case HRN_FIELD_LOOK:
        return "all, self, statistics or walk";
    case HRN_FIELD_MAKE:
        return "plain or sparse";
    case HRN_FIELD_END_OF:
        return "empty or live";
    default:
        return "a kind of misuse";
    }
}

static bool parse_word_field(struct parser *parser, struct hrn_op *op, enum hrn_field field)
{
    size_t n;
    const char *const *words = hrn_trace_field_words(field, &n);
    if (hrn_trace_is_optional(field) && peek_token(parser).n == 0) {
        return true;
    }
    struct token token = next_token(parser);
    op->aux = (uint8_t)word_idx(token, words, n);
    if (op->aux < n) {
        return true;
    }
    return complain(parser, token, expected_words(field));
}

/* Gives op the next n_made ids, called from `number` on. */
static bool name_ids(struct parser *parser, struct hrn_op *op, struct token token, uint64_t number)
{
    uint32_t n_made = op->kind == HRN_BURST ? op->count : 1;
    size_t n_lives = parser->names.n_lives;
    if (n_lives + n_made > HRN_TRACE_IDS_MAX || number + n_made > HRN_NO_ID) {
        return complain(parser, token, "fewer objects, with lower ids");
    }
    op->id = (uint32_t)n_lives;
    for (uint32_t i = 0; i < n_made; i++) {
        if (!hrn_trace_names_add(&parser->names, op, (uint32_t)number + i)) {
            return complain(parser, token, "an id that its arena has not had before");
        }
    }
    return true;
}

/* Handles `-`: uses an id without a name, and records the operation as refused. */
static bool take_refused(struct parser *parser, struct hrn_op *op, struct token token)
{
    struct hrn_trace *trace = parser->trace;
    if (parser->names.n_lives >= HRN_TRACE_IDS_MAX) {
        return complain(parser, token, "fewer objects, with lower ids");
    }
    op->id = (uint32_t)parser->names.n_lives;
    hrn_trace_names_skip(&parser->names, op);
    trace->refused = hrn_array_grow(trace->refused, &trace->cap_refused, trace->n_refused + 1,
                                    sizeof *trace->refused);
    trace->refused[trace->n_refused++] = trace->program.n_ops;
    return true;
}

/* The id or `-` of an operation whose other fields are known. */
static bool parse_id(struct parser *parser, struct hrn_op *op, enum hrn_field field,
                     struct token token)
{
    bool no_id = is_word(token, "-");
    if (no_id && field == HRN_FIELD_NEW_OR_NO) {
        return take_refused(parser, op, token);
    }
    bool with_victim = hrn_op_ids(op) != HRN_IDS_NONE;
    if (field == HRN_FIELD_VICTIM && !with_victim) {
        return no_id || complain(parser, token, "- (this misuse has no victim)");
    }
    uint64_t number;
    if (!to_number(token, HRN_NO_ID - 1, &number)) {
        return complain(parser, token,
                        field == HRN_FIELD_NEW_OR_NO ? "an id or -" : "an id below 4294967295");
    }
    if (field == HRN_FIELD_NEW_ID || field == HRN_FIELD_NEW_OR_NO) {
        return name_ids(parser, op, token, number);
    }
    op->id = hrn_trace_names_find(&parser->names, op, (uint32_t)number);
    return op->id != HRN_NO_ID || complain(parser, token, "the id of a live object of this arena");
}

static bool parse_size(struct parser *parser, struct hrn_op *op)
{
    bool create = op->kind == HRN_CREATE;
    uint64_t number;
    bool good =
        take_number(parser, 0, create ? HRN_TRACE_CREATE_MAX : SIZE_MAX,
                    create ? "a size in bytes, at most 67108864" : "a size in bytes", &number);
    op->size_bytes = (size_t)number;
    return good;
}

/* Fields that are numbers. */
static bool parse_number_field(struct parser *parser, struct hrn_op *op, enum hrn_field field)
{
    uint64_t number = HRN_TRACE_REFUSALS_ALL;
    bool good;
    switch (field) {
    case HRN_FIELD_ALIGN:
    case HRN_FIELD_WAY_ALIGN:
        if (field == HRN_FIELD_WAY_ALIGN && op->aux != HRN_WAY_ALIGNED) {
            return true;
        }
        good = take_number(parser, 0, SIZE_MAX, "an alignment in bytes", &number);
        op->align_bytes = (size_t)number;
        return good;
    case HRN_FIELD_COUNT:
        good = take_number(parser, 1, HRN_BURST_MAX, "a count from 1 to 512", &number);
        op->count = (uint16_t)number;
        return good;
    case HRN_FIELD_NTH:
    case HRN_FIELD_WHICH:
        good = take_number(parser, 0, UINT16_MAX,
                           field == HRN_FIELD_NTH   ? "a call from 0 to 65535"
                           : op->kind == HRN_CANCEL ? "which handler, from 0 to 65535"
                                                    : "which file, from 0 to 65535",
                           &number);
        op->count = (uint16_t)number;
        return good;
    default:
        good = is_word(peek_token(parser), "all");
        good = good ? next_token(parser).n > 0
                    : take_number(parser, 0, HRN_TRACE_REFUSALS_ALL - 1,
                                  "a count from 0 to 254, or all", &number);
        op->aux = (uint8_t)number;
        return good;
    }
}

static bool is_id_field(enum hrn_field field)
{
    return field == HRN_FIELD_NEW_ID || field == HRN_FIELD_NEW_OR_NO || field == HRN_FIELD_ID ||
           field == HRN_FIELD_VICTIM;
}

/* Reads every field, the id last, since its meaning depends on the others. */
static bool parse_fields(struct parser *parser, struct hrn_op *op)
{
    const enum hrn_field *fields = hrn_trace_fields(op->kind);
    enum hrn_field id_field = HRN_FIELD_END;
    struct token id = {.at = parser->at};
    for (size_t i = 0; i < HRN_FIELDS_MAX && fields[i] != HRN_FIELD_END; i++) {
        size_t n_words;
        bool good = true;
        if (is_id_field(fields[i])) {
            id_field = fields[i];
            id = next_token(parser);
        } else if (fields[i] == HRN_FIELD_SIZE) {
            good = parse_size(parser, op);
        } else if (hrn_trace_field_words(fields[i], &n_words) != NULL) {
            good = parse_word_field(parser, op, fields[i]);
        } else {
            good = parse_number_field(parser, op, fields[i]);
        }
        if (!good) {
            return false;
        }
    }
    return end_of_line(parser) && (id_field == HRN_FIELD_END || parse_id(parser, op, id_field, id));
}

static void push(struct parser *parser, struct hrn_op op)
{
    hrn_trace_names_apply(&parser->names, &op);
    hrn_program_push(&parser->trace->program, op);
}

static bool parse_op(struct parser *parser, enum hrn_trace_word word)
{
    uint64_t arena;
    if (!take_number(parser, 0, HRN_TRACE_ARENAS_MAX - 1, "an arena from 0 to 65535", &arena)) {
        return false;
    }
    struct token token = next_token(parser);
    struct hrn_op op = {.arena = (uint32_t)arena, .id = HRN_NO_ID};
    while (op.kind < HRN_KIND_COUNT && !is_word(token, hrn_kind_word(op.kind))) {
        op.kind++;
    }
    if (op.kind == HRN_KIND_COUNT) {
        return complain(parser, token, "an operation");
    }
    size_t n_refused = parser->trace->n_refused;
    if (!parse_fields(parser, &op)) {
        return false;
    }
    parser->has_op = true;
    parser->trace->word = word;
    push(parser, op);
    if (parser->trace->n_refused > n_refused) {
        push(parser, (struct hrn_op){.kind = HRN_FREE, .arena = op.arena, .id = op.id});
    }
    return true;
}

/* --- Lines --- */

static bool parse_line(struct parser *parser)
{
    struct token token = next_token(parser);
    if (token.n == 0) {
        return true;
    }
    if (is_word(token, "head")) {
        return parse_head(parser, token);
    }
    enum hrn_trace_word word = HRN_TRACE_ARENA;
    while (word < HRN_TRACE_WORD_COUNT && !is_word(token, hrn_trace_word_text(word))) {
        word++;
    }
    if (word == HRN_TRACE_WORD_COUNT) {
        return complain(parser, token, "head, pool, slab or arena");
    }
    if (parser->has_op && word != parser->trace->word) {
        return complain(parser, token, "the same word on every line");
    }
    return parse_op(parser, word);
}

/* Finds the line's end, and refuses what no line may contain. */
static bool bound_line(struct parser *parser, const char *text_end)
{
    size_t left = (size_t)(text_end - parser->line);
    const char *lf = memchr(parser->line, '\n', left);
    parser->end = lf != NULL ? lf : text_end;
    parser->at = parser->line;
    size_t n = (size_t)(parser->end - parser->line);
    const char *zero = memchr(parser->line, '\0', n);
    if (zero != NULL) {
        return complain(parser, (struct token){.at = zero, .n = 1}, "text without zero bytes");
    }
    if (n > 0 && parser->end[-1] == '\r') {
        parser->end--;
        n--;
    }
    struct token rest = {.at = parser->line + HRN_TRACE_LINE_MAX};
    rest.n = n > HRN_TRACE_LINE_MAX ? n - HRN_TRACE_LINE_MAX : 0;
    return rest.n == 0 || complain(parser, rest, "at most 512 characters a line");
}

static bool parse_lines(struct parser *parser, const char *text, size_t n_bytes)
{
    const char *text_end = text + n_bytes;
    parser->line = text;
    while (parser->line < text_end) {
        parser->line_number++;
        if (!bound_line(parser, text_end) || !parse_line(parser)) {
            return false;
        }
        const char *lf = memchr(parser->end, '\n', (size_t)(text_end - parser->end));
        parser->line = lf != NULL ? lf + 1 : text_end;
    }
    return true;
}

bool hrn_trace_parse(struct hrn_trace *trace, const char *text, size_t n_bytes,
                     struct hrn_trace_error *error)
{
    hrn_trace_fini(trace);
    hrn_trace_init(trace);
    struct parser parser = {.trace = trace, .error = error};
    bool good = n_bytes == 0 || parse_lines(&parser, text, n_bytes);
    hrn_trace_names_fini(&parser.names);
    if (!good) {
        hrn_trace_fini(trace);
        hrn_trace_init(trace);
    }
    return good;
}
