/* SPDX-License-Identifier: Apache-2.0 */
/* Zones: how the room is built, and what a handle knows. */
#include <slabmill/zone.h>

#include "allocator/journal/log.h"
#include "allocator/zone/handle.h"

/*
 * Structure
 *
 *   set        zones over the reloads of a server    image    a copy of a zone, without a handle
 *     switch     moved zones get their names         trim     free pages go back to the system
 *   copy       a zone of its own, while others work
 *     objects    calls that take the lock            export   into the program that exec starts
 *     zones      what a set has                      sync     writes it to the disk
 *       wait       lock with a limit
 *       turn       lock, repair, commit, unlock        attach   open a zone that exists
 *       power      whether the disk has all of it
 *       open       open a zone that exists, or make it
 *       move       the content goes to a new zone
 *       upgrade    the version of the content
 *       evict      allocate after evictions
 *     create     make a zone, remove its name              check    invariants
 *       grow       length: reserve, publish, see
 *         parts      slab, journal, lock: open, recover, close
 *           holes      pages that were given back     marks  what changes while a copy is made
 *         server     which server has a zone in its set
 *         match      whether a zone is what options declare
 *         options    of a zone to be made: compared with their limits
 *           files      that options name: whether two are one
 *           report     what a listener gets
 *           bytes_for  how long a zone is that holds so much
 *           header     what is stored, and whether it is valid
 *
 * Each file calls files below it only, and the rooms segment, lock, journal and slab.
 *
 * Stored      header.h: struct zone_header with the lock in it, then the log, then the slab's
 *             region. Nothing in it is a pointer.
 * In process  handle.h: struct slm_zone has the segment's mapping, handles of slab, journal and
 *             lock, and a copy of the header's constant part.
 *
 * Trust    A process can be handed any bytes. So the constant part is sealed by a checksum, judged
 *          on a copy, and used from the copy ever after. The length, which changes, is compared
 *          with what is mapped each time the lock is taken: damage is SLM_E_BROKEN, not a fault.
 * Locking  Lock maps what other processes added, then repairs if the last holder died or its log is
 *          unfinished; unlock commits. No other call repairs, so a caller that holds the lock sees
 *          whole transactions only. The handle remembers what the last full look saw. While the
 *          zone's words are the same, lock compares them and does no more.
 * Growth   Metadata and addresses for max_bytes are laid out at creation. Growing takes backing,
 *          publishes the length, adds pages, in this order. A death after the first leaves backing
 *          that the next growth takes; the repair finishes what died after the second.
 * Reload   The set makes what is new, locks the zones that are reused, runs every callback inside a
 *          transaction, and only then, when nothing can fail, publishes growth and commits. The
 *          renames that moves end with may fail, and come before that.
 */

struct slm_journal *slm_zone_journal(struct slm_zone *zone)
{
    return zone == NULL ? NULL : &zone->journal;
}

struct slm_slab *slm_zone_slab(struct slm_zone *zone)
{
    return zone == NULL ? NULL : zone->look;
}

struct slm_lock *slm_zone_lock_handle(struct slm_zone *zone)
{
    return zone == NULL ? NULL : zone->lock;
}

const struct slm_segment *slm_zone_segment(const struct slm_zone *zone)
{
    return zone == NULL ? NULL : zone->segment;
}

const char *slm_zone_name(const struct slm_zone *zone)
{
    return zone == NULL ? NULL : zone->fixed.name;
}

const char *slm_zone_tag(const struct slm_zone *zone)
{
    return zone == NULL ? NULL : zone->fixed.tag;
}

void slm_zone_get_stats(const struct slm_zone *zone, struct slm_zone_stats *stats)
{
    if (zone == NULL || stats == NULL) {
        return;
    }
    *stats = (struct slm_zone_stats){
        .bytes = (size_t)zone_bytes(zone),
        .max_bytes = (size_t)zone->fixed.max_bytes,
        .n_recoveries = __atomic_load_n(&zone->header->n_recoveries, __ATOMIC_RELAXED),
        .n_undone = slm_journal_n_undone(&zone->journal),
        .n_finished = slm_journal_n_finished(&zone->journal),
        .journal_entries = zone->fixed.journal_entries,
        .content_version = journal_content_version(&zone->journal),
        .is_clean = __atomic_load_n(&zone->header->state, __ATOMIC_RELAXED) == ZONE_CLEAN,
        .needs_check = !slm_zone_is_vouched(zone),
    };
}
