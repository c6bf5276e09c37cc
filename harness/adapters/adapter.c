/* SPDX-License-Identifier: Apache-2.0 */
/* The list of adapters. */
#include "harness/adapters/adapter.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"

const struct hrn_adapter *const hrn_adapters[] = {
    &hrn_adapter_malloc, &hrn_adapter_pool, &hrn_adapter_slab, &hrn_adapter_twin, NULL,
};

const struct hrn_adapter *hrn_adapter_find(const char *name)
{
    const struct hrn_adapter *const *at = hrn_adapters;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at++;
    }
    return *at;
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
