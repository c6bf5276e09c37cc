/* SPDX-License-Identifier: Apache-2.0 */
/* Zone: a named region that processes share, with a life cycle, and that outlives its users. */
#ifndef SLM_ZONE_H
#define SLM_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/error.h>
#include <slabmill/journal.h>
#include <slabmill/lock.h>
#include <slabmill/segment.h>
#include <slabmill/slab.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A segment that holds, in this order: a header that describes itself (magic, version,
 *          sizes, name, tag, checksum), the lock, the journal, the slab. Nothing in it is a
 *          pointer: any program may map it anywhere. What is done between slm_zone_lock and
 *          slm_zone_unlock with the journal's calls (slm_zone_journal) happens as a whole or not at
 *          all, wherever the process is killed; slm_zone_commit_locked makes two transactions of one turn
 *          with the lock. Whoever locks next repairs what a dead one left, before slm_zone_lock
 *          returns. A log that is not over is taken for a death too: somebody gave the lock back
 *          past the zone.
 * Growth   A zone may grow up to max_bytes: metadata and addresses for that are laid out when it is
 *          created, backing is taken when it grows. Addresses of objects never change; other
 *          processes see the growth when they next lock.
 * Safety   Threads of any process, and processes, may call all of it; _locked calls and the journal
 *          expect the caller to hold the zone's lock. One handle a process; a child of fork uses
 *          the inherited one. Signals: no. A process of another pid or time namespace is refused,
 *          since nobody could tell there whether a lock's owner lives.
 * Failure  NULL: as status.h says. Errors name the path or name. A zone that could not be repaired answers SLM_E_BROKEN to
 *          every lock; slm_zone_check and `slabmill inspect` tell what is wrong with it.
 * Limits   At most 2^46 bytes. slm_zone_root_locked does not check that the root is a live object;
 *          slm_zone_check_locked does. The option `check` of attach is for zones that no other
 *          process changes meanwhile.
 * Source   The contract is nginx's ngx_shm_zone_t.
 */
#define SLM_ZONE_MAGIC      UINT64_C(0x656e6f7a6d6c7300) /* "\0slmzone" */
#define SLM_ZONE_VERSION    1u
#define SLM_ZONE_NAME_BYTES 64u /* name or tag with its final zero */
#define SLM_ZONE_BYTES_MIN  65536u

struct slm_zone; /* a process's handle */

struct slm_zone_options {
    const char *name;             /* needed; also the POSIX segment's, if that has none */
    const char *tag;              /* who uses it and how; NULL: "" */
    size_t bytes;                 /* whole pages; at least SLM_ZONE_BYTES_MIN */
    size_t max_bytes;             /* it may grow so far; at least bytes; 0: bytes */
    struct slm_slab_options slab; /* name and max_bytes are 0: they are the zone's */
    enum slm_lock_kind lock_kind;
    const char *lock_path;    /* for SLM_LOCK_FILE */
    unsigned journal_entries; /* words, allocations, releases of one transaction; 0: 1024 */
    struct slm_segment_options segment; /* kind, name, mode, huge, guard; all else is 0 */
};

/*
 * Makes a new zone. Fails, leaving nothing behind: SLM_E_NAME (name or tag empty or too
 * long), SLM_E_SIZE, SLM_E_OPTION, and as slm_segment_create, slm_slab_init and slm_lock_attach.
 */
enum slm_status slm_zone_create(struct slm_zone **out, const struct slm_zone_options *options,
                                struct slm_error *error);

struct slm_zone_attach_options {
    struct slm_segment_options segment; /* kind, name, mode, id, read_only, guard; sizes unused */
    const char *name;                   /* the zone must have it; NULL: any */
    const char *tag;                    /* the same */
    const char *lock_path;              /* for SLM_LOCK_FILE */
    bool lock_file_is_new;              /* the same; see lock.h */
    bool check; /* run slm_zone_check_locked too: for a zone that nobody else uses meanwhile */
};

/*
 * Maps a zone that exists. Nothing is written but the lock's state after a reboot. Fails: as
 * slm_segment_attach; SLM_E_MAGIC, SLM_E_VERSION, SLM_E_CHECKSUM, SLM_E_SIZE (sizes that do not fit
 * each other), SLM_E_TRUNCATED (the segment is shorter than the zone), SLM_E_IMAGE (slab or
 * journal), SLM_E_STATE (still being made, or its maker died; another pid or time namespace),
 * SLM_E_NAME (another name or tag), SLM_E_BROKEN (it could not be repaired, unless read_only; check
 * found something); and as slm_lock_attach.
 */
enum slm_status slm_zone_attach(struct slm_zone **out,
                                const struct slm_zone_attach_options *options,
                                struct slm_error *error);

/* Closes this process's handle, which none of its threads holds the lock through. */
void slm_zone_detach(struct slm_zone *zone);

/* Removes the name of the zone's segment; whoever has it keeps it. As slm_segment_remove;
 * SLM_E_MISSING too where another file has the name by now, which stays. */
enum slm_status slm_zone_remove(struct slm_zone *zone, struct slm_error *error);

/* --- Under the lock --- */

/*
 * Takes the lock, and repairs what a dead holder left. SLM_OK: the caller holds it. Fails, not
 * holding it: SLM_E_HELD, SLM_E_BROKEN, SLM_E_READ_ONLY, SLM_E_TRUNCATED (grown by another process,
 * and cut since), SLM_E_NOMEM (cannot map what was added), SLM_E_REPLACED, SLM_E_IO; try
 * SLM_E_LOCKED; timed SLM_E_TIMEOUT.
 */
enum slm_status slm_zone_lock(struct slm_zone *zone);
enum slm_status slm_zone_trylock(struct slm_zone *zone);
enum slm_status slm_zone_timedlock(struct slm_zone *zone, unsigned timeout_ms);

/* Commits, and gives the lock back. SLM_E_OWNER: the caller does not hold it. SLM_E_FULL: a call
 * since the last commit found the journal full, and all since then was undone; the lock is given
 * back all the same. */
enum slm_status slm_zone_unlock(struct slm_zone *zone);

/* Commits, and keeps the lock (SLM_E_FULL: as slm_zone_unlock); or undoes all since the last
 * commit. The caller holds the lock. */
SLM_MUST_USE enum slm_status slm_zone_commit_locked(struct slm_zone *zone);
void slm_zone_abort_locked(struct slm_zone *zone);

/* For alloc, free, write and save under the lock, and for rbtree and lru. */
struct slm_journal *slm_zone_journal(struct slm_zone *zone);

/* Frees all objects, root included, as one transaction of its own: what was noted before is
 * committed first. SLM_E_FULL: as slm_zone_commit_locked, freeing nothing. */
SLM_MUST_USE enum slm_status slm_zone_reset_locked(struct slm_zone *zone);

/* The user's anchor: NULL, or an object of the zone (SLM_E_FOREIGN). Undone with the transaction.
 * SLM_E_FULL: no room in the journal. */
enum slm_status slm_zone_set_root_locked(struct slm_zone *zone, void *object);
void *slm_zone_root_locked(const struct slm_zone *zone);

/* --- Taking the lock themselves: a transaction each --- */

/* NULL: none left, or the lock was not to be had (*status tells; status may be NULL). */
void *slm_zone_alloc(struct slm_zone *zone, size_t size_bytes, enum slm_status *status);
void *slm_zone_calloc(struct slm_zone *zone, size_t size_bytes, enum slm_status *status);
/* Fails: as slm_slab_free and slm_zone_lock. */
enum slm_status slm_zone_free(struct slm_zone *zone, void *p);

/*
 * Makes the zone at least `bytes` long, in place, content kept. Fails, changing nothing: SLM_E_SIZE
 * (above max_bytes), SLM_E_SPACE, SLM_E_NOMEM, and as slm_zone_lock.
 */
enum slm_status slm_zone_grow(struct slm_zone *zone, size_t bytes, struct slm_error *error);

/* --- What it is --- */

/* For looking, and for _locked calls under the lock. Its own root is not to be used: a repair drops
 * it; the zone's is slm_zone_root_locked. */
struct slm_slab *slm_zone_slab(struct slm_zone *zone);
struct slm_lock *slm_zone_lock_handle(struct slm_zone *zone);
const struct slm_segment *slm_zone_segment(const struct slm_zone *zone);
const char *slm_zone_name(const struct slm_zone *zone);
const char *slm_zone_tag(const struct slm_zone *zone);

struct slm_zone_stats {
    size_t bytes; /* of the segment now */
    size_t max_bytes;
    uint64_t n_recoveries; /* repairs after a holder died, since creation */
    uint64_t n_undone;     /* of these, with a transaction that was undone */
    uint64_t n_finished;   /* of these, with a commit that was finished */
    uint32_t journal_entries;
};

void slm_zone_get_stats(const struct slm_zone *zone, struct slm_zone_stats *stats);

/* 0, or the number of a broken invariant: 1-99 of the slab, 101.. of the zone itself (listed in
 * allocator/zone/check.c). Read-only, bounded, safe for any content of the zone. The caller holds
 * the lock, or no other process uses the zone. */
unsigned slm_zone_check_locked(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
