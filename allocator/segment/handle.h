/* SPDX-License-Identifier: Apache-2.0 */
/* What a process holds of a segment, and what the files of this room do for each other. */
#ifndef SLM_SEGMENT_HANDLE_H
#define SLM_SEGMENT_HANDLE_H

#include <sys/mman.h>
#include <sys/stat.h>

#include "allocator/segment/for_zone.h"
#include <slabmill/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLM_SEGMENT_LABEL_BYTES 32u /* of a label that is no path */

/* How often a wait for another process tries again, and naps in between: about two seconds. */
#define SLM_SEGMENT_TRIES 2000u

struct slm_segment_slot; /* a segment's entry in the table of the SIGBUS guard */

/*
 * The SIGBUS guard as segments call it. slm_segment_guard_install sets it, in guard.c, to which no
 * other file has a reference: a program that installs no guard does not link it.
 */
struct slm_segment_sigbus {
    /* Records the range of a segment. NULL: out of memory. */
    struct slm_segment_slot *(*add_slot)(const struct slm_segment *segment);
    void (*remove_slot)(struct slm_segment_slot *slot);
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
    bool dump_core;
    bool is_open_shared; /* other handles have the same open file: attached by its descriptor */
    bool is_unnamed;     /* POSIX, FILE: not published yet */
    bool replaces;       /* its name is that of another file until then */
    pid_t maker;         /* the process that made the handle; a child of fork inherits it */
    int fd;              /* -1: none */
    int second_fd;       /* keeps a file's second name from removal; 0: none */
    dev_t device;        /* of the descriptor's file */
    ino_t inode;
    uint64_t birth;   /* ns since 1970 when that file was made; 0: not known */
    int lock_command; /* what fcntl locked the length with */
    int id;           /* SYSV */
    ino_t id_space;   /* SYSV: the IPC namespace in which id means this segment; 0: not known */
    char *label;      /* after the struct; POSIX and FILE: the path */
    char *temporary;  /* after the label; an unnamed file's path, or a second one; "": none */
};

/* Whether the SIGBUS guard watches it. If not, nothing was mended. */
static inline bool slm_segment_is_watched(const struct slm_segment *segment)
{
    return segment->slot != NULL;
}

/* The access rights of what is shown. */
static inline int slm_segment_prot(const struct slm_segment *segment)
{
    return segment->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
}

/* A file may be longer than the addresses of a process of 32 bits: SIZE_MAX. */
static inline size_t slm_segment_stat_bytes(const struct stat *stat)
{
    return (uint64_t)stat->st_size < SIZE_MAX ? (size_t)stat->st_size : SIZE_MAX;
}

/* --- range.c: addresses --- */

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
/* Leaves [from, to), which is mapped, out of core files, unless the options asked for it. */
enum slm_status slm_segment_leave_out_of_cores(const struct slm_segment *segment, size_t from,
                                               size_t to, struct slm_error *error);
/* The reverse of show; addresses stay reserved. */
void slm_segment_hide(struct slm_segment *segment, size_t from, size_t to);

/* --- unused.c --- */

/* The calling thread's IPC namespace; 0: not known. */
ino_t slm_segment_id_space(void);

/* --- memory.c: ANONYMOUS, SYSV. Sizes are not set on entry of create. --- */

enum slm_status slm_segment_memory_create(struct slm_segment *segment,
                                          const struct slm_segment_options *options, bool huge,
                                          struct slm_error *error);
enum slm_status slm_segment_sysv_attach(struct slm_segment *segment,
                                        const struct slm_segment_options *options,
                                        struct slm_error *error);
enum slm_status slm_segment_memory_shrink(struct slm_segment *segment, size_t to,
                                          struct slm_error *error);

/* --- file.c: POSIX, MEMFD, FILE --- */

enum slm_status slm_segment_file_create(struct slm_segment *segment,
                                        const struct slm_segment_options *options, bool huge,
                                        struct slm_error *error);
enum slm_status slm_segment_file_open(struct slm_segment *segment,
                                      const struct slm_segment_options *options,
                                      struct slm_error *error);
/* Takes a duplicate of the descriptor of `segment`. Fails as slm_segment_open_again. */
enum slm_status slm_segment_file_share(struct slm_segment *again, const struct slm_segment *segment,
                                       struct slm_error *error);
enum slm_status slm_segment_file_map(struct slm_segment *segment, size_t max_bytes, bool is_whole,
                                     struct slm_error *error);
enum slm_status slm_segment_file_grow(struct slm_segment *segment, size_t to,
                                      struct slm_error *error);
enum slm_status slm_segment_file_shrink(struct slm_segment *segment, size_t to,
                                        struct slm_error *error);
/* How long it is now. SLM_E_TRUNCATED: shorter than bytes. */
enum slm_status slm_segment_file_size(const struct slm_segment *segment, size_t *size_bytes,
                                      struct slm_error *error);

/* --- descriptor.c --- */

/* Takes over an open descriptor (-1: errno says why there is none), which it moves above the
 * standard streams. 0, or -1 with errno: the descriptor is closed. */
int slm_segment_keep(struct slm_segment *segment, int fd);
/* Whether it is the segment's file. */
bool slm_segment_is_file(const struct slm_segment *segment, const struct stat *stat);
/* Compares the descriptor with the file that it was, and fills in stat. SLM_E_STATE: the program
 * closed it, or put another file in its place; SLM_E_IO. */
enum slm_status slm_segment_check_descriptor(const struct slm_segment *segment, struct stat *stat,
                                             struct slm_error *error);
/* Closes the descriptor if it still is the segment's file. No descriptor: does nothing. */
void slm_segment_close(struct slm_segment *segment);

/* --- unnamed.c: files that have no name yet --- */

/* Opens a new file for the label's path, without that name. SLM_E_EXISTS: the name is taken. */
enum slm_status slm_segment_open_unnamed(struct slm_segment *segment, struct slm_error *error);
/* Gives it its name. SLM_E_EXISTS: the name is taken. */
enum slm_status slm_segment_name_file(struct slm_segment *segment, struct slm_error *error);
/* Removes the temporary name, if there is one and it is this file's. */
void slm_segment_forget_unnamed(struct slm_segment *segment);

/* --- memory_limit.c --- */

/* SLM_E_SPACE: the segment takes memory, and that is more than there can ever be. */
enum slm_status slm_segment_check_memory(const struct slm_segment *segment, size_t bytes,
                                         struct slm_error *error);

/* --- backing.c: backing of files --- */

/* Reserves [from, to) of a file of `from` bytes, which keeps its length. SLM_UNCHANGED: the file
 * system cannot reserve; SLM_E_SPACE, SLM_E_NOMEM (huge pages), SLM_E_IO. */
enum slm_status slm_segment_backing_reserve(struct slm_segment *segment, size_t from, size_t to,
                                            struct slm_error *error);
/* Makes the file at least `to` bytes long, which are reserved. */
enum slm_status slm_segment_backing_lengthen(struct slm_segment *segment, size_t to,
                                             struct slm_error *error);
/* Writes zeros to [from, to), where the file system cannot reserve. */
enum slm_status slm_segment_backing_write(struct slm_segment *segment, size_t from, size_t to,
                                          struct slm_error *error);
/* Frees what is reserved past the end, unless another process grows the file at this moment. */
void slm_segment_backing_give_back(struct slm_segment *segment);
/* Reserves what a file of size_bytes has holes in. SLM_E_SPACE, SLM_E_NOMEM, SLM_E_IO. */
enum slm_status slm_segment_backing_fill(struct slm_segment *segment, size_t size_bytes,
                                         struct slm_error *error);
/* The same for a mapping without write access, where the file system takes backing for reading. */
enum slm_status slm_segment_backing_read(const struct slm_segment *segment,
                                         struct slm_error *error);
/* No other process frees what is reserved, nor shrinks the file, until unlock. Many share the lock.
 * SLM_E_LOCKED (after SLM_SEGMENT_TRIES), SLM_E_IO. */
enum slm_status slm_segment_backing_share(struct slm_segment *segment, struct slm_error *error);
/* No other process changes the length until unlock. SLM_E_LOCKED (after so many tries), SLM_E_IO. */
enum slm_status slm_segment_backing_lock(struct slm_segment *segment, unsigned tries,
                                         struct slm_error *error);
void slm_segment_backing_unlock(struct slm_segment *segment);

#ifdef __cplusplus
}
#endif
#endif
