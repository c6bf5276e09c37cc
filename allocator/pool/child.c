/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: pools that end with another one. */
#include "allocator/pool/layout.h"

/* The parent's handler. */
static void destroy_child(void *data)
{
    struct slm_pool *child = data;
    /* The list no longer has the handler, and its record goes with the parent's objects. */
    child->rest->as_child = NULL;
    (void)slm_pool_destroy(child);
}

/* Records of children that ended early are used again, so that a parent that lives for long takes
 * memory for the most children ever alive at once only. */
static struct slm_pool_child *take_record(struct slm_pool *parent)
{
    struct slm_pool_child *record = parent->rest->ended;
    if (record != NULL) {
        parent->rest->ended = record->next;
        return record;
    }
    record = slm_pool_alloc(parent, sizeof *record);
    if (record != NULL) {
        *record = (struct slm_pool_child){.parent = parent};
    }
    return record;
}

enum slm_status slm_pool_create_child(struct slm_pool **out, struct slm_pool *parent,
                                      size_t block_bytes, const struct slm_source *source,
                                      unsigned flags)
{
    if (out != NULL) {
        *out = NULL;
    }
    if (out == NULL || parent == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status =
        slm_pool_create(out, block_bytes, source != NULL ? source : parent->rest->source, flags);
    if (status != SLM_OK) {
        return status;
    }
    /* Last, since what the parent has given for it would stay the parent's. */
    struct slm_pool_child *record = take_record(parent);
    if (record == NULL) {
        (void)slm_pool_destroy(*out);
        *out = NULL;
        return SLM_E_NOMEM;
    }
    (*out)->rest->as_child = record;
    return slm_pool_cleanup_arm(parent, &record->cleanup, destroy_child, *out);
}
