/* SPDX-License-Identifier: Apache-2.0 */
/* HRN_FUZZ_SAY. */
#include "harness/failure/say.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/hash.h"
#include "harness/failure/emit.h"
#include "harness/inputs/target.h"
#include "harness/laws/scene.h"
#include "harness/run/run.h"
#include "harness/trace/trace.h"

enum word { SAY_SHAPE, SAY_KINDS, SAY_OPS, SAY_TEST, N_WORDS };

bool hrn_says_ops;
static bool says[N_WORDS];
static uint64_t n_said; /* operations of this input */

/* --- Operations --- */

static void say_numbered(uint64_t n, const char *format, va_list args)
{
    char text[HRN_TRACE_LINE_BUF_BYTES];
    vsnprintf(text, sizeof text, format, args);
    /* Not buffered, since the next operation may crash. */
    fprintf(stderr, "slabmill: op %" PRIu64 ": %s\n", n, text);
}

void hrn_say_op(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_numbered(__atomic_fetch_add(&n_said, 1, __ATOMIC_RELAXED), format, args);
    va_end(args);
}

/* Uses the number in the program, as reports of broken laws do. */
static void say_program_op(const struct hrn_op *op)
{
    char line[HRN_TRACE_LINE_BUF_BYTES];
    hrn_trace_print_op(HRN_TRACE_ARENA, op, line, sizeof line);
    n_said = hrn_scene.op_idx;
    hrn_say_op("%s", line);
}

void hrn_say_head(const struct hrn_head *head)
{
    char text[HRN_TRACE_HEAD_LINES * HRN_TRACE_LINE_BUF_BYTES];
    hrn_trace_print_head(head, text, sizeof text);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        fprintf(stderr, "slabmill: %s\n", line);
    }
}

/* --- Kinds --- */

static bool program_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    uint32_t can = hrn_shape_now()->can;
    for (unsigned i = 0; i < HRN_KIND_COUNT; i++) {
        if ((can >> i & 1u) != 0 && idx-- == 0) {
            *kind = (struct hrn_fuzz_kind){hrn_kind_word(i), hrn_run_totals()->n_kind[i]};
            return true;
        }
    }
    return false;
}

void hrn_say_end(void)
{
    bool (*at)(unsigned, struct hrn_fuzz_kind *) = hrn_fuzz_target.kind;
    struct hrn_fuzz_kind kind;
    at = at == NULL ? program_kind : at;
    for (unsigned i = 0; says[SAY_KINDS] && at(i, &kind); i++) {
        fprintf(stderr, "slabmill: kind %s %" PRIu64 "\n", kind.name, kind.count);
    }
}

/* --- A test --- */

static void print_suite(const char *target)
{
    bool is_upper = true;
    for (; *target != '\0'; target++) {
        if (isalnum((unsigned char)*target)) {
            fputc(is_upper ? toupper((unsigned char)*target) : *target, stderr);
        }
        is_upper = !isalnum((unsigned char)*target);
    }
}

static uint32_t hash_of(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t hash = hrn_hash(HRN_HASH_START, bytes, n_bytes);
    return (uint32_t)(hash ^ hash >> 32);
}

static void print_bytes(const uint8_t *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        fprintf(stderr, "%s0x%02x,", i % 12 == 0 ? "\n        " : " ", bytes[i]);
    }
    fprintf(stderr, n_bytes == 0 ? "\n        0," : "");
}

static void print_bytes_test(const uint8_t *bytes, size_t n_bytes)
{
    fprintf(stderr,
            "/* SPDX-License-Identifier: Apache-2.0 */\n"
            "#include <stddef.h>\n"
            "#include <stdint.h>\n"
            "\n"
            "#include \"gtest/gtest.h\"\n"
            "#include \"%s\"\n"
            "\n"
            "/* A broken law, or a sanitizer, ends the process here. */\n"
            "TEST(",
            hrn_fuzz_target.header);
    print_suite(hrn_fuzz_target.name);
    fprintf(stderr,
            ", Input%08" PRIx32 "RunsToItsEnd)\n"
            "{\n"
            "    static const uint8_t bytes[] = {",
            hash_of(bytes, n_bytes));
    print_bytes(bytes, n_bytes);
    fprintf(stderr,
            "\n    };\n"
            "    const size_t n_bytes = %zu;\n"
            "    EXPECT_EQ(%s, 0);\n"
            "}\n",
            n_bytes, hrn_fuzz_target.call);
}

/* A target for any adapter, which names it here. */
extern const char hrn_fuzz_adapter_name[] __attribute__((weak));

/* The adapter that a program target runs, as a test can name it; NULL: unknown. */
static const char *adapter_name(void)
{
    const struct hrn_fuzz_target *target = &hrn_fuzz_target;
    const char *given = getenv("HRN_FUZZ_ADAPTER");
    if (!target->runs_programs || target->adapter != NULL) {
        return target->adapter != NULL ? target->adapter->name : NULL;
    }
    bool any = hrn_fuzz_adapter_name != NULL;
    return !any ? NULL : given != NULL ? given : hrn_fuzz_adapter_name;
}

/* A program as a trace: this test needs no file of the target. */
static void print_program_test(const char *adapter, const uint8_t *bytes, size_t n_bytes)
{
    char name[40];
    struct hrn_trace trace;
    hrn_trace_init(&trace);
    hrn_program_decode(&trace.program, bytes, n_bytes);
    snprintf(name, sizeof name, "input %08" PRIx32 " runs to its end", hash_of(bytes, n_bytes));
    const struct hrn_emit emit = {.trace = &trace,
                                  .adapter_name = adapter,
                                  .adapter = adapter,
                                  .op_idx = trace.program.n_ops,
                                  .name = name};
    char *test = hrn_emit_test(&emit);
    fputs(test, stderr);
    free(test);
    hrn_trace_fini(&trace);
}

static void print_test(const uint8_t *bytes, size_t n_bytes)
{
    const char *adapter = adapter_name();
    fprintf(stderr, "slabmill: test begin\n");
    if (adapter != NULL) {
        print_program_test(adapter, bytes, n_bytes);
    } else {
        print_bytes_test(bytes, n_bytes);
    }
    fprintf(stderr, "slabmill: test end\n");
}

/* --- Words --- */

static void take_word(const char *word, size_t n)
{
    static const char *const words[N_WORDS] = {"shape", "kinds", "ops", "test"};
    for (unsigned i = 0; i < N_WORDS; i++) {
        if (strlen(words[i]) == n && memcmp(words[i], word, n) == 0) {
            says[i] = true;
            return;
        }
    }
    fprintf(stderr, "slabmill: HRN_FUZZ_SAY: expected shape, kinds, ops or test, found '%.*s'\n",
            (int)n, word);
    exit(2);
}

static void read_words(void)
{
    const char *at = getenv("HRN_FUZZ_SAY");
    while (at != NULL && *at != '\0') {
        size_t n = strcspn(at, ",");
        take_word(at, n);
        at += n + (at[n] == ',');
    }
    if (says[SAY_OPS]) {
        hrn_says_ops = true;
        hrn_scene.about = say_program_op;
    }
}

static void say_shape(void)
{
    const struct hrn_shape *shape = hrn_shape_now();
    fprintf(stderr, "slabmill: shape head=%u record=%u programs=%d can=%" PRIx32 "\n",
            shape->head_bytes, shape->record_bytes, shape->is_program, shape->can);
}

void hrn_say_begin(const uint8_t *bytes, size_t n_bytes)
{
    static bool is_read;
    if (!is_read) {
        is_read = true;
        read_words();
        if (says[SAY_SHAPE]) {
            say_shape();
        }
    }
    n_said = 0;
    if (says[SAY_TEST]) {
        print_test(bytes, n_bytes);
    }
}
