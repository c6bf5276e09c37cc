/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that take the lock themselves: one transaction each. */
#include "allocator/base/check.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

/*
 * A transaction of one allocation or one release needs no log. The slab keeps the address of an
 * object that it allocated until the call clears it, and a repair before that frees the object. A
 * release is one store of the slab, and a repair finishes what follows it. Only a copy of the zone
 * that is being made needs the log, since it goes by the entries.
 */

/* Zeroing finishes before the commit, which is the clearing of the address. */
static inline void *alloc_in(struct slm_zone *zone, size_t size_bytes,
                             void *(*alloc)(struct slm_slab *, size_t),
                             void *(*alloc_logged)(struct slm_journal *, size_t))
{
    if (SLM_UNLIKELY(zone->slab->mark != NULL)) {
        return alloc_logged(&zone->journal, size_bytes);
    }
    void *p = alloc(zone->slab, size_bytes);
    slm_slab_clear_last_allocation_locked(zone->slab);
    return p;
}

static enum slm_status free_in(struct slm_zone *zone, void *p)
{
    if (SLM_UNLIKELY(zone->slab->mark != NULL)) {
        return slm_journal_free(&zone->journal, p);
    }
    return SLM_UNLIKELY(p == slm_journal_root(&zone->journal))
               ? SLM_E_STATE
               : slm_slab_free_locked(zone->slab, p);
}

/* After an allocation under the lock that found no memory: tries again if that may help, and unlocks. */
static SLM_NOINLINE enum slm_status alloc_again(struct slm_zone *zone, size_t size_bytes, void **p,
                                                void *(*alloc)(struct slm_slab *, size_t),
                                                void *(*alloc_logged)(struct slm_journal *, size_t))
{
    bool is_worth_it = zone_forget_unbacked(zone);
    *p = is_worth_it ? alloc_in(zone, size_bytes, alloc, alloc_logged) : NULL;
    enum slm_status why = zone->unbacked == SLM_OK ? SLM_E_NOMEM : zone->unbacked;
    (void)slm_zone_unlock(zone);
    return *p != NULL ? SLM_OK : why;
}

static inline void *alloc_alone(struct slm_zone *zone, const char *call, size_t size_bytes,
                                enum slm_status *status, void *(*alloc)(struct slm_slab *, size_t),
                                void *(*alloc_logged)(struct slm_journal *, size_t))
{
    enum slm_status got = slm_zone_lock(zone);
    void *p = SLM_LIKELY(got == SLM_OK) ? alloc_in(zone, size_bytes, alloc, alloc_logged) : NULL;
    if (SLM_LIKELY(p != NULL)) {
        (void)slm_zone_unlock(zone);
        got = SLM_OK;
    } else {
        void *later = NULL;
        got = got == SLM_OK ? alloc_again(zone, size_bytes, &later, alloc, alloc_logged) : got;
        p = later;
        if (p == NULL) {
            slm_zone_report_call(zone, got, call, size_bytes, NULL);
        }
    }
    if (status != NULL) {
        *status = got;
    }
    return p;
}

void *slm_zone_alloc(struct slm_zone *zone, size_t size_bytes, enum slm_status *status)
{
    return alloc_alone(zone, "alloc", size_bytes, status, slm_slab_alloc_locked, slm_journal_alloc);
}

void *slm_zone_calloc(struct slm_zone *zone, size_t size_bytes, enum slm_status *status)
{
    return alloc_alone(zone, "calloc", size_bytes, status, slm_slab_calloc_locked,
                       slm_journal_calloc);
}

enum slm_status slm_zone_free(struct slm_zone *zone, void *p)
{
    if (zone != NULL && p == NULL) {
        return SLM_OK;
    }
    enum slm_status status = slm_zone_lock(zone);
    if (SLM_LIKELY(status == SLM_OK)) {
        status = free_in(zone, p);
        (void)slm_zone_unlock(zone);
    }
    if (SLM_UNLIKELY(status != SLM_OK)) {
        slm_zone_report_call(zone, status, "free", 0, p);
    }
    return status;
}

enum slm_status slm_zone_grow(struct slm_zone *zone, size_t bytes, struct slm_error *error)
{
    slm_error_clear(error);
    if (zone == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "NULL where a zone is needed");
    }
    if (bytes > zone->fixed.max_bytes) {
        return slm_error_set(error, SLM_E_SIZE, 0,
                             "zone %s: %zu bytes are more than its max_bytes %llu",
                             zone->fixed.name, bytes, (unsigned long long)zone->fixed.max_bytes);
    }
    enum slm_status status = slm_zone_lock(zone);
    if (status != SLM_OK) {
        return slm_error_set(error, status, 0, "zone %s: %s", zone->fixed.name,
                             slm_status_text(status));
    }
    if (bytes > zone_bytes(zone)) {
        status = slm_zone_error_of(zone->fixed.name, slm_zone_reserve(zone, bytes, error), error);
        slm_zone_publish_growth(zone);
    }
    (void)slm_zone_unlock(zone);
    return status;
}
