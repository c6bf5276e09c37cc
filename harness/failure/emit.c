/* SPDX-License-Identifier: Apache-2.0 */
/* Writes tests. */
#include "harness/failure/emit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"

#define NAME_BYTES 160u

/* Appends words as one name in camel case: "calloc's bytes" as CallocsBytes. */
static void append_camel(char *name, const char *words)
{
    size_t n = strlen(name);
    bool upper = true;
    for (; *words != '\0' && n + 1 < NAME_BYTES; words++) {
        if (isalnum((unsigned char)*words)) {
            name[n++] = (char)(upper ? toupper((unsigned char)*words) : *words);
            upper = false;
        } else if (*words != '\'') {
            upper = true;
        }
    }
    name[n] = '\0';
}

static void make_name(const struct hrn_emit *emit, char *name)
{
    const struct hrn_program *program = &emit->trace->program;
    const char *where =
        emit->op_idx < program->n_ops ? hrn_kind_word(program->ops[emit->op_idx].kind) : "the end";
    name[0] = '\0';
    if (emit->name != NULL) {
        append_camel(name, emit->name);
    } else if (emit->law == HRN_LAW_NONE) {
        append_camel(name, "returns from");
        append_camel(name, where);
    } else {
        append_camel(name, hrn_law_sentence(emit->law));
        append_camel(name, "at");
        append_camel(name, where);
    }
}

static const char format[] =
    "/* SPDX-License-Identifier: Apache-2.0 */\n"
    "/*\n"
    " * Fails as long as this is broken: %s.\n"
    " * Build, with the files of an adapter that is no shared object:\n"
    " *     c++ test.cc $(pkg-config --cflags --libs gtest_main) -lslabmill_mill \\\n"
    " *         $(pkg-config --libs slabmill) -ldl -o test\n"
    " */\n"
    "#include \"gtest/gtest.h\"\n"
    "\n"
    "/* Of the mill. Runs a trace; \"\", or how it failed. The adapter is one of this program, or "
    "the\n"
    " * path of a shared object. */\n"
    "extern \"C\" const char *mill_replay_text(const char *adapter, const char *trace);\n"
    "\n"
    "TEST(%sHarness, %s)\n"
    "{\n"
    "    const char trace[] = R\"(%s)\";\n"
    "    EXPECT_STREQ(mill_replay_text(\"%s\", trace), \"\");\n"
    "}\n";

char *hrn_emit_test(const struct hrn_emit *emit)
{
    char suite[NAME_BYTES] = "";
    char name[NAME_BYTES];
    append_camel(suite, emit->adapter_name);
    make_name(emit, name);
    const char *why = emit->law == HRN_LAW_NONE ? "a run ends" : hrn_law_sentence(emit->law);
    char *text = hrn_trace_print(emit->trace, NULL);
    size_t cap = 0;
    size_t n = strlen(format) + strlen(text) + strlen(emit->adapter) + strlen(why) + sizeof suite +
               sizeof name;
    char *test = hrn_array_grow(NULL, &cap, n, 1);
    snprintf(test, cap, format, why, suite, name, text, emit->adapter);
    free(text);
    return test;
}
