/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of segments. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fallocate, memfd_create */
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "allocator/base/cancel.h"
#include "allocator/segment/birth.h"
#include "allocator/segment/sys.h"

/* Repeats a call that a signal handler cut short. */
#define REPEAT(result, call)                                                                       \
    do {                                                                                           \
        (result) = (call);                                                                         \
    } while ((result) < 0 && errno == EINTR)

static int repeat_open(const char *path, int flags, mode_t mode)
{
    int fd;
    REPEAT(fd, open(path, flags, mode));
    return fd;
}

/* For calls that are cancellation points elsewhere. Here none is: a thread that is cancelled within
 * a call of a segment would leave it half done, and within a zone's call, keep the zone's lock. */
#define UNCANCELLED(result, call)                                                                  \
    do {                                                                                           \
        int state = slm_cancel_off();                                                              \
        (result) = (call);                                                                         \
        slm_cancel_restore(state);                                                                 \
    } while (0)

static int sys_open(const char *path, int flags, mode_t mode)
{
    int fd;
    UNCANCELLED(fd, repeat_open(path, flags, mode));
    return fd;
}

static int sys_close(int fd)
{
    int result;
    UNCANCELLED(result, close(fd));
    return result;
}

static int sys_fallocate(int fd, int mode, off_t from, off_t n_bytes)
{
    int result;
    UNCANCELLED(result, fallocate(fd, mode, from, n_bytes));
    return result;
}

static int sys_fsync(int fd)
{
    int result;
    UNCANCELLED(result, fsync(fd));
    return result;
}

static int sys_msync(void *at, size_t n_bytes)
{
    int result;
    UNCANCELLED(result, msync(at, n_bytes, MS_SYNC));
    return result;
}

static int sys_dup_cloexec(int fd, int least)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, least);
}

static int sys_link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

/* musl 1.2.3 and glibc before 2.28 have no renameat2. */
static int sys_rename_new(const char *from, const char *to)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
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

static ssize_t read_whole(const char *path, char *text, size_t n_bytes)
{
    size_t n = 0;
    ssize_t result;
    int fd = repeat_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    do {
        REPEAT(result, read(fd, text + n, n_bytes - n));
        n += result > 0 ? (size_t)result : 0;
    } while (result > 0 && n < n_bytes);
    (void)close(fd);
    return result < 0 ? -1 : (ssize_t)n;
}

static ssize_t sys_read_file(const char *path, char *text, size_t n_bytes)
{
    ssize_t n;
    UNCANCELLED(n, read_whole(path, text, n_bytes));
    return n;
}

static ssize_t repeat_pread(int fd, void *data, size_t n_bytes, off_t at)
{
    ssize_t n;
    REPEAT(n, pread(fd, data, n_bytes, at));
    return n;
}

static ssize_t sys_pread(int fd, void *data, size_t n_bytes, off_t at)
{
    ssize_t n;
    UNCANCELLED(n, repeat_pread(fd, data, n_bytes, at));
    return n;
}

static ssize_t repeat_pwrite(int fd, const void *data, size_t n_bytes, off_t at)
{
    ssize_t n;
    REPEAT(n, pwrite(fd, data, n_bytes, at));
    return n;
}

static ssize_t sys_pwrite(int fd, const void *data, size_t n_bytes, off_t at)
{
    ssize_t n;
    UNCANCELLED(n, repeat_pwrite(fd, data, n_bytes, at));
    return n;
}

static int sys_ftruncate(int fd, off_t bytes)
{
    int result;
    REPEAT(result, ftruncate(fd, bytes));
    return result;
}

static int sys_lock(int fd, int command, int type)
{
    struct flock lock = {
        .l_type = (short)type, .l_whence = SEEK_SET, .l_start = (off_t)(INT64_MAX - 1), .l_len = 1};
    return fcntl(fd, command, &lock);
}

static void sys_nap(void)
{
    const struct timespec millisecond = {.tv_nsec = 1000000};
    int result;
    UNCANCELLED(result, nanosleep(&millisecond, NULL));
    (void)result;
}

/* They open, read and close a descriptor: with musl they are cancellation points. */
static DIR *sys_opendir(const char *path)
{
    DIR *folder;
    UNCANCELLED(folder, opendir(path));
    return folder;
}

static struct dirent *sys_readdir(DIR *folder)
{
    struct dirent *found;
    UNCANCELLED(found, readdir(folder));
    return found;
}

static int sys_closedir(DIR *folder)
{
    int result;
    UNCANCELLED(result, closedir(folder));
    return result;
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
    .close = sys_close,
    .unlink = unlink,
    .link = sys_link,
    .rename_new = sys_rename_new,
    .rename_over = rename,
    .flock = sys_flock,
    .lease = sys_lease,
    .unlease = sys_unlease,
    .getpid = getpid,
    .stat = stat,
    .fstat = fstat,
    .lstat = lstat,
    .birth = slm_segment_birth,
    .fchmod = fchmod,
    .file_system = sys_file_system,
    .huge_page = sys_huge_page,
    .file_limit = sys_file_limit,
    .fallocate = sys_fallocate,
    .read_file = sys_read_file,
    .pread = sys_pread,
    .pwrite = sys_pwrite,
    .fsync = sys_fsync,
    .ftruncate = sys_ftruncate,
    .lock = sys_lock,
    .nap = sys_nap,
    .mmap = mmap,
    .munmap = munmap,
    .mprotect = mprotect,
    .madvise = madvise,
    .msync = sys_msync,
    .shmget = shmget,
    .shmat = shmat,
    .shmctl = shmctl,
    .opendir = sys_opendir,
    .readdir = sys_readdir,
    .closedir = sys_closedir,
    .lstat_in = sys_lstat_in,
    .sigaction = sigaction,
};
