/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill: replays, explains, shrinks and makes programs of allocator operations. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* readlink */
#endif
#include "tools/slabmill/slabmill.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <unistd.h>

#include <slabmill/version.h>

#define INPUT_OPTIONS (MILL_OPT(ADAPTER) | MILL_OPT(AS) | MILL_OPT(IGNORE))

#define ZONE_HELP                                                                                  \
    "ZONE: a path, file:PATH, posix:NAME, sysv:ID, memfd:PID:FD, or memfd:FD (inherited).\n"

#define INSPECT_HELP                                                                               \
    ZONE_HELP                                                                                      \
    "Exit status: 0 nothing found, 1 an invariant is broken or a repair is due, 2 a wrong call\n"  \
    "or not a zone that can be shown.\n"                                                           \
    "A moment is settled (the lock was free: the invariants are checked), left (by a dead\n"       \
    "owner: a repair is due, and tried on a copy), held, or changing. The latter two are\n"        \
    "unsettled: figures may be those of an unfinished change, and nothing is checked.\n"           \
    "Without --all the table leaves out classes that have no page, no object and no refusal.\n"    \
    "In each output a control character or a byte that is no UTF-8 is \\xHH, and \\ is \\\\.\n"    \
    "--json: zone, name, tag, version, bytes, first_bytes, max_bytes, time (seconds since "        \
    "1970);\n"                                                                                     \
    "lock {kind, owner: null or {thread, process, runs_seconds, command, thread_name, alive: "     \
    "null\n"                                                                                       \
    "if that is unknown, doubt: why}, needs_repair, has_waiters, sleeps, deaths}; journal "        \
    "{entries: room,\n"                                                                            \
    "noted, committed}; recoveries {all, undone, finished}; page_bytes; pages {all, free, "        \
    "spans,\n"                                                                                     \
    "kept, runs, damaged, peak}; metadata_bytes, used_bytes; free_runs {count, longest,\n"         \
    "fragmentation: 1 - longest / free, lengths: [{from, to, runs}] in pages}; classes\n"          \
    "[{chunk_bytes, spans, chunks, used, fill: 0 to 1, waste_bytes: of their pages that no\n"      \
    "object has, requests, failures}]; runs {live, pages, requests, failures}; with --watch\n"     \
    "requests_per_second from the second object on; root (null:\n"                                 \
    "none, or unsettled) {bytes, words: the first 64, as numbers}, read after the rest; moment,\n" \
    "passes (over the zone), is_open (false: slab or journal cannot be opened, and all from\n"     \
    "page_bytes to root is missing), given_up (a repair failed), broken (null: not checked; 0;\n"  \
    "the invariant's number), repair_due, repairable (null: not tried), sound (checked, and\n"     \
    "nothing found).\n"

#define EXPORT_HELP                                                                                \
    ZONE_HELP                                                                                      \
    "Reads zones as inspect does. The text is that of Prometheus: samples of all zones, each\n"    \
    "with the label zone, which is ZONE as it was given, escaped as inspect does. HELP lines in\n" \
    "it say what each metric is. A zone that cannot be read has a message on standard error and\n" \
    "one sample, slabmill_zone_up 0. --all: also the size classes, five samples for each. OUT "    \
    "is\n"                                                                                         \
    "replaced when its text is complete, as node_exporter's textfile collector needs it.\n"        \
    "Exit status: 0 nothing found, 1 an invariant is broken or a repair is due, 2 a wrong call,\n" \
    "a zone that cannot be read, or OUT cannot be written.\n"

#define HUNT_HELP                                                                                  \
    "Ends after N minutes, N programs, or a signal (Ctrl-C, SIGTERM), with a table and the line\n" \
    "\"findings: N\". A finding is a broken law, a failed assertion, a sanitizer's report, a\n"    \
    "crash or a hang. Each kind has a folder in DIR (hunt-ADAPTER-SEED) with the first program\n"  \
    "that showed it, the same made small, an explanation, the report, a test and the command\n"    \
    "that repeats it; it replaces one of an earlier hunt. A signal, or the end of the time and\n"  \
    "10 seconds, ends the search for small programs too: what was not examined has a question\n"   \
    "mark. The same seed and --programs give the same findings; without --seed the seed is a\n"    \
    "new one.\n"                                                                                   \
    "Exit status: 0 no findings, 1 findings, 2 a wrong call, or no program ran.\n"                 \
    "--json: adapter, seed, programs, operations, refused, stopped (by a signal), findings and\n"  \
    "set_aside [{kind, law: null for a crash, text, times, program, operations, small:\n"          \
    "operations or null, reproduces (null: not examined), folder, why: of set_aside}],\n"          \
    "n_findings. Operations of a finding are the lines of its traces.\n"

static const struct mill_command commands[] = {
    {
        .name = "replay",
        .arguments = " [FILE.so] FILE...",
        .purpose = "Runs traces or fuzz inputs with every check, and prints the result.",
        .help =
            "A slab trace without a head runs twice, with classes by powers of two and with\n"
            "eight for each doubling, unless --classes or --page is given. Of several files,\n"
            "each has one line. With --region each file runs over each adapter of --adapter\n"
            "A,B,./C.so (malloc,pool,slab), and has a table: refused requests, most bytes asked\n"
            "for and taken, how much of the taken ones was not asked for, and nanoseconds a\n"
            "call, which depend on the machine. Exit status: 0 every law kept, 1 a law\n"
            "broken, a crash or a hang, 2 a wrong call or an input that cannot be used.\n"
            "--json, an object a line: file, adapter, end (kept, law, crash, hang, report); of\n"
            "kept ones operations, refused, peak_bytes, peak_source_bytes; of others text,\n"
            "seen, operation (null: unknown). With --region: file, adapter, end, region,\n"
            "operations, calls, refused, asked_bytes, taken_bytes and unused (null: unknown),\n"
            "ns_per_call. Operations are the lines of a trace; each object of a burst is a call.\n",
        .takes = INPUT_OPTIONS | MILL_OPT(CLASSES) | MILL_OPT(PAGE) | MILL_OPT(REGION) |
                 MILL_OPT(TIMEOUT) | MILL_OPT(ALL) | MILL_OPT(JSON),
        .files_min = 1,
        .files_max = SIZE_MAX,
        .run = mill_replay,
    },
    {
        .name = "explain",
        .arguments = " [FILE.so] FILE",
        .purpose = "Shows a program as readable operations, how it fails, and the objects live at "
                   "that point.",
        .help = "",
        .takes = INPUT_OPTIONS | MILL_OPT(TIMEOUT) | MILL_OPT(ALL),
        .files_min = 1,
        .files_max = 1,
        .run = mill_explain,
    },
    {
        .name = "report",
        .arguments = " [FILE.so] FILE",
        .purpose = "Writes a page about a program: its load, its sizes, and what explain shows.",
        .help =
            "The page is OUT, or FILE.html, with a number if there is such a file. It needs no\n"
            "network. Exit status: as of explain.\n",
        .takes = INPUT_OPTIONS | MILL_OPT(OUT) | MILL_OPT(TIMEOUT) | MILL_OPT(ALL),
        .files_min = 1,
        .files_max = 1,
        .run = mill_report,
    },
    {
        .name = "shrink",
        .arguments = " [FILE.so] FILE",
        .purpose = "Makes a failing program as small as possible while it fails in the same way.",
        .help =
            "Writes a trace: OUT, or FILE.small.trace, with a number if there is such a file.\n",
        .takes = INPUT_OPTIONS | MILL_OPT(OUT) | MILL_OPT(RUNS) | MILL_OPT(TIMEOUT),
        .files_min = 1,
        .files_max = 1,
        .run = mill_shrink,
    },
    {
        .name = "emit-test",
        .arguments = " [FILE.so] FILE",
        .purpose = "Prints a GoogleTest case that fails as long as the program fails.",
        .help = "",
        .takes = INPUT_OPTIONS | MILL_OPT(NAME) | MILL_OPT(TIMEOUT),
        .files_min = 1,
        .files_max = 1,
        .run = mill_emit_test,
    },
    {
        .name = "check",
        .arguments = " [FILE.so]",
        .purpose = "Checks an adapter: its table, directed programs, and a soak of 1,000,000 "
                   "operations.",
        .help = "FILE.so: a shared object with an adapter (slabmill/adapter.h), a path with a "
                "slash.\n"
                "Every command that takes --adapter takes such a file too. The program of a claim\n"
                "that is not kept is written to check-ADAPTER-CLAIM.trace.\n",
        .takes = MILL_OPT(ADAPTER) | MILL_OPT(OPS) | MILL_OPT(SEED) | MILL_OPT(OUT) |
                 MILL_OPT(TIMEOUT) | MILL_OPT(IGNORE),
        .run = mill_check,
    },
    {
        .name = "probe",
        .arguments = " [FILE.so]",
        .purpose =
            "Shows which promises an allocator seems to keep (slabmill/adapter.h, Promises).",
        .help = "Runs programs of 200,000 operations, or --ops. Of each promise that the adapter\n"
                "does not declare: how often it could have been broken, and how often it was. A\n"
                "promise that is declared is enforced by all commands. Exit status: 0 no program "
                "broke a\n"
                "law, 1 a program broke one or crashed, 2 a wrong call.\n",
        .takes = MILL_OPT(ADAPTER) | MILL_OPT(OPS) | MILL_OPT(SEED) | MILL_OPT(TIMEOUT),
        .run = mill_probe,
    },
    {
        .name = "soak",
        .arguments = " [FILE.so]",
        .purpose = "Runs random programs until the time is up or a law is broken.",
        .help =
            "Without --seconds, --rounds and --ops: 1,000,000 operations. A seed that is not "
            "given\n"
            "is printed first; the same seed makes the same programs. A failing one is written as\n"
            "a trace to OUT, by default soak-ADAPTER-SEED-ROUND.trace.\n",
        .takes = MILL_OPT(ADAPTER) | MILL_OPT(SECONDS) | MILL_OPT(ROUNDS) | MILL_OPT(OPS) |
                 MILL_OPT(SEED) | MILL_OPT(OUT) | MILL_OPT(SAVE_SEEDS) | MILL_OPT(TIMEOUT) |
                 MILL_OPT(IGNORE),
        .run = mill_soak,
    },
    {
        .name = "hunt",
        .arguments = " [FILE.so]",
        .purpose = "Runs random programs and goes on after each finding: a folder for each kind.",
        .help = HUNT_HELP,
        .takes = MILL_OPT(ADAPTER) | MILL_OPT(MINUTES) | MILL_OPT(PROGRAMS) | MILL_OPT(JOBS) |
                 MILL_OPT(SEED) | MILL_OPT(DIR) | MILL_OPT(KNOWN) | MILL_OPT(EXCEPT) |
                 MILL_OPT(IGNORE) | MILL_OPT(RUNS) | MILL_OPT(TIMEOUT) | MILL_OPT(JSON),
        .run = mill_hunt,
    },
    {
        .name = "adapters",
        .arguments = " [FILE.so...]",
        .purpose = "Lists the allocators, and the operations that they support.",
        .help = "Those of the shared objects, or else those of the command.\n"
                "--all: also the command's allocators that are broken on purpose.\n",
        .takes = MILL_OPT(ALL),
        .files_max = SIZE_MAX,
        .run = mill_adapters,
    },
    {
        .name = "record",
        .arguments = " -- COMMAND [ARGUMENT...]",
        .purpose = "Runs a command, and writes its calls of malloc and free as a trace.",
        .help =
            "The trace is OUT, which a recording replaces when it is complete, or a new file\n"
            "COMMAND.trace. All threads are recorded, in one order; of several processes only the\n"
            "first, and if it becomes another program, that one. A command that is linked\n"
            "statically, or is privileged, cannot be recorded. SIGTERM and SIGHUP are passed on "
            "to\n"
            "the command. Its own exit status is shown. Exit status: 0 recorded, 2 not.\n",
        .takes = MILL_OPT(OUT),
        .files_min = 1,
        .files_max = SIZE_MAX,
        .run = mill_record,
    },
    {
        .name = "seeds",
        .arguments = " TRACE...",
        .purpose = "Cuts traces into fuzz inputs.",
        .help =
            "One input for each pool's life or window of a slab trace; other traces stay whole.\n",
        .takes = MILL_OPT(OUT),
        .needs = MILL_OPT(OUT),
        .files_min = 1,
        .files_max = SIZE_MAX,
        .run = mill_seeds,
    },
    {
        .name = "inspect",
        .arguments = " ZONE",
        .purpose = "Shows a zone that others use, without stopping, locking or changing it.",
        .help = INSPECT_HELP,
        .takes = MILL_OPT(ALL) | MILL_OPT(JSON) | MILL_OPT(SVG) | MILL_OPT(WATCH),
        .files_min = 1,
        .files_max = 1,
        .run = mill_inspect,
    },
    {
        .name = "export",
        .arguments = " ZONE...",
        .purpose =
            "Prints figures of zones for a monitor, without stopping, locking or changing them.",
        .help = EXPORT_HELP,
        .takes = MILL_OPT(PROMETHEUS) | MILL_OPT(ALL) | MILL_OPT(OUT),
        .needs = MILL_OPT(PROMETHEUS),
        .files_min = 1,
        .files_max = SIZE_MAX,
        .run = mill_export,
    },
    {
        .name = "copy",
        .arguments = " ZONE COPY",
        .purpose = "Copies a zone that others use, as it is at one moment, to a new zone.",
        .help = ZONE_HELP
        "COPY: a path, file:PATH or posix:NAME, which does not exist. It appears when it is\n"
        "complete and checked, with mode 0600; of a file the disk has all of it then. The\n"
        "command takes the zone's lock, for at most 1 MiB of copying at a time, so it runs as\n"
        "a user who may write to the zone, in the namespaces of its users. Programs that use\n"
        "the zone go on. A zone that was in use when the power failed, or when `cp` copied it,\n"
        "is refused until its own program has locked it: only that checks the content.\n"
        "Exit status: 0 copied, 1 the zone is broken, 2 a wrong call, no copy was made,\n"
        "or what it says could not be printed.\n",
        .takes = MILL_OPT(LOCK),
        .files_min = 2,
        .files_max = 2,
        .run = mill_copy,
    },
    {
        .name = "unlock",
        .arguments = " ZONE",
        .purpose = "Frees the lock of a zone that no process uses, and repairs the zone.",
        .help = ZONE_HELP
        "Any owner, alive or not, loses the lock, and the zone belongs to the pid and time\n"
        "namespace of this command then. A file that other processes have open or mapped is\n"
        "refused, where the system shows that; else only you can know that no process uses\n"
        "the zone: any that does is a second owner, and the zone is lost.\n"
        "Exit status: 0 every invariant holds now, 1 the zone is broken, 2 a wrong call or\n"
        "a zone that cannot be attached.\n",
        .takes = MILL_OPT(LOCK),
        .files_min = 1,
        .files_max = 1,
        .run = mill_unlock,
    },
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void print_usage(FILE *to)
{
    fputs("usage: slabmill COMMAND [OPTIONS] [FILE...]\n"
          "       slabmill --help | --version | --man | --completion\n",
          to);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].purpose);
    }
    fputs("slabmill COMMAND --help shows more. Exit status: 0 fine, 1 a law was broken, 2 wrong "
          "call.\n",
          to);
}

const struct mill_command *mill_command_at(size_t idx)
{
    return idx < N_COMMANDS ? &commands[idx] : NULL;
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

/* Whether the kernel runs this program itself. Under Valgrind it runs Valgrind, which answers
 * readlink with the path of this program. */
static bool is_own_program(void)
{
    char path[4096];
    struct stat exe;
    struct stat named;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return stat("/proc/self/exe", &exe) == 0 && stat(path, &named) == 0 &&
           exe.st_dev == named.st_dev && exe.st_ino == named.st_ino;
}

/*
 * Starts the program again without address randomisation, since the addresses that the C heap
 * reuses may decide what a misuse hits. Where that is not allowed, it continues with random
 * addresses.
 */
static void hold_addresses(char **argv)
{
    int now = personality(0xffffffff);
    if (now != -1 && (now & ADDR_NO_RANDOMIZE) == 0 && is_own_program() &&
        personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1) {
        (void)execv("/proc/self/exe", argv);
    }
}

static int run_command(const struct mill_command *command, int argc, char **argv)
{
    struct mill_options options;
    if (!mill_options_read(command, argc, argv, &options)) {
        return MILL_WRONG;
    }
    if (options.help) {
        mill_options_help(command);
        return MILL_GOOD;
    }
    mill_report_ignore(&options.ignore);
    int status = command->run(&options);
    hrn_run_fini();
    if (fflush(stdout) != 0) {
        return mill_complain("standard output: cannot be written");
    }
    return status;
}

/* The options before the command. Each prints its answer and ends the program. */
static int answer_option(int code)
{
    switch (code) {
    case 'h':
        print_usage(stdout);
        return MILL_GOOD;
    case 'V':
        printf("slabmill %s\n", SLM_VERSION_STRING);
        return MILL_GOOD;
    case 'M':
        mill_man_print();
        return MILL_GOOD;
    case 'C':
        mill_completion_print();
        return MILL_GOOD;
    default: /* getopt_long has printed a message */
        return MILL_WRONG;
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"man", no_argument, NULL, 'M'},
        {"completion", no_argument, NULL, 'C'},
        {0},
    };
    char name[] = "slabmill"; /* in error messages */
    hold_addresses(argv);
    argv[0] = name;
    int code = getopt_long(argc, argv, "+h", longs, NULL);
    if (code != -1) {
        return answer_option(code);
    }
    if (optind >= argc) {
        print_usage(stderr);
        return MILL_WRONG;
    }
    const struct mill_command *command = find_command(argv[optind]);
    if (command == NULL) {
        return mill_complain("unknown command %s (see slabmill --help)", argv[optind]);
    }
    return run_command(command, argc - optind, argv + optind);
}

/* --- Sanitizers look these up by name --- */

/* Programs ask for absurd sizes on purpose. No weak functions: a sanitizer has one of its own, which
 * comes first. Not in report.c: fuzz targets link that, and have options of their own. */
#define ABSURD_SIZES_ARE_REFUSED "allocator_may_return_null=1"

const char *__asan_default_options(void);
const char *__msan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return ABSURD_SIZES_ARE_REFUSED;
}

const char *__msan_default_options(void)
{
    return ABSURD_SIZES_ARE_REFUSED;
}

const char *__tsan_default_options(void)
{
    return ABSURD_SIZES_ARE_REFUSED;
}
