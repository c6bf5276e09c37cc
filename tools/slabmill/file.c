/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the slabmill command writes. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* lstat */
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/slabmill/slabmill.h"

#define PATH_BUF_BYTES 4096u

bool mill_file_may_be(const char *path)
{
    char folder[PATH_BUF_BYTES];
    struct stat status;
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 0 : (int)(slash - path) + 1, path);
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return mill_complain_file(path);
    }
    return access(slash == NULL ? "." : folder, W_OK | X_OK) == 0 || mill_complain_file(path);
}

bool mill_file_is_input(const char *out, const char *input)
{
    struct stat one;
    struct stat other;
    bool is_input = stat(out, &one) == 0 && stat(input, &other) == 0 &&
                    one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    if (is_input) {
        (void)mill_complain("%s: it is the file to read, %s, and would be lost", out, input);
    }
    return is_input;
}

static bool write_to(FILE *file, const void *bytes, size_t n_bytes)
{
    bool written = fwrite(bytes, 1, n_bytes, file) == n_bytes;
    return fclose(file) == 0 && written;
}

/* A full disk must not cost what the file holds: the bytes go to a file next to it first. */
bool mill_file_write(const char *path, const void *bytes, size_t n_bytes)
{
    char part[PATH_BUF_BYTES];
    struct stat status;
    bool replaces = lstat(path, &status) != 0 || S_ISREG(status.st_mode); /* no pipe, no link */
    int n = snprintf(part, sizeof part, "%s.%ld.part", path, (long)getpid());
    FILE *file = replaces && (size_t)n < sizeof part ? fopen(part, "wbx") : NULL;
    if (file == NULL) {
        file = fopen(path, "wb");
        return file != NULL && write_to(file, bytes, n_bytes) ? true : mill_complain_file(path);
    }
    if (write_to(file, bytes, n_bytes) && rename(part, path) == 0) {
        return true;
    }
    bool complained = mill_complain_file(path);
    (void)unlink(part);
    return complained;
}

bool mill_seed_write(const char *dir, const char *name, const struct hrn_program *program)
{
    char path[PATH_BUF_BYTES];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
        errno = ENAMETOOLONG;
        return mill_complain_file(dir);
    }
    size_t n_bytes = hrn_program_encoded_bytes(program);
    uint8_t *bytes = malloc(n_bytes);
    if (bytes == NULL) {
        return mill_complain_file(path);
    }
    (void)hrn_program_encode(program, bytes);
    bool good = mill_file_write(path, bytes, n_bytes);
    free(bytes);
    return good;
}

bool mill_dir_make(const char *path)
{
    struct stat status;
    if (mkdir(path, 0777) == 0) {
        return true;
    }
    bool exists = errno == EEXIST && stat(path, &status) == 0;
    if (exists && !S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
    }
    return (exists && S_ISDIR(status.st_mode)) || mill_complain_file(path);
}
