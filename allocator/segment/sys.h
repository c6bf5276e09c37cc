/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of segments: every one that the room makes, in one table. */
#ifndef SLM_SEGMENT_SYS_H
#define SLM_SEGMENT_SYS_H

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "allocator/base/large_files.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All system calls of the room, so that a test can make any of them fail. Results and errno are
 * those of the calls of the same name; sys.c repeats calls that a signal cut short.
 */
struct slm_segment_calls {
    void *(*malloc)(size_t n_bytes);
    int (*open)(const char *path, int flags, mode_t mode);
    int (*dup_cloexec)(int fd, int least); /* least: the lowest number to get */
    int (*memfd_create)(const char *name, unsigned flags);
    int (*close)(int fd);
    int (*unlink)(const char *path);
    int (*link)(const char *from, const char *to);        /* from may be /proc/self/fd/N */
    int (*rename_new)(const char *from, const char *to);  /* EEXIST: there is such a name */
    int (*rename_over)(const char *from, const char *to); /* in place of what has that name */
    int (*flock)(int fd, int operation);
    int (*lease)(int fd);   /* EAGAIN: another has the file open; see sys.c */
    int (*unlease)(int fd); /* gives the lease back */
    pid_t (*getpid)(void);
    int (*stat)(const char *path, struct stat *stat);
    int (*fstat)(int fd, struct stat *stat);
    int (*lstat)(const char *path, struct stat *stat);
    uint64_t (*birth)(int fd); /* ns since 1970 when the file was made; 0: not known */
    int (*fchmod)(int fd, mode_t mode);
    int (*file_system)(int fd, uint32_t *type); /* a number of linux/magic.h */
    int (*huge_page)(int fd, size_t *bytes);    /* 0 bytes: fd is not on hugetlbfs */
    int (*file_limit)(struct rlimit *limit);    /* RLIMIT_FSIZE */
    int (*fallocate)(int fd, int mode, off_t from, off_t n_bytes);      /* EINTR is not repeated */
    ssize_t (*read_file)(const char *path, char *text, size_t n_bytes); /* open, read, close */
    ssize_t (*pread)(int fd, void *data, size_t n_bytes, off_t at);
    ssize_t (*pwrite)(int fd, const void *data, size_t n_bytes, off_t at);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t bytes);
    int (*lock)(int fd, int command, int type); /* fcntl, on a byte that no segment reaches */
    void (*nap)(void);                          /* one millisecond */
    void *(*mmap)(void *at, size_t n_bytes, int prot, int flags, int fd, off_t from);
    int (*munmap)(void *at, size_t n_bytes);
    int (*mprotect)(void *at, size_t n_bytes, int prot);
    int (*madvise)(void *at, size_t n_bytes, int advice);
    int (*msync)(void *at, size_t n_bytes); /* waits for the disk */
    int (*shmget)(key_t key, size_t bytes, int flags);
    void *(*shmat)(int id, const void *at, int flags);
    int (*shmctl)(int id, int command, struct shmid_ds *buffer);
    DIR *(*opendir)(const char *path);
    struct dirent *(*readdir)(DIR *folder);
    int (*closedir)(DIR *folder);
    int (*lstat_in)(DIR *folder, const char *name, struct stat *stat);
    int (*sigaction)(int signal, const struct sigaction *action, struct sigaction *before);
};

extern struct slm_segment_calls slm_segment_sys;

#ifdef __cplusplus
}
#endif
#endif
