/* SPDX-License-Identifier: Apache-2.0 */
/* Names of objects in traces, and which of them are live in program order. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/trace/text.h"

void hrn_trace_names_fini(struct hrn_trace_names *names)
{
    free(names->slots);
    free(names->lives);
    free(names->epochs);
    memset(names, 0, sizeof *names);
}

/* The finalizer of splitmix64 (Steele, Lea and Flood, 2014). */
static size_t hash(uint32_t arena, uint32_t number)
{
    uint64_t x = (uint64_t)arena << 32 | number;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(x ^ x >> 31);
}

/* The slot that holds the name, or the empty slot where it belongs. The table is not full. */
static struct hrn_trace_slot *slot_of(const struct hrn_trace_names *names, uint32_t arena,
                                      uint32_t number)
{
    size_t mask = names->n_slots - 1;
    size_t i = hash(arena, number) & mask;
    while (names->slots[i].id != HRN_NO_ID &&
           (names->slots[i].arena != arena || names->slots[i].number != number)) {
        i = (i + 1) & mask;
    }
    return &names->slots[i];
}

static void grow(struct hrn_trace_names *names)
{
    struct hrn_trace_names old = *names;
    size_t cap = 0;
    names->n_slots = old.n_slots == 0 ? 64 : old.n_slots * 2;
    names->slots = hrn_array_grow(NULL, &cap, names->n_slots, sizeof *names->slots);
    memset(names->slots, 0xff, names->n_slots * sizeof *names->slots); /* HRN_NO_ID */
    for (size_t i = 0; i < old.n_slots; i++) {
        if (old.slots[i].id != HRN_NO_ID) {
            *slot_of(names, old.slots[i].arena, old.slots[i].number) = old.slots[i];
        }
    }
    free(old.slots);
}

static uint32_t epoch_of(const struct hrn_trace_names *names, uint32_t arena)
{
    return arena < names->n_epochs ? names->epochs[arena] : 0;
}

uint32_t hrn_trace_names_find(const struct hrn_trace_names *names, const struct hrn_op *op,
                              uint32_t number)
{
    uint32_t id = names->n_slots == 0 ? HRN_NO_ID : slot_of(names, op->arena, number)->id;
    if (id == HRN_NO_ID) {
        return HRN_NO_ID;
    }
    enum hrn_ids made = hrn_op_ids(op) == HRN_IDS_PUT ? HRN_IDS_GET : HRN_IDS_MAKE;
    const struct hrn_trace_life *life = &names->lives[id];
    bool usable = life->ids == (uint8_t)made && life->epoch == epoch_of(names, op->arena);
    return usable ? id : HRN_NO_ID;
}

void hrn_trace_names_skip(struct hrn_trace_names *names, const struct hrn_op *op)
{
    names->lives =
        hrn_array_grow(names->lives, &names->cap_lives, names->n_lives + 1, sizeof *names->lives);
    names->lives[names->n_lives++] = (struct hrn_trace_life){.epoch = epoch_of(names, op->arena),
                                                             .ids = (uint8_t)hrn_op_ids(op)};
}

bool hrn_trace_names_add(struct hrn_trace_names *names, const struct hrn_op *op, uint32_t number)
{
    if (names->n_used * 2 >= names->n_slots) {
        grow(names);
    }
    struct hrn_trace_slot *slot = slot_of(names, op->arena, number);
    if (slot->id != HRN_NO_ID) {
        return false;
    }
    *slot = (struct hrn_trace_slot){
        .arena = op->arena, .number = number, .id = (uint32_t)names->n_lives};
    names->n_used++;
    hrn_trace_names_skip(names, op);
    return true;
}

static void next_epoch(struct hrn_trace_names *names, uint32_t arena)
{
    names->epochs =
        hrn_array_grow(names->epochs, &names->cap_epochs, (size_t)arena + 1, sizeof *names->epochs);
    while (names->n_epochs <= arena) {
        names->epochs[names->n_epochs++] = 0;
    }
    names->epochs[arena]++;
}

void hrn_trace_names_apply(struct hrn_trace_names *names, const struct hrn_op *op)
{
    enum hrn_ids ids = hrn_op_ids(op);
    if (ids == HRN_IDS_DROP || ids == HRN_IDS_PUT) {
        names->lives[op->id].ids = HRN_IDS_NONE;
    } else if (op->kind == HRN_DRAIN || op->kind == HRN_RESET || op->kind == HRN_CREATE ||
               op->kind == HRN_DESTROY) {
        next_epoch(names, op->arena);
    }
}
