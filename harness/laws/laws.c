/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when a law is broken. */
#include "harness/laws/laws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/laws/scene.h"

struct hrn_scene hrn_scene;
uint32_t hrn_faults;

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

static void print_law(const char *name, const char *sentence, const char *seen)
{
    fprintf(stderr, "slabmill: broken law: %s: %s\n  seen: %s\n", name, sentence, seen);
}

static void print_scene(void)
{
    const struct hrn_program *program = hrn_scene.program;
    const char *adapter = hrn_scene.adapter == NULL ? "none" : hrn_scene.adapter;
    char op[HRN_OP_TEXT_BYTES] = "the end of the program";
    if (program != NULL && hrn_scene.op_idx < program->n_ops) {
        hrn_op_text(&program->ops[hrn_scene.op_idx], op, sizeof op);
    }
    fprintf(stderr, "  allocator %s, operation %zu: %s\n", adapter, hrn_scene.op_idx, op);
}

static void say_last_words(void)
{
    if (hrn_scene.dying != NULL) {
        hrn_scene.dying();
    }
}

void hrn_law_report(const char *name, const char *sentence, const char *format, va_list args)
{
    char seen[HRN_LAW_TEXT_BYTES];
    vsnprintf(seen, sizeof seen, format, args);
    print_law(name, sentence, seen);
    say_last_words();
}

/* Jumps to the catcher. Without a catcher it reports and returns; the law's own function then
 * aborts, so that it is the crash's top frame. */
static void break_law(enum hrn_law law, const char *format, va_list args)
{
    char seen[HRN_LAW_TEXT_BYTES];
    struct hrn_catcher *catcher = hrn_scene.catcher;
    vsnprintf(seen, sizeof seen, format, args);
    if (hrn_scene.forward != NULL) {
        hrn_scene.forward(law, seen);
    }
    if (catcher == NULL) {
        print_law(hrn_law_name(law), hrn_law_sentence(law), seen);
        print_scene();
        say_last_words();
        return;
    }
    catcher->law = law;
    catcher->op_idx = hrn_scene.op_idx;
    memcpy(catcher->text, seen, sizeof seen);
    longjmp(catcher->back, 1);
}

#define LAW_FUNCTION(name, sentence)                                                               \
    void hrn_law_##name(const char *format, ...)                                                   \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        break_law(HRN_LAW_##name, format, args);                                                   \
        va_end(args);                                                                              \
        abort();                                                                                   \
    }
HRN_LAW_LIST(LAW_FUNCTION)

#define LAW_POINTER(name, sentence) hrn_law_##name,
static void (*const law_functions[HRN_LAW_COUNT])(const char *format, ...) = {
    hrn_law_self_check, HRN_LAW_LIST(LAW_POINTER)};

void hrn_law_by_text(const char *text)
{
    size_t n = strcspn(text, ":");
    for (unsigned law = HRN_LAW_NONE + 1; text[n] == ':' && law < HRN_LAW_COUNT; law++) {
        if (strlen(law_names[law]) == n && strncmp(law_names[law], text, n) == 0) {
            law_functions[law]("%s", text + n + 1 + (text[n + 1] == ' '));
        }
    }
    hrn_law_self_check("%s", text);
}
