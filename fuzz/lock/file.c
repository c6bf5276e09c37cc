/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a FILE lock: what a program and its user do to it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/lock/model.h"

#define KEPT_MAX 32u

static char folder[512];
static char path[600];
/* Descriptors of all files of a program: while they are open, no file gets another's number. */
static int kept[KEPT_MAX];
static unsigned n_kept;

static void remove_path(void)
{
    if (unlink(path) != 0) {
        (void)rmdir(path);
    }
}

static void remove_folder(void)
{
    remove_path();
    (void)rmdir(folder);
}

const char *hrn_lock_file_path(void)
{
    if (path[0] == '\0') {
        const char *top = getenv("TEST_TMPDIR");
        top = top != NULL ? top : getenv("TMPDIR");
        (void)snprintf(folder, sizeof folder, "%s/lock_fuzz_XXXXXX", top == NULL ? "/tmp" : top);
        if (mkdtemp(folder) == NULL) {
            hrn_lock_law_made("no folder %s", folder);
        }
        (void)snprintf(path, sizeof path, "%s/lock", folder);
        (void)atexit(remove_folder);
    }
    return path;
}

/* Looks at what is at the path now. */
static void find_file(enum fake_file file)
{
    struct stat found = {0};
    hrn_lock_model.file = file;
    if (file != FILE_NONE && lstat(path, &found) != 0) {
        hrn_lock_law_made("%s is missing", path);
    }
    hrn_lock_model.inode = found.st_ino;
    if (file != FILE_NONE) { /* all of them are of one device */
        hrn_lock_model.device = found.st_dev;
    }
    if (file != FILE_NONE && n_kept < KEPT_MAX) {
        kept[n_kept++] = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
}

static void make_file(enum fake_file file)
{
    int fd;
    remove_path();
    switch (file) {
    case FILE_NONE:
        break;
    case FILE_LINK:
        (void)symlink("elsewhere", path);
        break;
    case FILE_PIPE:
        (void)mkfifo(path, 0600);
        break;
    case FILE_FOLDER:
        (void)mkdir(path, 0700);
        break;
    default:
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        (void)fchmod(fd, file == FILE_RIGHTS ? 0640 : 0600);
        (void)close(fd);
        break;
    }
    find_file(file);
}

void hrn_lock_begin_file(void)
{
    (void)hrn_lock_file_path();
    for (; n_kept > 0; n_kept--) {
        (void)close(kept[n_kept - 1]);
    }
    make_file(FILE_NONE);
}

/* A program closes a descriptor that is not its own: the system frees the lock. */
static void lose_descriptor(unsigned actor)
{
    struct handle *handle = &hrn_lock_model.handles[actor];
    if (handle->lock != NULL && handle->is_open) {
        (void)close(handle->lock->file->fd);
        handle->is_open = false;
    }
}

void hrn_lock_change_file(const struct op *op)
{
    static const enum fake_file files[] = {FILE_NONE, FILE_GOOD, FILE_RIGHTS,
                                           FILE_LINK, FILE_PIPE, FILE_FOLDER};
    unsigned what = op->extra % 8;
    if (what < 6 && n_kept < KEPT_MAX) {
        make_file(files[what]);
    } else if (what == 6 && hrn_lock_model.file <= FILE_RIGHTS && n_kept < KEPT_MAX &&
               hrn_lock_model.file != FILE_NONE) {
        bool is_private = (op->value & 1) != 0;
        (void)chmod(path, is_private ? 0600 : 0604);
        hrn_lock_model.file = is_private ? FILE_GOOD : FILE_RIGHTS;
    } else if (what == 7) {
        lose_descriptor(op->actor);
    }
}

static bool agree_on(slm_word *shared, uint64_t number)
{
    uint64_t mixed = number ^ hrn_lock_model.want.boot;
    if (*shared == 0) {
        *shared = mixed;
    }
    return *shared == mixed;
}

bool hrn_lock_agree_on_file(const struct handle *handle)
{
    struct slm_lock_state *want = &hrn_lock_model.want;
    return agree_on(&want->file_inode, handle->inode) &&
           agree_on(&want->file_device, hrn_lock_model.device);
}

void hrn_lock_settle_file(void)
{
    struct handle *creator = hrn_lock_model.creator;
    struct stat found = {0};
    if (creator == NULL) {
        return;
    }
    hrn_lock_model.creator = NULL;
    if (lstat(path, &found) != 0 || !S_ISREG(found.st_mode) || (found.st_mode & 0777) != 0600) {
        hrn_lock_law_origin("a lock file that is made has mode %o", (unsigned)found.st_mode);
    }
    find_file(FILE_GOOD);
    creator->inode = hrn_lock_model.inode;
    (void)hrn_lock_agree_on_file(creator);
}

static int errno_to_open(bool is_first)
{
    switch (hrn_lock_model.file) {
    case FILE_NONE:
        return is_first ? 0 : ESTALE;
    case FILE_GOOD:
        return 0;
    case FILE_LINK:
        return ELOOP;
    case FILE_FOLDER:
        return EISDIR;
    default:
        return EPERM;
    }
}

int hrn_lock_predict_open(struct handle *handle)
{
    bool is_first = hrn_lock_model.want.file_inode == 0;
    int os_errno = errno_to_open(is_first);
    if (os_errno != 0) {
        return os_errno;
    }
    if (hrn_lock_model.file == FILE_NONE) {
        hrn_lock_model.creator = handle;
        handle->is_open = true;
        return 0;
    }
    handle->inode = hrn_lock_model.inode;
    handle->is_open = hrn_lock_agree_on_file(handle);
    return handle->is_open ? 0 : ESTALE;
}
