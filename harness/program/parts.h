/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by this folder's files: what an operation has and makes, appending without copies. */
#ifndef HRN_PROGRAM_PARTS_H
#define HRN_PROGRAM_PARTS_H

#include "harness/program/program.h"

/* True if the operation has a count (the others leave it 0). */
bool hrn_kind_has_count(enum hrn_kind kind);

/* How many values aux has; 0: it has no meaning. */
uint16_t hrn_kind_n_aux(enum hrn_kind kind);

/* True if the operation has an alignment (the others leave it 0). */
bool hrn_op_has_align(const struct hrn_op *op);

/* How many ids, from op->id on, exist because of this operation. */
uint32_t hrn_op_n_made(const struct hrn_op *op);

/* hrn_program_push in two steps, without copies: the first returns undefined room for one more
 * operation, the second appends it once it is filled in. */
struct hrn_op *hrn_program_next(struct hrn_program *program);
void hrn_program_take_next(struct hrn_program *program);

#endif
