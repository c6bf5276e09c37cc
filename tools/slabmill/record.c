/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill record: runs a command with a library that writes its calls of malloc and free. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* readlink */
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

/* The library is in the folder of this program, or in ../lib/slabmill. False: in neither. */
static bool find_library(char *path)
{
    static const char *const places[] = {"", "../lib/slabmill/"};
    char self[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        return false;
    }
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, PATH_BYTES + 64, "%s%sslabmill_record.so", self, places[i]);
        if (access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
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

__attribute__((noreturn)) static void become(const struct mill_options *options,
                                             const char *library, const char *out, pid_t parent)
{
    char **arguments = (char **)(uintptr_t)options->files; /* NULL ends argv */
    mill_child_end_with(parent);
    if (set_environment(library, out)) {
        (void)execvp(arguments[0], arguments);
    }
    (void)mill_complain("%s: %s", arguments[0], strerror(errno));
    _exit(127);
}

/* The status of the command, as waitpid stores it; -1: there is no process. Ctrl-C is for the
 * command. */
static int run_command(const struct mill_options *options, const char *library, const char *out)
{
    pid_t parent = getpid();
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        become(options, library, out, parent);
    }
    void (*old)(int) = signal(SIGINT, SIG_IGN);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    (void)signal(SIGINT, old);
    return status;
}

/* The library makes the file longer ahead of its lines; the rest is zeros. */
static bool cut_zeros(const char *path)
{
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

static int print_recorded(const struct mill_options *options, const char *out, int status)
{
    struct mill_input input;
    if (!cut_zeros(out) || !mill_input_read(&input, options, out)) {
        return MILL_WRONG;
    }
    size_t n_ops = input.trace.program.n_ops;
    uint32_t n_ids = input.trace.program.n_ids;
    mill_input_fini(&input);
    if (n_ops == 0) {
        return mill_complain("%s: nothing was recorded: is it linked statically, or privileged?",
                             options->files[0]);
    }
    print_end(options, status);
    printf("%s: operations %zu, objects %u; next: slabmill replay --region 67108864 %s\n", out,
           n_ops, n_ids, out);
    return MILL_GOOD;
}

int mill_record(const struct mill_options *options)
{
    char library[PATH_BYTES + 64];
    char folder[PATH_BYTES] = "";
    char out[2 * PATH_BYTES];
    const char *slash = strrchr(options->files[0], '/');
    const char *name = slash != NULL ? slash + 1 : options->files[0];
    if (!find_library(library)) {
        return mill_complain("record: slabmill_record.so is not next to this program");
    }
    bool absolute = options->out != NULL && options->out[0] == '/';
    if (!absolute && getcwd(folder, sizeof folder) == NULL) {
        return mill_complain("record: %s", strerror(errno));
    }
    snprintf(out, sizeof out, "%s%s%s%s", folder, absolute ? "" : "/",
             options->out != NULL ? options->out : name, options->out != NULL ? "" : ".trace");
    if (!mill_file_write(out, "", 0)) {
        return MILL_WRONG;
    }
    int status = run_command(options, library, out);
    if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
        (void)unlink(out);
        return status == -1 ? mill_complain("fork: %s", strerror(errno)) : MILL_WRONG;
    }
    return print_recorded(options, out, status);
}
