/* SPDX-License-Identifier: Apache-2.0 */
/* Length of a zone: growing it, and mapping what other processes added. */
#include "allocator/base/bits.h"
#include "allocator/base/check.h"
#include "allocator/base/yield.h"
#include "allocator/segment/for_zone.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

void slm_zone_unmap_surplus(struct slm_zone *zone, uint64_t bytes)
{
    if (zone->reserved_bytes == 0) {
        slm_segment_unmap_tail(zone->segment, (size_t)bytes);
    }
}

void slm_zone_refresh_look(struct slm_zone *zone)
{
    if (SLM_UNLIKELY(zone->look->n_pages != zone->slab->n_pages)) {
        (void)slm_slab_refresh_locked(zone->look);
    }
}

enum slm_status slm_zone_see_growth(struct slm_zone *zone, struct slm_error *error)
{
    SLM_YIELD("zone: look at the length");
    uint64_t bytes = zone_bytes(zone);
    enum slm_status status = SLM_OK;
    if (SLM_UNLIKELY(slm_segment_was_mended(zone->segment))) {
        return slm_segment_check_cut(zone->segment, error); /* zeros are in place of what it was */
    }
    if (SLM_UNLIKELY(bytes != slm_segment_bytes(zone->segment))) {
        if (!slm_zone_bytes_are_right(&zone->fixed, bytes)) {
            return SLM_E_BROKEN;
        }
        if (bytes > slm_segment_bytes(zone->segment)) {
            status = slm_segment_refresh(zone->segment, (size_t)bytes, error);
        }
    }
    if (status == SLM_OK) {
        status = slm_slab_refresh_within(zone->slab, (size_t)(bytes - zone->fixed.slab_offset));
        slm_zone_refresh_look(zone);
    }
    slm_zone_unmap_surplus(zone, bytes);
    zone->seen_bytes = status == SLM_OK && zone->reserved_bytes == 0 ? bytes : 0;
    zone->seen_pages = slab_pages_seal(zone->slab->n_pages);
    return status == SLM_E_SIZE ? SLM_E_BROKEN : status;
}

/*
 * The backing first, then the zone's length, then the slab's pages: a death after the second store
 * leaves a growth that the repair finishes, one before it leaves backing that the next growth
 * takes.
 */
enum slm_status slm_zone_reserve(struct slm_zone *zone, size_t bytes, struct slm_error *error)
{
    bool is_whole = zone->header->whole_file != 0 &&
                    zone->header->whole_file == slm_segment_file_version(zone->segment);
    zone->seen_bytes = 0;
    enum slm_status status = slm_segment_grow(zone->segment, bytes, error);
    if (status == SLM_OK) {
        if (is_whole) {
            slm_zone_note_whole(zone); /* growing changes the file's version */
        }
        zone->reserved_bytes = slm_align_up(bytes, ZONE_ALIGN);
    }
    return status;
}

void slm_zone_unreserve(struct slm_zone *zone)
{
    size_t bytes = (size_t)zone_bytes(zone);
    if (zone->reserved_bytes > bytes && slm_lock_is_mine(zone->lock)) {
        (void)slm_segment_shrink(zone->segment, bytes, NULL);
    }
    zone->reserved_bytes = 0;
}

void slm_zone_publish_growth(struct slm_zone *zone)
{
    if (zone->reserved_bytes > zone_bytes(zone) && slm_journal_commit(&zone->journal) == SLM_OK) {
        SLM_YIELD("zone: publish its length");
        __atomic_store_n(&zone->header->bytes, zone->reserved_bytes, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        (void)slm_slab_grow_locked(zone->slab, zone_slab_bytes(zone));
        slm_zone_refresh_look(zone);
    }
    zone->reserved_bytes = 0;
}

/*
 * The zone's own handle changes under the lock only, since other threads use it. So a second handle
 * of the same file takes the backing. Other processes that attach meanwhile see a file that is
 * longer than the zone, as after a death in slm_zone_reserve.
 */
enum slm_status slm_zone_prepare_growth(const struct slm_zone *zone, size_t bytes,
                                        struct slm_error *error)
{
    enum slm_segment_kind kind = slm_segment_get_kind(zone->segment);
    if (kind == SLM_SEGMENT_ANONYMOUS || kind == SLM_SEGMENT_SYSV) {
        return SLM_OK; /* their growth takes no time */
    }
    struct slm_segment *again;
    enum slm_status status = slm_segment_open_again(&again, zone->segment, NULL);
    if (status != SLM_OK) {
        return SLM_OK;
    }
    status = slm_segment_grow(again, bytes, error);
    slm_segment_detach(again);
    return status;
}
