/* SPDX-License-Identifier: Apache-2.0 */
/* Failing programs made small: the fewest operations, the smallest numbers, the plainest head. */
#ifndef HRN_SHRINK_H
#define HRN_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/adapters/adapter.h"
#include "harness/laws/laws.h"
#include "harness/program/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The caller says whether a candidate still breaks in the same way; the shrinker proposes
 *          smaller ones until no single step is left that does: no operation that can go, no number
 *          that halving or counting down makes smaller, no field of the head that can be plain.
 *          Candidates are always normalized.
 * Safety   As safe as `breaks`; deterministic if that is. A candidate may do anything that the
 *          program itself might, crash included: then `breaks` must run it in a process of its own.
 * Failure  None. When runs_max is used up, the smallest so far stands, and is_minimal says no.
 * Source   Delta debugging (Zeller and Hildebrandt, 2002) for the operations.
 */
struct hrn_shrink {
    bool (*breaks)(void *data, const struct hrn_program *candidate);
    void *data;
    size_t runs_max; /* calls of breaks, at most */
    size_t n_runs;   /* set: calls made */
    bool is_minimal; /* set: the search came to its end */
};

/* Makes *program, which breaks, smaller. Cost: at most runs_max runs. */
void hrn_shrink_program(struct hrn_shrink *shrink, struct hrn_program *program);

/*
 * Cuts *program, which breaks, behind the first operation that makes it break, found by halving; an
 * end that breaks by itself leaves it whole. Adds to n_runs.
 */
void hrn_shrink_cut(struct hrn_shrink *shrink, struct hrn_program *program);

/* A `breaks` for laws, in this process. data is a struct hrn_shrink_law. */
struct hrn_shrink_law {
    const struct hrn_adapter *adapter;
    enum hrn_law law;
};
bool hrn_shrink_breaks_law(void *data, const struct hrn_program *candidate);

#ifdef __cplusplus
}
#endif
#endif
