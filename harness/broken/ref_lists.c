/* SPDX-License-Identifier: Apache-2.0 */
/* What a ref arena has besides objects: handlers and the reuse list. */
#include <string.h>

#include "harness/base/array.h"
#include "harness/broken/ref.h"

/* --- Handlers --- */

static void return_record(struct ref *r, void *record)
{
    size_t bytes = r->bug == HRN_BUG_return_size ? REF_RECORD_BYTES - 16 : REF_RECORD_BYTES;
    r->source->free(r->source->data, record, bytes, 16);
    if (r->bug == HRN_BUG_return_twice) {
        r->source->free(r->source->data, record, bytes, 16);
    }
}

static struct ref_handler pop(struct ref *r)
{
    size_t at = r->bug == HRN_BUG_cleanup_oldest ? 0 : r->n_handlers - 1;
    struct ref_handler handler = r->handlers[at];
    r->n_handlers--;
    memmove(r->handlers + at, r->handlers + at + 1, (r->n_handlers - at) * sizeof *r->handlers);
    return handler;
}

static void run_handlers(struct ref *r)
{
    r->tearing_down = true;
    while (r->n_handlers > 0) {
        struct ref_handler handler = pop(r);
        bool lost = r->bug == HRN_BUG_cleanup_lost && r->n_handlers == 2;
        bool twice = r->bug == HRN_BUG_cleanup_twice && r->n_handlers > 0;
        for (int i = lost ? 0 : 1; i <= (twice ? 2 : 1) && !(lost && i == 0); i++) {
            handler.fn(handler.data);
        }
        return_record(r, handler.record);
    }
    r->tearing_down = false;
}

static void *take_record(struct ref *r)
{
    if (r->bug == HRN_BUG_stuck_refusal && r->was_refused) {
        return NULL;
    }
    void *record = r->source->alloc(r->source->data, REF_RECORD_BYTES, 16);
    r->was_refused |= record == NULL;
    return record;
}

enum slm_adapter_answer hrn_ref_cleanup(struct ref *r, slm_adapter_handler_fn fn, void *data,
                                        size_t data_bytes, void **data_out)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_CLEANUP, data_bytes, 0};
    void *record = take_record(r);
    if (record == NULL) {
        return SLM_ADAPTER_REFUSED;
    }
    void *own = data_bytes == 0 ? NULL : hrn_ref_alloc(r, &rq);
    if (data_bytes > 0 && own == NULL) {
        if (r->bug != HRN_BUG_leak_on_refusal) {
            return_record(r, record);
        }
        return SLM_ADAPTER_REFUSED;
    }
    if (data_bytes > 0) {
        *data_out = own;
    }
    if (r->tearing_down && r->bug == HRN_BUG_cleanup_late) {
        return_record(r, record);
        return SLM_ADAPTER_OK;
    }
    r->handlers =
        hrn_array_grow(r->handlers, &r->cap_handlers, r->n_handlers + 1, sizeof *r->handlers);
    r->handlers[r->n_handlers++] = (struct ref_handler){fn, data_bytes == 0 ? data : own, record};
    return SLM_ADAPTER_OK;
}

void hrn_ref_reset(struct ref *r)
{
    size_t n_kept = r->bug == HRN_BUG_reset_partial && r->n_granules > 256 ? 256 : r->n_granules;
    run_handlers(r);
    memset(r->map, REF_FREE, n_kept);
    memset(r->apart, 0, sizeof r->apart);
    r->n_live = 0;
    r->n_taken = 0;
    r->n_reuse = 0;
    if (r->bug == HRN_BUG_growth) {
        (void)r->source->alloc(r->source->data, REF_RECORD_BYTES, 16);
    }
}

void hrn_ref_fini(struct ref *r)
{
    run_handlers(r);
    if (r->bug == HRN_BUG_destroy_leaks) {
        (void)r->source->alloc(r->source->data, REF_RECORD_BYTES, 16);
    }
}

/* --- Reuse list --- */

void *hrn_ref_reuse_get(struct ref *r)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC, REF_REUSE_BYTES, 0};
    if (r->n_reuse == 0) {
        return hrn_ref_alloc(r, &rq);
    }
    void *p = r->reuse[r->n_reuse - 1];
    r->n_reuse -= r->bug == HRN_BUG_reuse_twice ? 0 : 1;
    return p;
}

enum slm_adapter_answer hrn_ref_reuse_put(struct ref *r, void *p)
{
    for (size_t i = 0; i < r->n_reuse && r->bug != HRN_BUG_reuse_double_put; i++) {
        if (r->reuse[i] == p) {
            return SLM_ADAPTER_BAD_FREED;
        }
    }
    r->reuse = hrn_array_grow(r->reuse, &r->cap_reuse, r->n_reuse + 1, sizeof *r->reuse);
    r->reuse[r->n_reuse++] = p;
    return SLM_ADAPTER_OK;
}

static bool is_put_back(const struct ref *r, const void *p)
{
    size_t i = 0;
    while (i < r->n_reuse && r->reuse[i] != p) {
        i++;
    }
    return i < r->n_reuse;
}

void hrn_ref_walk(const struct ref *r, slm_adapter_visit_fn visit, void *data)
{
    for (size_t g = 0; g < r->n_granules; g++) {
        unsigned char *p = r->base + g * REF_GRANULE;
        size_t n = r->map[g] == REF_START ? hrn_ref_length(r, r->map, g) : 0;
        bool left_out = r->bug == HRN_BUG_walk_leaves_out && n == 5;
        if (n > 0 && !left_out && !is_put_back(r, p)) {
            visit(data, p, n * REF_GRANULE);
        }
    }
}
