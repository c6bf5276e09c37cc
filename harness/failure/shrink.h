/* SPDX-License-Identifier: Apache-2.0 */
/* Makes failing programs small: the fewest operations, the smallest numbers, the plainest head. */
#ifndef HRN_SHRINK_H
#define HRN_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/laws/laws.h"
#include "harness/program/program.h"
#include "harness/registry/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The caller decides whether a candidate still breaks in the same way. The shrinker
 *          proposes smaller candidates until no single step succeeds: no operation can be removed,
 *          no number made smaller by halving or counting down, no field of the head made plain.
 *          Candidates are always normalized.
 * Safety   As safe as `breaks`, and deterministic if `breaks` is. A candidate may do anything that
 *          the program may do, even crash; if so, `breaks` must run it in a separate process.
 * Failure  None. When runs_max is used up, the result is the smallest program so far and is_minimal
 *          is false.
 * Source   Delta debugging (Zeller and Hildebrandt, 2002) for the operations.
 */
struct hrn_shrink {
    bool (*breaks)(void *data, const struct hrn_program *candidate);
    void *data;
    size_t runs_max; /* calls of breaks, at most */
    size_t n_runs;   /* set: calls made */
    bool is_minimal; /* set: the search was completed */
};

/* Makes *program, which breaks, smaller. Cost: at most runs_max runs. */
void hrn_shrink_program(struct hrn_shrink *shrink, struct hrn_program *program);

/*
 * Cuts *program, which breaks, after the first operation that makes it break, found by halving. If
 * only the end of the run breaks, the program stays whole. Adds to n_runs.
 */
void hrn_shrink_cut(struct hrn_shrink *shrink, struct hrn_program *program);

/* A `breaks` for laws, in this process. data is a struct hrn_shrink_law. */
struct hrn_shrink_law {
    const struct slm_adapter *adapter;
    enum hrn_law law;
};
bool hrn_shrink_breaks_law(void *data, const struct hrn_program *candidate);

#ifdef __cplusplus
}
#endif
#endif
