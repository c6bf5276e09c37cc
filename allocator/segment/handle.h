/* SPDX-License-Identifier: Apache-2.0 */
/* Segment, inside: for segment*.c and their tests. */
#ifndef SLM_SEGMENT_PRIV_H
#define SLM_SEGMENT_PRIV_H

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include <slabmill/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLM_SEGMENT_POSIX_FOLDER "/dev/shm"
#define SLM_SEGMENT_LABEL_BYTES  32u /* of a label that is no path */

/*
 * Everything that segments ask of the system, so that a test can make any call fail. Answers and
 * errno are those of the calls named alike; calls that a signal cut short are repeated below here.
 */
struct slm_segment_calls {
    void *(*malloc)(size_t n_bytes);
    int (*open)(const char *path, int flags, mode_t mode);
    int (*dup_cloexec)(int fd);
    int (*memfd_create)(const char *name, unsigned flags);
    int (*close)(int fd);
    int (*unlink)(const char *path);
    int (*fstat)(int fd, struct stat *stat);
    int (*lstat)(const char *path, struct stat *stat);
    int (*fchmod)(int fd, mode_t mode);
    int (*huge_page)(int fd, size_t *bytes); /* 0 bytes: fd is not on hugetlbfs */
    int (*file_limit)(struct rlimit *limit); /* RLIMIT_FSIZE */
    int (*fallocate)(int fd, int mode, off_t from, off_t n_bytes); /* EINTR is not repeated */
    ssize_t (*pwrite)(int fd, const void *data, size_t n_bytes, off_t at);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t bytes);
    int (*lock)(int fd); /* against other processes that make it longer or shorter */
    int (*unlock)(int fd);
    void *(*mmap)(void *at, size_t n_bytes, int prot, int flags, int fd, off_t from);
    int (*munmap)(void *at, size_t n_bytes);
    int (*mprotect)(void *at, size_t n_bytes, int prot);
    int (*madvise)(void *at, size_t n_bytes, int advice);
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

struct slm_segment_slot; /* a segment's entry in what the SIGBUS guard looks through */

/*
 * What segments ask of the SIGBUS guard. slm_segment_guard_install puts it here, from guard.c, to
 * which no other file has a reference: a program that installs no guard does not link it.
 */
struct slm_segment_sigbus {
    /* Records the range of a segment. NULL: out of memory. */
    struct slm_segment_slot *(*take)(const struct slm_segment *segment);
    void (*give)(struct slm_segment_slot *slot);
    bool (*is_cut)(const struct slm_segment_slot *slot);
};
extern const struct slm_segment_sigbus *slm_segment_sigbus; /* NULL: not installed; range.c */

/*
 *   |guard| shown            | reserved, untouchable   |guard|
 *         base               base + bytes              base + max_bytes
 *
 * bytes <= max_bytes, both whole pages of page_bytes.
 */
struct slm_segment {
    unsigned char *base; /* NULL: no range yet */
    size_t bytes;
    size_t max_bytes;
    size_t page_bytes; /* the system's, or huge ones */
    size_t guard_bytes;
    struct slm_segment_slot *slot; /* NULL: made before the SIGBUS guard was installed */
    enum slm_segment_kind kind;
    bool read_only;
    int fd;      /* -1: none */
    int id;      /* SYSV */
    char *label; /* behind the struct; POSIX and FILE: the path */
};

/* --- segment.c --- */

/* Fills in the error for a call that failed with errno; text: "LABEL: WHAT: what errno means". */
enum slm_status slm_segment_fail(struct slm_error *error, const char *label, const char *what);
/* SLM_E_TRUNCATED. */
enum slm_status slm_segment_cut(struct slm_error *error, const char *label, size_t now_bytes,
                                size_t expected_bytes);

/* --- segment_range.c: addresses --- */

size_t slm_segment_system_page_bytes(void);
/* Rounds the sizes up to page_bytes, and the range up to bytes. SLM_E_SIZE. */
enum slm_status slm_segment_set_sizes(struct slm_segment *segment, size_t bytes, size_t max_bytes,
                                      struct slm_error *error);
/* Whether something that exists may be attached: SLM_E_TRUNCATED (not whole pages), SLM_E_SIZE
 * (above max_bytes, if that is not 0). */
enum slm_status slm_segment_check_size(const struct slm_segment *segment, size_t size_bytes,
                                       size_t max_bytes, struct slm_error *error);
/* Takes max_bytes of addresses, a multiple of align_bytes, and guard pages. SLM_E_NOMEM; release is
 * the caller's in any case. */
enum slm_status slm_segment_reserve(struct slm_segment *segment, size_t align_bytes,
                                    struct slm_error *error);
void slm_segment_release(struct slm_segment *segment); /* no range: nothing */
/* Makes [from, to) of the range touchable, mapping it from the descriptor if there is one. */
enum slm_status slm_segment_show(struct slm_segment *segment, size_t from, size_t to,
                                 struct slm_error *error);
/* The reverse; addresses stay reserved. */
void slm_segment_hide(struct slm_segment *segment, size_t from, size_t to);
int slm_segment_prot(const struct slm_segment *segment);
/* Whether the SIGBUS guard has put zeros in place of what was cut off. */
bool slm_segment_was_mended(const struct slm_segment *segment);

/* --- segment_memory.c: ANONYMOUS, SYSV. Sizes are not set on entry of create. --- */

enum slm_status slm_segment_memory_create(struct slm_segment *segment,
                                          const struct slm_segment_options *options, bool huge,
                                          struct slm_error *error);
enum slm_status slm_segment_sysv_attach(struct slm_segment *segment,
                                        const struct slm_segment_options *options,
                                        struct slm_error *error);
enum slm_status slm_segment_memory_shrink(struct slm_segment *segment, size_t to,
                                          struct slm_error *error);

/* --- segment_file.c: POSIX, MEMFD, FILE --- */

enum slm_status slm_segment_file_create(struct slm_segment *segment,
                                        const struct slm_segment_options *options, bool huge,
                                        struct slm_error *error);
enum slm_status slm_segment_file_attach(struct slm_segment *segment,
                                        const struct slm_segment_options *options,
                                        struct slm_error *error);
enum slm_status slm_segment_file_grow(struct slm_segment *segment, size_t to,
                                      struct slm_error *error);
enum slm_status slm_segment_file_shrink(struct slm_segment *segment, size_t to,
                                        struct slm_error *error);
/* How long it is now. SLM_E_TRUNCATED: shorter than bytes. */
enum slm_status slm_segment_file_size(const struct slm_segment *segment, size_t *size_bytes,
                                      struct slm_error *error);

/* --- segment_backing.c: room in a file --- */

/* Reserves [from, to) of a file of `from` bytes, which keeps its length where the file system can
 * reserve without. SLM_E_SPACE, SLM_E_NOMEM (huge pages), SLM_E_IO. */
enum slm_status slm_segment_backing_reserve(struct slm_segment *segment, size_t from, size_t to,
                                            struct slm_error *error);
/* Reserves what a file of size_bytes has holes in. SLM_E_SPACE, SLM_E_NOMEM, SLM_E_IO. */
enum slm_status slm_segment_backing_fill(struct slm_segment *segment, size_t size_bytes,
                                         struct slm_error *error);
/* Nobody else, thread or process, makes the file longer or shorter until unlock. SLM_E_IO. */
enum slm_status slm_segment_backing_lock(struct slm_segment *segment, struct slm_error *error);
void slm_segment_backing_unlock(struct slm_segment *segment);
void slm_segment_backing_close(struct slm_segment *segment); /* no descriptor: nothing */

/* --- segment_name.c: names, and who may be trusted --- */

/* SLM_E_NAME, or OK for kinds without a name. */
enum slm_status slm_segment_check_name(const struct slm_segment_options *options,
                                       struct slm_error *error);
/* Writes a POSIX or FILE segment's path, a few letters for other kinds; answers its length. */
int slm_segment_path(char *buffer, size_t buffer_bytes, const struct slm_segment_options *options);
/* SLM_E_ACCESS unless it belongs to the caller or root, and nobody may write to it who was not
 * asked for by options->mode. */
enum slm_status slm_segment_check_owner(uid_t owner, mode_t mode, const char *label,
                                        const struct slm_segment_options *options,
                                        struct slm_error *error);
/* SLM_E_ACCESS unless it is a regular file that slm_segment_check_owner takes. */
enum slm_status slm_segment_check_file(const struct stat *stat, const char *label,
                                       const struct slm_segment_options *options,
                                       struct slm_error *error);
/* A SYSV segment's data, if it may be trusted. SLM_E_MISSING, SLM_E_ACCESS. */
enum slm_status slm_segment_check_sysv(struct shmid_ds *data, const char *label,
                                       const struct slm_segment_options *options,
                                       struct slm_error *error);

#ifdef __cplusplus
}
#endif
#endif
