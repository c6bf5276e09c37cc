/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of programs share: what an operation has and makes, appending without copies. */
#ifndef HRN_PROGRAM_PARTS_H
#define HRN_PROGRAM_PARTS_H

#include "harness/program/program.h"

/* True if the operation has a count (the others leave it 0). */
bool hrn_kind_has_count(enum hrn_kind kind);

/* How many ids, from op->id on, exist because of this operation. */
uint32_t hrn_op_n_made(const struct hrn_op *op);

/* What hrn_program_push does, without copies: room for an operation after the last one, undefined;
 * and, once it is filled in, its taking. */
struct hrn_op *hrn_program_next(struct hrn_program *program);
void hrn_program_take_next(struct hrn_program *program);

#endif
