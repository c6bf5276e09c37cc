/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of findings: one for each law and for each report. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "tools/slabmill/hunt.h"

void mill_kind_key(const struct mill_trial *trial, char *key)
{
    if (trial->end == MILL_END_HANG) {
        snprintf(key, MILL_KEY_BYTES, "hang");
    } else if (trial->end != MILL_END_LAW) {
        snprintf(key, MILL_KEY_BYTES, "%s",
                 trial->report[0] != '\0' ? trial->report : "exit without a report");
    } else if (trial->result.law == HRN_LAW_self_check) {
        /* The author's own check names what is broken. */
        snprintf(key, MILL_KEY_BYTES, "self_check: %.*s", (int)(MILL_KEY_BYTES - 16),
                 trial->result.text);
        mill_report_level(key);
    } else {
        snprintf(key, MILL_KEY_BYTES, "%s", hrn_law_name(trial->result.law));
    }
}

/* --- What is set aside --- */

static void add_known(struct mill_hunt *hunt, const char *dir, const char *name)
{
    char path[MILL_PATH_BYTES];
    char line[MILL_KEY_BYTES + 16];
    const char start[] = "kind: ";
    snprintf(path, sizeof path, "%s/%s/report.txt", dir, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return; /* not the folder of a finding */
    }
    if (fgets(line, sizeof line, file) != NULL && strncmp(line, start, strlen(start)) == 0) {
        hunt->known =
            hrn_array_grow(hunt->known, &hunt->cap_known, hunt->n_known + 1, sizeof *hunt->known);
        line[strcspn(line, "\n")] = '\0';
        snprintf(hunt->known[hunt->n_known++], MILL_KEY_BYTES, "%.*s", (int)MILL_KEY_BYTES - 1,
                 line + strlen(start));
    }
    (void)fclose(file);
}

static bool read_known(struct mill_hunt *hunt, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    if (dir == NULL) {
        (void)mill_complain("--known %s: %s", path, strerror(errno));
        return false;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            add_known(hunt, path, entry->d_name);
        }
    }
    (void)closedir(dir);
    return true;
}

static bool is_law(const char *name)
{
    enum hrn_law law = HRN_LAW_NONE + 1;
    while (law < HRN_LAW_COUNT && strcmp(hrn_law_name(law), name) != 0) {
        law++;
    }
    return law < HRN_LAW_COUNT;
}

bool mill_kinds_init(struct mill_hunt *hunt)
{
    const struct mill_options *options = hunt->options;
    for (size_t i = 0; i < options->except.n; i++) {
        if (!is_law(options->except.at[i])) {
            (void)mill_complain("--except %s: no law has this name (harness/laws/laws.h)",
                                options->except.at[i]);
            return false;
        }
    }
    for (size_t i = 0; i < options->known.n; i++) {
        if (!read_known(hunt, options->known.at[i])) {
            return false;
        }
    }
    return true;
}

void mill_kinds_fini(struct mill_hunt *hunt)
{
    for (size_t i = 0; i < hunt->n_kinds; i++) {
        free(hunt->kinds[i].trial);
    }
    free(hunt->kinds);
    free(hunt->known);
}

/* Why a finding does not count; NULL: it does. */
static const char *why_aside(const struct mill_hunt *hunt, const char *key,
                             const struct mill_trial *trial)
{
    const struct mill_list *except = &hunt->options->except;
    for (size_t i = 0; trial->end == MILL_END_LAW && i < except->n; i++) {
        if (strcmp(hrn_law_name(trial->result.law), except->at[i]) == 0) {
            return "except";
        }
    }
    for (size_t i = 0; i < hunt->n_known; i++) {
        if (strcmp(hunt->known[i], key) == 0) {
            return "known";
        }
    }
    return trial->end == MILL_END_CRASH && mill_report_is_ignored(key) ? "ignored" : NULL;
}

/* --- The list --- */

static struct mill_kind *find_kind(struct mill_hunt *hunt, const char *key)
{
    for (size_t i = 0; i < hunt->n_kinds; i++) {
        if (strcmp(hunt->kinds[i].key, key) == 0) {
            return &hunt->kinds[i];
        }
    }
    return NULL;
}

static struct mill_kind *add_kind(struct mill_hunt *hunt, const char *key)
{
    hunt->kinds =
        hrn_array_grow(hunt->kinds, &hunt->cap_kinds, hunt->n_kinds + 1, sizeof *hunt->kinds);
    struct mill_kind *kind = &hunt->kinds[hunt->n_kinds++];
    memset(kind, 0, sizeof *kind);
    memcpy(kind->key, key, MILL_KEY_BYTES);
    kind->program = UINT64_MAX;
    size_t cap = 0;
    kind->trial = hrn_array_grow(NULL, &cap, 1, sizeof *kind->trial);
    return kind;
}

void mill_kinds_add(struct mill_hunt *hunt, uint64_t n, const struct mill_trial *trial)
{
    char key[MILL_KEY_BYTES] = "";
    mill_kind_key(trial, key);
    struct mill_kind *kind = find_kind(hunt, key);
    kind = kind != NULL ? kind : add_kind(hunt, key);
    kind->n_times++;
    if (n < kind->program) {
        kind->program = n;
        *kind->trial = *trial;
        kind->why = why_aside(hunt, key, trial);
        mill_trial_text(trial, kind->text, sizeof kind->text);
    }
}

static int by_program(const void *a, const void *b)
{
    const struct mill_kind *x = a;
    const struct mill_kind *y = b;
    return (x->program > y->program) - (x->program < y->program);
}

void mill_kinds_sort(struct mill_hunt *hunt)
{
    if (hunt->n_kinds > 0) {
        qsort(hunt->kinds, hunt->n_kinds, sizeof *hunt->kinds, by_program);
    }
}

size_t mill_kinds_count(const struct mill_hunt *hunt)
{
    size_t n = 0;
    for (size_t i = 0; i < hunt->n_kinds; i++) {
        n += hunt->kinds[i].why == NULL;
    }
    return n;
}
