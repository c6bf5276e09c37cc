/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a finding: its program, the same made small, and all that explains it. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* dup2 */
#endif

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/failure/shrink.h"
#include "tools/slabmill/hunt.h"

#define SLUG_MAX        60u
#define HANG_RUNS_MAX   20u
#define HANG_MS         300u /* limit of a run that is known to hang */
#define SMALLER_MS      2000u /* limit of a run that breaks in another way, and might hang made small */
#define SAFE_NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* --- Its name --- */

static void make_slug(const char *key, char *slug)
{
    size_t n = 0;
    for (; *key != '\0' && n < SLUG_MAX; key++) {
        char c = (char)tolower((unsigned char)*key);
        bool safe = strchr(SAFE_NAME_CHARS, c) != NULL;
        if (safe || (n > 0 && slug[n - 1] != '-')) {
            slug[n++] = safe ? c : '-';
        }
    }
    n -= n > 0 && slug[n - 1] == '-';
    slug[n] = '\0';
}

static bool is_taken(const struct mill_hunt *hunt, const char *folder)
{
    for (size_t i = 0; i < hunt->n_kinds; i++) {
        if (strcmp(hunt->kinds[i].folder, folder) == 0) {
            return true;
        }
    }
    return false;
}

/* Two reports may begin with the same words. */
static void name_folder(const struct mill_hunt *hunt, struct mill_kind *kind)
{
    char slug[SLUG_MAX + 1];
    char folder[MILL_PATH_BYTES];
    make_slug(kind->key, slug);
    snprintf(folder, sizeof folder, "%s/%s", hunt->out, slug);
    for (unsigned i = 2; is_taken(hunt, folder); i++) {
        snprintf(folder, sizeof folder, "%s/%s-%u", hunt->out, slug, i);
    }
    memcpy(kind->folder, folder, sizeof folder);
}

static void path_in(const struct mill_kind *kind, const char *name, char *path)
{
    snprintf(path, MILL_PATH_BYTES + 32, "%s/%s", kind->folder, name);
}

/* --- Made small --- */

struct same_kind {
    struct mill_hunt *hunt;
    struct mill_child child;
    struct mill_kind *kind;
    struct hrn_shrink shrink;
    unsigned limit_ms;
    const struct hrn_program *program; /* the candidate */
    struct mill_trial trial;           /* what it came to */
    bool ended;                        /* the hunt must end: no candidate runs any more */
};

static void run_candidate(void *data, struct hrn_result *result)
{
    const struct same_kind *same = data;
    (void)hrn_run_catch(same->hunt->adapter, same->program, result);
}

static bool breaks_same(void *data, const struct hrn_program *candidate)
{
    struct same_kind *same = data;
    char key[MILL_KEY_BYTES];
    int status;
    same->program = candidate;
    if (!same->ended) {
        mill_child_start(&same->child, run_candidate, same, same->limit_ms);
        same->ended = !mill_hunt_wait(same->hunt, &same->child, &status);
    }
    if (same->ended) {
        same->shrink.runs_max = 0;
        return false;
    }
    mill_child_judge(&same->child, status, &same->trial);
    if (same->trial.end == MILL_END_KEPT) {
        return false;
    }
    mill_kind_key(&same->trial, key);
    if (strcmp(key, same->kind->key) != 0) {
        return false;
    }
    *same->kind->trial = same->trial; /* of the smallest program so far */
    return true;
}

/* Cuts what no longer runs, if the operation is known at which it ended. */
static void cut(struct same_kind *same, struct hrn_program *program)
{
    const struct mill_trial *trial = same->kind->trial;
    size_t n_ops = program->n_ops;
    size_t op_idx = trial->end == MILL_END_LAW ? trial->result.op_idx : trial->op_idx;
    if (op_idx < n_ops) {
        program->n_ops = op_idx + 1;
        program->n_ops = breaks_same(same, program) ? program->n_ops : n_ops;
    }
}

/* Alone, then small. */
static void shrink(struct mill_hunt *hunt, struct mill_kind *kind, struct hrn_program *program)
{
    static struct same_kind same; /* large */
    const struct mill_options *options = hunt->options;
    bool hangs = kind->trial->end == MILL_END_HANG;
    same = (struct same_kind){.hunt = hunt,
                              .kind = kind,
                              .shrink = {.breaks = breaks_same,
                                         .data = &same,
                                         .runs_max = hangs ? HANG_RUNS_MAX : options->runs},
                              .limit_ms = hangs ? HANG_MS : 1000 * (unsigned)options->timeout};
    mill_child_init(&same.child);
    kind->n_ops = program->n_ops;
    kind->alone = breaks_same(&same, program) ? MILL_ALONE_FAILS
                  : same.ended                ? MILL_ALONE_UNKNOWN
                                              : MILL_ALONE_KEEPS;
    same.limit_ms = same.limit_ms < SMALLER_MS ? same.limit_ms : SMALLER_MS;
    if (kind->alone == MILL_ALONE_FAILS) {
        cut(&same, program);
        hrn_shrink_program(&same.shrink, program);
        kind->is_minimal = same.shrink.is_minimal;
        mill_trial_text(kind->trial, kind->text, sizeof kind->text);
    }
    kind->n_small_ops = program->n_ops;
    mill_child_fini(&same.child);
}

/* --- Written --- */

static bool write_trace(const struct mill_hunt *hunt, const struct mill_kind *kind,
                        const char *name, const struct hrn_program *program)
{
    char path[MILL_PATH_BYTES + 32];
    struct hrn_trace trace = {.program = *program, .word = mill_adapter_word(hunt->adapter)};
    size_t n_bytes;
    char *text = hrn_trace_print(&trace, &n_bytes);
    path_in(kind, name, path);
    bool written = mill_file_write(path, text, n_bytes);
    free(text);
    return written;
}

/* What a command of this program prints for the small trace. */
struct printed {
    int (*command)(const struct mill_options *options);
    const struct mill_options *options;
    const char *path;
};

static void print_in_child(void *data, struct hrn_result *result)
{
    const struct printed *printed = data;
    int fd = open(printed->path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    result->law = HRN_LAW_NONE;
    if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0) {
        (void)printed->command(printed->options);
        (void)fflush(stdout);
    }
}

/* Nothing if the hunt must end. */
static void write_printed(struct mill_hunt *hunt, const struct mill_kind *kind, const char *name,
                          int (*command)(const struct mill_options *options))
{
    char trace[MILL_PATH_BYTES + 32];
    char path[MILL_PATH_BYTES + 32];
    const char *files[] = {trace};
    struct mill_options options = *hunt->options;
    struct mill_child child;
    path_in(kind, "small.trace", trace);
    path_in(kind, name, path);
    options.files = files;
    options.n_files = 1;
    options.timeout = kind->trial->end == MILL_END_HANG ? 1 : options.timeout;
    struct printed printed = {command, &options, path};
    int status;
    if (mill_hunt_must_end(hunt)) {
        return;
    }
    mill_child_init(&child);
    mill_child_start(&child, print_in_child, &printed, 1000 * (unsigned)options.timeout);
    if (!mill_hunt_wait(hunt, &child, &status)) {
        (void)unlink(path); /* a part of it */
    }
    mill_child_fini(&child);
}

const char *mill_hunt_name(const struct mill_hunt *hunt)
{
    return mill_adapter_is_plugin(hunt->options->adapter) ? hunt->options->adapter
                                                          : hunt->adapter->name;
}

/* The trace that trial belongs to. */
static const char *trace_of(const struct mill_kind *kind)
{
    return kind->alone == MILL_ALONE_UNKNOWN ? "found.trace" : "small.trace";
}

static const char *state_of(const struct mill_kind *kind)
{
    switch (kind->alone) {
    case MILL_ALONE_UNKNOWN:
        return "It was not examined, since the hunt ended: whether it fails alone is unknown.\n";
    case MILL_ALONE_KEEPS:
        return "It does not fail when it runs alone: an earlier program left something. See "
               "fresh_process in slabmill/adapter.h.\n";
    default:
        return kind->is_minimal ? ""
                                : "small.trace may not be the smallest: the search was cut "
                                  "short.\n";
    }
}

static void write_place(FILE *file, const struct mill_kind *kind)
{
    char place[MILL_PLACE_BYTES];
    const struct mill_trial *trial = kind->trial;
    bool law = trial->end == MILL_END_LAW;
    size_t n_ops = kind->alone == MILL_ALONE_UNKNOWN ? kind->n_ops : kind->n_small_ops;
    mill_place_text(trial, n_ops, place);
    if (law || place[0] != '\0') {
        fprintf(file, "%s%s%s%s of %s\n", law ? "seen: " : "", law ? trial->result.text : "",
                law ? ", " : "", place, trace_of(kind));
    }
}

static bool write_report(const struct mill_hunt *hunt, const struct mill_kind *kind)
{
    char path[MILL_PATH_BYTES + 32];
    path_in(kind, "report.txt", path);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        (void)mill_complain("%s: cannot be written", path);
        return false;
    }
    fprintf(file, "kind: %s\n%s %s\n", kind->key, hunt->adapter->name, kind->text);
    write_place(file, kind);
    fprintf(file, "found by seed %" PRIu64 ", program %" PRIu64 "; operations: %zu in found.trace",
            hunt->seed, kind->program, kind->n_ops);
    if (kind->alone != MILL_ALONE_UNKNOWN) {
        fprintf(file, ", %zu in small.trace", kind->n_small_ops);
    }
    fprintf(file, "\n%srepeat: slabmill replay --adapter %s %s/%s\n", state_of(kind),
            mill_hunt_name(hunt), kind->folder, trace_of(kind));
    if (kind->trial->log[0] != '\0') {
        fprintf(file, "\n%s", kind->trial->log);
    }
    return fclose(file) == 0;
}

/* Of an earlier hunt: they would not belong to the report. */
static void remove_old(const struct mill_kind *kind)
{
    static const char *const names[] = {"small.trace", "explain.txt", "test.cc"};
    char path[MILL_PATH_BYTES + 32];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_in(kind, names[i], path);
        (void)unlink(path);
    }
}

bool mill_kind_write(struct mill_hunt *hunt, struct mill_kind *kind)
{
    struct hrn_program program;
    hrn_program_init(&program);
    mill_hunt_program(hunt, kind->program, &program);
    name_folder(hunt, kind);
    kind->is_written = true;
    bool good = mill_dir_make(hunt->out) && mill_dir_make(kind->folder) &&
                write_trace(hunt, kind, "found.trace", &program);
    if (good) {
        remove_old(kind);
        shrink(hunt, kind, &program);
        good = write_report(hunt, kind);
    }
    if (good && kind->alone != MILL_ALONE_UNKNOWN) {
        good = write_trace(hunt, kind, "small.trace", &program);
        write_printed(hunt, kind, "explain.txt", mill_explain);
    }
    if (good && kind->alone == MILL_ALONE_FAILS) {
        write_printed(hunt, kind, "test.cc", mill_emit_test);
    }
    hrn_program_fini(&program);
    return good;
}
