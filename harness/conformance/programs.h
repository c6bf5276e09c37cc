/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of the claims. Each appends to an empty program. */
#ifndef HRN_CLAIM_PROGRAMS_H
#define HRN_CLAIM_PROGRAMS_H

#include "harness/program/program.h"
#include <slabmill/adapter.h>

#define HRN_CLAIM_PROGRAM(name)                                                                    \
    void hrn_claim_##name(const struct slm_adapter *adapter, struct hrn_program *program);

HRN_CLAIM_PROGRAM(empty)
HRN_CLAIM_PROGRAM(sizes)
HRN_CLAIM_PROGRAM(zero)
HRN_CLAIM_PROGRAM(huge)
HRN_CLAIM_PROGRAM(zeroed)
HRN_CLAIM_PROGRAM(aligned_small)
HRN_CLAIM_PROGRAM(alignments)
HRN_CLAIM_PROGRAM(resize)
HRN_CLAIM_PROGRAM(resize_aligned)
HRN_CLAIM_PROGRAM(resize_null)
HRN_CLAIM_PROGRAM(resize_zero)
HRN_CLAIM_PROGRAM(resize_by)
HRN_CLAIM_PROGRAM(fill)
HRN_CLAIM_PROGRAM(holes)
HRN_CLAIM_PROGRAM(reset)
HRN_CLAIM_PROGRAM(reports)
HRN_CLAIM_PROGRAM(looks)
HRN_CLAIM_PROGRAM(trim)
HRN_CLAIM_PROGRAM(misuse)
HRN_CLAIM_PROGRAM(arenas)
HRN_CLAIM_PROGRAM(regions)
HRN_CLAIM_PROGRAM(grow)
HRN_CLAIM_PROGRAM(shrink)
HRN_CLAIM_PROGRAM(add_region)
HRN_CLAIM_PROGRAM(sparse)
HRN_CLAIM_PROGRAM(live_end)
HRN_CLAIM_PROGRAM(source)
HRN_CLAIM_PROGRAM(packed)
HRN_CLAIM_PROGRAM(handlers)
HRN_CLAIM_PROGRAM(files)
HRN_CLAIM_PROGRAM(reuse)
HRN_CLAIM_PROGRAM(give_back)

#endif
