/* SPDX-License-Identifier: Apache-2.0 */
/* Segment: zero-filled memory that processes share, made of anonymous memory, a file or other
 * kinds. */
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
 * Model    A segment is `bytes` of shared memory at the start of a range of `max_bytes` addresses.
 *          The range stays reserved, so a segment grows in place. Bytes of the range past `bytes`
 *          cannot be touched; with guard pages, neither can the page before and after the range.
 *          Each process works through a handle of its own; a child of fork uses the inherited one.
 *          Backing is reserved when a segment is created or grows: lack of space is an error then,
 *          and not a SIGBUS later.
 * Kinds    ANONYMOUS, SYSV and MEMFD segments live as long as a process has them. A child of fork
 *          inherits them; SYSV is attached by id, MEMFD by descriptor. POSIX and FILE segments have
 *          a name and stay until the name is removed. A mapping of /dev/zero, as nginx makes it, is
 *          ANONYMOUS: Linux makes the same memory for both.
 * Safety   Threads: one thread at a time uses a handle; no call is a cancellation point. Processes:
 *          any number may attach. Signals: no call is for handlers. Fork: at any time. Descriptors:
 *          a handle keeps one above 2. A program that closes it, or puts another file in its place,
 *          keeps the memory; calls that need the file fail with SLM_E_STATE and leave the other
 *          file alone. No call waits for another process for longer than about two seconds.
 * Cores    A process that crashes writes no segment into its core file, unless dump_core was set when
 *          it, or the parent that it inherited the handle from, made the handle. A core of a large
 *          segment takes the system seconds, and is of no use to other processes that wait for the
 *          one that crashed. Linux before 3.4 writes them all the same.
 * Failure  A call that fails leaves nothing: no file, no mapping, no descriptor. error->text names
 *          the segment (path, name or label), the option and the limit. NULL: as status.h says.
 * Limits   The range has at most PTRDIFF_MAX bytes less four pages. A name of a POSIX segment has
 *          at most 63 bytes, of a MEMFD segment 249, a path PATH_MAX - 1. A segment that lives in
 *          memory (all kinds but FILE, and FILE on tmpfs) has at most MemTotal + SwapTotal bytes,
 *          and at most what each control group above the process allows (memory.max, with swap
 *          space); huge pages are not counted. More is SLM_E_SPACE,
 *          unless it is 1 MiB or less. That less is free at the
 *          moment is not compared: the system then kills processes when the memory is touched or
 *          reserved.
 * Source   mmap(2), shm_overview(7), sysvipc(7), memfd_create(2); nginx's ngx_shmem for ANONYMOUS
 *          and SYSV.
 */
#define SLM_SEGMENT_NAME_BYTES 64u /* longest POSIX segment name with its final zero */

/* Where a segment's memory comes from. */
enum slm_segment_kind {
    SLM_SEGMENT_ANONYMOUS, /* mmap: inherited by fork only */
    SLM_SEGMENT_SYSV,      /* shmget: attached by id while a process has it */
    SLM_SEGMENT_POSIX,     /* shm_open: attached by name */
    SLM_SEGMENT_MEMFD,     /* memfd_create: attached by descriptor */
    SLM_SEGMENT_FILE,      /* a file: attached by path; survives a restart of the machine */
};

/* Whether a segment uses huge pages. */
enum slm_segment_huge {
    SLM_SEGMENT_HUGE_NO,  /* plain pages */
    SLM_SEGMENT_HUGE_TRY, /* huge pages if there are some, plain ones if not */
};

struct slm_segment; /* a handle */

/* Options of slm_segment_create, slm_segment_attach, slm_segment_remove and slm_segment_list. */
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
    bool unnamed;               /* create, POSIX and FILE: slm_segment_publish names it later */
    bool dump_core;             /* this process's core files have the segment's content */
    int id;                     /* attach: SYSV: the id; MEMFD: a descriptor, which is duplicated */
};

/*
 * Makes a new segment and maps it; all its bytes are 0. Nothing is overwritten. A POSIX or FILE
 * segment gets its name as the last step, so no process ever opens an incomplete one, wherever the
 * maker is killed. Without O_TMPFILE or /proc, the file has a temporary name (.slm-...) in the same
 * folder until then. The next create of the same name removes it if its maker died; that costs
 * O(names in the folder).
 * Fails, *out NULL: SLM_E_OPTION (kind, huge, mode, read_only, unnamed), SLM_E_SIZE (0 bytes, or above the
 * limit), SLM_E_NAME, SLM_E_EXISTS, SLM_E_MISSING (the folder), SLM_E_ACCESS, SLM_E_SPACE (the
 * backing cannot be reserved in full, the limit of memory, or RLIMIT_FSIZE is lower; no SIGXFSZ), SLM_E_NOMEM
 * (addresses, descriptors), SLM_E_IO. Cost O(bytes) where the system has to reserve the backing.
 */
enum slm_status slm_segment_create(struct slm_segment **out,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error);

/*
 * Gives a segment that was created unnamed its name: other processes can attach it from then on.
 * An unnamed segment goes with the processes that have it. Only the process that created it calls
 * this.
 * Fails, changing nothing, so that the segment stays unnamed: SLM_E_EXISTS (the name is taken),
 * SLM_E_STATE (it has a name, or its kind needs none; the descriptor), SLM_E_MISSING (the folder, the temporary
 * name, or /proc was removed), SLM_E_ACCESS, SLM_E_SPACE, SLM_E_IO. Cost O(1).
 */
enum slm_status slm_segment_publish(struct slm_segment *segment, struct slm_error *error);

/*
 * Maps a segment that exists, at its present length (SYSV: at its maker's max_bytes; it does not
 * grow). Holes, which a copy may have, are filled with backing unless read_only: the system is asked
 * to fill all of the file, since no count of blocks shows where they are. Refuses symbolic
 * links, FIFOs, devices and folders. Refuses what belongs to a user other than the caller's
 * effective one and root, unless read_only, and what other users may write to, unless `mode` grants
 * it (0: 0600). A caller that reads a segment of another user trusts that user: the content may be
 * anything and may change at any moment, and a cut file raises SIGBUS.
 * Fails, *out NULL: SLM_E_OPTION (kind, ANONYMOUS too; huge; mode), SLM_E_NAME, SLM_E_MISSING,
 * SLM_E_ACCESS, SLM_E_TRUNCATED (0 bytes, or not whole pages), SLM_E_SIZE (longer than max_bytes if
 * that is not 0, both in whole pages), SLM_E_LOCKED (another process has a lease of the file),
 * SLM_E_SPACE, SLM_E_NOMEM, SLM_E_IO. Cost O(bytes), of which pages with content cost little.
 */
enum slm_status slm_segment_attach(struct slm_segment **out,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error);

/* Unmaps the segment in this process and frees the handle. Other processes keep it. */
void slm_segment_detach(struct slm_segment *segment);

/*
 * Makes the segment at least `bytes` long; the new part is 0. Other processes see the new length
 * once all of it is reserved. When several handles grow one segment at once, each gets at least
 * what it asked for, and a failure takes nothing from the others. ANONYMOUS and SYSV have the
 * addresses of max_bytes from the start: growing only makes more of them accessible.
 * Growers do not wait for each other, nor for processes that may only read the file, except where
 * the file system cannot reserve.
 * Fails, changing nothing: SLM_E_SIZE (0, or above max_bytes), SLM_E_READ_ONLY, SLM_E_TRUNCATED (a
 * process cut the file), SLM_E_LOCKED (another process kept a lock on it), SLM_E_STATE (the
 * descriptor), SLM_E_SPACE, SLM_E_NOMEM (huge pages too), SLM_E_IO. Cost O(new bytes) where the
 * system has to reserve them.
 */
enum slm_status slm_segment_grow(struct slm_segment *segment, size_t bytes,
                                 struct slm_error *error);

/*
 * Undoes growth that no process has used yet; only the process that grew the segment calls it. The
 * length becomes `bytes` again.
 * Fails, changing nothing: SLM_E_SIZE (0, or the segment is not longer), SLM_E_READ_ONLY,
 * SLM_E_TRUNCATED, SLM_E_STATE (another process grew it further, or mapped less than there is; the
 * descriptor), SLM_E_LOCKED (another process grows it, or has a lock on the file), SLM_E_IO. Waits
 * for no process.
 */
enum slm_status slm_segment_shrink(struct slm_segment *segment, size_t bytes,
                                   struct slm_error *error);

/*
 * Maps what another process added, at least up to `bytes`. ANONYMOUS and SYSV: makes the addresses
 * up to `bytes` accessible.
 * Fails, changing nothing: SLM_E_TRUNCATED (the file is shorter than `bytes`, or than what is
 * mapped: a process cut it), SLM_E_SIZE (above max_bytes), SLM_E_STATE (the descriptor),
 * SLM_E_NOMEM, SLM_E_IO.
 */
enum slm_status slm_segment_refresh(struct slm_segment *segment, size_t bytes,
                                    struct slm_error *error);

/* Unmaps what lies past `bytes`, for a segment that other processes may cut to that length. The
 * segment keeps its length. ANONYMOUS and SYSV: does nothing. */
void slm_segment_unmap_tail(struct slm_segment *segment, size_t bytes);

/*
 * SLM_OK if the segment is as long as what is mapped, and its name, if it has one, leads to it. A
 * relative path is looked up in the folder that is the working folder now, and every path below the
 * root that the process has now. A segment without its name can still be used and grow.
 * Fails: SLM_E_TRUNCATED (a process cut the file or segment, so touching the cut part may raise
 * SIGBUS), SLM_E_MISSING (the name was removed), SLM_E_REPLACED (it leads to another file),
 * SLM_E_ACCESS (the folder), SLM_E_STATE (the descriptor), SLM_E_IO. Cost: one fstat, and one lstat
 * if there is a name; none for kinds that cannot be cut.
 */
enum slm_status slm_segment_verify(const struct slm_segment *segment, struct slm_error *error);

/*
 * SLM_OK: no other process has the segment open or mapped at this moment. POSIX, FILE: takes a
 * write lease (F_SETLEASE) of the file, and gives it back at once; a process that opens the file
 * meanwhile waits for that. It needs a handle of the caller's own: processes that inherited it by
 * fork count as the caller. SYSV: the handle is the only attachment.
 * Fails: SLM_E_LOCKED (others have it, or this process has it twice), SLM_E_STATE (the system
 * cannot say: other kinds, a handle inherited by fork, a file of a user other than the caller's, a
 * file system other than tmpfs, ext4, XFS, Btrfs and F2FS, a system without leases; SYSV: an IPC
 * namespace that is not the one of the attach, or no /proc that shows it), SLM_E_IO.
 */
enum slm_status slm_segment_check_unused(const struct slm_segment *segment,
                                         struct slm_error *error);

/*
 * As slm_segment_check_unused, and keeps others out until slm_segment_unclaim: what opens the file
 * meanwhile waits, or fails with EAGAIN if it asked not to wait, as slm_segment_attach does
 * (SLM_E_LOCKED). For a few stores only: after the system's lease-break-time, 45 s, others get in.
 * Fails: as slm_segment_check_unused; SLM_E_STATE for SYSV.
 */
enum slm_status slm_segment_claim(const struct slm_segment *segment, struct slm_error *error);
/* The segment was claimed. */
void slm_segment_unclaim(const struct slm_segment *segment);

/* Removes the name of a POSIX or FILE segment, or marks a SYSV one (by id) for removal. Processes
 * that have the segment keep it. Fails: SLM_E_OPTION (kind), SLM_E_NAME, SLM_E_MISSING,
 * SLM_E_ACCESS (as attach), SLM_E_IO. */
enum slm_status slm_segment_remove(const struct slm_segment_options *options,
                                   struct slm_error *error);

/* One segment of a listing. */
struct slm_segment_entry {
    const char *name; /* POSIX: as slm_segment_attach takes it; FILE: the path; SYSV: NULL */
    int id;           /* SYSV */
    size_t bytes;     /* SIZE_MAX: more than an address can reach */
    uid_t owner;
    mode_t mode;
};

/*
 * Calls visit for each segment of the kind that the caller may see, until visit returns false.
 * POSIX: those in /dev/shm; FILE: the regular files of the folder `name`; SYSV: the system's table.
 * visit runs with cancellation disabled.
 * Fails: SLM_E_OPTION (another kind), SLM_E_NAME (no folder), SLM_E_MISSING, SLM_E_ACCESS,
 * SLM_E_IO.
 */
enum slm_status slm_segment_list(const struct slm_segment_options *options,
                                 bool (*visit)(void *data, const struct slm_segment_entry *entry),
                                 void *data, struct slm_error *error);

/*
 * Opt-in: protects segments that this process creates or attaches afterwards from SIGBUS. When the
 * process touches what was cut off a segment, or a hole of its file for which the file system has no
 * memory, the handler maps a page of zeros there, which only this process sees and whose content is
 * lost. It also marks the segment: verify, refresh, grow and shrink then return SLM_E_TRUNCATED
 * without asking the system, until the segment is detached.
 *
 * Creating and attaching can fail with SLM_E_NOMEM afterwards, for the guard's table. Every other
 * SIGBUS goes on to the handler that was installed before, or ends the process as it did. A child
 * of fork inherits the guard. A second call does nothing. Install the guard before handlers that
 * are to see their signals first; a handler that replaces it must chain. System calls on a cut
 * address still fail with EFAULT. The handler calls mmap only, takes no lock, keeps errno, and runs
 * on the alternate stack if there is one. Under TSan, an atomic operation on a cut page hangs: TSan
 * holds a lock of its own during that operation, and waits for it in the handler.
 * Fails: SLM_E_IO. Safety: any thread; not in a signal handler. From a static library, a program
 * that does not call it does not link it.
 */
enum slm_status slm_segment_guard_install(struct slm_error *error);

/* --- What a handle knows --- */

void *slm_segment_base(const struct slm_segment *segment); /* a multiple of the page size */
/* Its length as this process has it mapped, bytes. */
size_t slm_segment_bytes(const struct slm_segment *segment);
/* Addresses that are reserved for it, bytes. */
size_t slm_segment_max_bytes(const struct slm_segment *segment);
/* The kind that it was made with. */
enum slm_segment_kind slm_segment_get_kind(const struct slm_segment *segment);
/* Whether it was attached read-only. */
bool slm_segment_is_read_only(const struct slm_segment *segment);
/* MEMFD, POSIX, FILE: the descriptor, close-on-exec; SYSV: the id; ANONYMOUS: -1. To pass a MEMFD
 * to a new program, clear its close-on-exec flag. */
int slm_segment_id(const struct slm_segment *segment);
/* For messages: path, name, or "anonymous", "sysv 12", "memfd 3". Valid until detach. */
const char *slm_segment_label(const struct slm_segment *segment);

#ifdef __cplusplus
}
#endif
#endif
