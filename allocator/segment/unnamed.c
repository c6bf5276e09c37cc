/* SPDX-License-Identifier: Apache-2.0 */
/* Files that have no name yet: opened, named, removed after a maker that died. Second names. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "allocator/base/hash.h"
#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/name.h"
#include "allocator/segment/sys.h"

/*
 * A file gets its name when it is complete, so a maker that dies leaves no half-made one. O_TMPFILE
 * makes a file without any name, which the system removes with its maker; a link through /proc
 * names it.
 *
 * Where the system has no O_TMPFILE or no /proc, the file has a temporary name meanwhile, and its
 * maker a lock on it. The next maker of the same name removes the files of makers that died: those
 * that it can lock. A new maker's file can be locked by another one before its maker locks it; then
 * the maker takes another name.
 *
 * A file that is to replace another one always has a temporary name: only a rename replaces a file
 * in one step.
 */
#define OPEN_FLAGS (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
#define TRIES      100u
#define LINK_BYTES 32u

static void write_link(char link[LINK_BYTES], int fd)
{
    (void)snprintf(link, LINK_BYTES, "/proc/self/fd/%d", fd);
}

/* Bytes of a path up to its last slash, which is one of them. */
static size_t folder_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

static void write_folder(char *folder, const char *path)
{
    size_t n = folder_bytes(path);
    memcpy(folder, path, n);
    memcpy(folder + n, ".", sizeof ".");
}

/* --- Without any name --- */

static bool lacks_tmpfile(int os_errno)
{
    return os_errno == EOPNOTSUPP || os_errno == EISDIR || os_errno == EINVAL;
}

/* Whether /proc leads to the open file, so that it can get a name later. */
static bool can_be_linked(const struct slm_segment *segment)
{
    char link[LINK_BYTES];
    struct stat stat;
    write_link(link, segment->fd);
    return slm_segment_sys.stat(link, &stat) == 0 && slm_segment_is_file(segment, &stat);
}

/* SLM_UNCHANGED: a temporary name is needed. */
static enum slm_status open_nameless(struct slm_segment *segment, struct slm_error *error)
{
    write_folder(segment->temporary, segment->label);
    int fd = slm_segment_sys.open(segment->temporary, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    segment->temporary[0] = '\0';
    if (fd < 0 && lacks_tmpfile(errno)) {
        return SLM_UNCHANGED;
    }
    if (slm_segment_keep(segment, fd) != 0) {
        return slm_segment_fail(error, segment->label, "cannot create");
    }
    if (can_be_linked(segment)) {
        return SLM_OK;
    }
    slm_segment_close(segment);
    return SLM_UNCHANGED;
}

/* --- With a temporary name --- */

/* All temporary names for one path begin alike. Returns the length. */
static size_t write_stem(char *stem, const char *path)
{
    size_t n = folder_bytes(path);
    const char *name = path + n;
    memcpy(stem, path, n);
    return n + (size_t)sprintf(stem + n, SLM_SEGMENT_TEMPORARY_PREFIX "%016llx-",
                               (unsigned long long)slm_hash(name, strlen(name)));
}

/* Removes the name if it leads to the segment's file. */
static void remove_own(const char *path, const struct slm_segment *segment)
{
    struct stat stat;
    if (slm_segment_sys.lstat(path, &stat) == 0 && slm_segment_is_file(segment, &stat)) {
        (void)slm_segment_sys.unlink(path);
    }
}

static void remove_if_dead(const char *path)
{
    struct slm_segment other = {.fd = -1, .label = ""};
    if (slm_segment_keep(&other, slm_segment_sys.open(path, O_RDONLY | OPEN_FLAGS, 0)) != 0) {
        return;
    }
    if (slm_segment_sys.flock(other.fd, LOCK_EX | LOCK_NB) == 0) {
        remove_own(path, &other);
    }
    slm_segment_close(&other);
}

/* stem: what all temporary names for one path begin with, in n bytes. */
static void remove_the_dead(const char *stem, size_t n)
{
    char path[PATH_MAX + NAME_MAX + 2];
    size_t n_folder = folder_bytes(stem);
    const struct dirent *found;
    write_folder(path, stem);
    DIR *folder = slm_segment_sys.opendir(path);
    while (folder != NULL && (found = slm_segment_sys.readdir(folder)) != NULL) {
        if (slm_segment_is_temporary(found->d_name) &&
            strncmp(found->d_name, stem + n_folder, n - n_folder) == 0) {
            memcpy(path + n_folder, found->d_name, SLM_SEGMENT_TEMPORARY_BYTES);
            remove_if_dead(path);
        }
    }
    if (folder != NULL) {
        (void)slm_segment_sys.closedir(folder);
    }
}

void slm_segment_remove_leftovers(const struct slm_segment *segment)
{
    char stem[PATH_MAX + SLM_SEGMENT_TEMPORARY_BYTES];
    remove_the_dead(stem, write_stem(stem, segment->label));
}

/* Digits that differ between processes, handles, and calls with one handle. */
static unsigned long long make_digits(const struct slm_segment *segment, unsigned round)
{
    const struct {
        uintptr_t handle;
        uint64_t maker;
        uint64_t round;
    } seed = {(uintptr_t)segment, (uint64_t)segment->maker, round};
    return slm_hash(&seed, sizeof seed);
}

/* Whether no other maker has locked the new file, or removed it for that of a dead maker. Where
 * the file system has no locks, no maker removes any. */
static bool is_claimed(int fd)
{
    struct stat stat;
    return (slm_segment_sys.flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
           slm_segment_sys.fstat(fd, &stat) == 0 && stat.st_nlink != 0;
}

/* 0, or -1 with errno: EEXIST and EBUSY: another name may do. */
static int try_temporary(struct slm_segment *segment, const char *path)
{
    int fd = slm_segment_sys.open(path, O_RDWR | O_CREAT | O_EXCL | OPEN_FLAGS, 0600);
    if (fd < 0) {
        return -1;
    }
    if (slm_segment_keep(segment, fd) != 0) {
        int os_errno = errno;
        (void)slm_segment_sys.unlink(path);
        errno = os_errno;
        return -1;
    }
    if (is_claimed(segment->fd)) {
        return 0;
    }
    remove_own(path, segment);
    slm_segment_close(segment);
    errno = EBUSY;
    return -1;
}

static enum slm_status open_temporary(struct slm_segment *segment, struct slm_error *error)
{
    char *path = segment->temporary;
    size_t n = write_stem(path, segment->label);
    remove_the_dead(path, n);
    for (unsigned round = 0; round < TRIES; round++) {
        (void)sprintf(path + n, "%016llx", make_digits(segment, round));
        if (try_temporary(segment, path) == 0) {
            return SLM_OK;
        }
        if (errno != EEXIST && errno != EBUSY) {
            break;
        }
    }
    enum slm_status status = slm_segment_fail(error, segment->label, "cannot create");
    path[0] = '\0';
    return status;
}

/* --- Both --- */

enum slm_status slm_segment_open_unnamed(struct slm_segment *segment, struct slm_error *error)
{
    struct stat stat;
    if (segment->replaces) {
        enum slm_status status = open_temporary(segment, error);
        segment->is_unnamed = status == SLM_OK;
        return status;
    }
    int result = slm_segment_sys.lstat(segment->label, &stat);
    if (result == 0 || errno != ENOENT) {
        errno = result == 0 ? EEXIST : errno;
        return slm_segment_fail(error, segment->label, "cannot create");
    }
    enum slm_status status = open_nameless(segment, error);
    if (status == SLM_UNCHANGED) {
        status = open_temporary(segment, error);
    }
    segment->is_unnamed = status == SLM_OK;
    return status;
}

void slm_segment_forget_unnamed(struct slm_segment *segment)
{
    /* A child of fork leaves its parent's file alone. */
    if (segment->is_unnamed && segment->temporary[0] != '\0' &&
        segment->maker == slm_segment_sys.getpid()) {
        remove_own(segment->temporary, segment);
        segment->temporary[0] = '\0';
    }
}

/* A second name and the removal of the first are for file systems that cannot rename without
 * overwriting. */
static int move_name(struct slm_segment *segment)
{
    struct stat stat;
    if (slm_segment_sys.lstat(segment->temporary, &stat) != 0) {
        return -1;
    }
    if (!slm_segment_is_file(segment, &stat)) {
        errno = ENOENT;
        return -1;
    }
    if (segment->replaces) {
        return slm_segment_sys.rename_over(segment->temporary, segment->label);
    }
    int result = slm_segment_sys.rename_new(segment->temporary, segment->label);
    if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
        result = slm_segment_sys.link(segment->temporary, segment->label);
        if (result == 0) {
            remove_own(segment->temporary, segment);
        }
    }
    return result;
}

enum slm_status slm_segment_name_file(struct slm_segment *segment, struct slm_error *error)
{
    char link[LINK_BYTES];
    struct stat stat;
    enum slm_status status = slm_segment_check_descriptor(segment, &stat, error);
    if (status != SLM_OK) {
        return status;
    }
    write_link(link, segment->fd);
    int result = segment->temporary[0] != '\0' ? move_name(segment)
                                               : slm_segment_sys.link(link, segment->label);
    if (result != 0) {
        return slm_segment_fail(error, segment->label, "cannot give it its name");
    }
    (void)slm_segment_sys.flock(segment->fd, LOCK_UN);
    segment->temporary[0] = '\0';
    segment->is_unnamed = false;
    return SLM_OK;
}

/* --- A second name --- */

/* Of a file system, or a rule of the system, that allows none; or without /proc. */
static bool lacks_second_names(int os_errno)
{
    return os_errno == EPERM || os_errno == EOPNOTSUPP || os_errno == ENOSYS ||
           os_errno == EMLINK || os_errno == ENOENT || os_errno == EACCES;
}

/* A descriptor of its own: the lock on the segment's would stay with children of fork. */
static int open_again(struct slm_segment *segment, const char *link)
{
    struct slm_segment other = {.fd = -1, .label = ""};
    if (slm_segment_keep(&other, slm_segment_sys.open(link, O_RDONLY | O_CLOEXEC, 0)) != 0) {
        return -1;
    }
    segment->second_fd = other.fd;
    /* Where it fails, the file system has no locks, or another process keeps the file's names. */
    (void)slm_segment_sys.flock(other.fd, LOCK_EX | LOCK_NB);
    return 0;
}

static void forget_second(struct slm_segment *segment)
{
    segment->temporary[0] = '\0';
    if (segment->second_fd > 0) {
        (void)slm_segment_sys.close(segment->second_fd);
        segment->second_fd = 0;
    }
}

static int link_again(struct slm_segment *segment, const char *link)
{
    char *path = segment->temporary;
    size_t n = write_stem(path, segment->label);
    for (unsigned round = 0; round < TRIES; round++) {
        (void)sprintf(path + n, "%016llx", make_digits(segment, round));
        if (slm_segment_sys.link(link, path) == 0) {
            return 0;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return -1;
}

enum slm_status slm_segment_add_name(struct slm_segment *segment, struct slm_error *error)
{
    char link[LINK_BYTES];
    struct stat stat;
    enum slm_status status = slm_segment_check_descriptor(segment, &stat, error);
    if (status != SLM_OK) {
        return status;
    }
    write_link(link, segment->fd);
    if (open_again(segment, link) == 0 && link_again(segment, link) == 0) {
        return SLM_OK;
    }
    status = lacks_second_names(errno)
                 ? SLM_UNCHANGED
                 : slm_segment_fail(error, segment->label, "cannot give it a second name");
    forget_second(segment);
    return status;
}

bool slm_segment_has_second_name(const struct slm_segment *segment)
{
    return segment->second_fd > 0;
}

void slm_segment_drop_name(struct slm_segment *segment)
{
    if (slm_segment_has_second_name(segment)) {
        remove_own(segment->temporary, segment);
        forget_second(segment);
    }
}

enum slm_status slm_segment_return_to_name(struct slm_segment *segment, struct slm_error *error)
{
    struct stat stat;
    errno = ENOENT;
    if (!slm_segment_has_second_name(segment) ||
        slm_segment_sys.lstat(segment->temporary, &stat) != 0 ||
        !slm_segment_is_file(segment, &stat) ||
        slm_segment_sys.rename_over(segment->temporary, segment->label) != 0) {
        return slm_segment_fail(error, segment->label, "cannot get its name back");
    }
    forget_second(segment);
    return SLM_OK;
}
