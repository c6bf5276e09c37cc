/* SPDX-License-Identifier: Apache-2.0 */
/* The folder for the files of a fuzz target. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* flock, mkdtemp */
#endif
#include "fuzz/common/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/laws/scene.h"

/* The process that made the folder keeps it locked (flock), so a later process can tell a folder
 * that was left over after a crash or a kill. */
#define FOLDER_PREFIX "slabmill-fuzz-"

static char folder[HRN_FUZZ_FOLDER_BYTES];
static pid_t maker; /* of the folder; 0: there is none yet */
static void (*dying_before)(void);

/* --- Removing --- */

/* False: the path is too long. */
static bool write_path(char path[HRN_FUZZ_FOLDER_BYTES], const char *parent, const char *name)
{
    int n = snprintf(path, HRN_FUZZ_FOLDER_BYTES, "%s/%s", parent, name);
    return n >= 0 && n < HRN_FUZZ_FOLDER_BYTES;
}

static void visit(const char *parent, const char *prefix, void (*with)(const char *path))
{
    DIR *entries = opendir(parent);
    const struct dirent *entry;
    char path[HRN_FUZZ_FOLDER_BYTES];
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            write_path(path, parent, entry->d_name)) {
            with(path);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
}

static void remove_file(const char *path)
{
    (void)unlink(path); /* fails for . and .. */
}

static void remove_with_files(const char *path)
{
    visit(path, "", remove_file);
    (void)rmdir(path);
}

static void remove_folder(void)
{
    if (maker == getpid()) {
        remove_with_files(folder);
    }
}

static void clean_up_when_dying(void)
{
    remove_folder();
    if (dying_before != NULL) {
        dying_before();
    }
}

static bool lock_folder(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0;
}

static void remove_if_left_over(const char *path)
{
    int fd;
    if (lock_folder(path, &fd)) {
        remove_with_files(path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* --- Making --- */

/* Another process may remove the folder as left over before it is locked: then it is made again. */
static bool try_folder(const char *parent)
{
    struct stat about;
    int fd = -1;
    do {
        if (parent == NULL || !write_path(folder, parent, FOLDER_PREFIX "XXXXXX") ||
            mkdtemp(folder) == NULL) {
            return false;
        }
    } while (!lock_folder(folder, &fd) || stat(folder, &about) != 0);
    visit(parent, FOLDER_PREFIX, remove_if_left_over);
    return true;
}

const char *hrn_fuzz_folder(void)
{
    if (maker == getpid()) {
        return folder;
    }
    if (!try_folder(getenv("TEST_TMPDIR")) && !try_folder("/dev/shm") &&
        !try_folder(getenv("TMPDIR")) && !try_folder("/tmp")) {
        return NULL;
    }
    if (maker == 0) {
        dying_before = hrn_scene.dying;
        hrn_scene.dying = clean_up_when_dying;
        (void)atexit(remove_folder);
    }
    maker = getpid();
    return folder;
}
