/* SPDX-License-Identifier: Apache-2.0 */
/* Segment: zero-filled memory that processes share, from whichever part of the system. */
#ifndef SLM_SEGMENT_H
#define SLM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <slabmill/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A segment is `bytes` of shared memory within a range of `max_bytes` addresses that stays
 *          reserved, so that it can grow in place; behind `bytes` nothing can be touched, and with
 *          guard pages nothing around the range either. A process works through a handle of its
 *          own; a child of fork uses the one that it inherited. Backing is reserved when a segment
 *          is created or grows, so that no space is an error then and not a SIGBUS later.
 * Kinds    Anonymous, System V (marked for removal at once) and memfd segments live as long as a
 *          process has them, and reach others by fork, by id or by descriptor. POSIX and file
 *          segments have a name, and stay until they are removed. nginx's mapping of /dev/zero is
 *          the anonymous kind: Linux makes the same memory for both.
 * Safety   Threads: a handle is not for two threads at once. Processes: any number may attach.
 *          Signals: none of these is for handlers. Fork: see Model.
 *          Fork waits while another thread of the process grows a segment.
 * Failure  Every call that fails leaves nothing behind: no file, no mapping, no descriptor.
 *          error->text has path or name in it. NULL: as status.h says.
 * Source   mmap(2), shm_overview(7), sysvipc(7), memfd_create(2); nginx's ngx_shmem for
 *          ANONYMOUS and SYSV.
 */
#define SLM_SEGMENT_NAME_BYTES 64u /* longest POSIX segment name with its final zero */

enum slm_segment_kind {
    SLM_SEGMENT_ANONYMOUS, /* mmap: inherited by fork only */
    SLM_SEGMENT_SYSV,      /* shmget: attached by id while a process has it */
    SLM_SEGMENT_POSIX,     /* shm_open: attached by name */
    SLM_SEGMENT_MEMFD,     /* memfd_create: attached by descriptor */
    SLM_SEGMENT_FILE,      /* a file: attached by path; survives a restart of the machine */
};

enum slm_segment_huge {
    SLM_SEGMENT_HUGE_NO,
    SLM_SEGMENT_HUGE_TRY, /* huge pages if there are some, plain ones if not */
};

struct slm_segment; /* a handle */

struct slm_segment_options {
    enum slm_segment_kind kind;
    const char *name;           /* POSIX: a name without slash; FILE: a path; MEMFD: for /proc, or
                                   NULL; others: unused */
    size_t bytes;               /* create: rounded up to whole pages; attach: ignored */
    size_t max_bytes;           /* addresses to reserve; below bytes: as many as bytes */
    mode_t mode;                /* permissions of what is created, as given; 0: 0600 */
    enum slm_segment_huge huge; /* ANONYMOUS, SYSV, MEMFD; SLM_E_OPTION for others unless NO */
    bool guard;                 /* an untouchable page on each side of the range */
    bool read_only;             /* attach only */
    int id;                     /* attach: SYSV: the id; MEMFD: a descriptor, which is duplicated */
};

/*
 * Makes a new segment and maps it; all its bytes are 0. Others who look for its name see 0 bytes
 * until it is whole. Fails, *out NULL: SLM_E_OPTION (kind, huge, mode, read_only),
 * SLM_E_SIZE (0 bytes, or the range would wrap), SLM_E_NAME, SLM_E_EXISTS (nothing is overwritten),
 * SLM_E_MISSING (the folder), SLM_E_ACCESS, SLM_E_SPACE (the backing cannot be reserved in full, or
 * RLIMIT_FSIZE is below it; no SIGXFSZ), SLM_E_NOMEM (addresses, descriptors), SLM_E_IO.
 * Cost: O(bytes) where the system has to reserve the backing.
 */
enum slm_status slm_segment_create(struct slm_segment **out,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error);

/*
 * Maps a segment that exists: all of it, as long as it is now (SYSV: as its maker's max_bytes; it
 * does not grow). If it has holes, as a copy may, they are reserved, unless read_only. ANONYMOUS
 * cannot be attached: SLM_E_OPTION. Follows no symbolic link, takes no FIFO, device or
 * folder, and nothing that another user than the caller's effective one or root owns, or that
 * others may write to unless their permissions were asked for by `mode` (0: 0600): SLM_E_ACCESS.
 * Fails besides, *out NULL: SLM_E_OPTION (kind, huge, mode), SLM_E_NAME, SLM_E_MISSING,
 * SLM_E_TRUNCATED (0 bytes, or not whole pages), SLM_E_SIZE (more than max_bytes, if that is not 0,
 * both in whole pages), SLM_E_SPACE, SLM_E_NOMEM, SLM_E_IO.
 */
enum slm_status slm_segment_attach(struct slm_segment **out,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error);

/* Unmaps it here and frees the handle; others keep it. */
void slm_segment_detach(struct slm_segment *segment);

/*
 * Makes it at least `bytes` long; the new part is 0. Fails, changing nothing: SLM_E_SIZE (0, or
 * above max_bytes), SLM_E_READ_ONLY, SLM_E_TRUNCATED (somebody cut it), SLM_E_SPACE, SLM_E_NOMEM
 * (huge pages too), SLM_E_IO. Others see the new length when all of it is reserved; of those who
 * grow one segment at once, each gets at least what it asked for, and a failure takes nothing from
 * the others. ANONYMOUS and SYSV have all of max_bytes from the start, and only show more of it;
 * the rest is reserved from the system.
 */
enum slm_status slm_segment_grow(struct slm_segment *segment, size_t bytes,
                                 struct slm_error *error);

/*
 * Undoes growth that nobody has used yet, by the one who grew it: the length becomes `bytes` again.
 * Fails, changing nothing: SLM_E_SIZE (0, or it is not longer than that), SLM_E_READ_ONLY,
 * SLM_E_TRUNCATED, SLM_E_STATE (another process made it longer still, or mapped less of it than
 * there is), SLM_E_IO.
 */
enum slm_status slm_segment_shrink(struct slm_segment *segment, size_t bytes,
                                   struct slm_error *error);

/*
 * Maps what another process added, at least up to `bytes`. Fails, changing nothing: SLM_E_TRUNCATED
 * (it is shorter than that, or than what is mapped: somebody cut it), SLM_E_SIZE (above max_bytes),
 * SLM_E_NOMEM, SLM_E_IO. ANONYMOUS and SYSV: only shows more, up to `bytes`.
 */
enum slm_status slm_segment_refresh(struct slm_segment *segment, size_t bytes,
                                    struct slm_error *error);

/* Maps no more than `bytes` of a segment that others may make shorter to that; it stays as long as
 * it is. ANONYMOUS and SYSV: nothing happens. */
void slm_segment_unmap_tail(struct slm_segment *segment, size_t bytes);

/* SLM_OK, or SLM_E_TRUNCATED when somebody cut the file or segment that is mapped here, so that
 * touching it may raise SIGBUS. One fstat; OK without one for the kinds that cannot be cut. Fails
 * besides: SLM_E_IO. */
enum slm_status slm_segment_verify(const struct slm_segment *segment, struct slm_error *error);

/* Removes the name of a POSIX or FILE segment, or marks a SYSV one (by id); whoever has it keeps
 * it. Fails: SLM_E_OPTION (kind), SLM_E_NAME, SLM_E_MISSING, SLM_E_ACCESS (as attach), SLM_E_IO. */
enum slm_status slm_segment_remove(const struct slm_segment_options *options,
                                   struct slm_error *error);

/* What a listing tells of each. */
struct slm_segment_entry {
    const char *name; /* POSIX: as slm_segment_attach takes it; FILE: the path; SYSV: NULL */
    int id;           /* SYSV */
    size_t bytes;
    uid_t owner;
    mode_t mode;
};

/*
 * Calls visit for each segment of the kind that the caller may see, until it answers false. POSIX:
 * those in /dev/shm; FILE: the regular files of the folder `name`; SYSV: as the system lists them.
 * Others: SLM_E_OPTION. Fails besides: SLM_E_MISSING, SLM_E_ACCESS, SLM_E_IO.
 */
enum slm_status slm_segment_list(const struct slm_segment_options *options,
                                 bool (*visit)(void *data, const struct slm_segment_entry *entry),
                                 void *data, struct slm_error *error);

/*
 * Opt-in, for the segments that this process creates or attaches afterwards: touching what was cut
 * off one of them raises no SIGBUS. The page becomes one of zeros that is this process's own (and
 * is lost), and the segment is marked: verify, refresh, grow and shrink answer SLM_E_TRUNCATED
 * without asking the system, until it is detached. From then on creating and attaching also fails
 * with SLM_E_NOMEM where there is no memory for the guard's table. Segments that were mapped before
 * are not guarded. Every other SIGBUS goes on to the handler that was there before, or ends the
 * process as it did. A fork child inherits the guard. Calling it again does nothing. Install it
 * before handlers of others that are to see their signals first; one that replaces it must chain.
 * Fails: SLM_E_IO. Safety: any thread; not in a handler. A program that does not call it does not
 * link it, from a static library.
 * System calls that are given such an address still answer EFAULT.
 * The handler itself calls mmap only, takes no lock, keeps errno and runs on the alternate stack if
 * there is one.
 */
enum slm_status slm_segment_guard_install(struct slm_error *error);

/* --- What a handle knows --- */

void *slm_segment_base(const struct slm_segment *segment); /* a multiple of the page size */
size_t slm_segment_bytes(const struct slm_segment *segment);
size_t slm_segment_max_bytes(const struct slm_segment *segment);
enum slm_segment_kind slm_segment_get_kind(const struct slm_segment *segment);
bool slm_segment_is_read_only(const struct slm_segment *segment);
/* MEMFD, POSIX, FILE: the descriptor, close-on-exec; SYSV: the id; others: -1. To hand a MEMFD to a
 * new binary, clear its close-on-exec flag. */
int slm_segment_id(const struct slm_segment *segment);
/* For messages: path, name, or "anonymous", "sysv 12", "memfd 3". Valid as long as the handle. */
const char *slm_segment_label(const struct slm_segment *segment);

#ifdef __cplusplus
}
#endif
#endif
