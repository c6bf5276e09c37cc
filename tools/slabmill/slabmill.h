/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of the slabmill command. */
#ifndef MILL_SLABMILL_H
#define MILL_SLABMILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/adapters/adapters.h"
#include "harness/registry/registry.h"
#include "harness/run/run.h"
#include "harness/trace/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    slabmill COMMAND reads its options into one struct and its inputs into traces, prints
 *          results on standard output, and returns an exit status.
 * Safety   One thread. Programs that may crash are run in a child process.
 * Failure  Error messages go to standard error, one line each.
 */

/* Exit statuses. */
enum mill_exit {
    MILL_GOOD,   /* done, and every law was kept */
    MILL_BROKEN, /* a law was broken, or a run hung */
    MILL_WRONG   /* wrong call, or an input that cannot be used */
};

/* The most that options may say. */
#define MILL_JOBS_MAX   64u
#define MILL_REGION_MAX ((size_t)1 << 30)

/* Values of an option that may be given several times. */
#define MILL_LIST_MAX 16
struct mill_list {
    const char *at[MILL_LIST_MAX];
    size_t n;
};

struct mill_options {
    const char *adapter; /* a name, or a shared object's path[:name]; NULL: named by the input */
    const char *as;      /* "trace", "bytes", or NULL: decided by the file */
    const char *out;
    const char *name;
    const char *save_seeds;
    uint64_t classes; /* per doubling; 0: not given */
    uint64_t page;    /* bytes; 0: not given */
    uint64_t seconds;
    uint64_t rounds; /* 0: not given */
    uint64_t ops;    /* 0: not given */
    uint64_t seed;
    uint64_t runs;
    uint64_t timeout; /* of one run, seconds */
    uint64_t watch;   /* seconds between two looks; 0: one look */
    const char *svg;
    const char *lock;      /* a zone's lock file */
    uint64_t milliseconds; /* of --minutes; 0: not given */
    uint64_t programs;     /* 0: not given */
    uint64_t jobs;         /* 0: not given */
    uint64_t region;       /* bytes; 0: not given */
    bool has_seed;
    bool has_plugin;         /* the adapter was one of the files */
    struct mill_list known;  /* folders of earlier hunts */
    struct mill_list except; /* laws */
    struct mill_list ignore; /* parts of reports */
    bool all;
    bool json;
    bool prometheus;
    bool help;
    const char **files;
    size_t n_files;
};

/* --- Options (options.c, complain.c, escape.c) --- */

enum mill_option {
    MILL_OPT_ADAPTER,
    MILL_OPT_AS,
    MILL_OPT_CLASSES,
    MILL_OPT_PAGE,
    MILL_OPT_OUT,
    MILL_OPT_NAME,
    MILL_OPT_SECONDS,
    MILL_OPT_ROUNDS,
    MILL_OPT_OPS,
    MILL_OPT_SEED,
    MILL_OPT_SAVE_SEEDS,
    MILL_OPT_RUNS,
    MILL_OPT_TIMEOUT,
    MILL_OPT_ALL,
    MILL_OPT_JSON,
    MILL_OPT_SVG,
    MILL_OPT_WATCH,
    MILL_OPT_LOCK,
    MILL_OPT_MINUTES,
    MILL_OPT_PROGRAMS,
    MILL_OPT_JOBS,
    MILL_OPT_KNOWN,
    MILL_OPT_EXCEPT,
    MILL_OPT_IGNORE,
    MILL_OPT_DIR,
    MILL_OPT_REGION,
    MILL_OPT_PROMETHEUS,
    MILL_OPTIONS
};
#define MILL_OPT(name) (1u << MILL_OPT_##name)

struct mill_command {
    const char *name;
    const char *arguments; /* after the options, in the usage line */
    const char *purpose;   /* one line */
    const char *help;      /* more lines */
    uint32_t takes;        /* MILL_OPT(...) of its options */
    uint32_t needs;        /* those that are required */
    size_t files_min;
    size_t files_max;
    int (*run)(const struct mill_options *options);
};

/* Reads the arguments after the command's name, argv[0], as getopt_long does: long options may be
 * abbreviated if that is unique, and `--` ends the options. options->files points into argv, which
 * is reordered. False: failed, with a message. */
bool mill_options_read(const struct mill_command *command, int argc, char **argv,
                       struct mill_options *options);
void mill_options_help(const struct mill_command *command);

/* An option's row of --help. value: NULL if it has none. */
struct mill_option_text {
    const char *name;
    const char *value;
    const char *help;
};
struct mill_option_text mill_option_text(enum mill_option option);

/* The commands, in the order of --help; NULL after the last (main.c). */
const struct mill_command *mill_command_at(size_t idx);

/* A manual page in roff, and a script for bash: the tables of --help (manual.c). */
void mill_man_print(void);
void mill_completion_print(void);

/* Prints "slabmill: ..." on standard error, escaped. Always returns MILL_WRONG. */
__attribute__((format(printf, 1, 2))) int mill_complain(const char *format, ...);
/* Prints a file's path and what errno says. Always returns false. */
bool mill_complain_file(const char *path);

#define MILL_ESCAPE_BYTES 4u /* that one byte of a text becomes at most */

/* UTF-8 of from_bytes at most. Each byte of a control character, and each that is no UTF-8, becomes
 * \xHH, and a backslash two: the text has no effect on a terminal, and no byte is lost. What does
 * not fit is cut, between characters. */
void mill_escape(char *to, size_t to_bytes, const char *from, size_t from_bytes);

/* Prints a text as JSON on standard output. */
void mill_json_text(const char *text);

/* --- What is not given (defaults.c) --- */

/* --seed, or a new one, which the command must print. */
uint64_t mill_seed_of(const struct mill_options *options);

/* Processor seconds for a run of the program: --timeout, or more if it is long. */
unsigned mill_limit_of(const struct mill_options *options, const struct hrn_program *program);

/* The name STEM SUFFIX, or with a number before the suffix, of no file that exists. False, with a
 * message: it is too long. */
bool mill_free_path(const char *stem, const char *suffix, char *path, size_t path_bytes);

/* --- Inputs (input.c) --- */

struct mill_input {
    const char *path;
    struct hrn_trace trace;
    bool from_bytes;
};

/*
 * Reads a trace, or a fuzz input as a program. Unless options->as decides, a file is a trace if its
 * name ends in .trace, or if it is not empty and its first 512 bytes have no control characters
 * except tabs and line ends. False: failed, with a message; nothing to release.
 */
bool mill_input_read(struct mill_input *input, const struct mill_options *options,
                     const char *path);
void mill_input_fini(struct mill_input *input);

/* The operations of the trace as they are counted for users: its lines. A refused allocation of a
 * recording is one, though the program has two operations for it. */
size_t mill_input_ops(const struct mill_input *input);

/* The adapter named by --adapter, or by the trace's word. NULL: unknown, with a message. */
const struct slm_adapter *mill_input_adapter(const struct mill_input *input,
                                             const struct mill_options *options);

/* The word for traces of programs that break under the adapter. */
enum hrn_trace_word mill_adapter_word(const struct slm_adapter *adapter);

/* --- Files to write (file.c) --- */

/* False, with a message: a file of this name could not be written. For commands that run for long
 * before they write it. */
bool mill_file_may_be(const char *path);

/* True, with a message: `out` leads to the file that is read, which would be lost. */
bool mill_file_is_input(const char *out, const char *input);

/* Writes a whole file. False: failed, with a message; a file of this name is as it was. */
bool mill_file_write(const char *path, const void *bytes, size_t n_bytes);

/* Writes the program as DIR/NAME in bytes. Operations that bytes cannot express exactly become the
 * nearest ones. False: failed, with a message. */
bool mill_seed_write(const char *dir, const char *name, const struct hrn_program *program);

/* Makes the folder if it does not exist. False: failed, with a message. */
bool mill_dir_make(const char *path);

/* --- Adapters (adapters.c, broken.c, plugin.c) --- */

/* One of this program, or broken on purpose; NULL: unknown. */
const struct slm_adapter *mill_adapter_find(const char *name);

/* One of these, or of a shared object: a name with a slash in it is its path, or path:name if it
 * has several adapters. NULL, with a message: unknown, or not sound. */
const struct slm_adapter *mill_adapter_need(const char *name);

/* The adapters of a shared object in the working folder or at a path, as hrn_plugin_open has them.
 * NULL, with a message. */
const struct slm_adapter **mill_plugin_open(const char *path);

/* True if mill_adapter_need takes the name for a path. */
bool mill_adapter_is_plugin(const char *name);

/* Takes a shared object out of the files, as options->adapter. takes_files: the command has files of
 * other kinds too, so that the content decides. False, with a message: there is an adapter already. */
bool mill_plugin_take(struct mill_options *options, bool takes_files);

/* Broken on purpose, and how: found by the name broken:<bug>, listed by `adapters --all`. NULL
 * after the last. */
const struct slm_adapter *mill_adapter_broken(size_t idx, const char **sentence);

/* For tests that emit-test wrote: runs a trace in this process. The result is "", or how it failed,
 * and is valid until the next call. */
const char *mill_replay_text(const char *adapter, const char *trace);

/* --- Runs in a child process (trial.c, child.c, report.c) --- */

enum mill_end {
    MILL_END_KEPT,
    MILL_END_LAW,
    MILL_END_CRASH,
    MILL_END_HANG,
    MILL_END_REPORT /* every law was kept, and a sanitizer that goes on reported an error */
};

#define MILL_REPORT_BYTES 240u
#define MILL_LOG_BYTES    16384u

struct mill_trial {
    enum mill_end end;
    struct hrn_result result; /* of KEPT, LAW and REPORT */
    int signal;               /* of CRASH; 0: it exited */
    size_t op_idx;            /* of CRASH and HANG: the operation; SIZE_MAX: unknown */
    /* Of CRASH and REPORT, one line with file and line: a sanitizer's, a failed assertion's, the
     * last words, or the place of the signal. Numbers that differ from run to run are left out. */
    char report[MILL_REPORT_BYTES];
    char log[MILL_LOG_BYTES]; /* all that was printed on standard error, as far as it fits */
};

/* Reports with one of these parts are not looked at. The list must stay. */
void mill_report_ignore(const struct mill_list *list);

/* Replaces each number of the text by N. */
void mill_report_level(char *text);

/* Prints trial->log, each line after `indent`. */
void mill_trial_print_log(const struct mill_trial *trial, const char *indent);

/* Runs the program in a child, without output, for at most timeout seconds. */
void mill_trial_run(struct mill_trial *trial, const struct slm_adapter *adapter,
                    const struct hrn_program *program, unsigned timeout_seconds);

/* The same, with a function instead of the run; it fills *result. */
typedef void (*mill_child_fn)(void *data, struct hrn_result *result);
void mill_trial_call(struct mill_trial *trial, mill_child_fn call, void *data,
                     unsigned timeout_seconds);

/* True if both ended in the same way: compares laws, and of crashes the reports, or the signals if
 * there is no report. */
bool mill_trial_same(const struct mill_trial *a, const struct mill_trial *b);

/* "kept", "law", "crash", "hang", "report". */
const char *mill_end_name(enum mill_end end);

/* "broke law overlap: live objects share no byte", "crashed: ...". */
void mill_trial_text(const struct mill_trial *trial, char *text, size_t text_bytes);
#define MILL_TRIAL_TEXT_BYTES 512u

/* Where a program of n_ops operations ended: "at operation 3", "at the end", or "" if that is
 * unknown. Operations have the numbers that explain shows. */
void mill_place_text(const struct mill_trial *trial, size_t n_ops, char *place);
#define MILL_PLACE_BYTES 40u

/* Finds out how the input fails. If it crashes, cuts the program after the operation that crashes;
 * *op_idx is that operation. */
void mill_trial_find(struct mill_trial *trial, const struct slm_adapter *adapter,
                     struct hrn_program *program, unsigned timeout_seconds, size_t *op_idx);

/* Makes the program as small as possible while it ends like `wanted`. False: the runs were used up
 * before the search ended. */
bool mill_trial_shrink(const struct mill_trial *wanted, const struct slm_adapter *adapter,
                       struct hrn_program *program, unsigned timeout_seconds, size_t runs_max,
                       size_t *n_runs);

/* --- Commands --- */

int mill_replay(const struct mill_options *options);
int mill_explain(const struct mill_options *options);
int mill_shrink(const struct mill_options *options);
int mill_report(const struct mill_options *options);
int mill_emit_test(const struct mill_options *options);
#define MILL_SOAK_OPS 1000000u /* of soak and check, unless options say how many */
int mill_soak(const struct mill_options *options);
int mill_check(const struct mill_options *options);
int mill_probe(const struct mill_options *options);
/* Prints the part of a page about promises. BROKEN: a program broke a law or crashed; WRONG: there
 * is no memory. */
enum mill_exit mill_probe_adapter(const struct mill_options *options,
                                  const struct slm_adapter *adapter);
/* mill_soak for an adapter that was found. */
int mill_soak_adapter(const struct mill_options *options, const struct slm_adapter *adapter);
int mill_adapters(const struct mill_options *options);
int mill_seeds(const struct mill_options *options);
int mill_inspect(const struct mill_options *options);
int mill_export(const struct mill_options *options);
int mill_unlock(const struct mill_options *options);
int mill_copy(const struct mill_options *options);
int mill_hunt(const struct mill_options *options);
int mill_record(const struct mill_options *options);
/* Of replay, with --region. */
int mill_measure(const struct mill_options *options);

/* The program of a round of a soak. It depends only on the seed, the round and what the adapter
 * supports. */
void mill_soak_program(const struct slm_adapter *adapter, uint64_t seed, uint64_t round,
                       struct hrn_program *program);

#ifdef __cplusplus
}
#endif
#endif
