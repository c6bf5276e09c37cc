/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill record: runs a command with a library that writes its calls of malloc and free. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* readlink, pipe2 */
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/slabmill/child.h"
#include "tools/slabmill/record/record.h"

#define PATH_BYTES 4096u

/* The library of the program FOLDER/NAME is FOLDER/NAME_record.so, or slabmill_record.so in the
 * folder or in ../lib/slabmill. False, with a message: none is there. */
static bool find_library(char *path)
{
    static const char *const names[] = {"slabmill_record.so", "../lib/slabmill/slabmill_record.so"};
    char self[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    snprintf(path, PATH_BYTES + 64, "%s_record.so", self);
    bool found = access(path, R_OK) == 0;
    const char *slash = strrchr(self, '/');
    int n_folder = slash != NULL ? (int)(slash - self) + 1 : 0;
    for (size_t i = 0; !found && i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, PATH_BYTES + 64, "%.*s%s", n_folder, self, names[i]);
        found = access(path, R_OK) == 0;
    }
    if (!found) {
        (void)mill_complain("record: neither %s_record.so nor slabmill_record.so is there", self);
    }
    return found;
}

/* The library comes first, before what the user loads. */
static bool set_environment(const char *library, const char *out)
{
    const char *old = getenv("LD_PRELOAD");
    char list[3 * PATH_BYTES];
    char process[24];
    snprintf(list, sizeof list, "%s%s%s", library, old != NULL ? ":" : "", old != NULL ? old : "");
    snprintf(process, sizeof process, "%ld", (long)getpid());
    return setenv("LD_PRELOAD", list, 1) == 0 && setenv(MILL_RECORD_FILE, out, 1) == 0 &&
           setenv(MILL_RECORD_PROCESS, process, 1) == 0;
}

/* The command in its process; on failure, errno goes to the pipe, which an exec closes. */
__attribute__((noreturn)) static void become(const struct mill_options *options,
                                             const char *library, const char *out, pid_t parent,
                                             int failure)
{
    char **arguments = (char **)(uintptr_t)options->files; /* NULL ends argv */
    mill_child_end_with(parent);
    if (set_environment(library, out)) {
        (void)execvp(arguments[0], arguments);
    }
    int error = errno;
    (void)!write(failure, &error, sizeof error);
    _exit(MILL_WRONG);
}

static pid_t command;

/* What asks this program to end is for the command: its trace is then written as usual. */
static void forward(int number)
{
    (void)kill(command, number);
}

/* Holds such signals up until there is a command to forward them to. *before: the signals that were
 * blocked already. */
static void hold_signals(sigset_t *before)
{
    sigset_t held;
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGTERM);
    (void)sigaddset(&held, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &held, before);
}

/* Ctrl-C reaches the command without help. */
static void wait_for(int *status, const sigset_t *before)
{
    const struct sigaction forwarding = {.sa_handler = forward};
    (void)signal(SIGINT, SIG_IGN);
    (void)sigaction(SIGTERM, &forwarding, NULL);
    (void)sigaction(SIGHUP, &forwarding, NULL);
    (void)sigprocmask(SIG_SETMASK, before, NULL);
    while (waitpid(command, status, 0) < 0 && errno == EINTR) {
    }
}

/* The status of the command, as waitpid stores it. False, with a message: it did not run. */
static bool run_command(const struct mill_options *options, const char *library, const char *out,
                        int *status)
{
    pid_t parent = getpid();
    int failure[2];
    int error = 0;
    if (pipe2(failure, O_CLOEXEC) != 0) {
        (void)mill_complain("record: %s", strerror(errno));
        return false;
    }
    sigset_t before;
    hold_signals(&before);
    command = fork();
    if (command == 0) {
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        become(options, library, out, parent, failure[1]);
    }
    error = command < 0 ? errno : 0;
    (void)close(failure[1]);
    if (command > 0) {
        (void)!read(failure[0], &error, sizeof error);
        wait_for(status, &before);
    }
    (void)close(failure[0]);
    if (error != 0) {
        (void)mill_complain("%s: %s", options->files[0], strerror(error));
    }
    return error == 0;
}

/* The library makes the file longer ahead of its lines; the rest is zeros. *n_left: bytes of the
 * lines. */
static bool cut_zeros(const char *path, size_t *n_left)
{
    *n_left = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat stat;
    bool good = fd >= 0 && fstat(fd, &stat) == 0;
    if (good && stat.st_size > 0) {
        char *text = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
        good = text != MAP_FAILED;
        size_t n = good ? strnlen(text, (size_t)stat.st_size) : 0;
        while (n > 0 && text[n - 1] != '\n') {
            n--; /* a line that a kill cut short */
        }
        *n_left = n;
        good = good && munmap(text, (size_t)stat.st_size) == 0 && ftruncate(fd, (off_t)n) == 0;
    }
    if (!good) {
        (void)mill_complain("%s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

static void print_end(const struct mill_options *options, int status)
{
    if (WIFSIGNALED(status)) {
        printf("%s: ended by signal %d (%s)\n", options->files[0], WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        printf("%s: exit status %d\n", options->files[0], WEXITSTATUS(status));
    }
}

static int print_recorded(const struct mill_options *options, const char *part, const char *out,
                          int status)
{
    const struct mill_options as_trace = {.as = "trace"};
    struct mill_input input;
    size_t n_bytes;
    print_end(options, status);
    if (!cut_zeros(part, &n_bytes)) {
        return MILL_WRONG;
    }
    if (n_bytes == 0) {
        return mill_complain(
            "%s: nothing was recorded: it allocates nothing, is linked statically, or is "
            "privileged",
            options->files[0]);
    }
    if (!mill_input_read(&input, &as_trace, part)) {
        return MILL_WRONG;
    }
    size_t n_ops = mill_input_ops(&input);
    uint32_t n_ids = input.trace.program.n_ids;
    mill_input_fini(&input);
    if (rename(part, out) != 0) {
        return mill_complain("%s: %s", out, strerror(errno));
    }
    printf("%s: operations %zu, objects %u; next: slabmill replay --region 67108864 %s\n", out,
           n_ops, n_ids, out);
    return MILL_GOOD;
}

/* Whether the path is that of the program, or of a file that the command names: with a message. */
static bool is_of_command(const struct mill_options *options, const char *out)
{
    bool is_named = false;
    for (size_t i = 0; i < options->n_files && !is_named; i++) {
        is_named = mill_file_is_input(out, options->files[i]);
    }
    return is_named;
}

/* The absolute path of the trace. False, with a message: there is none, or it is no file. */
static bool name_trace(const struct mill_options *options, char *out, size_t out_bytes)
{
    char folder[PATH_BYTES] = "";
    char stem[2 * PATH_BYTES];
    struct stat status;
    const char *slash = strrchr(options->files[0], '/');
    const char *name = slash != NULL ? slash + 1 : options->files[0];
    bool absolute = options->out != NULL && options->out[0] == '/';
    if (!absolute && getcwd(folder, sizeof folder) == NULL) {
        (void)mill_complain("record: %s", strerror(errno));
        return false;
    }
    snprintf(stem, sizeof stem, "%s%s%s", folder, absolute ? "" : "/",
             options->out != NULL ? options->out : name);
    if (options->out == NULL) {
        return mill_free_path(stem, ".trace", out, out_bytes);
    }
    snprintf(out, out_bytes, "%s", stem);
    bool other = stat(out, &status) == 0 && !S_ISREG(status.st_mode);
    if (other) {
        (void)mill_complain("%s: not a regular file", options->out);
    }
    return !other && !is_of_command(options, out);
}

int mill_record(const struct mill_options *options)
{
    char library[PATH_BYTES + 64];
    char out[2 * PATH_BYTES + 64];
    char part[2 * PATH_BYTES + 128];
    int status = 0;
    if (!find_library(library) || !name_trace(options, out, sizeof out)) {
        return MILL_WRONG;
    }
    snprintf(part, sizeof part, "%s.%ld.part", out, (long)getpid());
    FILE *file = fopen(part, "wx");
    if (file == NULL || fclose(file) != 0) {
        return mill_complain("%s: %s", out, strerror(errno));
    }
    int code = run_command(options, library, part, &status)
                   ? print_recorded(options, part, out, status)
                   : MILL_WRONG;
    if (code != MILL_GOOD) {
        (void)unlink(part);
    }
    return code;
}
