/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that have a name or an id: listing and removing them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SHM_INFO, SHM_STAT */
#endif
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "allocator/base/cancel.h"
#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/name.h"
#include "allocator/segment/sys.h"
#include "allocator/segment/trust.h"

static enum slm_status remove_sysv(const struct slm_segment_options *options,
                                   struct slm_error *error)
{
    char label[SLM_SEGMENT_LABEL_BYTES];
    struct shmid_ds data;
    (void)snprintf(label, sizeof label, "sysv %d", options->id);
    enum slm_status status = slm_segment_check_sysv(&data, label, options, error);
    if (status == SLM_OK && slm_segment_sys.shmctl(options->id, IPC_RMID, NULL) != 0) {
        status = slm_segment_fail(error, label, "cannot remove");
    }
    return status;
}

enum slm_status slm_segment_check_own_name(const struct slm_segment *segment,
                                           struct slm_error *error)
{
    struct stat stat;
    if (slm_segment_sys.lstat(segment->label, &stat) != 0) {
        return slm_segment_fail(error, segment->label, "its name");
    }
    return slm_segment_is_file(segment, &stat)
               ? SLM_OK
               : slm_error_set(error, SLM_E_REPLACED, 0, "%s: the name belongs to another file now",
                               segment->label);
}

enum slm_status slm_segment_remove_own(const struct slm_segment *segment, struct slm_error *error)
{
    enum slm_status status = slm_segment_check_own_name(segment, error);
    if (status == SLM_E_REPLACED && error != NULL) {
        error->status = SLM_E_MISSING;
    }
    if (status == SLM_OK && slm_segment_sys.unlink(segment->label) != 0) {
        status = slm_segment_fail(error, segment->label, "cannot remove");
    }
    return status == SLM_E_REPLACED ? SLM_E_MISSING : status;
}

static enum slm_status remove_file(const struct slm_segment_options *options,
                                   struct slm_error *error)
{
    char path[PATH_MAX];
    struct stat stat;
    enum slm_status status = slm_segment_check_name(options, error);
    if (status != SLM_OK) {
        return status;
    }
    (void)slm_segment_path(path, sizeof path, options);
    if (slm_segment_sys.lstat(path, &stat) != 0) {
        return slm_segment_fail(error, path, "cannot look at it");
    }
    status = slm_segment_check_file(&stat, path, options, error);
    if (status == SLM_OK && slm_segment_sys.unlink(path) != 0) {
        status = slm_segment_fail(error, path, "cannot remove");
    }
    return status;
}

enum slm_status slm_segment_remove(const struct slm_segment_options *options,
                                   struct slm_error *error)
{
    (void)slm_error_clear(error);
    if (options == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no options");
    }
    switch (options->kind) {
    case SLM_SEGMENT_SYSV:
        return remove_sysv(options, error);
    case SLM_SEGMENT_POSIX:
    case SLM_SEGMENT_FILE:
        return remove_file(options, error);
    default:
        return slm_error_set(error, SLM_E_OPTION, 0, "a segment of kind %u has no name to remove",
                             (unsigned)options->kind);
    }
}

/* --- Listing --- */

struct visitor {
    bool (*visit)(void *data, const struct slm_segment_entry *entry);
    void *data;
};

/* False: the visitor returned false. path_of: the folder to put in front of names, or NULL. */
static bool visit_file(const struct visitor *visitor, const char *path_of, const char *name,
                       const struct stat *stat)
{
    char path[PATH_MAX + NAME_MAX + 2];
    if (path_of != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", path_of, name);
        name = path;
    }
    struct slm_segment_entry entry = {.name = name,
                                      .id = -1,
                                      .bytes = slm_segment_stat_bytes(stat),
                                      .owner = stat->st_uid,
                                      .mode = stat->st_mode & 07777};
    return visitor->visit(visitor->data, &entry);
}

/* Skips files that were deleted meanwhile, names that cannot be attached, and files that are still
 * being made. */
static bool is_listed(DIR *folder, const char *name, bool is_posix, struct stat *stat)
{
    if (slm_segment_is_temporary(name) ||
        (is_posix && !slm_segment_is_name(SLM_SEGMENT_POSIX, name))) {
        return false;
    }
    return slm_segment_sys.lstat_in(folder, name, stat) == 0 && S_ISREG(stat->st_mode);
}

/* 0, or the errno of the call that failed. */
static int list_opened(DIR *folder, const char *path_of, const struct visitor *visitor)
{
    for (;;) {
        struct stat stat;
        errno = 0;
        const struct dirent *found = slm_segment_sys.readdir(folder);
        if (found == NULL) {
            return errno;
        }
        if (is_listed(folder, found->d_name, path_of == NULL, &stat) &&
            !visit_file(visitor, path_of, found->d_name, &stat)) {
            return 0;
        }
    }
}

static enum slm_status list_folder(const char *path, const char *path_of,
                                   const struct visitor *visitor, struct slm_error *error)
{
    DIR *folder = slm_segment_sys.opendir(path);
    if (folder == NULL) {
        return slm_segment_fail(error, path, "cannot open the folder");
    }
    int failed = list_opened(folder, path_of, visitor);
    (void)slm_segment_sys.closedir(folder);
    errno = failed;
    return failed == 0 ? SLM_OK : slm_segment_fail(error, path, "cannot read the folder");
}

/* The system keeps them in a table; some entries are empty, or hidden from the caller. */
static enum slm_status list_sysv(const struct visitor *visitor, struct slm_error *error)
{
    struct shmid_ds data = {.shm_segsz = 0};
    /* The buffer of SHM_INFO is of another type, which is not larger; only the result is used. */
    int last = slm_segment_sys.shmctl(0, SHM_INFO, &data);
    if (last < 0) {
        return slm_segment_fail(error, "sysv", "cannot list");
    }
    for (int i = 0; i <= last; i++) {
        int id = slm_segment_sys.shmctl(i, SHM_STAT, &data);
        struct slm_segment_entry entry = {.name = NULL,
                                          .id = id,
                                          .bytes = data.shm_segsz,
                                          .owner = data.shm_perm.uid,
                                          .mode = (mode_t)data.shm_perm.mode & 0777};
        if (id >= 0 && !visitor->visit(visitor->data, &entry)) {
            break;
        }
    }
    return SLM_OK;
}

_Static_assert(sizeof(struct shm_info) <= sizeof(struct shmid_ds), "SHM_INFO fits in shmid_ds");

static enum slm_status list_files(const char *path, const struct visitor *visitor,
                                  struct slm_error *error)
{
    if (path == NULL || *path == '\0' || strlen(path) >= PATH_MAX) {
        return slm_error_set(
            error, SLM_E_NAME, 0,
            "the name of the folder to list is NULL, empty, or longer than %d bytes", PATH_MAX - 1);
    }
    return list_folder(path, path, visitor, error);
}

static enum slm_status list_kind(const struct slm_segment_options *options,
                                 const struct visitor *visitor, struct slm_error *error)
{
    switch (options->kind) {
    case SLM_SEGMENT_POSIX:
        return list_folder(SLM_SEGMENT_POSIX_FOLDER, NULL, visitor, error);
    case SLM_SEGMENT_FILE:
        return list_files(options->name, visitor, error);
    case SLM_SEGMENT_SYSV:
        return list_sysv(visitor, error);
    default:
        return slm_error_set(error, SLM_E_OPTION, 0, "segments of kind %u cannot be listed",
                             (unsigned)options->kind);
    }
}

/* A visitor prints, which is a cancellation point. Cancelled in it, the thread would keep the folder
 * open. */
enum slm_status slm_segment_list(const struct slm_segment_options *options,
                                 bool (*visit)(void *data, const struct slm_segment_entry *entry),
                                 void *data, struct slm_error *error)
{
    struct visitor visitor = {visit, data};
    (void)slm_error_clear(error);
    if (options == NULL || visit == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no options, or no visitor");
    }
    int cancel = slm_cancel_off();
    enum slm_status status = list_kind(options, &visitor, error);
    slm_cancel_restore(cancel);
    return status;
}
