/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of segments. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fallocate, memfd_create, renameat2 */
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "allocator/segment/sys.h"

/* Repeats a call that a signal handler cut short. */
#define REPEAT(result, call)                                                                       \
    do {                                                                                           \
        (result) = (call);                                                                         \
    } while ((result) < 0 && errno == EINTR)

static int sys_open(const char *path, int flags, mode_t mode)
{
    int fd;
    REPEAT(fd, open(path, flags, mode));
    return fd;
}

static int sys_dup_cloexec(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int sys_link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

static int sys_rename_new(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

static int sys_flock(int fd, int operation)
{
    int result;
    REPEAT(result, flock(fd, operation));
    return result;
}

/* The system signals a process whose lease another process wants to break. By default that signal
 * is SIGIO, which ends the process; SIGURG is ignored unless the program handles it. */
static int sys_lease(int fd)
{
    return fcntl(fd, F_SETSIG, SIGURG) == 0 ? fcntl(fd, F_SETLEASE, F_WRLCK) : -1;
}

static int sys_unlease(int fd)
{
    int result = fcntl(fd, F_SETLEASE, F_UNLCK);
    (void)fcntl(fd, F_SETSIG, 0);
    return result;
}

static int sys_file_system(int fd, uint32_t *type)
{
    struct statfs stat;
    int result;
    REPEAT(result, fstatfs(fd, &stat));
    *type = result == 0 ? (uint32_t)stat.f_type : 0;
    return result;
}

static int sys_huge_page(int fd, size_t *bytes)
{
    struct statfs stat;
    int result;
    REPEAT(result, fstatfs(fd, &stat));
    *bytes = result == 0 && (uint32_t)stat.f_type == HUGETLBFS_MAGIC ? (size_t)stat.f_bsize : 0;
    return result;
}

static int sys_file_limit(struct rlimit *limit)
{
    return getrlimit(RLIMIT_FSIZE, limit);
}

static ssize_t sys_pwrite(int fd, const void *data, size_t n_bytes, off_t at)
{
    ssize_t n;
    REPEAT(n, pwrite(fd, data, n_bytes, at));
    return n;
}

static int sys_ftruncate(int fd, off_t bytes)
{
    int result;
    REPEAT(result, ftruncate(fd, bytes));
    return result;
}

/* One byte that no segment reaches. A record lock belongs to the process and not to the
 * descriptor: a parent's is not its child's, which inherited the descriptor, and it goes when its
 * holder is killed, even if another process has the descriptor. */
static int set_lock(int fd, int type)
{
    struct flock lock = {
        .l_type = (short)type, .l_whence = SEEK_SET, .l_start = (off_t)(INT64_MAX - 1), .l_len = 1};
    int result;
    REPEAT(result, fcntl(fd, F_SETLKW, &lock));
    return result;
}

static int sys_lock(int fd)
{
    return set_lock(fd, F_WRLCK);
}

static int sys_unlock(int fd)
{
    return set_lock(fd, F_UNLCK);
}

static int sys_lstat_in(DIR *folder, const char *name, struct stat *stat)
{
    return fstatat(dirfd(folder), name, stat, AT_SYMLINK_NOFOLLOW);
}

struct slm_segment_calls slm_segment_sys = {
    .malloc = malloc,
    .open = sys_open,
    .dup_cloexec = sys_dup_cloexec,
    .memfd_create = memfd_create,
    .close = close,
    .unlink = unlink,
    .link = sys_link,
    .rename_new = sys_rename_new,
    .flock = sys_flock,
    .lease = sys_lease,
    .unlease = sys_unlease,
    .getpid = getpid,
    .stat = stat,
    .fstat = fstat,
    .lstat = lstat,
    .fchmod = fchmod,
    .file_system = sys_file_system,
    .huge_page = sys_huge_page,
    .file_limit = sys_file_limit,
    .fallocate = fallocate,
    .pwrite = sys_pwrite,
    .fsync = fsync,
    .ftruncate = sys_ftruncate,
    .lock = sys_lock,
    .unlock = sys_unlock,
    .mmap = mmap,
    .munmap = munmap,
    .mprotect = mprotect,
    .madvise = madvise,
    .shmget = shmget,
    .shmat = shmat,
    .shmctl = shmctl,
    .opendir = opendir,
    .readdir = readdir,
    .closedir = closedir,
    .lstat_in = sys_lstat_in,
    .sigaction = sigaction,
};
