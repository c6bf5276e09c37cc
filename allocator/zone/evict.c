/* SPDX-License-Identifier: Apache-2.0 */
/* Allocating in a zone that is full: evicts, commits and tries again. */
#include "allocator/journal/log.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

/*
 * What a transaction frees is free at its commit. So each eviction is a transaction of its own, and
 * the allocation begins the next one. Each eviction frees more objects than it allocates, so there
 * are at most as many evictions as live objects, even if the callback misbehaves. Where pages cannot
 * be backed for a reason other than lack of space, evictions would not help, and none is made.
 */
static bool frees_memory(const struct slm_journal *journal)
{
    return slm_journal_is_dirty(journal) && journal->notes->n_frees > journal->notes->n_allocs;
}

/* The result of an eviction that the callback made, before it is committed. */
static enum slm_status check_eviction(const struct slm_zone *zone, bool is_evicted)
{
    enum slm_status status = journal_refusal(&zone->journal);
    if (status != SLM_OK) {
        return status;
    }
    if (!is_evicted) {
        return SLM_E_NOMEM;
    }
    return frees_memory(&zone->journal) ? SLM_OK : SLM_E_STATE;
}

/* As a transaction of its own: afterwards nothing is noted. */
static enum slm_status evict_once(struct slm_zone *zone, slm_zone_evict *evict, void *data)
{
    bool is_evicted = evict(zone, data);
    if (!zone_is_held(zone)) {
        return SLM_E_OWNER;
    }
    enum slm_status status = check_eviction(zone, is_evicted);
    if (status != SLM_OK) {
        slm_journal_abort(&zone->journal);
        return status;
    }
    return slm_journal_commit(&zone->journal);
}

/* More than all pages hold never fits, so nothing must be evicted for it. */
static bool can_ever_fit(const struct slm_zone *zone, size_t size_bytes)
{
    return size_bytes <= (uint64_t)zone->slab->n_pages << zone->slab->shape.page_shift;
}

static enum slm_status check_turn(const struct slm_zone *zone, size_t size_bytes)
{
    if (zone->lock == NULL) {
        return SLM_E_READ_ONLY;
    }
    if (!zone_is_held(zone)) {
        return SLM_E_OWNER;
    }
    enum slm_status status = journal_refusal(&zone->journal);
    if (status == SLM_OK && slm_journal_is_dirty(&zone->journal)) {
        status = SLM_E_STATE;
    }
    return status == SLM_OK && !can_ever_fit(zone, size_bytes) ? SLM_E_NOMEM : status;
}

void *slm_zone_alloc_evicting_locked(struct slm_zone *zone, size_t size_bytes,
                                     slm_zone_evict *evict, void *data, enum slm_status *status)
{
    void *p = NULL;
    enum slm_status got = zone == NULL || evict == NULL ? SLM_E_NULL : check_turn(zone, size_bytes);
    while (got == SLM_OK && (p = slm_journal_alloc(&zone->journal, size_bytes)) == NULL) {
        if (SLM_UNLIKELY(zone->unbacked != SLM_OK)) {
            p = slm_zone_alloc_again(zone, size_bytes, &got);
        }
        if (p != NULL || got != SLM_OK) {
            break;
        }
        got = evict_once(zone, evict, data);
    }
    if (status != NULL) {
        *status = got;
    }
    return p;
}
