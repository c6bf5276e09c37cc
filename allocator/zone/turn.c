/* SPDX-License-Identifier: Apache-2.0 */
/* A zone under its lock: taking it over from the dead, growing, allocating. */
#include "allocator/base/bits.h"
#include "allocator/base/check.h"
#include "allocator/base/yield.h"
#include "allocator/journal/log.h"
#include "allocator/zone/handle.h"

/* Page counts and the zone's length are stored in the order that makes this true at any moment. */
static bool slab_fits(const struct slm_zone *zone, uint64_t bytes)
{
    return zone->fixed.slab_offset + slm_slab_used_bytes(zone->slab) <= bytes;
}

void zone_forget_surplus(struct slm_zone *zone, uint64_t bytes)
{
    if (zone->reserved_bytes == 0) {
        slm_segment_forget(zone->segment, (size_t)bytes);
    }
}

/* Another process may have made it longer since this one last looked. */
enum slm_status zone_see_growth(struct slm_zone *zone, struct slm_error *error)
{
    SLM_YIELD("zone: look at the length");
    uint64_t bytes = zone_bytes(zone);
    enum slm_status status = SLM_OK;
    if (SLM_UNLIKELY(bytes != slm_segment_bytes(zone->segment))) {
        if (!zone_bytes_are_right(&zone->fixed, bytes)) {
            return SLM_E_BROKEN;
        }
        if (bytes > slm_segment_bytes(zone->segment)) {
            status = slm_segment_refresh(zone->segment, (size_t)bytes, error);
        }
    }
    if (SLM_UNLIKELY(!slab_fits(zone, bytes))) {
        return SLM_E_BROKEN;
    }
    zone_forget_surplus(zone, bytes);
    return status == SLM_OK ? slm_slab_refresh_locked(zone->slab) : status;
}

static size_t slab_bytes(const struct slm_zone *zone)
{
    return (size_t)(zone_bytes(zone) - zone->fixed.slab_offset);
}

/* The last holder died, or the log says so. What it did not commit is undone, and a growth that
 * it began is finished. */
static enum slm_status repair(struct slm_zone *zone)
{
    enum slm_status status = slm_segment_verify(zone->segment, NULL);
    if (status != SLM_OK) {
        return status; /* nothing of it may be touched; the mark for repair stays */
    }
    /* The zone's root is the log's. Nothing tells what the slab's own was, if it is damaged: it
     * goes before anything is freed, which whole checks look at. */
    (void)slm_slab_set_root(zone->slab, NULL);
    status = slm_journal_recover(&zone->journal);
    if (status == SLM_OK) {
        (void)slm_slab_grow_locked(zone->slab, slab_bytes(zone));
        SLM_YIELD("zone: count the repair");
        (void)__atomic_fetch_add(&zone->header->n_recoveries, 1, __ATOMIC_RELAXED);
    } else {
        SLM_YIELD("zone: give up");
        __atomic_store_n(&zone->header->state, ZONE_BROKEN, __ATOMIC_RELEASE);
    }
    (void)slm_lock_mark_repaired(zone->lock);
    return status;
}

/* The caller has the lock, or has not, as `got` says. */
static enum slm_status enter(struct slm_zone *zone, enum slm_status got)
{
    if (got != SLM_OK && got != SLM_OWNER_DIED) {
        return got;
    }
    enum slm_status status = zone_see_growth(zone, NULL);
    /* Whoever gave the lock back has committed before. */
    if (status == SLM_OK && (got == SLM_OWNER_DIED || slm_journal_is_dirty(&zone->journal))) {
        status = repair(zone);
    }
    journal_begin(&zone->journal);
    SLM_YIELD("zone: look at the state");
    if (SLM_UNLIKELY(zone->header->state != ZONE_READY || status == SLM_E_IMAGE)) {
        status = SLM_E_BROKEN;
    }
    if (SLM_UNLIKELY(status != SLM_OK)) {
        (void)slm_lock_unlock(zone->lock);
    }
    return status;
}

enum slm_status slm_zone_lock(struct slm_zone *zone)
{
    return zone->lock == NULL ? SLM_E_READ_ONLY : enter(zone, slm_lock_lock(zone->lock));
}

enum slm_status slm_zone_try(struct slm_zone *zone)
{
    return zone->lock == NULL ? SLM_E_READ_ONLY : enter(zone, slm_lock_try(zone->lock));
}

enum slm_status slm_zone_timed(struct slm_zone *zone, unsigned timeout_ms)
{
    return zone->lock == NULL ? SLM_E_READ_ONLY
                              : enter(zone, slm_lock_timed(zone->lock, timeout_ms));
}

enum slm_status slm_zone_unlock(struct slm_zone *zone)
{
    if (zone->lock == NULL || !slm_lock_is_mine(zone->lock)) {
        return SLM_E_OWNER;
    }
    enum slm_status committed = slm_journal_commit(&zone->journal);
    enum slm_status given = slm_lock_unlock(zone->lock);
    return given == SLM_OK ? committed : given;
}

enum slm_status slm_zone_commit(struct slm_zone *zone)
{
    return slm_journal_commit(&zone->journal);
}

void slm_zone_abort(struct slm_zone *zone)
{
    slm_journal_abort(&zone->journal);
}

enum slm_status slm_zone_reset_locked(struct slm_zone *zone)
{
    return slm_journal_reset(&zone->journal);
}

enum slm_status slm_zone_set_root_locked(struct slm_zone *zone, void *object)
{
    return slm_journal_set_root(&zone->journal, object);
}

void *slm_zone_root(const struct slm_zone *zone)
{
    return slm_journal_root(&zone->journal);
}

/* A transaction of its own. What is to be zeroed is so before it stands. */
static void *alloc_alone(struct slm_zone *zone, size_t size_bytes, enum slm_status *status,
                         void *(*alloc)(struct slm_journal *, size_t))
{
    void *p = NULL;
    enum slm_status got = slm_zone_lock(zone);
    if (got == SLM_OK) {
        p = alloc(&zone->journal, size_bytes);
        got = p == NULL ? SLM_E_NOMEM : SLM_OK;
        (void)slm_zone_unlock(zone);
    }
    if (status != NULL) {
        *status = got;
    }
    return p;
}

void *slm_zone_alloc(struct slm_zone *zone, size_t size_bytes, enum slm_status *status)
{
    return alloc_alone(zone, size_bytes, status, slm_journal_alloc);
}

void *slm_zone_calloc(struct slm_zone *zone, size_t size_bytes, enum slm_status *status)
{
    return alloc_alone(zone, size_bytes, status, slm_journal_calloc);
}

enum slm_status slm_zone_free(struct slm_zone *zone, void *p)
{
    enum slm_status status = slm_zone_lock(zone);
    if (status == SLM_OK) {
        status = slm_journal_free(&zone->journal, p);
        (void)slm_zone_unlock(zone);
    }
    return status;
}

/*
 * The backing first, then the zone's length, then the slab's pages: a death after the second store
 * leaves a growth that the repair finishes, one before it leaves backing that the next growth
 * takes.
 */
enum slm_status zone_reserve(struct slm_zone *zone, size_t bytes, struct slm_error *error)
{
    enum slm_status status = slm_segment_grow(zone->segment, bytes, error);
    if (status == SLM_OK) {
        zone->reserved_bytes = slm_align_up(bytes, ZONE_ALIGN);
    }
    return status;
}

void zone_unreserve(struct slm_zone *zone)
{
    size_t bytes = (size_t)zone_bytes(zone);
    if (zone->reserved_bytes > bytes) {
        (void)slm_segment_shrink(zone->segment, bytes, NULL);
    }
    zone->reserved_bytes = 0;
}

void zone_publish_growth(struct slm_zone *zone)
{
    if (zone->reserved_bytes > zone_bytes(zone) && slm_journal_commit(&zone->journal) == SLM_OK) {
        SLM_YIELD("zone: publish its length");
        __atomic_store_n(&zone->header->bytes, zone->reserved_bytes, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        (void)slm_slab_grow_locked(zone->slab, slab_bytes(zone));
    }
    zone->reserved_bytes = 0;
}

enum slm_status slm_zone_grow(struct slm_zone *zone, size_t bytes, struct slm_error *error)
{
    slm_error_clear(error);
    if (bytes > zone->fixed.max_bytes) {
        return slm_error_set(error, SLM_E_SIZE, 0, "zone %s: %zu bytes are more than its %llu",
                             zone->fixed.name, bytes, (unsigned long long)zone->fixed.max_bytes);
    }
    enum slm_status status = slm_zone_lock(zone);
    if (status != SLM_OK) {
        return slm_error_set(error, status, 0, "zone %s: %s", zone->fixed.name,
                             slm_status_text(status));
    }
    if (bytes > zone_bytes(zone)) {
        status = zone_reserve(zone, bytes, error);
        zone_publish_growth(zone);
    }
    (void)slm_zone_unlock(zone);
    return status;
}
