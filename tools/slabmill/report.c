/* SPDX-License-Identifier: Apache-2.0 */
/* What a child that ended badly has printed: a sanitizer's report, a failed assertion, last words. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/slabmill/child.h"

static const struct mill_list *ignored;

void mill_report_ignore(const struct mill_list *list)
{
    ignored = list;
}

bool mill_report_is_ignored(const char *text)
{
    for (size_t i = 0; ignored != NULL && i < ignored->n; i++) {
        if (strstr(text, ignored->at[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* --- A report as one line --- */

/* Copies a word, without the folders of its path. */
static size_t copy_word(char *to, size_t room, const char *word, size_t n)
{
    const char *slash = memrchr(word, '/', n);
    if (slash != NULL && slash + 1 < word + n) {
        bool bracket = word[0] == '(';
        n -= (size_t)(slash + 1 - word);
        word = slash + 1;
        return (size_t)snprintf(to, room, "%s%.*s", bracket ? "(" : "", (int)n, word);
    }
    return (size_t)snprintf(to, room, "%.*s", (int)n, word);
}

/* Copies a line without folders, numbers of builds and the command's own name. */
static void copy_line(char *to, size_t to_bytes, const char *line)
{
    size_t used = 0;
    to[0] = '\0';
    line += strncmp(line, "slabmill: ", 10) == 0 ? 10 : 0;
    while (used + 1 < to_bytes && *line != '\0') {
        size_t n = strcspn(line, " \t\n");
        if (strncmp(line, "(BuildId:", 9) == 0) {
            n = strcspn(line, ")\n") + 1;
        } else if (n > 0) {
            used += used == 0 ? 0 : (size_t)snprintf(to + used, to_bytes - used, " ");
            used += used < to_bytes ? copy_word(to + used, to_bytes - used, line, n) : 0;
        }
        line += n;
        line += strspn(line, " \t\n");
    }
}

void mill_report_level(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0';) {
        bool starts =
            isdigit((unsigned char)*at) && (at == text || !isalnum((unsigned char)at[-1]));
        if (!starts) {
            *to++ = *at++;
            continue;
        }
        while (isalnum((unsigned char)*at)) {
            at++;
        }
        *to++ = 'N';
    }
    *to = '\0';
}

/* "f.c:3:1: runtime error: shift by 40": the place stays, the values do not. */
static void take_runtime_error(struct mill_trial *trial, const char *line)
{
    copy_line(trial->report, sizeof trial->report, line);
    char *values = strstr(trial->report, "runtime error: ");
    if (values != NULL) {
        mill_report_level(values);
    }
}

/* How a line counts; the greatest wins, and of equals the first. */
enum weight { WEIGHT_NONE, WEIGHT_LAST_WORDS, WEIGHT_ASSERTION, WEIGHT_SUMMARY, WEIGHT_RUNTIME };

static enum weight weigh(const char *line, bool died)
{
    if (strstr(line, "runtime error: ") != NULL) {
        return WEIGHT_RUNTIME;
    }
    if (strstr(line, "SUMMARY: ") != NULL) {
        return WEIGHT_SUMMARY;
    }
    if (died && strstr(line, "ssert") != NULL) {
        return WEIGHT_ASSERTION;
    }
    bool blank = line[strspn(line, " \t\n")] == '\0';
    return died && !blank ? WEIGHT_LAST_WORDS : WEIGHT_NONE;
}

static void take_line(struct mill_trial *trial, const char *line, enum weight weight)
{
    const char *summary = strstr(line, "SUMMARY: ");
    if (weight == WEIGHT_RUNTIME) {
        take_runtime_error(trial, line);
        return;
    }
    copy_line(trial->report, sizeof trial->report,
              weight == WEIGHT_SUMMARY ? summary + strlen("SUMMARY: ") : line);
    if (weight == WEIGHT_LAST_WORDS) {
        mill_report_level(trial->report);
    }
}

/* A sanitizer that goes on also prints a summary, of no more than its runtime error. */
static bool is_echo(const char *line)
{
    return strstr(line, "SUMMARY: UndefinedBehaviorSanitizer: undefined-behavior") != NULL;
}

/* Reads the line at *at, or as much of it as fits, and moves *at past it. Needs no further
 * descriptor and no memory: the allocator under test may have used all up. */
static bool read_line(int fd, off_t *at, char *line, size_t line_bytes)
{
    ssize_t n = pread(fd, line, line_bytes - 1, *at);
    if (n <= 0) {
        return false;
    }
    const char *end = memchr(line, '\n', (size_t)n);
    n = end == NULL ? n : end + 1 - line;
    line[n] = '\0';
    *at += n;
    return true;
}

bool mill_report_read(int fd, struct mill_trial *trial)
{
    char line[1024];
    off_t at = 0;
    enum weight best = WEIGHT_NONE;
    size_t n_log = 0;
    while (read_line(fd, &at, line, sizeof line)) {
        if (n_log + 1 < sizeof trial->log) {
            n_log += (size_t)snprintf(trial->log + n_log, sizeof trial->log - n_log, "%s", line);
        }
        enum weight weight = weigh(line, trial->end == MILL_END_CRASH);
        bool last = weight == WEIGHT_LAST_WORDS && best == weight;
        if (!last && (weight <= best || is_echo(line) || mill_report_is_ignored(line))) {
            continue;
        }
        best = weight;
        take_line(trial, line, weight);
    }
    return best != WEIGHT_NONE;
}

bool mill_report_is_due(void)
{
    static struct mill_trial trial; /* large */
    trial.end = MILL_END_KEPT;
    bool due = mill_report_read(STDERR_FILENO, &trial);
    return due || ftruncate(STDERR_FILENO, 0) != 0; /* each program has a report of its own */
}

/* --- The place of a signal --- */

#define PLACE_BYTES 160u

/* "in f, f.c:12" by addr2line. False: it is not installed, or does not know. */
static bool ask_addr2line(const char *module, uintptr_t offset, char *place)
{
    char command[1024];
    char function[128] = "";
    char file[512] = "";
    snprintf(command, sizeof command, "exec 2>/dev/null; addr2line -f -e '%s' 0x%zx", module,
             (size_t)offset);
    FILE *answer = strchr(module, '\'') != NULL ? NULL : popen(command, "r");
    if (answer == NULL) {
        return false;
    }
    bool read = fgets(function, sizeof function, answer) != NULL &&
                fgets(file, sizeof file, answer) != NULL;
    (void)pclose(answer);
    function[strcspn(function, "\n")] = '\0';
    file[strcspn(file, " \n")] = '\0';
    if (!read || strchr(file, '?') != NULL) {
        return false;
    }
    const char *slash = strrchr(file, '/');
    snprintf(place, PLACE_BYTES, "in %.80s, %.60s", function, slash != NULL ? slash + 1 : file);
    return true;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The C library calls nothing wrongly by itself: its caller is of interest. */
static bool is_system(const char *module)
{
    static const char *const starts[] = {"libc.", "libc-", "ld-", "ld.", "libpthread", "libgcc_s"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (strncmp(base_of(module), starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The first frame outside of the C library. Frames 0 and 1 are those of the handler. */
static bool find_frame(const struct mill_legacy *legacy, Dl_info *info, uintptr_t *pc)
{
    for (int i = 2; i < legacy->n_frames; i++) {
        *pc = (uintptr_t)legacy->frames[i] - (i > 2); /* before a return address */
        if (dladdr(legacy->frames[i], info) != 0 && info->dli_fname != NULL &&
            !is_system(info->dli_fname)) {
            return true;
        }
    }
    return false;
}

/* A crash repeats itself: the last place is remembered. */
static void describe_pc(const Dl_info *info, uintptr_t pc, char *place)
{
    static uintptr_t last_pc;
    static char last_place[PLACE_BYTES];
    if (pc != last_pc) {
        uintptr_t offset = pc - (uintptr_t)info->dli_fbase;
        const char *module =
            strcmp(base_of(info->dli_fname), "slabmill") == 0 ? "/proc/self/exe" : info->dli_fname;
        char path[512];
        ssize_t n =
            readlink(module, path, sizeof path - 1); /* of this process, not of the tool's */
        path[n > 0 ? n : 0] = '\0';
        last_pc = pc;
        if (!ask_addr2line(n > 0 ? path : module, offset, last_place)) {
            snprintf(last_place, sizeof last_place, "in %s+0x%zx", base_of(info->dli_fname),
                     (size_t)offset);
        }
    }
    memcpy(place, last_place, PLACE_BYTES);
}

static const char *describe_address(const struct mill_legacy *legacy)
{
    bool has_address = legacy->signal == SIGSEGV || legacy->signal == SIGBUS;
    return !has_address                  ? ""
           : legacy->fault < 65536       ? ", address near 0"
           : legacy->code == SEGV_ACCERR ? ", address in protected memory"
                                         : ", address not in memory";
}

void mill_report_place(struct mill_trial *trial, const struct mill_legacy *legacy)
{
    char place[PLACE_BYTES] = "";
    Dl_info info;
    uintptr_t pc;
    if (find_frame(legacy, &info, &pc)) {
        describe_pc(&info, pc, place);
    }
    snprintf(trial->report, sizeof trial->report, "signal %d (%s) %s%s", trial->signal,
             strsignal(trial->signal), place, describe_address(legacy));
}
