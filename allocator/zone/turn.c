/* SPDX-License-Identifier: Apache-2.0 */
/* A zone under its lock: locking, repairing after a death, committing, unlocking. */

#include "allocator/base/cancel.h"
#include "allocator/base/check.h"
#include "allocator/base/yield.h"
#include "allocator/journal/log.h"
#include "allocator/lock/fast.h"
#include "allocator/segment/for_zone.h"
#include "allocator/segment/handle.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

/* For a lock whose last holder died, or was unlocked directly instead of through the zone. */
static enum slm_status repair(struct slm_zone *zone)
{
    enum slm_status status = slm_segment_check_cut(zone->segment, NULL);
    if (status != SLM_OK) {
        return status; /* the zone must not be touched; the mark for repair stays */
    }
    slm_zone_mark_all(zone); /* a repair reports no changes */
    status = slm_zone_recover_parts(zone->slab, &zone->journal, zone_slab_bytes(zone));
    slm_zone_refresh_look(zone);
    if (status == SLM_OK) {
        SLM_YIELD("zone: count the repair");
        (void)__atomic_fetch_add(&zone->header->n_recoveries, 1, __ATOMIC_RELAXED);
        slm_zone_note_repair(zone);
    } else {
        SLM_YIELD("zone: give up");
        __atomic_store_n(&zone->header->state, ZONE_BROKEN, __ATOMIC_RELEASE);
    }
    (void)slm_lock_mark_repaired(zone->lock);
    return status;
}

/* Whether the handle was opened for the version that the content has. */
static bool knows_content(const struct slm_zone *zone)
{
    return SLM_LIKELY(zone->content_version == journal_content_version(&zone->journal)) ||
           zone->content_version == ZONE_ANY_VERSION;
}

/* Whether a full look would find the zone as the last one did, and whole, if no part of it was cut
 * off. */
static inline bool is_as_seen(const struct slm_zone *zone)
{
    const struct zone_header *header = zone->header;
    SLM_YIELD("zone: look at what was seen");
    return zone->slab->header->n_pages == zone->seen_pages && zone->journal.log->state == 0 &&
           header->state == ZONE_READY && knows_content(zone) &&
           zone_bytes(zone) == zone->seen_bytes;
}

static bool is_usable(const struct slm_zone *zone)
{
    return zone_state_is_usable(zone->header->state);
}

static bool is_given_up(const struct slm_zone *zone)
{
    return !is_usable(zone) && !zone_state_is_moved(zone->header->state);
}

/* The callback that checks the content is the program's, and may be a cancellation point. Cancelled in
 * it, the thread would keep the lock of a zone that is half judged. */
static enum slm_status begin_use_uncancelled(struct slm_zone *zone, bool is_vouched)
{
    int cancel = slm_cancel_off();
    enum slm_status status = slm_zone_begin_use(zone, is_vouched);
    slm_cancel_restore(cancel);
    return status;
}

/* A full look. got: the result of the attempt to lock. Of any version: content that the handle was
 * not opened for may be entered, to bring it forward. */
static SLM_NOINLINE enum slm_status look_and_enter(struct slm_zone *zone, enum slm_status got,
                                                   bool of_any_version)
{
    if (got != SLM_OK && got != SLM_OWNER_DIED) {
        /* The lock itself may have been cut off. */
        return slm_zone_report_refusal(
            zone, slm_segment_was_mended(zone->segment) ? SLM_E_TRUNCATED : got, false);
    }
    /* The lock was free, so no growth is under way: what the handle says of one is of a parent, or of
     * a thread that ended. */
    zone->reserved_bytes = 0;
    enum slm_status status = slm_zone_see_growth(zone, NULL);
    bool is_vouched = slm_zone_is_vouched(zone);
    /* slm_zone_unlock commits: an unfinished log means that its owner did not call it. */
    if (status == SLM_OK && (got == SLM_OWNER_DIED || slm_journal_is_dirty(&zone->journal))) {
        status = repair(zone);
    }
    journal_begin(&zone->journal);
    SLM_YIELD("zone: look at the state");
    if (SLM_UNLIKELY(status == SLM_OK && zone_state_is_moved(zone->header->state))) {
        status = slm_zone_end_move(zone);
    }
    if (status == SLM_OK && is_usable(zone) && (!is_vouched || zone->header->state == ZONE_CLEAN)) {
        status = begin_use_uncancelled(zone, is_vouched);
    }
    if (SLM_UNLIKELY(is_given_up(zone) || status == SLM_E_IMAGE)) {
        status = status == SLM_E_TRUNCATED ? status : SLM_E_BROKEN; /* zeros, of what was cut off */
    } else if (SLM_UNLIKELY(status == SLM_OK && !of_any_version && !knows_content(zone))) {
        status = SLM_E_VERSION;
    }
    if (SLM_UNLIKELY(status != SLM_OK)) {
        (void)slm_zone_report_refusal(zone, status, true);
        (void)slm_lock_unlock(zone->lock);
    } else {
        slm_zone_join_copy(zone);
    }
    return status;
}

/* The zone is as it was seen, but the SIGBUS guard watches it. */
static SLM_NOINLINE enum slm_status enter_watched(struct slm_zone *zone)
{
    if (slm_segment_was_mended(zone->segment)) {
        return look_and_enter(zone, SLM_OK, false);
    }
    journal_begin(&zone->journal);
    return SLM_OK;
}

/* After the attempt to lock. Nearly always nothing has changed since the last turn. */
static inline enum slm_status enter(struct slm_zone *zone, enum slm_status got)
{
    if (SLM_UNLIKELY(got != SLM_OK)) {
        return look_and_enter(zone, got, false);
    }
    if (SLM_UNLIKELY(!is_as_seen(zone))) {
        return look_and_enter(zone, SLM_OK, false);
    }
    if (SLM_UNLIKELY(slm_segment_is_watched(zone->segment))) {
        return enter_watched(zone);
    }
    journal_begin(&zone->journal);
    return SLM_OK;
}

/* Whether a zone can be locked. */
static inline enum slm_status check_lockable(const struct slm_zone *zone)
{
    if (SLM_UNLIKELY(zone == NULL)) {
        return SLM_E_NULL;
    }
    return zone->lock == NULL ? SLM_E_READ_ONLY : SLM_OK;
}

static SLM_NOINLINE enum slm_status wait_and_enter(struct slm_zone *zone)
{
    return enter(zone, slm_lock_lock(zone->lock));
}

/* The lock is taken inline, and all else is left to functions of their own. */
enum slm_status slm_zone_lock(struct slm_zone *zone)
{
    enum slm_status status = check_lockable(zone);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        return status;
    }
    return SLM_LIKELY(slm_lock_take_fast(zone->lock)) ? enter(zone, SLM_OK) : wait_and_enter(zone);
}

enum slm_status slm_zone_trylock(struct slm_zone *zone)
{
    enum slm_status status = check_lockable(zone);
    return status == SLM_OK ? enter(zone, slm_lock_trylock(zone->lock)) : status;
}

enum slm_status slm_zone_timedlock(struct slm_zone *zone, unsigned timeout_ms)
{
    enum slm_status status = check_lockable(zone);
    return status == SLM_OK ? enter(zone, slm_lock_timedlock(zone->lock, timeout_ms)) : status;
}

enum slm_status slm_zone_timedlock_any(struct slm_zone *zone, unsigned timeout_ms)
{
    enum slm_status status = check_lockable(zone);
    return status == SLM_OK ? look_and_enter(zone, slm_lock_timedlock(zone->lock, timeout_ms), true)
                            : status;
}

/* Whether the calling thread holds the zone's lock. */
static inline enum slm_status check_held(const struct slm_zone *zone)
{
    enum slm_status status = check_lockable(zone);
    return status == SLM_OK && !zone_is_held(zone) ? SLM_E_OWNER : status;
}

static inline enum slm_status unlock(struct slm_zone *zone)
{
    return SLM_LIKELY(slm_lock_give_fast(zone->lock)) ? SLM_OK : slm_lock_unlock(zone->lock);
}

/* While a copy of the zone is made. */
static SLM_NOINLINE enum slm_status commit_copied(struct slm_zone *zone)
{
    uint32_t n_holds;
    enum slm_status committed = slm_journal_commit(&zone->journal);
    unsigned n_due = slm_zone_count_due(zone, &n_holds);
    enum slm_status given = unlock(zone);
    slm_zone_wait_for_copier(zone, n_holds, n_due);
    return given == SLM_OK ? committed : given;
}

/* The caller holds the lock. */
static SLM_NOINLINE enum slm_status commit_and_unlock(struct slm_zone *zone)
{
    if (SLM_LIKELY(journal_commit_one_release(&zone->journal))) {
        return unlock(zone);
    }
    if (SLM_UNLIKELY(zone->slab->mark != NULL)) {
        return commit_copied(zone);
    }
    enum slm_status committed = slm_journal_commit(&zone->journal);
    enum slm_status given = unlock(zone);
    return given == SLM_OK ? committed : given;
}

static SLM_NOINLINE enum slm_status check_and_unlock(struct slm_zone *zone)
{
    enum slm_status status = check_held(zone);
    if (status == SLM_E_OWNER) {
        return unlock(zone); /* gives back what is left of a lock that was lost */
    }
    return SLM_LIKELY(status == SLM_OK) ? commit_and_unlock(zone) : status;
}

/* Without anything noted there is nothing to commit, and the lock itself finds a caller that does
 * not hold it. */
enum slm_status slm_zone_unlock(struct slm_zone *zone)
{
    if (SLM_UNLIKELY(zone == NULL || zone->lock == NULL)) {
        return check_and_unlock(zone);
    }
    if (journal_is_clean(&zone->journal)) {
        return unlock(zone);
    }
    if (SLM_UNLIKELY(!zone_is_plainly_held(zone))) {
        return check_and_unlock(zone);
    }
    bool is_committed = journal_commit_plainly(&zone->journal);
    return is_committed ? unlock(zone) : commit_and_unlock(zone);
}

static SLM_NOINLINE enum slm_status undo_and_unlock(struct slm_zone *zone, enum slm_status status)
{
    if (check_held(zone) == SLM_OK) {
        slm_journal_abort(&zone->journal);
    }
    if (zone->lock != NULL) {
        (void)slm_lock_unlock(zone->lock); /* what is left of a lock that was lost, too */
    }
    return status;
}

enum slm_status slm_zone_end(struct slm_zone *zone, enum slm_status status)
{
    return SLM_LIKELY(zone == NULL || status == SLM_OK) ? slm_zone_unlock(zone)
                                                        : undo_and_unlock(zone, status);
}

enum slm_status slm_zone_commit_locked(struct slm_zone *zone)
{
    enum slm_status status = check_held(zone);
    if (SLM_LIKELY(status == SLM_OK) && SLM_UNLIKELY(!journal_commit_plainly(&zone->journal))) {
        status = slm_journal_commit(&zone->journal);
    }
    return status;
}

void slm_zone_abort_locked(struct slm_zone *zone)
{
    if (check_held(zone) == SLM_OK) {
        slm_journal_abort(&zone->journal);
    }
}

enum slm_status slm_zone_reset_locked(struct slm_zone *zone)
{
    enum slm_status status = check_held(zone);
    return status == SLM_OK ? slm_journal_reset(&zone->journal) : status;
}

enum slm_status slm_zone_set_root_locked(struct slm_zone *zone, void *object)
{
    enum slm_status status = check_held(zone);
    return status == SLM_OK ? slm_journal_set_root(&zone->journal, object) : status;
}

void *slm_zone_root_locked(const struct slm_zone *zone)
{
    return zone == NULL ? NULL : slm_journal_root(&zone->journal);
}
