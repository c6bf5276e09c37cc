/* SPDX-License-Identifier: Apache-2.0 */
/* Where libFuzzer has no corpus, it starts from generated inputs instead of an empty one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include "fuzz/common/start.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/inputs/generate.h"
#include "harness/inputs/mutate.h"

#define N_INPUTS   48u
#define MAX_BYTES  4096u /* libFuzzer's own limit without a corpus */
#define PATH_BYTES 32u   /* of "/proc/self/fd/N," */

static int inputs[N_INPUTS];
static size_t n_inputs;

/* Other engines may call LLVMFuzzerInitialize too, and take its new argument for a file. */
__attribute__((weak)) int __afl_persistent_loop(unsigned n);
__attribute__((weak)) void HF_ITER(const uint8_t **bytes, size_t *n_bytes);

static bool is_libfuzzer(void)
{
    return LLVMFuzzerMutate != NULL && __afl_persistent_loop == NULL && HF_ITER == NULL;
}

/* --- Whether there is something to start from --- */

static bool is_flag(const char *arg, const char *name)
{
    size_t n = strlen(name);
    return arg[0] == '-' && strncmp(arg + 1, name, n) == 0 && arg[n + 1] == '=';
}

/* These start from other inputs, or pass arguments on to processes of their own. */
static bool has_own_start(const char *arg)
{
    static const char *const names[] = {"seed_inputs", "merge",          "set_cover_merge", "fork",
                                        "jobs",        "minimize_crash", "cleanse_crash",   "help"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is_flag(arg, names[i])) {
            return true;
        }
    }
    return false;
}

/* OSS-Fuzz starts each target with -runs=4, and expects exactly 4. */
static bool has_few_runs(const char *arg)
{
    long n = is_flag(arg, "runs") ? strtol(arg + strlen("-runs="), NULL, 10) : 0;
    return n > 0 && n <= (long)N_INPUTS;
}

static bool has_files(const char *path)
{
    DIR *dir = opendir(path);
    bool found = dir == NULL; /* a file, or nothing that this could judge */
    const struct dirent *entry;
    while (!found && (entry = readdir(dir)) != NULL) {
        found = entry->d_name[0] != '.';
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return found;
}

static bool has_inputs(int argc, char **argv)
{
    uint64_t seed;
    bool found = hrn_generate_is_on(&seed);
    for (int i = 1; i < argc && !found; i++) {
        const char *arg = argv[i];
        found = arg[0] == '-' ? has_own_start(arg) || has_few_runs(arg) : has_files(arg);
    }
    return found;
}

static size_t max_bytes_of(int argc, char **argv)
{
    size_t max_bytes = MAX_BYTES;
    for (int i = 1; i < argc; i++) {
        if (is_flag(argv[i], "max_len")) {
            size_t asked = strtoul(argv[i] + strlen("-max_len="), NULL, 10);
            max_bytes = asked > 0 && asked < MAX_BYTES ? asked : max_bytes;
        }
    }
    return max_bytes;
}

/* --- Inputs in memory, which libFuzzer reads as files --- */

/* Input `number` of seed 1, as an open file; -1: failed, or empty, which libFuzzer leaves out. */
static int make_input(uint64_t number, size_t max_bytes)
{
    uint8_t bytes[MAX_BYTES];
    size_t n = hrn_generate(hrn_shape_now(), 1, number, bytes, max_bytes);
    int fd = n == 0 ? -1 : memfd_create("input", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, bytes, n) != (ssize_t)n) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

void hrn_fuzz_started(void)
{
    while (n_inputs > 0) {
        (void)close(inputs[--n_inputs]);
    }
}

/* "-seed_inputs=..." with the files that could be made. */
static char *make_argument(size_t max_bytes)
{
    static char text[sizeof "-seed_inputs=" + N_INPUTS * PATH_BYTES];
    size_t n = (size_t)snprintf(text, sizeof text, "-seed_inputs=");
    for (uint64_t number = 0; n_inputs < N_INPUTS && number < 4 * N_INPUTS; number++) {
        int fd = make_input(number, max_bytes);
        if (fd >= 0) {
            n += (size_t)snprintf(text + n, sizeof text - n, "%s/proc/self/fd/%d",
                                  n_inputs == 0 ? "" : ",", fd);
            inputs[n_inputs++] = fd;
        }
    }
    return n_inputs == 0 ? NULL : text;
}

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char **extended;
    if (!is_libfuzzer() || has_inputs(*argc, *argv)) {
        return 0;
    }
    char *argument = make_argument(max_bytes_of(*argc, *argv));
    extended = argument == NULL ? NULL : calloc((size_t)*argc + 2, sizeof *extended);
    if (extended == NULL) {
        fputs("slabmill: no inputs could be made to start from\n", stderr);
        return 0;
    }
    memcpy(extended, *argv, (size_t)*argc * sizeof *extended);
    extended[(*argc)++] = argument;
    *argv = extended;
    return 0;
}

uint64_t hrn_fuzz_n_starts(void)
{
    return n_inputs;
}
