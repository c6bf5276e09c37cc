/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a zone's file can be trusted after a loss of power, or as a copy. */
#include "allocator/base/hash.h"
#include "allocator/base/yield.h"
#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

/*
 * The system writes the pages of a file to the disk in any order. After a loss of power each page
 * is an old one or a new one, and no log can put that right. So the zone knows whether it may be
 * so. `vouched` names the boot and the file for which the content is whole. While it names the
 * present ones the zone is used without a question. Otherwise, the first lock checks all of the
 * zone, and asks the program to check its content. It repairs before only if a holder died: a
 * repair makes the lists of free memory again from the bitmaps, which hides that pages do not fit
 * each other.
 *
 * sync writes all pages, under the lock and so between two transactions, then makes the state
 * ZONE_CLEAN. Such a zone is whole in any boot: vouched then names the file alone, so that a copy,
 * which may have been made while pages changed, is not clean. The next lock makes the state
 * ZONE_READY and waits until the disk has that, before any change. Therefore the mark is never
 * ahead of what it vouches for:
 *
 *     sync:  pages -> disk; vouched = file; state = CLEAN; header -> disk
 *     lock:  state = READY; header -> disk; vouched = boot and file
 *
 * A death between two of these steps leaves a zone that is not vouched for, and is checked.
 *
 * Only a FILE can outlive a boot; the names of POSIX segments end with it.
 */

/* Of the file, and of the boot if that is not 0. Never 0. */
static uint64_t voucher(const struct slm_zone *zone, uint64_t boot)
{
    struct slm_segment_place place = slm_segment_file_place(zone->segment);
    uint64_t parts[4] = {place.inode, place.birth, boot, boot == 0 ? 0 : place.device};
    return slm_hash(parts, sizeof parts) | 1;
}

/* 0: unknown. Attaching the lock has made its boot the present one. */
static uint64_t present_boot(const struct slm_zone *zone)
{
    return __atomic_load_n(&zone->header->lock.boot, __ATOMIC_RELAXED);
}

bool slm_zone_is_lasting(const struct slm_zone *zone)
{
    return slm_segment_get_kind(zone->segment) == SLM_SEGMENT_FILE;
}

bool slm_zone_is_vouched(const struct slm_zone *zone)
{
    if (!slm_zone_is_lasting(zone)) {
        return true;
    }
    uint64_t vouched = zone->header->vouched;
    uint64_t boot = present_boot(zone);
    return zone->header->state == ZONE_CLEAN ? vouched == voucher(zone, 0)
                                             : boot != 0 && vouched == voucher(zone, boot);
}

void slm_zone_vouch(struct slm_zone *zone)
{
    if (slm_zone_is_lasting(zone)) {
        SLM_YIELD("zone: vouch for the content");
        __atomic_store_n(&zone->header->vouched, voucher(zone, present_boot(zone)),
                         __ATOMIC_RELEASE);
    }
}

static void set_state(struct slm_zone *zone, enum zone_state state)
{
    SLM_YIELD("zone: change its state");
    __atomic_store_n(&zone->header->state, state, __ATOMIC_RELEASE);
}

static enum slm_status check_all(struct slm_zone *zone)
{
    enum slm_status status = slm_zone_check_locked(zone) == 0 ? SLM_OK : SLM_E_BROKEN;
    if (status == SLM_OK && zone->check_content != NULL) {
        status = zone->check_content(zone, zone->check_data);
    }
    return status == SLM_OK ? SLM_OK : SLM_E_BROKEN;
}

enum slm_status slm_zone_begin_use(struct slm_zone *zone, bool is_vouched)
{
    bool was_clean = zone->header->state == ZONE_CLEAN;
    if (!is_vouched && check_all(zone) != SLM_OK) {
        set_state(zone, ZONE_BROKEN);
        return SLM_E_BROKEN;
    }
    if (was_clean) {
        set_state(zone, zone_copying_of(zone->header)->copier == 0 ? ZONE_READY : ZONE_COPIED);
        enum slm_status status = slm_segment_sync(zone->segment, 0, ZONE_JOURNAL_OFFSET, NULL);
        if (status != SLM_OK) {
            set_state(zone, ZONE_CLEAN); /* nothing has changed yet */
            return status;
        }
    }
    slm_zone_vouch(zone);
    return SLM_OK;
}

enum slm_status slm_zone_mark_clean(struct slm_zone *zone, struct slm_error *error)
{
    enum slm_status status = slm_segment_sync(zone->segment, 0, (size_t)zone_bytes(zone), error);
    if (status != SLM_OK) {
        return status;
    }
    SLM_YIELD("zone: vouch for the file alone");
    __atomic_store_n(&zone->header->vouched, voucher(zone, 0), __ATOMIC_RELEASE);
    set_state(zone, ZONE_CLEAN);
    return slm_segment_sync(zone->segment, 0, ZONE_JOURNAL_OFFSET, error);
}
