/* SPDX-License-Identifier: Apache-2.0 */
/* Zone copy: a zone as it is at one moment, as a zone of its own, made while others use the first. */
#ifndef SLM_ZONE_COPY_H
#define SLM_ZONE_COPY_H

#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The copy is what a locker of the zone finds at one moment near the end of the call: all
 *          that was committed before, and nothing of any transaction after it. It has the zone's
 *          name, tag, length, options, root and objects, at the same offsets, a lock that no thread
 *          holds, and no server. Counts of requests and repairs go on from those of the zone. Free
 *          memory has other content. The other users of the zone notice nothing but its lock.
 * Lock     The call takes the zone's lock again and again, each time for at most
 *          SLM_ZONE_COPY_HOLD_BYTES that it copies in memory (256 pages of 4 KiB), however long the
 *          zone is. In between, others have the lock. Their transactions mark the pages that they
 *          change, and the call copies these again. While a copy is made, a lock and a commit cost
 *          some hundred instructions more each. A thread that changes pages faster than the call
 *          copies them waits for the call after its unlock: for one hold, and for one more for each
 *          448 KiB of large objects that it changed, at most 1 ms for each. While the call is
 *          stopped, a process waits for it a thousand times and no more. The call itself waits
 *          for each lock for SLM_ZONE_COPY_LOCK_MS at most.
 * Objects  What README.md says of transactions is what a copy relies on: an object is written to by
 *          the journal, or in the transaction that allocated it. What is stored in any other way
 *          while a copy is made may be in the copy or not.
 * Death    The copy's file has no name before it is complete and checked. If the process that makes
 *          it dies, the file goes with it (see slm_segment_create), and the zone's users go on: a
 *          later lock finds that out.
 * Safety   Threads and processes: any. One copy of a zone is made at a time. The caller holds no
 *          lock of the zone. Signals: no call is for handlers. Cancellation: no call is a
 *          cancellation point.
 * Failure  Leaves nothing of the copy, and *report as far as it came. Error texts name the zone or
 *          the file. NULL: as status.h says.
 * Limits   A process with an older library, which does not know copies, cannot use the zone while a
 *          copy is made: SLM_E_BROKEN from its locks, SLM_E_STATE from its attach. Afterwards it
 *          goes on.
 */
#define SLM_ZONE_COPY_HOLD_BYTES (1u << 20) /* copied in one hold of the lock at most */
#define SLM_ZONE_COPY_LOCK_MS    5000u      /* how long it waits for the lock */

/* What slm_zone_copy did. */
struct slm_zone_copy_report {
    uint64_t bytes;           /* of the zone */
    uint64_t n_copied_bytes;  /* what was copied again counts again */
    uint64_t n_holds;         /* how often the call had the lock */
    uint64_t most_held_bytes; /* copied in one hold; at most SLM_ZONE_COPY_HOLD_BYTES */
};

/*
 * Copies the zone to a new segment. `to`: kind POSIX or FILE, name, mode, guard, dump_core; the
 * rest is as in the zone. The copy of a FILE is written to the disk and marked clean (see Power in
 * zone.h); its first lock checks nothing. So the zone's content must be checked before: the call's
 * own lock does that where it is due, with the handle's check_content. report may be NULL.
 * Fails: SLM_E_OPTION (another kind), SLM_E_READ_ONLY (the zone's handle: it cannot lock),
 * SLM_E_LOCKED (another thread makes a copy), SLM_E_BROKEN (the zone, or what was copied breaks an
 * invariant: it is damaged), SLM_E_TIMEOUT (a thread, which the text names, held the lock for
 * SLM_ZONE_COPY_LOCK_MS; or the zone was changed or grown faster than it could be copied: 16 times
 * its length was copied, or 8 times it grew; a later call may succeed), SLM_E_IO (the disk), as
 * slm_zone_timedlock (SLM_E_HELD: the caller holds it), as slm_segment_create and
 * slm_segment_publish (SLM_E_EXISTS: the name is taken, be it the zone's own; that is found before
 * anything is copied, and again at the end).
 * Cost O(bytes); memory for one hold, and the length of the zone where the copy is.
 */
SLM_MUST_USE enum slm_status slm_zone_copy(struct slm_zone *zone,
                                           const struct slm_segment_options *to,
                                           struct slm_zone_copy_report *report,
                                           struct slm_error *error);

#ifdef __cplusplus
}
#endif
#endif
