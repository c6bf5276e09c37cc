/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill: replays, explains and shrinks programs of allocator operations, and makes new ones. */
#include "tools/slabmill.h"

#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#define INPUT_OPTIONS (MILL_OPT(ADAPTER) | MILL_OPT(AS))

static const struct mill_command commands[] = {
    {
        .name = "replay",
        .arguments = " FILE...",
        .purpose = "Runs traces or fuzz inputs with every check, and says what came of it.",
        .help =
            "A slab trace without a head runs once with classes by powers of two and once with\n"
            "eight a doubling, unless --classes or --page is given.\n",
        .takes = INPUT_OPTIONS | MILL_OPT(CLASSES) | MILL_OPT(PAGE),
        .files_min = 1,
        .files_max = SIZE_MAX,
        .run = mill_replay,
    },
    {
        .name = "explain",
        .arguments = " FILE",
        .purpose = "Shows a program as readable operations, how it fails, and what is live there.",
        .help = "",
        .takes = INPUT_OPTIONS | MILL_OPT(TIMEOUT) | MILL_OPT(ALL),
        .files_min = 1,
        .files_max = 1,
        .run = mill_explain,
    },
    {
        .name = "shrink",
        .arguments = " FILE",
        .purpose = "Makes a failing program as small as it goes while it fails in the same way.",
        .help = "Writes a trace.\n",
        .takes = INPUT_OPTIONS | MILL_OPT(OUT) | MILL_OPT(RUNS) | MILL_OPT(TIMEOUT),
        .needs = MILL_OPT(OUT),
        .files_min = 1,
        .files_max = 1,
        .run = mill_shrink,
    },
    {
        .name = "emit-test",
        .arguments = " FILE",
        .purpose = "Prints a GoogleTest case that fails as long as the program fails.",
        .help = "",
        .takes = INPUT_OPTIONS | MILL_OPT(NAME) | MILL_OPT(TIMEOUT),
        .files_min = 1,
        .files_max = 1,
        .run = mill_emit_test,
    },
    {
        .name = "soak",
        .arguments = "",
        .purpose = "Runs random programs until the time is up or a law is broken.",
        .help =
            "The same seed makes the same programs. A failing one is written as a trace to OUT,\n"
            "by default soak-ADAPTER-SEED-ROUND.trace.\n",
        .takes = MILL_OPT(ADAPTER) | MILL_OPT(SECONDS) | MILL_OPT(ROUNDS) | MILL_OPT(SEED) |
                 MILL_OPT(OUT) | MILL_OPT(SAVE_SEEDS) | MILL_OPT(TIMEOUT),
        .needs = MILL_OPT(ADAPTER) | MILL_OPT(SEED),
        .run = mill_soak,
    },
    {
        .name = "adapters",
        .arguments = "",
        .purpose = "Lists the allocators that can be run, and what they can do.",
        .help = "",
        .takes = MILL_OPT(ALL),
        .run = mill_adapters,
    },
    {
        .name = "seeds",
        .arguments = " TRACE...",
        .purpose = "Cuts traces into fuzz inputs.",
        .help = "Each pool's life, each window of a slab trace, any other trace whole.\n",
        .takes = MILL_OPT(OUT),
        .needs = MILL_OPT(OUT),
        .files_min = 1,
        .files_max = SIZE_MAX,
        .run = mill_seeds,
    },
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void print_usage(FILE *to)
{
    fputs("usage: slabmill COMMAND [OPTIONS] [FILE...]\n", to);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].purpose);
    }
    fputs(
        "More by slabmill COMMAND --help. Exit status: 0 fine, 1 a law was broken, 2 wrong call.\n",
        to);
}

static const struct mill_command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/*
 * Starts over with addresses that are the same each time: which freed address the C heap hands out
 * again may decide what a misuse hits. Where that is not allowed, runs go on as they are.
 */
static void hold_addresses(char **argv)
{
    int now = personality(0xffffffff);
    if (now != -1 && (now & ADDR_NO_RANDOMIZE) == 0 &&
        personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1) {
        (void)execv("/proc/self/exe", argv);
    }
}

int main(int argc, char **argv)
{
    hold_addresses(argv);
    if (argc < 2) {
        print_usage(stderr);
        return MILL_WRONG;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return MILL_GOOD;
    }
    const struct mill_command *command = find_command(argv[1]);
    if (command == NULL) {
        return mill_complain("unknown command %s (see slabmill --help)", argv[1]);
    }
    struct mill_options options;
    if (!mill_options_read(command, argc - 2, argv + 2, &options)) {
        return MILL_WRONG;
    }
    if (options.help) {
        mill_options_help(command);
        return MILL_GOOD;
    }
    int status = command->run(&options);
    hrn_run_fini();
    if (fflush(stdout) != 0) {
        return mill_complain("standard output: cannot be written");
    }
    return status;
}
