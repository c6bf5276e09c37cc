/* SPDX-License-Identifier: Apache-2.0 */
/* Locking with a limit that several locks share. */
#include "allocator/lock/system.h"
#include "allocator/zone/handle.h"

#define SPIN_SEM_SLICE_MS 100u /* between two looks for a dead holder, which waiters do not make */

static enum slm_status lock_until(struct slm_zone *zone, uint64_t end_ms, bool of_any_version)
{
    enum slm_status (*timedlock)(struct slm_zone *, unsigned) =
        of_any_version ? slm_zone_timedlock_any : slm_zone_timedlock;
    bool is_spin_sem = zone->fixed.lock_kind == SLM_LOCK_SPIN_SEM;
    for (;;) {
        if (is_spin_sem) {
            (void)slm_lock_force_unlock(zone->lock, 0);
        }
        uint64_t now_ms = slm_lock_system.now_ms();
        uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
        bool is_last = !is_spin_sem || left_ms <= SPIN_SEM_SLICE_MS;
        enum slm_status status = timedlock(zone, is_last ? (unsigned)left_ms : SPIN_SEM_SLICE_MS);
        if (status != SLM_E_TIMEOUT || is_last) {
            return status;
        }
    }
}

static enum slm_status lock_or_say(struct slm_zone *zone, uint64_t end_ms, bool of_any_version,
                                   struct slm_error *error)
{
    enum slm_status status = lock_until(zone, end_ms, of_any_version);
    if (status == SLM_E_TIMEOUT) {
        struct slm_lock_owner owner = {0};
        slm_lock_get_owner(zone->lock, &owner);
        return owner.identity == 0
                   ? slm_error_set(error, status, 0,
                                   "zone %s: its lock was held for too long, by a thread which it "
                                   "does not record",
                                   zone->fixed.name)
                   : slm_error_set(error, status, 0,
                                   "zone %s: thread %d held its lock for too long",
                                   zone->fixed.name, (int)owner.thread_id);
    }
    return status == SLM_OK ? SLM_OK
                            : slm_error_set(error, status, 0, "zone %s: %s", zone->fixed.name,
                                            slm_status_text(status));
}

enum slm_status slm_zone_lock_until(struct slm_zone *zone, uint64_t end_ms, struct slm_error *error)
{
    return lock_or_say(zone, end_ms, true, error);
}

enum slm_status slm_zone_lock_within(struct slm_zone *zone, unsigned timeout_ms,
                                     struct slm_error *error)
{
    return lock_or_say(zone, slm_lock_system.now_ms() + timeout_ms, false, error);
}
