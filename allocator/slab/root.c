/* SPDX-License-Identifier: Apache-2.0 */
/* How users find their objects: offsets instead of pointers, the root, the region's name. */
#include "allocator/slab/view.h"

uint64_t slm_slab_offset(const struct slm_slab *slab, const void *p)
{
    return slab == NULL || p == NULL ? 0 : (uint64_t)((uintptr_t)p - (uintptr_t)slab->header);
}

void *slm_slab_pointer(const struct slm_slab *slab, uint64_t offset)
{
    return slab == NULL || offset == 0 ? NULL : (unsigned char *)slab->header + offset;
}

enum slm_status slm_slab_set_root(struct slm_slab *slab, void *object)
{
    if (slab == NULL) {
        return SLM_E_NULL;
    }
    size_t offset = (size_t)((uintptr_t)object - (uintptr_t)slab->memory);
    if (object != NULL && offset >> slab->shape.page_shift >= slab->n_pages) {
        return SLM_E_FOREIGN;
    }
    if (slab->view.read_only) {
        return SLM_E_READ_ONLY;
    }
    uint64_t root = slab_root_seal(slm_slab_offset(slab, object));
    __atomic_store_n(&slab->header->root, root, __ATOMIC_RELEASE);
    return SLM_OK;
}

void *slm_slab_root(const struct slm_slab *slab)
{
    if (slab == NULL) {
        return NULL;
    }
    uint64_t root = __atomic_load_n(&slab->header->root, __ATOMIC_ACQUIRE);
    uint64_t offset = root & SLAB_ROOT_OFFSET;
    bool is_right = root == slab_root_seal(offset) && slab_is_in_pages(slab, offset);
    return is_right ? slm_slab_pointer(slab, offset) : NULL;
}

const char *slm_slab_name(const struct slm_slab *slab)
{
    return slab == NULL ? NULL : slab->name;
}
