/* SPDX-License-Identifier: Apache-2.0 */
/* What an adapter's functions and declarations mean for programs. */
#include "harness/registry/registry.h"

#include <stdio.h>

#include "harness/base/quiet.h"

HRN_QUIET_BEGIN

/* What every adapter can do. */
#define CAN_ALWAYS                                                                                 \
    (HRN_BIT(HRN_ALLOC) | HRN_BIT(HRN_FREE) | HRN_BIT(HRN_BURST) | HRN_BIT(HRN_DRAIN) |            \
     HRN_BIT(HRN_CHECK))

static uint32_t bit_if(bool has, enum hrn_kind kind)
{
    return has ? HRN_BIT(kind) : 0;
}

static bool has_misuse(const struct slm_adapter *adapter)
{
    bool has = adapter->bad_free_any != 0;
    for (unsigned i = 0; i < SLM_ADAPTER_N_MISUSES; i++) {
        has |= adapter->bad_free[i] != 0;
    }
    return has || (adapter->checks != NULL && adapter->checks->bad_free != NULL);
}

static uint32_t can_as_pool(const struct slm_adapter_pool *pool)
{
    return bit_if(pool->alloc_packed != NULL, HRN_NALLOC) |
           bit_if(pool->give_back != NULL, HRN_GIVE_BACK) |
           bit_if(pool->cleanup != NULL, HRN_CLEANUP) | bit_if(pool->file != NULL, HRN_FILE) |
           bit_if(pool->run_file != NULL, HRN_RUN_FILE) |
           bit_if(pool->arm != NULL || pool->child != NULL, HRN_CANCEL) |
           bit_if(pool->reuse_get != NULL, HRN_REUSE_GET) |
           bit_if(pool->reuse_put != NULL, HRN_REUSE_PUT);
}

uint32_t hrn_can(const struct slm_adapter *adapter)
{
    bool resizes = adapter->resize != NULL || adapter->resize_aligned != NULL ||
                   adapter->resize_in_place != NULL || adapter->usable_bytes != NULL;
    return CAN_ALWAYS | bit_if(adapter->alloc_zeroed != NULL, HRN_CALLOC) |
           bit_if(!adapter->fresh_process, HRN_CREATE) |
           bit_if(!adapter->fresh_process, HRN_DESTROY) | bit_if(adapter->grow != NULL, HRN_GROW) |
           bit_if(adapter->shrink != NULL, HRN_SHRINK) |
           bit_if(adapter->add_region != NULL, HRN_ADD_REGION) |
           bit_if(adapter->alloc_aligned != NULL, HRN_MEMALIGN) | bit_if(resizes, HRN_RESIZE) |
           bit_if(adapter->reset != NULL, HRN_RESET) | bit_if(adapter->trim != NULL, HRN_TRIM) |
           bit_if(has_misuse(adapter), HRN_MISUSE) |
           bit_if(adapter->memory != SLM_ADAPTER_SYSTEM, HRN_FAULT) |
           (adapter->sparse_regions ? HRN_CAN_SPARSE : 0) |
           (adapter->any_thread ? HRN_CAN_THREADS : 0) |
           (adapter->pool == NULL ? 0 : can_as_pool(adapter->pool));
}

/* --- Alignment --- */

size_t hrn_align_of(const struct slm_adapter *adapter, void *self, size_t size_bytes)
{
    if (adapter->align_of != NULL) {
        return adapter->align_of(self, size_bytes);
    }
    return adapter->align_bytes != 0 ? adapter->align_bytes : _Alignof(max_align_t);
}

static size_t align_min(const struct slm_adapter *adapter)
{
    return adapter->align_min_bytes == 0 ? 1 : adapter->align_min_bytes;
}

bool hrn_align_is_served(const struct slm_adapter *adapter, size_t align_bytes)
{
    return (align_bytes & (align_bytes - 1)) == 0 && align_bytes >= align_min(adapter) &&
           align_bytes <= adapter->align_max_bytes;
}

size_t hrn_asked_align(const struct slm_adapter *adapter, size_t align_bytes)
{
    if (adapter->align_refuses || hrn_align_is_served(adapter, align_bytes)) {
        return align_bytes;
    }
    size_t power = align_min(adapter);
    while (power < align_bytes && power < adapter->align_max_bytes) {
        power *= 2;
    }
    return power;
}

/* --- Sizes --- */

size_t hrn_asked_size(const struct slm_adapter *adapter, size_t size_bytes)
{
    size_t multiple = adapter->size_multiple_bytes == 0 ? 1 : adapter->size_multiple_bytes;
    if (size_bytes == 0 && adapter->zero == SLM_ADAPTER_ZERO_UNASKED) {
        return multiple;
    }
    size_t over = size_bytes % multiple;
    size_t under = over == 0 ? 0 : multiple - over;
    return size_bytes > SIZE_MAX - under ? size_bytes - over : size_bytes + under;
}

size_t hrn_size_max(const struct slm_adapter *adapter)
{
    size_t max = SIZE_MAX / 2;
    return adapter->size_max_bytes == 0 || adapter->size_max_bytes > max ? max
                                                                         : adapter->size_max_bytes;
}

size_t hrn_region_length(const struct slm_adapter *adapter, size_t wanted_bytes)
{
    size_t bytes = wanted_bytes;
    if (adapter->region_bytes != NULL) {
        return adapter->region_bytes(wanted_bytes);
    }
    if (adapter->region_max_bytes != 0 && bytes > adapter->region_max_bytes) {
        bytes = adapter->region_max_bytes;
    }
    if (adapter->region_multiple_bytes != 0) {
        bytes -= bytes % adapter->region_multiple_bytes;
    }
    return bytes < adapter->region_min_bytes ? adapter->region_min_bytes : bytes;
}

const char *hrn_request_text(const struct slm_adapter_request *rq, char *text)
{
    int n = snprintf(text, HRN_REQUEST_TEXT_BYTES, "%zu bytes", rq->size_bytes);
    if (rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED) {
        (void)snprintf(text + n, HRN_REQUEST_TEXT_BYTES - (size_t)n, " at alignment %zu",
                       rq->align_bytes);
    }
    return text;
}

const char *hrn_answer_name(enum slm_adapter_answer answer)
{
    static const char *const names[SLM_ADAPTER_N_ANSWERS] = {
        "ok",           "refused",   "unchanged",  "bad",         "bad_foreign",
        "bad_metadata", "bad_freed", "bad_unused", "bad_interior"};
    return (unsigned)answer < SLM_ADAPTER_N_ANSWERS ? names[answer] : "?";
}

HRN_QUIET_END
