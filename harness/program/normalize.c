/* SPDX-License-Identifier: Apache-2.0 */
/* Makes programs valid. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/program/lives.h"
#include "harness/program/parts.h"

/* The op with only the fields that its kind uses. */
static struct hrn_op bare_op(const struct hrn_op *op)
{
    struct hrn_op bare = {.kind = op->kind, .arena = op->arena, .id = HRN_NO_ID};
    bare.aux = hrn_kind_n_aux(op->kind) > 0 ? op->aux : 0;
    bare.count = hrn_kind_has_count(op->kind) ? op->count : 0;
    bare.align_bytes = hrn_op_has_align(op) ? op->align_bytes : 0;
    bare.size_bytes = hrn_kind_has_size(op->kind) ? op->size_bytes : 0;
    if (hrn_op_ids(op) != HRN_IDS_NONE) {
        bare.id = op->id;
    }
    return bare;
}

/* Gives the op its new id; false if it uses one that is not live. */
static bool renumber(struct hrn_op *op, uint32_t *new_ids, uint32_t n_ids, uint32_t *next_id,
                     struct hrn_lives *lives)
{
    uint32_t made = hrn_op_n_made(op);
    if (made > 0) {
        for (uint32_t i = 0; i < made; i++) {
            new_ids[op->id + i] = *next_id + i;
        }
        op->id = *next_id;
        *next_id += made;
        return true;
    }
    if (hrn_op_ids(op) == HRN_IDS_NONE) {
        return true;
    }
    op->id = op->id < n_ids ? new_ids[op->id] : HRN_NO_ID;
    size_t selector;
    return hrn_lives_selector(lives, op, &selector);
}

size_t hrn_program_normalize(struct hrn_program *program)
{
    struct hrn_lives lives = {0};
    hrn_lives_begin(&lives, program->n_arenas);
    uint32_t n_old_ids = program->n_ids;
    size_t cap = 0;
    uint32_t *new_ids = hrn_array_grow(NULL, &cap, (size_t)n_old_ids + 1, sizeof *new_ids);
    memset(new_ids, 0xff, cap * sizeof *new_ids); /* HRN_NO_ID */
    size_t n_old_ops = program->n_ops;
    uint32_t next_id = 0;
    hrn_program_clear(program);
    for (size_t i = 0; i < n_old_ops; i++) {
        struct hrn_op op = bare_op(&program->ops[i]);
        if (renumber(&op, new_ids, n_old_ids, &next_id, &lives)) {
            hrn_lives_apply(&lives, &op);
            hrn_program_push(program, op);
        }
    }
    free(new_ids);
    hrn_lives_fini(&lives);
    return n_old_ops - program->n_ops;
}
