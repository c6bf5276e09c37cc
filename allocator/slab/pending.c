/* SPDX-License-Identifier: Apache-2.0 */
/* After a death: finds the object that was allocated last. */
#include "allocator/slab/view.h"

void *slm_slab_last_allocation_locked(const struct slm_slab *slab)
{
    if (slab == NULL) {
        return NULL;
    }
    uint64_t offset = slab->header->pending;
    if (!slab_is_in_pages(slab, offset)) {
        return NULL;
    }
    void *p = (unsigned char *)slab->header + offset;
    return slm_slab_is_object(slab, p) ? p : NULL;
}

void slm_slab_clear_last_allocation_locked(struct slm_slab *slab)
{
    if (slab != NULL && !slab->view.read_only) {
        slab_commit(&slab->header->pending, 0);
    }
}
