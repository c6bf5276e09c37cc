/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when a law is broken. */
#include "harness/laws/laws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/run/state.h"

struct hrn_scene hrn_scene;

#define LAW_NAME(name, sentence) #name,
static const char *const law_names[HRN_LAW_COUNT] = {"none", HRN_LAW_LIST(LAW_NAME)};
#define LAW_SENTENCE(name, sentence) sentence,
static const char *const law_sentences[HRN_LAW_COUNT] = {"every law was kept",
                                                         HRN_LAW_LIST(LAW_SENTENCE)};

const char *hrn_law_name(enum hrn_law law)
{
    return law < HRN_LAW_COUNT ? law_names[law] : "?";
}

const char *hrn_law_sentence(enum hrn_law law)
{
    return law < HRN_LAW_COUNT ? law_sentences[law] : "?";
}

static void print_scene(enum hrn_law law, const char *seen)
{
    const struct hrn_program *program = hrn_scene.program;
    const char *adapter = hrn_scene.adapter == NULL ? "none" : hrn_scene.adapter;
    char op[HRN_OP_TEXT_BYTES] = "the end of the program";
    if (program != NULL && hrn_scene.op_idx < program->n_ops) {
        hrn_op_text(&program->ops[hrn_scene.op_idx], op, sizeof op);
    }
    fprintf(stderr, "slabmill: broken law: %s: %s\n  seen: %s\n  allocator %s, operation %zu: %s\n",
            hrn_law_name(law), hrn_law_sentence(law), seen, adapter, hrn_scene.op_idx, op);
}

/* Returns when nobody catches: the law's own function then aborts, and is the crash's top frame. */
static void report(enum hrn_law law, const char *format, va_list args)
{
    char seen[sizeof hrn_scene.result->text];
    vsnprintf(seen, sizeof seen, format, args);
    if (hrn_scene.catcher == NULL) {
        print_scene(law, seen);
        if (hrn_scene.dying != NULL) {
            hrn_scene.dying();
        }
        return;
    }
    hrn_scene.result->law = law;
    hrn_scene.result->op_idx = hrn_scene.op_idx;
    memcpy(hrn_scene.result->text, seen, sizeof seen);
    longjmp(*hrn_scene.catcher, 1);
}

#define LAW_FUNCTION(name, sentence)                                                               \
    void hrn_law_##name(const char *format, ...)                                                   \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        report(HRN_LAW_##name, format, args);                                                      \
        va_end(args);                                                                              \
        abort();                                                                                   \
    }
HRN_LAW_LIST(LAW_FUNCTION)
