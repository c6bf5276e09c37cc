/* SPDX-License-Identifier: Apache-2.0 */
/* Programs run without checks, to see what they cost. */
#ifndef MILL_MEASURE_H
#define MILL_MEASURE_H

#include "tools/slabmill/slabmill.h"

/*
 * Model    Arenas are as in checked runs, without fences. The program writes to each page of its
 *          objects, as a user does. Operations that only pools or checks have are left out.
 * Safety   One thread.
 * Failure  If there is no memory for the run itself, the process ends with MILL_WRONG.
 */
struct mill_cost {
    size_t n_calls; /* of the allocator: each object of a burst is one */
    size_t n_refused;
    size_t asked_bytes; /* live, most at once */
    bool knows_taken;
    size_t taken_bytes; /* most of a region that was touched, or most from the source at once */
    double nanoseconds;
};

void mill_cost_run(struct mill_cost *cost, const struct slm_adapter *adapter,
                   const struct hrn_program *program);

#endif
