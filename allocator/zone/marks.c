/* SPDX-License-Identifier: Apache-2.0 */
/* What changes in a zone while a copy of it is made. */
#include <limits.h>
#include <string.h>

#include "allocator/base/bits.h"
#include "allocator/base/yield.h"
#include "allocator/lock/system.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

/*
 * The copier takes the zone in pieces, each under the lock, while others change what it has taken
 * already. So they mark what they change, and the copier takes that again. It is done when nothing
 * is marked and nothing is left, at one moment under the lock: that moment is the one of the copy.
 *
 *   granule   A part of the zone, of which there are at most ZONE_COPY_GRANULES. Its bit says that
 *             all of it is still to be taken. The copier clears the bit before it takes the first
 *             byte.
 *   page      One that was changed since its granule's bit was cleared. There are slots for
 *             ZONE_COPY_PAGES, and under each lock the copier empties them all. When there is no
 *             slot for a page, the bit of its granule is set again.
 *
 * So the copier never has more to do under one lock than the slots and one piece, however long the
 * zone is, and a page that changes often is taken once for each lock and not for each change.
 *
 * Pace         Writers that have nothing else to do mark more pages between two holds of the copier than
 *              there are slots, and a copy would never end. So once half of the slots are in use,
 *              a thread that has unlocked waits for the copier's next hold, and for one more for
 *              each piece of granules that it has marked itself: 1 ms at most for a hold. That is so
 *              when the copier has been through the zone once: only before that does it wait
 *              for the file of the copy. A copier that has no turn for MOST_VAIN such waits of a
 *              process, since it is stopped, say, is not waited for until it goes on.
 * Marking      The header's state is ZONE_COPIED meanwhile. So the first lock of each handle looks
 *              at the zone, as after any change, and sets `mark` of its view of the slab. The slab
 *              then reports the words of pages, and the commit reports what the log's entries name.
 *              All else follows from these: the copier rebuilds the lists of its copy.
 * Deaths       A mark comes before the commit, both under the lock. A repair marks all. When the
 *              copier dies, marks are of no use, and one of the next locks finds that out.
 * Trust        Marks are read as any bytes: a wrong one costs a copy, and reaches nothing else.
 */
#define LOOKS_BETWEEN 256u /* of a handle, at whether the copier lives */
#define MOST_PROBES   8u
#define MOST_MARKED   (ZONE_COPY_PAGES / 2)
#define MOST_VAIN     1000u /* waits of a millisecond */

static void look_next_time(struct slm_zone *zone)
{
    __atomic_store_n(&zone->n_looks, 0, __ATOMIC_RELAXED);
}

/* Each handle's first look, and then a few, read /proc. */
static bool is_copier_alive(struct slm_zone *zone)
{
    const struct zone_copying *copying = zone_copying_of(zone->header);
    if (copying->copier == 0 || copying->copier == slm_lock_self()) {
        return copying->copier != 0;
    }
    unsigned n_looks = __atomic_fetch_add(&zone->n_looks, 1, __ATOMIC_RELAXED);
    return n_looks % LOOKS_BETWEEN != 0 ||
           (copying->place == slm_zone_find_place(zone) && slm_lock_is_alive(copying->copier));
}

static void mark_granule(struct zone_copying *copying, uint64_t granule)
{
    copying->granules[granule / SLM_WORD_BITS] |= UINT64_C(1) << granule % SLM_WORD_BITS;
}

static void add_marked(struct zone_copying *copying, uint64_t n_pages)
{
    uint64_t n_marked = copying->n_marked + n_pages;
    copying->n_marked = n_marked < UINT32_MAX ? (uint32_t)n_marked : UINT32_MAX;
}

static void mark_page(struct zone_copying *copying, uint64_t page)
{
    uint64_t granule = page >> (copying->shift - ZONE_COPY_SHIFT);
    if (granule >= ZONE_COPY_GRANULES ||
        (copying->granules[granule / SLM_WORD_BITS] >> granule % SLM_WORD_BITS & 1u) != 0) {
        return;
    }
    for (unsigned i = 0; i < MOST_PROBES; i++) {
        uint64_t *slot = &copying->pages[(page * 5 + i) % ZONE_COPY_PAGES];
        if (*slot == 0) {
            *slot = page + 1;
            add_marked(copying, 1);
        }
        if (*slot == page + 1) {
            return;
        }
    }
    add_marked(copying, 1);
    mark_granule(copying, granule);
}

/* More pages than there are slots: their granules. */
static void mark_granules(struct slm_zone *zone, uint64_t from, uint64_t last)
{
    struct zone_copying *copying = zone_copying_of(zone->header);
    uint64_t n_pages = 0;
    for (uint64_t i = from; i <= last && i < ZONE_COPY_GRANULES; i++) {
        if ((copying->granules[i / SLM_WORD_BITS] >> i % SLM_WORD_BITS & 1u) == 0) {
            mark_granule(copying, i);
            n_pages += UINT64_C(1) << (copying->shift - ZONE_COPY_SHIFT);
        }
    }
    add_marked(copying, n_pages);
    zone->n_wide_pages += n_pages;
}

/* `mark` of the slab. A handle may still have it when the copy is done. */
static void mark_range(void *data, const void *p, size_t n_bytes)
{
    struct slm_zone *zone = data;
    struct zone_copying *copying = zone_copying_of(zone->header);
    if (zone->header->state != ZONE_COPIED || n_bytes == 0 || copying->shift < ZONE_COPY_SHIFT ||
        copying->shift >= SLM_WORD_BITS) {
        return;
    }
    uint64_t offset = (uint64_t)((const unsigned char *)p - (const unsigned char *)zone->header);
    uint64_t page = offset >> ZONE_COPY_SHIFT;
    uint64_t last = (offset + n_bytes - 1) >> ZONE_COPY_SHIFT;
    if (last - page < ZONE_COPY_PAGES) {
        for (; page <= last; page++) {
            mark_page(copying, page);
        }
        return;
    }
    mark_granules(zone, offset >> copying->shift, (offset + n_bytes - 1) >> copying->shift);
}

void slm_zone_mark_all(struct slm_zone *zone)
{
    struct zone_copying *copying = zone_copying_of(zone->header);
    if (copying->copier != 0) {
        SLM_YIELD("zone: mark all of it");
        memset(copying->granules, 0xff, sizeof copying->granules);
    }
}

static void set_copied(struct slm_zone *zone, uint64_t copier, enum zone_state state)
{
    SLM_YIELD("zone: change who copies it");
    __atomic_store_n(&zone_copying_of(zone->header)->copier, copier, __ATOMIC_RELEASE);
    SLM_YIELD("zone: change whether it is copied");
    __atomic_store_n(&zone->header->state, state, __ATOMIC_RELEASE);
}

void slm_zone_join_copy(struct slm_zone *zone)
{
    bool is_copied = zone->header->state == ZONE_COPIED;
    if (is_copied && !is_copier_alive(zone)) {
        set_copied(zone, 0, ZONE_READY);
        is_copied = false;
    }
    zone->slab->mark = is_copied ? mark_range : NULL;
    zone->slab->mark_data = zone;
    zone->n_wide_pages = 0;
    zone->seen_bytes = is_copied ? 0 : zone->seen_bytes;
}

enum slm_status slm_zone_begin_copy(struct slm_zone *zone, struct slm_error *error)
{
    struct zone_copying *copying = zone_copying_of(zone->header);
    look_next_time(zone);
    if (copying->copier != 0 && copying->copier != slm_lock_self() && is_copier_alive(zone)) {
        return slm_error_set(error, SLM_E_LOCKED, 0, "zone %s: thread %u makes a copy of it",
                             zone->fixed.name, (unsigned)(copying->copier & UINT32_MAX));
    }
    uint64_t shift = ZONE_COPY_SHIFT;
    while ((zone_bytes(zone) - 1) >> shift >= ZONE_COPY_GRANULES) {
        shift++;
    }
    /* n_holds goes on: threads that wait for a hold of an earlier copy read it without the lock. */
    copying->shift = shift;
    copying->place = slm_zone_find_place(zone);
    copying->n_marked = 0;
    copying->is_paced = 0;
    memset(copying->pages, 0, sizeof copying->pages);
    memset(copying->granules, 0xff, sizeof copying->granules);
    set_copied(zone, slm_lock_self(), ZONE_COPIED);
    return SLM_OK;
}

bool slm_zone_is_my_copy(const struct slm_zone *zone)
{
    return zone->header->state == ZONE_COPIED &&
           zone_copying_of(zone->header)->copier == slm_lock_self();
}

void slm_zone_end_copy(struct slm_zone *zone)
{
    if (slm_zone_is_my_copy(zone)) {
        set_copied(zone, 0, ZONE_READY);
    }
}

void slm_zone_abandon_copy(struct slm_zone *zone)
{
    uint64_t copier = slm_lock_self();
    SLM_YIELD("zone: end a copy without the lock");
    (void)__atomic_compare_exchange_n(&zone_copying_of(zone->header)->copier, &copier, 0, false,
                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

bool slm_zone_end_hold(struct slm_zone *zone, bool is_paced)
{
    struct zone_copying *copying = zone_copying_of(zone->header);
    bool is_awaited = copying->n_marked >= MOST_MARKED && copying->is_paced != 0;
    copying->is_paced = is_paced;
    copying->n_marked = 0;
    __atomic_store_n(&copying->n_holds, copying->n_holds + 1, __ATOMIC_RELEASE);
    return is_awaited;
}

void slm_zone_wake_writers(struct slm_zone *zone)
{
    slm_lock_system.wake(&zone_copying_of(zone->header)->n_holds, INT_MAX);
}

/* Under the lock. */
static bool is_copier_stopped(struct slm_zone *zone, uint32_t n_holds)
{
    if (zone->vain_holds != n_holds) {
        zone->vain_holds = n_holds;
        __atomic_store_n(&zone->n_vain, 0, __ATOMIC_RELAXED);
    }
    return __atomic_load_n(&zone->n_vain, __ATOMIC_RELAXED) >= MOST_VAIN;
}

unsigned slm_zone_count_due(struct slm_zone *zone, uint32_t *n_holds)
{
    const struct zone_copying *copying = zone_copying_of(zone->header);
    uint64_t n_due = 1 + zone->n_wide_pages / ZONE_COPY_PIECE_PAGES;
    bool is_paced =
        zone->slab->mark != NULL && copying->is_paced != 0 && copying->n_marked >= MOST_MARKED;
    *n_holds = copying->n_holds;
    return is_paced && !is_copier_stopped(zone, *n_holds) ? (unsigned)n_due : 0;
}

void slm_zone_wait_for_copier(struct slm_zone *zone, uint32_t n_holds, unsigned n_due)
{
    uint32_t *shared = &zone_copying_of(zone->header)->n_holds;
    uint32_t seen = __atomic_load_n(shared, __ATOMIC_RELAXED);
    while (seen - n_holds < n_due) {
        slm_lock_system.wait(shared, seen, 1);
        uint32_t now = __atomic_load_n(shared, __ATOMIC_RELAXED);
        if (now == seen) {
            look_next_time(zone); /* the copier may be dead */
            (void)__atomic_fetch_add(&zone->n_vain, 1, __ATOMIC_RELAXED);
            return;
        }
        seen = now;
    }
}
