/* SPDX-License-Identifier: Apache-2.0 */
/* What a process holds of a zone, and what the files of this room do for each other. */
#ifndef SLM_ZONE_HANDLE_H
#define SLM_ZONE_HANDLE_H

#include <sys/stat.h>

#include "allocator/base/check.h"
#include "allocator/base/yield.h"
#include "allocator/lock/identity.h"
#include "allocator/zone/header.h"
#include <slabmill/zone.h>

#define ZONE_ANY_VERSION UINT64_MAX

/* Which folder a path leads to; inode 0: unknown. */
struct zone_folder {
    uint64_t device;
    uint64_t inode;
};

struct slm_zone {
    struct slm_segment *segment;
    struct zone_header *header;
    struct slm_lock *lock; /* NULL: read-only */
    struct slm_slab *slab; /* the journal's */
    struct slm_slab *look; /* the caller's, for looking only */
    struct slm_journal journal;
    struct zone_fixed fixed;   /* as it was when this process opened it */
    struct zone_folder folder; /* where the path of a POSIX or FILE zone led then */
    size_t reserved_bytes;     /* length that is backed and not published yet; 0: none */
    /* Length and sealed count of pages as slm_zone_see_growth last saw them, with all of it mapped
     * and nothing reserved. seen_bytes 0: look again. */
    uint64_t seen_bytes;
    uint64_t seen_pages;
    uint64_t content_version; /* lock accepts this one; or ZONE_ANY_VERSION */
    uint64_t n_wide_pages;    /* marked as granules since the last lock: see slm_zone_count_due */
    unsigned n_looks;         /* while copies were made: see slm_zone_join_copy */
    uint32_t vain_holds;      /* the copier's holds when these waits for the next one began: */
    unsigned n_vain;          /* as many as ended without it */
    unsigned refused;         /* the status of the last refusal that was reported; 0: none */
    enum slm_status unbacked; /* see zone_forget_unbacked; SLM_OK: none */
    /* Of the options. */
    enum slm_status (*check_content)(struct slm_zone *zone, void *data);
    void *check_data;
    void (*report)(void *report_data, const struct slm_slab_event *event);
    void *report_data;
    bool quiet_nomem;
};

/* The length that the zone has now. */
static inline uint64_t zone_bytes(const struct slm_zone *zone)
{
    return __atomic_load_n(&zone->header->bytes, __ATOMIC_ACQUIRE);
}

/* The slab's part of it. */
static inline size_t zone_slab_bytes(const struct slm_zone *zone)
{
    return (size_t)(zone_bytes(zone) - zone->fixed.slab_offset);
}

/* Whether the calling thread holds the lock, no mark is set in the word, and the kernel has no part
 * in the lock: nearly always so if it holds the lock. */
static inline bool zone_is_plainly_held(const struct slm_zone *zone)
{
    uint64_t self = slm_lock_self_cached;
    SLM_YIELD("zone: is the lock mine");
    return self != 0 && __atomic_load_n(&zone->header->lock.word, __ATOMIC_RELAXED) == self &&
           zone->fixed.lock_kind != SLM_LOCK_FILE;
}

/* Whether the calling thread holds the lock. */
static inline bool zone_is_held(const struct slm_zone *zone)
{
    return SLM_LIKELY(zone_is_plainly_held(zone)) || slm_lock_is_mine(zone->lock);
}

/* The name of the segment that the options ask for. Only a segment whose name is no path has the
 * zone's name if it has none of its own. NULL: a FILE without a path, which
 * slm_zone_check_options refuses. */
static inline const char *zone_declared_segment_name(const struct slm_zone_options *options)
{
    const struct slm_segment_options *segment = &options->segment;
    bool lends_name = segment->name == NULL && segment->kind != SLM_SEGMENT_FILE;
    return lends_name ? options->name : segment->name;
}

/* Whether segments of the kind have a name, under which they stay when all their users are gone. */
static inline bool slm_zone_has_name(enum slm_segment_kind kind)
{
    return kind == SLM_SEGMENT_POSIX || kind == SLM_SEGMENT_FILE;
}

/* Without the lock: whether its content is in another zone, or is about to be. */
static inline bool slm_zone_is_moved(const struct slm_zone *zone)
{
    return zone_state_is_moved(__atomic_load_n(&zone->header->state, __ATOMIC_ACQUIRE));
}

/* A zone that another process can meet by its name. */
static inline bool slm_zone_is_named(const struct slm_zone *zone)
{
    return slm_zone_has_name(slm_segment_get_kind(zone->segment));
}

/*
 * Under the lock, after an allocation that found no memory. True: in it, or in an earlier one of this
 * handle, pages could not be backed for a reason other than lack of space. Then try again: if it finds
 * no memory again, zone->unbacked is the reason, or SLM_OK if memory is out.
 */
static inline bool zone_forget_unbacked(struct slm_zone *zone)
{
    bool was_unbacked = zone->unbacked != SLM_OK;
    zone->unbacked = SLM_OK;
    return was_unbacked;
}

/* --- parts.c --- */

/* An empty handle; NULL: no memory. */
struct slm_zone *slm_zone_new(void);
/* Opens slab, journal and lock of a zone with a valid header. lock: all options but the kind. */
enum slm_status slm_zone_open_parts(struct slm_zone *zone, const struct slm_lock_options *lock,
                                    struct slm_error *error);
/* Notes that all of the segment's file has backing now: attach does not reserve it again. */
void slm_zone_note_whole(struct slm_zone *zone);
/* The name to attach and remove its segment by: POSIX: the name, else the label. */
const char *slm_zone_segment_name(const struct slm_zone *zone);
/* Undoes or finishes the transaction of a dead holder, and finishes a growth that it began: the
 * slab is slab_bytes long. SLM_E_IMAGE, as slm_journal_recover. */
enum slm_status slm_zone_recover_parts(struct slm_slab *slab, struct slm_journal *journal,
                                       size_t slab_bytes);

/* --- holes.c --- */

/* From now on the pages that the handle's slab hands out have memory. */
void slm_zone_watch_holes(struct slm_zone *zone);
/* Under the lock, before any page is given back: free pages may lack memory from now on. */
void slm_zone_note_holes(struct slm_zone *zone);
/* After that, of free pages. *n_bytes: as the system counts. Fails as slm_segment_give_back. */
enum slm_status slm_zone_give_pages_back(struct slm_zone *zone, size_t first_page, size_t n_pages,
                                         uint64_t *n_bytes, struct slm_error *error);
/* Under the lock, after slm_journal_alloc returned NULL: tries again if that may help. NULL: *why is the
 * reason why pages cannot be backed, or SLM_OK if memory is out, which evictions may change. */
void *slm_zone_alloc_again(struct slm_zone *zone, size_t size_bytes, enum slm_status *why);
/* Whether the file lacks memory for free pages only, since a trim gave that back in this boot. Both:
 * as read from the file. */
bool slm_zone_is_trimmed(const struct slm_zone *zone, const struct zone_header *header,
                         const struct zone_copying *copying);

/* --- power.c --- */

/* Whether the zone's file outlives the boot. */
bool slm_zone_is_lasting(const struct slm_zone *zone);

/* Whether the content is as a lock's holder left it: the file and the boot are those in which it
 * was last known whole, or it was clean. Segments that no file outlives always are. */
bool slm_zone_is_vouched(const struct slm_zone *zone);
/* The content is whole: notes for which boot and file. */
void slm_zone_vouch(struct slm_zone *zone);
/* Under the lock, where the zone is clean or not vouched for. Checks all of it in
 * the latter case; the content may change afterwards. SLM_E_BROKEN: the zone is given up. SLM_E_IO:
 * the disk does not take the note that the zone is in use. */
enum slm_status slm_zone_begin_use(struct slm_zone *zone, bool is_vouched);
/* Under the lock, between two transactions: the disk gets all of the zone, then the mark that it is
 * clean. SLM_E_IO. */
enum slm_status slm_zone_mark_clean(struct slm_zone *zone, struct slm_error *error);

/* --- files.c --- */

/* SLM_E_DUPLICATE: a file of one, its segment or its lock's, is a file of the other, however the
 * paths are written. a and b are the same: its segment is its lock file. */
enum slm_status slm_zone_compare_files(const struct slm_zone_options *a,
                                       const struct slm_zone_options *b, struct slm_error *error);

/* Whether a zone's file is at the path: growth locks a part of it, so it is no lock file. */
bool slm_zone_is_file_of_zone(const char *path);

/* --- name.c --- */

/* Fills in about with the folder that a path of less than PATH_MAX bytes leads to. */
bool slm_zone_stat_folder(const char *path, struct stat *about);
/* The folder that the segment's path leads to now, a relative path from the working folder. Unknown
 * for kinds without a name. */
struct zone_folder slm_zone_find_folder(const struct slm_zone *zone);
/* SLM_E_MISSING, SLM_E_REPLACED: the path of the zone's segment leads to no file, or to another one,
 * for this process as it is now. For a handle that was just opened by that path, and where the path is
 * about to be used. Else: slm_zone_find_lost_name. */
enum slm_status slm_zone_check_name(const struct slm_zone *zone, struct slm_error *error);
/* SLM_E_MISSING, SLM_E_REPLACED: the name of the zone's segment was removed, or leads to another
 * file, as far as this process can know it. What the path shows is believed only if the path leads to
 * the folder that it led to when the handle was made. It does not after a chroot, in some mount
 * namespaces, and, if it is relative, after a change of the working folder: then the name counts as
 * lost only if the file has no name at all (SLM_E_MISSING). The text names the zone. */
enum slm_status slm_zone_find_lost_name(const struct slm_zone *zone, struct slm_error *error);

/* --- turn.c --- */

/* slm_zone_timedlock, but content of any version is accepted. */
enum slm_status slm_zone_timedlock_any(struct slm_zone *zone, unsigned timeout_ms);

/* --- report.c --- */

/* After a repair, under the lock. */
void slm_zone_note_repair(struct slm_zone *zone);
/* Without the lock: reports a call that failed to the hook of the zone's options. zone NULL: does
 * nothing. */
void slm_zone_report_call(const struct slm_zone *zone, enum slm_status status, const char *call,
                          size_t size_bytes, const void *pointer);
/* Reports a lock that is refused with that status, which it returns; is_held: the caller has the
 * lock and is about to unlock it. */
enum slm_status slm_zone_report_refusal(struct slm_zone *zone, enum slm_status status,
                                        bool is_held);

/* --- upgrade.c --- */

/* Under the lock: brings content of an earlier version forward. Afterwards the handle is for the
 * version of options. The caller commits, or aborts and sets the handle's version back.
 * SLM_E_VERSION (a later version, or no callback), SLM_E_FULL, and what the callback returns. */
enum slm_status slm_zone_upgrade_locked(struct slm_zone *zone,
                                        const struct slm_zone_options *options,
                                        struct slm_error *error);

/* --- options.c --- */

/* Compares the options of a zone with their limits. SLM_E_NAME, SLM_E_SIZE, SLM_E_OPTION,
 * SLM_E_DUPLICATE (as slm_zone_compare_files); the text names zone, option, value and limit. */
enum slm_status slm_zone_check_options(const struct slm_zone_options *options,
                                       struct slm_error *error);
/* Puts the zone's name in front of the text of an error; returns status. SLM_OK: does nothing. */
enum slm_status slm_zone_error_of(const char *name, enum slm_status status,
                                  struct slm_error *error);

/* --- grow.c --- */

/* Maps and shows what other processes added. SLM_E_BROKEN: a length that the zone cannot have, or
 * that does not hold the slab; else as slm_segment_refresh and slm_slab_refresh_locked. */
enum slm_status slm_zone_see_growth(struct slm_zone *zone, struct slm_error *error);
/* Shows pages that were added to the caller's view of the slab. The caller holds the lock. */
void slm_zone_refresh_look(struct slm_zone *zone);
/* More may be mapped than the zone's `bytes`: another process had reserved it when this one
 * attached, and gave it back or died. Unmaps that: otherwise it would look like a part that was cut
 * off. Keeps what this handle has reserved itself. */
void slm_zone_unmap_surplus(struct slm_zone *zone, uint64_t bytes);
/* Grows in two steps, under the lock: reserve may fail, publish cannot; unreserve undoes reserve.
 * */
enum slm_status slm_zone_reserve(struct slm_zone *zone, size_t bytes, struct slm_error *error);
void slm_zone_unreserve(struct slm_zone *zone);
void slm_zone_publish_growth(struct slm_zone *zone);

/* Takes the backing for a growth to `bytes`, without the zone's lock and without a change of the
 * handle, so that slm_zone_reserve finds it there. A descriptor that cannot be mapped a second time
 * is no failure: slm_zone_reserve takes the backing then. SLM_E_SPACE and all that
 * slm_segment_grow returns. */
enum slm_status slm_zone_prepare_growth(const struct slm_zone *zone, size_t bytes,
                                        struct slm_error *error);

/* --- server.c --- */

/* SLM_E_LOCKED: another server that lives has the zone in its set. */
enum slm_status slm_zone_check_server(const struct slm_zone *zone, struct slm_error *error);
/* Under the lock: the calling thread is the server that has the zone. */
void slm_zone_set_server_locked(struct slm_zone *zone);
/* Whether both are handles of one file. */
bool slm_zone_are_one(const struct slm_zone *a, const struct slm_zone *b);
/* No server has the zone, if that one had it. */
void slm_zone_clear_server(struct slm_zone *zone, uint64_t server);

/* Where an identity that the zone stores is valid: its file, boot and namespaces. Never 0. */
uint64_t slm_zone_find_place(const struct slm_zone *zone);

/* --- marks.c --- */

/* After a full look, under the lock: while a copy is made, the handle's transactions mark what they
 * change, and each lock looks again. Ends a copy whose maker died. */
void slm_zone_join_copy(struct slm_zone *zone);
/* Under the lock: a copy that is being made takes all of the zone again. */
void slm_zone_mark_all(struct slm_zone *zone);
/* Under the lock: the calling thread makes a copy, of which all is still to be taken. SLM_E_LOCKED:
 * another thread that lives makes one. */
enum slm_status slm_zone_begin_copy(struct slm_zone *zone, struct slm_error *error);
/* Whether the calling thread still makes its copy: a zone that was damaged may have lost that. */
bool slm_zone_is_my_copy(const struct slm_zone *zone);
/* Under the lock: ends it. */
void slm_zone_end_copy(struct slm_zone *zone);
/* Without the lock: the calling thread makes no copy any more. The next lock of the zone ends it. */
void slm_zone_abandon_copy(struct slm_zone *zone);
/* Under the lock: a hold of the copier ends, which has taken what was marked. is_paced: others wait
 * from now on. True: they may be waiting, and slm_zone_wake_writers wakes them. */
bool slm_zone_end_hold(struct slm_zone *zone, bool is_paced);
void slm_zone_wake_writers(struct slm_zone *zone);
/* Under the lock: for how many holds after *n_holds the caller waits when it has unlocked, at most a
 * millisecond for each. */
unsigned slm_zone_count_due(struct slm_zone *zone, uint32_t *n_holds);
void slm_zone_wait_for_copier(struct slm_zone *zone, uint32_t n_holds, unsigned n_due);

/* --- match.c --- */

/* Whether a zone of that name can become what is declared without losing its content. It may be
 * longer than declared, since it may have grown. An option that is 0 means what is stored, so that
 * a library with other defaults accepts it too. SLM_E_NAME (tag), SLM_E_OPTION, SLM_E_SIZE (more
 * than its max_bytes); the text names the zone, the option and both values. */
enum slm_status slm_zone_match(const struct slm_zone *zone, const struct slm_zone_options *options,
                               struct slm_error *error);

/* Whether a zone with these options, of the same name, may take the place of that one: tag and kind
 * are the same. */
bool slm_zone_may_succeed(const struct slm_zone *zone, const struct slm_zone_options *options);

/* The lock file of the zone may not be the one that is declared, or may be gone. A relative path is
 * only compared with the one that attach was given: the working folder may be another one now. */
enum slm_status slm_zone_match_lock_file(const struct slm_zone *zone,
                                         const struct slm_zone_options *options,
                                         struct slm_error *error);

/* --- move.c --- */

/* slm_zone_match; but if only the sizes, the journal, the slab or the lock differ, and the options
 * have a callback for that, the content is to be moved: *moves. SLM_E_OPTION: its lock is a file, and
 * so is that of the new one. */
enum slm_status slm_zone_match_or_move(const struct slm_zone *zone,
                                       const struct slm_zone_options *options, bool *moves,
                                       struct slm_error *error);
/* Under the locks of both: the callback of the options fills `to`, which has not been published.
 * Then `from` is as it was before. The name of `from` was checked, and the caller commits `to`.
 * SLM_E_VERSION (later content), SLM_E_STATE (the file of `from` has several names), SLM_E_OWNER (the
 * callback unlocked one), SLM_E_IO, and the result of the callback. */
enum slm_status slm_zone_move_locked(struct slm_zone *from, struct slm_zone *to,
                                     const struct slm_zone_options *options,
                                     struct slm_error *error);
/* Under the locks of both, when `to` is committed: the disk has it. SLM_E_IO. */
enum slm_status slm_zone_settle_successor(const struct slm_zone *to, struct slm_error *error);
/* Under the locks of both: `to` takes the place of `from`. Nothing fails for a kind without names.
 * Fails, changing nothing, as slm_segment_publish. */
enum slm_status slm_zone_switch(struct slm_zone *from, struct slm_zone *to,
                                struct slm_error *error);
/* Before slm_zone_switch, where slm_zone_switch_back may be needed. SLM_UNCHANGED: that will fail,
 * since the file system gives no second name. Fails as slm_segment_add_name. */
enum slm_status slm_zone_keep_file(struct slm_zone *from, struct slm_error *error);
/* Under the locks of both, after slm_zone_switch: all is as before it, and `to` refuses its lock, as a
 * moved zone does. Fails, changing nothing, as slm_segment_return_to_name. */
enum slm_status slm_zone_switch_back(struct slm_zone *from, struct slm_zone *to,
                                     struct slm_error *error);
/* Undoes slm_zone_keep_file. */
void slm_zone_let_file_go(struct slm_zone *from);
/* Under the lock of a zone whose state is a moved one. SLM_E_REPLACED: its content is in another
 * zone. SLM_OK: it is not, and the zone is ready again. SLM_E_STATE, SLM_E_IO: the descriptor does
 * not say. */
enum slm_status slm_zone_end_move(struct slm_zone *from);

/* --- wait.c --- */

/* slm_zone_timedlock_any until that time by the clock of slm_lock_system; SPIN_SEM: also frees a
 * lock whose holder is dead. The text of the error names the zone, and the thread that holds the
 * lock. */
enum slm_status slm_zone_lock_until(struct slm_zone *zone, uint64_t end_ms,
                                    struct slm_error *error);
/* The same for so long, and only of content that the handle was opened for. */
enum slm_status slm_zone_lock_within(struct slm_zone *zone, unsigned timeout_ms,
                                     struct slm_error *error);

/* --- create.c --- */

/* As slm_zone_create, of options that were checked, but the segment has no name yet: it goes with
 * its users. */
enum slm_status slm_zone_make(struct slm_zone **out, const struct slm_zone_options *options,
                              struct slm_error *error);
/* The same of a zone that slm_zone_publish puts in place of the one that has its segment's name. */
enum slm_status slm_zone_make_successor(struct slm_zone **out,
                                        const struct slm_zone_options *options,
                                        struct slm_error *error);
/* Gives the segment its name, if its kind has one. Fails as slm_segment_publish. */
enum slm_status slm_zone_publish(struct slm_zone *zone, struct slm_error *error);

/* --- open.c --- */

/* Attaches the zone of that name, if it has one: SLM_E_MISSING, as slm_zone_attach. It may differ
 * from the options in all else: see slm_zone_match. */
enum slm_status slm_zone_attach_declared(struct slm_zone **out,
                                         const struct slm_zone_options *options,
                                         struct slm_error *error);

/* Takes both locks: `to`, which slm_zone_make_successor has made, gets the content of `from` and its
 * place. Fails, changing nothing: SLM_E_LOCKED (a server has the zone), as slm_zone_lock_until,
 * slm_zone_check_name, slm_zone_move_locked and slm_zone_switch. */
enum slm_status slm_zone_move(struct slm_zone *from, struct slm_zone *to,
                              const struct slm_zone_options *options, struct slm_error *error);

/* --- check.c --- */

/* Invariants of a zone; below ZONE_HEADER those of the slab. */
enum zone_invariant { ZONE_HEADER = 101, ZONE_STATE = 102, ZONE_LENGTH = 103, ZONE_JOURNAL = 110 };

/* The numbers of slab and journal; 0: both are sound. */
unsigned slm_zone_check_parts(struct slm_slab *slab, const struct slm_journal *journal);

#endif
