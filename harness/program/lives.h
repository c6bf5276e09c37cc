/* SPDX-License-Identifier: Apache-2.0 */
/* Which ids are live where, in program order: shared by decoder, encoder and normalizer. */
#ifndef HRN_LIVES_H
#define HRN_LIVES_H

#include "harness/program/program.h"

/*
 * Model    Each arena has two lists, of objects and of the reuse list's objects. Removal moves the
 *          last entry into the hole, so selecting and removing are O(1). Decoder and encoder both
 *          use hrn_lives_apply, so they see the same order.
 */
enum hrn_space { HRN_SPACE_OBJECTS, HRN_SPACE_REUSE, HRN_SPACE_COUNT };

struct hrn_live_list {
    uint32_t *ids;
    size_t n;
    size_t cap;
};

struct hrn_live_place {
    uint32_t list; /* index of list, or HRN_NO_ID: not live */
    uint32_t pos;
};

struct hrn_lives {
    struct hrn_live_list *lists; /* HRN_SPACE_COUNT for each arena */
    size_t n_lists;
    size_t cap_lists;
    struct hrn_live_place *places; /* by id */
    size_t n_places;
    size_t cap_places;
};

/* Starts over with n_arenas arenas and no ids; memory is kept. lives is zero at first use. */
void hrn_lives_begin(struct hrn_lives *lives, size_t n_arenas);
void hrn_lives_fini(struct hrn_lives *lives);

/* The list that holds the op's id, or will hold it. */
struct hrn_live_list *hrn_lives_list(struct hrn_lives *lives, const struct hrn_op *op);

/* The id that a selector refers to; the list is not empty. */
uint32_t hrn_lives_select(const struct hrn_live_list *list, size_t selector);

/* The selector of the op's id; false if it is not live in the op's list. */
bool hrn_lives_selector(struct hrn_lives *lives, const struct hrn_op *op, size_t *selector);

/* Applies the op to the lists. */
void hrn_lives_apply(struct hrn_lives *lives, const struct hrn_op *op);

#endif
