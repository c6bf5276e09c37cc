/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by parser and printer of traces: the fields of each operation, and names of objects. */
#ifndef HRN_TRACE_TEXT_H
#define HRN_TRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/program/program.h"
#include "harness/trace/head.h"
#include "harness/trace/trace.h"

/* --- Fields --- */

/* The fields after the word of an operation, in order. */
enum hrn_field {
    HRN_FIELD_END,
    HRN_FIELD_NEW_ID,    /* the id of a new object */
    HRN_FIELD_NEW_OR_NO, /* the same, or `-` */
    HRN_FIELD_ID,        /* an id that is used */
    HRN_FIELD_VICTIM,    /* an id or `-`, as the kind of misuse requires */
    HRN_FIELD_SIZE,
    HRN_FIELD_ALIGN,
    HRN_FIELD_COUNT,
    HRN_FIELD_ORDER,
    HRN_FIELD_HANDLER, /* may be missing: the first of its words */
    HRN_FIELD_TWICE,   /* the same */
    HRN_FIELD_MISUSE,
    HRN_FIELD_FILE,
    HRN_FIELD_NTH,
    HRN_FIELD_WHICH,
    HRN_FIELD_REFUSALS,
    HRN_FIELD_BY, /* may be missing, as the next five */
    HRN_FIELD_WHERE,
    HRN_FIELD_WAY,
    HRN_FIELD_LOOK,
    HRN_FIELD_MAKE,
    HRN_FIELD_END_OF,    /* of an arena */
    HRN_FIELD_WAY_ALIGN, /* only after HRN_WAY_ALIGNED */
};

#define HRN_FIELDS_MAX 4u

/* The fields of a kind; HRN_FIELD_END after the last. */
const enum hrn_field *hrn_trace_fields(enum hrn_kind kind);

/* The words of a field that is a word, by the value of aux; *n is how many. NULL for the others. */
const char *const *hrn_trace_field_words(enum hrn_field field, size_t *n);

/* The first of the field's words is implied. */
bool hrn_trace_is_optional(enum hrn_field field);

#define HRN_TRACE_REFUSALS_ALL 255u /* aux of FAULT */

/* --- Names --- */

/*
 * Model    An object has a number in its arena, as written, and an id in the program. A table maps
 *          numbers to ids, by open addressing, at most half full. Another records what is live in
 *          program order. An arena's epoch is incremented when all its objects are dropped at once.
 */
struct hrn_trace_slot {
    uint32_t arena;
    uint32_t number;
    uint32_t id; /* HRN_NO_ID: the slot is empty */
};

struct hrn_trace_life {
    uint32_t epoch; /* of its arena when it was made */
    uint8_t ids;    /* enum hrn_ids: how it was made; HRN_IDS_NONE: gone */
};

struct hrn_trace_names {
    struct hrn_trace_slot *slots;
    size_t n_slots; /* a power of two, or 0 */
    size_t n_used;
    struct hrn_trace_life *lives; /* by id */
    size_t n_lives;
    size_t cap_lives;
    uint32_t *epochs; /* by arena */
    size_t n_epochs;
    size_t cap_epochs;
};

/* A struct of zeros is empty. */
void hrn_trace_names_fini(struct hrn_trace_names *names);

/* The id of an object that may be used as op does; HRN_NO_ID if there is none. */
uint32_t hrn_trace_names_find(const struct hrn_trace_names *names, const struct hrn_op *op,
                              uint32_t number);

/* Names the next id. False, changing nothing, if the number was used before. */
bool hrn_trace_names_add(struct hrn_trace_names *names, const struct hrn_op *op, uint32_t number);

/* Uses the next id without a name. */
void hrn_trace_names_skip(struct hrn_trace_names *names, const struct hrn_op *op);

/* Applies a complete op to the live objects. */
void hrn_trace_names_apply(struct hrn_trace_names *names, const struct hrn_op *op);

#endif
