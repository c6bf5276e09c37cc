/* SPDX-License-Identifier: Apache-2.0 */
/* A slab's view takes the lock that it was given, and repairs what a dead holder left. */
#include <slabmill/lock.h>

#include "allocator/slab/view.h"

/* The caller holds the lock of a holder that died. */
static enum slm_status repair(struct slm_slab *slab)
{
    enum slm_status status = slm_slab_rebuild_locked(slab);
    if (status == SLM_OK && slab->view.repair != NULL) {
        status = slab->view.repair(slab->view.repair_data, slab);
    }
    return status == SLM_OK ? slm_lock_mark_repaired(slab->view.shared_lock) : status;
}

enum slm_status slm_slab_enter(struct slm_slab *slab)
{
    enum slm_status status = slm_lock_lock(slab->view.shared_lock);
    if (status != SLM_OWNER_DIED) {
        return status;
    }
    status = repair(slab);
    if (status != SLM_OK) {
        /* With the mark for repair, so the next locker tries again. */
        (void)slm_lock_unlock(slab->view.shared_lock);
    }
    return status;
}

void slm_slab_leave(struct slm_slab *slab)
{
    (void)slm_lock_unlock(slab->view.shared_lock);
}
