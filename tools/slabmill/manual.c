/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill --man and --completion: what --help shows, as a manual page and for bash. */
#include <stdio.h>
#include <string.h>

#include "tools/slabmill/slabmill.h"

#include <slabmill/version.h>

/* --- The manual page --- */

/* A text as roff, which fills lines. */
static void print_roff(const char *text)
{
    bool starts = true;
    for (; *text != '\0'; text++) {
        if (starts && (*text == '.' || *text == '\'')) {
            fputs("\\&", stdout);
        }
        if (*text == '\\' || *text == '-') {
            fputs(*text == '-' ? "\\-" : "\\e", stdout);
        } else {
            putchar(*text);
        }
        starts = *text == '\n';
    }
}

static void print_options(const struct mill_command *command)
{
    for (enum mill_option i = 0; i < MILL_OPTIONS; i++) {
        struct mill_option_text text = mill_option_text(i);
        if ((command->takes >> i & 1u) != 0) {
            fputs(".TP\n\\fB", stdout);
            print_roff(text.name);
            fputs("\\fR", stdout);
            if (text.value != NULL) {
                fputs(" \\fI", stdout);
                print_roff(text.value);
                fputs("\\fR", stdout);
            }
            putchar('\n');
            print_roff(text.help);
            putchar('\n');
        }
    }
}

static void print_command(const struct mill_command *command)
{
    fputs(".SS slabmill ", stdout);
    print_roff(command->name);
    fputs(" [OPTIONS]", stdout);
    print_roff(command->arguments);
    putchar('\n');
    print_roff(command->purpose);
    fputs("\n.PP\n", stdout);
    print_roff(command->help); /* whole lines */
    print_options(command);
}

void mill_man_print(void)
{
    const struct mill_command *command;
    printf(".TH SLABMILL 1 \"\" \"slabmill %s\" \"User Commands\"\n"
           ".SH NAME\nslabmill \\- a test mill for allocators, and an inspector of zones\n"
           ".SH SYNOPSIS\n.B slabmill\n.I COMMAND\n[OPTIONS] [FILE...]\n.br\n"
           ".B slabmill \\-\\-help\n| \\-\\-version | \\-\\-man | \\-\\-completion\n"
           ".SH COMMANDS\n"
           "Each takes \\-\\-help. Options may follow files, and may be abbreviated.\n",
           SLM_VERSION_STRING);
    for (size_t i = 0; (command = mill_command_at(i)) != NULL; i++) {
        print_command(command);
    }
    printf(".SH EXIT STATUS\n0: every law was kept. 1: one was broken, or a run crashed or hung.\n"
           "2: a wrong call, or an input that cannot be used.\n");
}

/* --- Completion --- */

void mill_completion_print(void)
{
    const struct mill_command *command;
    fputs("# bash: . <(slabmill --completion)\n_slabmill() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} words\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        words='--help --version --man --completion",
          stdout);
    for (size_t i = 0; (command = mill_command_at(i)) != NULL; i++) {
        printf(" %s", command->name);
    }
    fputs("'\n    else\n        case ${COMP_WORDS[1]} in\n", stdout);
    for (size_t i = 0; (command = mill_command_at(i)) != NULL; i++) {
        printf("        %s) words='--help", command->name);
        for (enum mill_option option = 0; option < MILL_OPTIONS; option++) {
            if ((command->takes >> option & 1u) != 0) {
                printf(" %s", mill_option_text(option).name);
            }
        }
        fputs("' ;;\n", stdout);
    }
    fputs("        esac\n    fi\n"
          "    case $word in\n"
          "    -*) ;;\n"
          "    *) [ \"$COMP_CWORD\" -eq 1 ] || words= ;;\n"
          "    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "}\ncomplete -o default -F _slabmill slabmill\n",
          stdout);
}
