/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a program's head, by name, with their ranges. */
#ifndef HRN_TRACE_HEAD_H
#define HRN_TRACE_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "harness/program/program.h"

struct hrn_head_field {
    const char *name;
    size_t offset; /* of a uint32_t in struct hrn_head */
    uint32_t min;
    uint32_t max;
    uint32_t step_shift; /* 0: any number; else only min shifted left by multiples of this */
    const char *expected;
};

#define HRN_HEAD_FIELDS 11u
extern const struct hrn_head_field hrn_head_fields[HRN_HEAD_FIELDS];

uint32_t *hrn_head_field_at(struct hrn_head *head, const struct hrn_head_field *field);

#endif
