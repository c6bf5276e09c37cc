/* SPDX-License-Identifier: Apache-2.0 */
/* What the project's adapters share. */
#include <stdint.h>
#include <string.h>

#include "harness/adapters/adapters.h"
#include "harness/base/array.h"

enum slm_adapter_answer hrn_answer_of(enum slm_status status)
{
    switch (status) {
    case SLM_OK:
        return SLM_ADAPTER_OK;
    case SLM_UNCHANGED:
        return SLM_ADAPTER_UNCHANGED;
    case SLM_E_NOMEM:
        return SLM_ADAPTER_REFUSED;
    case SLM_E_FOREIGN:
        return SLM_ADAPTER_BAD_FOREIGN;
    case SLM_E_METADATA:
        return SLM_ADAPTER_BAD_METADATA;
    case SLM_E_FREED:
        return SLM_ADAPTER_BAD_FREED;
    case SLM_E_PAGE_FREE:
        return SLM_ADAPTER_BAD_UNUSED;
    case SLM_E_INTERIOR:
        return SLM_ADAPTER_BAD_INTERIOR;
    default:
        return SLM_ADAPTER_BAD;
    }
}

size_t hrn_product(size_t n, size_t size_bytes)
{
    size_t product;
    return __builtin_mul_overflow(n, size_bytes, &product) ? SIZE_MAX : product;
}

void *hrn_slots_get(struct hrn_slots *slots, unsigned arena, size_t slot_bytes)
{
    size_t old_cap = slots->cap;
    slots->slots =
        hrn_array_grow(slots->slots, &slots->cap, (size_t)arena + 1, sizeof *slots->slots);
    for (size_t i = old_cap; i < slots->cap; i++) {
        slots->slots[i] = NULL;
    }
    if (slots->slots[arena] == NULL) {
        size_t cap = 0;
        slots->slots[arena] = hrn_array_grow(NULL, &cap, slot_bytes, 1);
        memset(slots->slots[arena], 0, slot_bytes);
    }
    return slots->slots[arena];
}
