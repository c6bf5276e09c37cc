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
    const char *key;
    unsigned limit_ms;
    const struct hrn_program *program; /* the candidate */
    struct mill_trial trial;           /* what it came to */
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
    if (mill_hunt_is_stopped(same->hunt)) {
        return false;
    }
    same->program = candidate;
    mill_child_start(&same->child, run_candidate, same, same->limit_ms);
    mill_child_judge(&same->child, mill_child_wait(&same->child), &same->trial);
    if (same->trial.end == MILL_END_KEPT) {
        return false;
    }
    mill_kind_key(&same->trial, key);
    return strcmp(key, same->key) == 0;
}

/* Cuts what no longer runs, if the operation is known at which it ended. */
static void cut(struct same_kind *same, struct hrn_program *program)
{
    size_t n_ops = program->n_ops;
    size_t op_idx =
        same->trial.end == MILL_END_LAW ? same->trial.result.op_idx : same->trial.op_idx;
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
    struct hrn_shrink shrink = {
        .breaks = breaks_same, .data = &same, .runs_max = hangs ? HANG_RUNS_MAX : options->runs};
    same = (struct same_kind){.hunt = hunt,
                              .key = kind->key,
                              .limit_ms = hangs ? HANG_MS : 1000 * (unsigned)options->timeout};
    mill_child_init(&same.child);
    kind->n_ops = program->n_ops;
    kind->reproduces = breaks_same(&same, program);
    same.limit_ms = same.limit_ms < SMALLER_MS ? same.limit_ms : SMALLER_MS;
    if (kind->reproduces) {
        cut(&same, program);
        hrn_shrink_program(&shrink, program);
        if (breaks_same(&same, program)) {
            *kind->trial = same.trial;
            mill_trial_text(kind->trial, kind->text, sizeof kind->text);
        }
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

static void write_printed(const struct mill_hunt *hunt, const struct mill_kind *kind,
                          const char *name, int (*command)(const struct mill_options *options))
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
    mill_child_init(&child);
    mill_child_start(&child, print_in_child, &printed, 1000 * (unsigned)options.timeout);
    (void)mill_child_wait(&child);
    mill_child_fini(&child);
}

const char *mill_hunt_name(const struct mill_hunt *hunt)
{
    return mill_adapter_is_plugin(hunt->options->adapter) ? hunt->options->adapter
                                                          : hunt->adapter->name;
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
    if (kind->trial->end == MILL_END_LAW) {
        fprintf(file, "seen: %s, at operation %zu of small.trace\n", kind->trial->result.text,
                kind->trial->result.op_idx);
    }
    fprintf(file,
            "found by seed %" PRIu64 ", program %" PRIu64 ", with %zu operations; small.trace has "
            "%zu\n%s",
            hunt->seed, kind->program, kind->n_ops, kind->n_small_ops,
            kind->reproduces ? ""
                             : "It does not fail when it runs alone: an earlier program left "
                               "something. See fresh_process in slabmill/adapter.h.\n");
    fprintf(file, "repeat: slabmill replay --adapter %s %s/small.trace\n", mill_hunt_name(hunt),
            kind->folder);
    if (kind->trial->log[0] != '\0') {
        fprintf(file, "\n%s", kind->trial->log);
    }
    return fclose(file) == 0;
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
        shrink(hunt, kind, &program);
        good = write_trace(hunt, kind, "small.trace", &program) && write_report(hunt, kind);
        write_printed(hunt, kind, "explain.txt", mill_explain);
        if (kind->reproduces) {
            write_printed(hunt, kind, "test.cc", mill_emit_test);
        }
    }
    hrn_program_fini(&program);
    return good;
}
