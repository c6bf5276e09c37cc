/* SPDX-License-Identifier: Apache-2.0 */
/* Zone: a named region that processes share; it outlives its users and any of their deaths. */
#ifndef SLM_ZONE_H
#define SLM_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <slabmill/error.h>
#include <slabmill/journal.h>
#include <slabmill/lock.h>
#include <slabmill/segment.h>
#include <slabmill/slab.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A segment that holds, in this order: a header that describes the zone (magic, version,
 *          sizes, name, tag, checksum), the lock, the journal, the slab. It has no pointers, so any
 *          program may map it anywhere. What a caller does between slm_zone_lock and
 *          slm_zone_unlock through the zone's journal (slm_zone_journal) is one transaction: it
 *          happens as a whole or not at all, wherever the process is killed. slm_zone_commit_locked
 *          ends a transaction and begins the next without unlocking.
 * Repair   The next locker repairs what a dead holder left, before slm_zone_lock returns. An
 *          unfinished log also counts as a death: a caller unlocked the lock directly instead of
 *          through the zone.
 * Growth   A zone may grow up to max_bytes. Its metadata and addresses for that are laid out when
 *          it is created; backing is taken when it grows. Addresses of objects never change. Other
 *          processes see the growth when they next lock.
 * Metadata Is laid out for max_bytes when the zone is made, and takes its memory from then on: 4 KiB
 *          for the header, 16 bytes for each entry of the journal, and for the slab as measured
 *          here. bytes is at least all of that and a page: slm_zone_bytes_for(options, 1, 1).
 *              page_bytes  min_object_bytes  1 MiB   16 MiB   256 MiB      4 GiB  of max_bytes
 *                    4096                 8  24 KiB  348 KiB  5524 KiB  88344 KiB        2.1 %
 *                    4096                16  16 KiB  228 KiB  3548 KiB  56704 KiB        1.4 %
 *                    4096                64  12 KiB  132 KiB  2044 KiB  32648 KiB        0.8 %
 *                   16384                16  12 KiB  156 KiB  2416 KiB  38592 KiB        0.9 %
 *                   65536                64   8 KiB   44 KiB   612 KiB   9720 KiB        0.2 %
 *          With per_doubling 8, but for the first row, which is the default. Other values of it
 *          change at most 8 KiB.
 * Content  The tag says what uses the zone, and content_version which form of its structs is
 *          stored. A handle that was made or opened for one version locks the zone only while the
 *          content has that version: SLM_E_VERSION. So old workers of a server stop when a new
 *          program has brought the content forward, instead of misreading it. The version is part
 *          of the transaction that changes it.
 * Power    A zone in a FILE may come back after a loss of power with some of its pages old and some
 *          new. slm_zone_sync writes it to the disk and marks it clean, until the next lock. A zone
 *          that was not clean when the boot ended, and one whose file was copied (by `cp`) while it
 *          was not clean, is checked whole by its first lock: header, slab and journal, then
 *          check_content. What fails is SLM_E_BROKEN, for good. So what the library keeps is whole
 *          or refused. What objects hold is so only where check_content says it; without one, a
 *          program may find contents that were never written together. Transactions are not written
 *          to the disk as they end: call slm_zone_sync where they have to be. What `cp` writes over
 *          the zone's own file looks as if the zone's users had stored it, and a POSIX zone is never
 *          checked. So rename a copy to the zone's name, or make copies by slm_zone_copy.
 * Moving   Growth changes no other option than bytes. For the others the content is moved to a new
 *          zone: where slm_zone_open or slm_zone_set_apply finds a zone of the same name, tag and
 *          kind whose journal, slab or lock kind is not what the options say, whose max_bytes is
 *          another, or that was made with more bytes, and the options have the callback move. It
 *          runs under the locks of both zones: every process that uses the zone waits as long as it
 *          runs, and for a FILE until the disk has the new zone. Then the new zone is under the
 *          name, in one step: a process that opens it, and a kill at any moment, find one of the two,
 *          whole. Handles of the earlier zone do not lock it any more: SLM_E_REPLACED. So no write
 *          is lost without a report. A process opens the zone again, or ends, as old workers of a
 *          server do; without a name, only children of fork of the new zone's maker get it. Offsets
 *          of objects are others there. The new file belongs to the user that moves the zone, with
 *          the mode of the options: root must not move the zone of workers that attach it by name as
 *          another user. A maker that is killed may leave a file .slm-...; the next
 *          move of the zone, or the next open with such a callback, removes it.
 * Safety   Threads and processes may make any call. _locked calls and the journal need the zone's
 *          lock, which the caller holds. One handle a process; a child of fork uses the inherited
 *          one. Signals: no call is for handlers. Cancellation: no call is a cancellation point, and
 *          upgrade, move and check_content run with cancellation disabled. The others are the
 *          caller's own: a thread that is cancelled in report has nothing of the zone, and one in
 *          evict holds the lock, as a thread that ends there does.
 * Failure  Error texts name the zone or its segment, the option and the limit. A zone that cannot
 *          be repaired answers every lock with SLM_E_BROKEN; slm_zone_check_locked and `slabmill
 *          inspect` show what is wrong with it. A read-only handle cannot lock: calls that lock,
 *          unlock, commit, reset, set the root or note in its journal (trees, lists, tables and
 *          leases do) return SLM_E_READ_ONLY, and abort does nothing. NULL, and what comes first if
 *          a call has several reasons to fail: as status.h says.
 * Readers  A process that may only read a zone's file attaches it read_only, from any namespace, and
 *          keeps no writer waiting. It sees transactions that are under way; `slabmill inspect` and
 *          slm_zone_image.h work on a settled copy. Its handle maps what a growth added when it calls
 *          slm_zone_check_locked; an access there before that ends the process, so a reader of a
 *          zone that grows follows links in a copy. One thing waits for readers: a zone whose
 *          namespace ended is taken over when no process has it open any more (see Limits).
 * Limits   65536 to 2^46 bytes. Only processes of one pid and one time namespace share a zone at a
 *          time, since elsewhere no process could find out whether a lock's owner lives. A POSIX or
 *          FILE zone that no process has open or mapped any more counts as left by its namespace,
 *          for example a container that ended: the next attach takes it over. Where the system
 *          cannot say that (see slm_segment_check_unused), attach fails, and is_unused says it.
 *          A zone whose lock is a file is not moved to one whose lock is a file (SLM_E_OPTION), nor
 *          is one whose file has two names (SLM_E_STATE). On a file system that counts a name for a
 *          file that is open and has none (NFS), the earlier zone may still be locked after a move.
 *          slm_zone_root_locked does not check that the root is a live object;
 *          slm_zone_check_locked does. A thread owns the lock, not a handle. So a process that opens
 *          a zone twice can break a transaction: a commit or unlock through the second handle
 *          commits half of what its thread did through the first, and what that freed stays
 *          allocated. The option `check` of attach is for zones that no other process changes
 *          meanwhile.
 * Source   The contract is nginx's ngx_shm_zone_t.
 */
#define SLM_ZONE_MAGIC      UINT64_C(0x656e6f7a6d6c7300) /* "\0slmzone" */
#define SLM_ZONE_VERSION    1u                           /* of the stored layout */
#define SLM_ZONE_NAME_BYTES 64u                          /* name or tag with its final zero */
#define SLM_ZONE_BYTES_MIN  65536u                       /* shortest zone */

struct slm_zone; /* a process's handle */

/* Options of slm_zone_create and slm_zone_open. */
struct slm_zone_options {
    const char *name;             /* needed; also the POSIX segment's, if that has none */
    const char *tag;              /* what uses the zone, and its format; NULL: "" */
    size_t bytes;                 /* whole pages; at least SLM_ZONE_BYTES_MIN */
    size_t max_bytes;             /* it may grow so far; at least bytes; 0: bytes */
    struct slm_slab_options slab; /* name and max_bytes are 0: they are the zone's. per_doubling 0:
                                     by bytes, below 1 MiB 1, from there 4, from 8 MiB 8, from 64
                                     MiB 16; a zone that exists keeps its own */
    enum slm_lock_kind lock_kind;
    const char *lock_path;    /* for SLM_LOCK_FILE */
    unsigned journal_entries; /* words, allocations, releases of one transaction; 0: 1024 */
    struct slm_segment_options segment; /* kind, name, mode, huge, guard, dump_core */
    /* Of the structs in the zone's objects, as this program knows them; see Content. */
    uint32_t content_version;
    /* Brings the content from an earlier version to content_version, where a call opens a zone that
     * exists. It is called under the lock, inside a transaction, and any result but SLM_OK undoes
     * it. It neither commits, resets nor unlocks, what it notes fits in the journal, and other
     * processes wait while it runs. NULL: content of another version is refused. */
    enum slm_status (*upgrade)(struct slm_zone *zone, uint32_t from_version, void *data);
    void *upgrade_data;
    /* Moves the content to a new zone with these options; see Moving. It is called under the locks
     * of both. It reads `from`, whose content may have an earlier content_version (see its stats),
     * and fills `to` through its journal. It may commit `to` (slm_zone_commit_locked) as often as it
     * needs to, since no other process has it. It commits nothing else and unlocks neither. Any
     * result but SLM_OK leaves the earlier zone as it was. NULL: such a zone is refused, or keeps its
     * max_bytes and a greater length. */
    enum slm_status (*move)(struct slm_zone *to, struct slm_zone *from, void *data);
    void *move_data;
    /* Checks the content; see Power. It is called under the lock. It reads only, and expects any
     * bytes in the objects; slm_rbtree_check and slm_lru_check do. Any result but SLM_OK:
     * SLM_E_BROKEN. NULL: content is not checked. */
    enum slm_status (*check_content)(struct slm_zone *zone, void *data);
    void *check_data;
    /* Gets each slm_zone_alloc, slm_zone_calloc and slm_zone_free through this handle that fails, as
     * the hook of a slab's view does, with the zone's name; never under the lock. Journals report
     * nothing: their calls return a status under the lock. NULL: silent. */
    void (*report)(void *report_data, const struct slm_slab_event *event);
    void *report_data;
    bool quiet_nomem; /* exhaustion is not reported */
};

/*
 * Makes a new zone. All options are compared with their limits first.
 * Fails, leaving nothing but perhaps the lock file (see slm_lock_options), *out NULL: SLM_E_NAME (name
 * empty, name or tag too long, a FILE without a path), SLM_E_SIZE (bytes, max_bytes, or the journal or
 * the slab's metadata do not fit in bytes: then the text names the smallest bytes that will do, if
 * max_bytes allows any), SLM_E_OPTION, SLM_E_DUPLICATE (lock_path is a zone's file), and as
 * slm_segment_create and slm_lock_attach.
 * Cost O(bytes) where the system has to reserve them.
 */
enum slm_status slm_zone_create(struct slm_zone **out, const struct slm_zone_options *options,
                                struct slm_error *error);

/*
 * The value of options->bytes with which a new zone has room for n_objects objects of object_bytes
 * and nothing else: header, journal and the slab's metadata, for growth up to max_bytes too, are
 * counted. Exact: a zone that is a page of the system shorter has room for fewer, unless the result
 * is SLM_ZONE_BYTES_MIN. Objects of other sizes need room of their own, and frees in any order may
 * leave room that only some sizes can use. The option bytes is ignored; name may be NULL;
 * segment.huge is taken for NO. 0: such a zone cannot be made, since an option is not allowed, or
 * the objects do not fit within max_bytes or the limits. Pure: any thread or process. Cost O(log
 * bytes).
 */
size_t slm_zone_bytes_for(const struct slm_zone_options *options, size_t object_bytes,
                          size_t n_objects);

#define SLM_ZONE_OPEN_MS 5000u /* how long slm_zone_open waits for the lock */

/*
 * Opens the zone of that name, or makes it: what a server does when it starts, after a clean end
 * and after kill -9. *is_new (may be NULL): whether it was made. A zone that exists keeps its
 * content. It is repaired, grows if bytes is more than its length, and its content is brought to
 * content_version; or it is moved, if the options have a callback for that (see Moving). An option
 * of the slab, journal_entries and max_bytes that are 0 mean what is stored; a mode that differs is
 * ignored, and without the callback a max_bytes too. Segments without a name (ANONYMOUS, SYSV,
 * MEMFD) are always made.
 * Fails, changing nothing, *out NULL: SLM_E_NAME (another name or tag), SLM_E_OPTION (another lock
 * kind, journal_entries or slab option), SLM_E_SIZE (bytes above its max_bytes), SLM_E_VERSION (the
 * content is later than content_version, or earlier and upgrade is NULL), SLM_E_FULL (upgrade's
 * transaction), SLM_E_TIMEOUT (the lock was held for SLM_ZONE_OPEN_MS), SLM_E_LOCKED (a move, and a
 * server has the zone in its set), what upgrade or move returns, and as slm_zone_attach,
 * slm_zone_create, slm_zone_grow and slm_zone_timedlock.
 */
enum slm_status slm_zone_open(struct slm_zone **out, const struct slm_zone_options *options,
                              bool *is_new, struct slm_error *error);

/* Options of slm_zone_attach. */
struct slm_zone_attach_options {
    struct slm_segment_options segment; /* kind, name, mode, id, read_only, guard, dump_core */
    const char *name; /* the zone must have it, NULL: any; also the POSIX segment's, if that has
                         none */
    const char *tag;  /* the same */
    const char *lock_path; /* for SLM_LOCK_FILE */
    bool is_unused;        /* the caller knows that no process uses the zone; see slm_lock_attach */
    bool check; /* run slm_zone_check_locked too: no other process uses the zone meanwhile */
    uint32_t content_version; /* the zone must have it, now and at each lock; 0: any */
    enum slm_status (*check_content)(struct slm_zone *zone, void *data); /* as in the options */
    void *check_data;
    void (*report)(void *report_data, const struct slm_slab_event *event); /* the same */
    void *report_data;
    bool quiet_nomem;
};

/*
 * Opens a zone that exists. Writes nothing but the state of the lock: after a reboot, with
 * is_unused, or if its owner seems to live and no process has the file. If the file may have holes
 * (it is a copy, or was changed by other means than this library), their backing is reserved, which
 * is noted in the zone.
 * Fails, *out NULL: as slm_segment_attach; SLM_E_MAGIC, SLM_E_VERSION, SLM_E_CHECKSUM, SLM_E_SIZE
 * (sizes that do not fit each other), SLM_E_TRUNCATED (the segment is shorter than the zone),
 * SLM_E_IMAGE (slab or journal), SLM_E_STATE (still being made, or its maker died; in use in
 * another pid or time namespace, or no /proc, without is_unused), SLM_E_NAME (another name or tag),
 * SLM_E_DUPLICATE (lock_path is a zone's file),
 * SLM_E_VERSION (also: another version of the content), SLM_E_BROKEN (the zone could not be
 * repaired, unless read_only; or check found something); and as slm_lock_attach. Cost O(1), or
 * O(bytes) where holes may have to be filled; with check as slm_zone_check_locked.
 */
enum slm_status slm_zone_attach(struct slm_zone **out,
                                const struct slm_zone_attach_options *options,
                                struct slm_error *error);

/* Closes this process's handle. None of its threads holds the lock through it. */
void slm_zone_detach(struct slm_zone *zone);

/*
 * Writes the zone of a FILE to the disk and marks it clean: see Power. Does nothing for the other
 * kinds, which no boot outlives. Takes the lock for the last part, in which it writes what changed
 * meanwhile. Fails: SLM_E_NULL, SLM_E_READ_ONLY, SLM_E_IO (the disk), as slm_zone_lock (SLM_E_HELD:
 * the caller holds it). Cost: a write for each page that changed since the last one.
 */
SLM_MUST_USE enum slm_status slm_zone_sync(struct slm_zone *zone, struct slm_error *error);

/* Removes the name of the zone's segment; processes that have the zone keep it. Fails as
 * slm_segment_remove; SLM_E_MISSING also if the name belongs to another file now, which stays. */
enum slm_status slm_zone_remove(struct slm_zone *zone, struct slm_error *error);

/* --- Under the lock --- */

/*
 * Takes the lock, maps what other processes added, and repairs what a dead holder left. SLM_OK: the
 * caller holds it. Fails, taking nothing: SLM_E_HELD (the caller holds it already), SLM_E_BROKEN,
 * SLM_E_READ_ONLY, SLM_E_VERSION (see Content), SLM_E_TRUNCATED (the zone was cut; see also
 * slm_zone_trim), SLM_E_NOMEM (no addresses for what was added), SLM_E_REPLACED (the content was
 * moved: see Moving; as slm_lock_lock), SLM_E_STATE (the descriptor was closed or is another file now,
 * and another process has grown the zone, or died in a move; as slm_lock_lock), SLM_E_IO (what was
 * added cannot be looked at; the disk does not take the note that a clean zone is in use; as
 * slm_lock_lock); trylock: SLM_E_LOCKED; timedlock: SLM_E_TIMEOUT. Cost: that of slm_lock_lock; a
 * repair costs as slm_journal_recover.
 */
SLM_MUST_USE enum slm_status slm_zone_lock(struct slm_zone *zone);
SLM_MUST_USE enum slm_status slm_zone_trylock(struct slm_zone *zone);
SLM_MUST_USE enum slm_status slm_zone_timedlock(struct slm_zone *zone, unsigned timeout_ms);

/* Commits, and unlocks; a turn that changes something ends with slm_zone_end. Fails: SLM_E_READ_ONLY
 * and SLM_E_OWNER (the caller does not hold the lock), changing nothing; as slm_journal_commit (a
 * call since the last commit was refused): all since then was undone, and the lock is unlocked too.
 * Cost as slm_journal_commit. */
enum slm_status slm_zone_unlock(struct slm_zone *zone);

/*
 * Ends a turn: call it once after a lock that succeeded, on every path. SLM_OK: commits and
 * unlocks, as slm_zone_unlock. Any other status: undoes everything since the last commit, and
 * unlocks. Returns status; if that is SLM_OK, what slm_zone_unlock returns.
 *
 *     enum slm_status status = slm_zone_lock(zone);
 *     if (status != SLM_OK) {
 *         return status;
 *     }
 *     return slm_zone_end(zone, add_key(zone, key));
 *
 * If the caller does not hold the lock, it changes nothing.
 */
SLM_MUST_USE enum slm_status slm_zone_end(struct slm_zone *zone, enum slm_status status);

/* commit: commits, and keeps the lock. Fails as slm_zone_unlock. abort: undoes everything since the
 * last commit; without the lock it does nothing. */
SLM_MUST_USE enum slm_status slm_zone_commit_locked(struct slm_zone *zone);
void slm_zone_abort_locked(struct slm_zone *zone);

/* The zone's journal: to allocate, free and write under the lock, and for rbtree and lru. */
struct slm_journal *slm_zone_journal(struct slm_zone *zone);

/*
 * Frees at least one object by slm_journal_free, and unlinks it first. May make other changes
 * through the zone's journal; allocates fewer objects than it frees. Does not commit, abort or
 * unlock. False: there is nothing left to evict.
 */
typedef bool slm_zone_evict(struct slm_zone *zone, void *data);

/*
 * Allocates size_bytes as slm_journal_alloc does. While no memory is free, it calls evict and
 * commits, so that memory that was freed is free: an object that is freed in the same transaction
 * is not. Call it before anything is noted in the turn, since each eviction is committed.
 *
 *     entry = slm_zone_alloc_evicting_locked(zone, sizeof *entry, drop_oldest, table, &status);
 *     if (entry != NULL) {
 *         status = link_entry(zone, table, entry);
 *     }
 *     return slm_zone_end(zone, status);
 *
 * NULL, with nothing noted; *status (status may be NULL) has the reason: SLM_E_NOMEM (evict
 * returned false, or all pages together are smaller), SLM_E_STATE (the turn had noted something, or
 * evict freed no more objects than it allocated), SLM_E_OWNER, SLM_E_READ_ONLY, as slm_zone_alloc
 * after slm_zone_trim (SLM_E_STATE too; nothing is evicted for it), and as
 * slm_journal_commit (SLM_E_FULL: an eviction needs more entries than the journal has). Evictions before the one that failed stay. A size
 * that fits only in an empty zone empties it: limit the size first. Cost: that of the evictions.
 */
void *slm_zone_alloc_evicting_locked(struct slm_zone *zone, size_t size_bytes,
                                     slm_zone_evict *evict, void *data, enum slm_status *status);

/* Commits, then frees all objects, the root included, as a transaction of its own. Fails as
 * slm_zone_commit_locked, freeing nothing. */
SLM_MUST_USE enum slm_status slm_zone_reset_locked(struct slm_zone *zone);

/* The root: the user's anchor, a live object of the zone or NULL. An abort brings the former root
 * back. Fails, changing nothing: SLM_E_READ_ONLY, SLM_E_OWNER, and as slm_journal_set_root. */
SLM_MUST_USE enum slm_status slm_zone_set_root_locked(struct slm_zone *zone, void *object);
void *slm_zone_root_locked(const struct slm_zone *zone);

/* --- Calls that take the lock themselves: one transaction each --- */

/* NULL: out of memory, or the lock could not be taken; *status (status may be NULL) has which. After
 * slm_zone_trim also if pages cannot be backed for a reason other than lack of space: SLM_E_STATE (the
 * descriptor), SLM_E_TRUNCATED, SLM_E_IO. */
void *slm_zone_alloc(struct slm_zone *zone, size_t size_bytes, enum slm_status *status);
void *slm_zone_calloc(struct slm_zone *zone, size_t size_bytes, enum slm_status *status);
/* Fails as slm_slab_free and slm_zone_lock. */
enum slm_status slm_zone_free(struct slm_zone *zone, void *p);

/*
 * Makes the zone at least `bytes` long, in place; its content is kept. Fails, changing nothing:
 * SLM_E_SIZE (above max_bytes), SLM_E_SPACE, SLM_E_NOMEM, and as slm_zone_lock. Cost O(new bytes)
 * where the system has to reserve them.
 */
enum slm_status slm_zone_grow(struct slm_zone *zone, size_t bytes, struct slm_error *error);

/*
 * Gives the memory of free pages back to the system, after a peak for example: empty spans become
 * free pages, and holes are punched in the zone's file. *n_bytes (n_bytes may be NULL): what was given
 * back, by the system's account. POSIX, MEMFD and FILE zones. Takes the lock again and again, each time
 * for 64 free runs or 64 MiB at most.
 * From then on pages are backed again before they are handed out, in each process, if need be with the
 * memory of other free pages: if there is none either, an allocation finds none (SLM_E_NOMEM), and no
 * access to an object raises SIGBUS. In such a zone an allocation of whole pages makes two system calls
 * more, as does one that needs a new span. A process that cannot back pages for another reason, as one
 * that closed the descriptor, gets that as the status of its allocations, and evicts nothing for them;
 * slm_journal_alloc returns NULL.
 * A read of what is freed can raise SIGBUS on a full tmpfs: a reader without the lock that follows an
 * old link. Under slm_segment_guard_install it reads zeros, which hide the page from this handle for
 * good: as after a cut, its next lock is SLM_E_TRUNCATED, and the process has to attach the zone again.
 * Fails, having given back *n_bytes: SLM_E_OPTION (ANONYMOUS, SYSV, or a file system that cannot),
 * SLM_E_READ_ONLY, SLM_E_LOCKED (a copy of the zone is being made), SLM_E_TIMEOUT (the lock was held for
 * SLM_ZONE_OPEN_MS), SLM_E_STATE (the descriptor), SLM_E_IO, and as slm_zone_timedlock.
 * slm_zone_copy takes the memory again. Programs with a library that does not know this call must not
 * use the zone afterwards. Cost O(pages) for each time that it has the lock.
 */
enum slm_status slm_zone_trim(struct slm_zone *zone, uint64_t *n_bytes, struct slm_error *error);

/* --- What a handle knows --- */

/* The slab, for looking only: calls that change it are refused, see slab.h. The journal would not
 * undo what they do; use slm_journal_alloc and slm_journal_free. Calls that end in _locked need the
 * zone's lock. */
struct slm_slab *slm_zone_slab(struct slm_zone *zone);
/* The zone's lock; lock and unlock by the zone's own calls. */
struct slm_lock *slm_zone_lock_handle(struct slm_zone *zone);
/* The zone's segment: its base, length and label. */
const struct slm_segment *slm_zone_segment(const struct slm_zone *zone);
/* The name that the zone was created with; valid until slm_zone_detach. */
const char *slm_zone_name(const struct slm_zone *zone);
/* The tag that the zone was created with; valid until slm_zone_detach. */
const char *slm_zone_tag(const struct slm_zone *zone);

/* What slm_zone_get_stats fills in. */
struct slm_zone_stats {
    size_t bytes; /* of the segment now */
    size_t max_bytes;
    uint64_t n_recoveries; /* repairs after a holder died, since creation */
    uint64_t n_undone;     /* of these, with a transaction that was undone */
    uint64_t n_finished;   /* of these, with a commit that was finished */
    uint32_t journal_entries;
    uint32_t content_version;
    bool is_clean;    /* since slm_zone_sync no process has locked it */
    bool needs_check; /* its next lock checks all of it: see Power */
};

/* Fills in *stats. Cost O(1). */
void slm_zone_get_stats(const struct slm_zone *zone, struct slm_zone_stats *stats);

/*
 * Prints what the zone holds, as `slabmill inspect` shows it: sizes, lock, journal, repairs, pages,
 * classes, free runs, and whether every invariant holds. The form of the text may change. Takes the
 * lock, unless the caller holds it or the handle is read-only, and prints after it has unlocked.
 * Fails: SLM_E_NOMEM, and as slm_zone_lock, printing nothing; SLM_E_IO (file). Cost under the lock:
 * as slm_zone_check_locked.
 */
enum slm_status slm_zone_print(struct slm_zone *zone, FILE *file);

/* 0, or the number of a broken invariant: 1 to 99 of the slab, 101 and above of the zone (listed in
 * allocator/zone/check.c). The caller holds the lock, or no other process uses the zone. Reads
 * only, bounded, safe for any content. Cost O(pages + bitmap words + journal entries). */
unsigned slm_zone_check_locked(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
