/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of live ids. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/base/quiet.h"
#include "harness/program/lives.h"

HRN_BOOKS_BEGIN

void hrn_lives_begin(struct hrn_lives *lives, size_t n_arenas)
{
    size_t n = n_arenas * HRN_SPACE_COUNT;
    size_t old_cap = lives->cap_lists;
    lives->lists = hrn_array_grow(lives->lists, &lives->cap_lists, n, sizeof *lives->lists);
    for (size_t i = old_cap; i < lives->cap_lists; i++) {
        lives->lists[i] = (struct hrn_live_list){0};
    }
    for (size_t i = 0; i < n; i++) {
        lives->lists[i].n = 0;
    }
    lives->n_lists = n;
    lives->n_places = 0;
}

void hrn_lives_fini(struct hrn_lives *lives)
{
    for (size_t i = 0; i < lives->cap_lists; i++) {
        free(lives->lists[i].ids);
    }
    free(lives->lists);
    free(lives->places);
    memset(lives, 0, sizeof *lives);
}

static uint32_t list_idx(const struct hrn_op *op)
{
    enum hrn_ids ids = hrn_op_ids(op);
    enum hrn_space space =
        ids == HRN_IDS_GET || ids == HRN_IDS_PUT ? HRN_SPACE_REUSE : HRN_SPACE_OBJECTS;
    return op->arena * HRN_SPACE_COUNT + (uint32_t)space;
}

struct hrn_live_list *hrn_lives_list(struct hrn_lives *lives, const struct hrn_op *op)
{
    return &lives->lists[list_idx(op)];
}

uint32_t hrn_lives_select(const struct hrn_live_list *list, size_t selector)
{
    return list->ids[list->n - 1 - selector % list->n];
}

bool hrn_lives_selector(struct hrn_lives *lives, const struct hrn_op *op, size_t *selector)
{
    if (op->id >= lives->n_places || lives->places[op->id].list != list_idx(op)) {
        return false;
    }
    *selector = lives->lists[list_idx(op)].n - 1 - lives->places[op->id].pos;
    return true;
}

static void add_id(struct hrn_lives *lives, uint32_t list, uint32_t id)
{
    lives->places =
        hrn_array_grow(lives->places, &lives->cap_places, (size_t)id + 1, sizeof *lives->places);
    while (lives->n_places <= id) {
        lives->places[lives->n_places++].list = HRN_NO_ID;
    }
    struct hrn_live_list *l = &lives->lists[list];
    l->ids = hrn_array_grow(l->ids, &l->cap, l->n + 1, sizeof *l->ids);
    lives->places[id] = (struct hrn_live_place){.list = list, .pos = (uint32_t)l->n};
    l->ids[l->n++] = id;
}

/* Ignores an id that is not live, since the encoder also accepts programs that are not normalized.
 */
static void remove_id(struct hrn_lives *lives, uint32_t id)
{
    if (id >= lives->n_places || lives->places[id].list == HRN_NO_ID) {
        return;
    }
    struct hrn_live_place place = lives->places[id];
    struct hrn_live_list *l = &lives->lists[place.list];
    uint32_t last = l->ids[--l->n];
    l->ids[place.pos] = last;
    lives->places[last].pos = place.pos;
    lives->places[id].list = HRN_NO_ID;
}

static void drop_all(struct hrn_lives *lives, uint32_t arena)
{
    for (uint32_t space = 0; space < HRN_SPACE_COUNT; space++) {
        struct hrn_live_list *l = &lives->lists[arena * HRN_SPACE_COUNT + space];
        for (size_t i = 0; i < l->n; i++) {
            lives->places[l->ids[i]].list = HRN_NO_ID;
        }
        l->n = 0;
    }
}

void hrn_lives_apply(struct hrn_lives *lives, const struct hrn_op *op)
{
    uint32_t n = op->kind == HRN_BURST ? op->count : 1;
    switch (hrn_op_ids(op)) {
    case HRN_IDS_MAKE:
    case HRN_IDS_GET:
        for (uint32_t i = 0; i < n; i++) {
            add_id(lives, list_idx(op), op->id + i);
        }
        break;
    case HRN_IDS_DROP:
    case HRN_IDS_PUT:
        remove_id(lives, op->id);
        break;
    default:
        break;
    }
    if (op->kind == HRN_DRAIN || op->kind == HRN_RESET || op->kind == HRN_CREATE ||
        op->kind == HRN_DESTROY) {
        drop_all(lives, op->arena);
    }
}

HRN_BOOKS_END
