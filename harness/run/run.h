/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program against an adapter, checking every law of memory. */
#ifndef HRN_RUN_H
#define HRN_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "harness/laws/laws.h"
#include "harness/program/program.h"
#include "harness/registry/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    After every operation the runner checks what it touched; every check_every operations,
 *          and at the end, it checks everything. It keeps its model of the arenas outside their
 *          memory. The end of a program destroys its arenas and checks that nothing leaked.
 * Safety   One run at a time per process. Deterministic: the same program gives the same run.
 * Failure  A broken law is printed and aborts in a function of its own (hrn_law_overlap, ...);
 *          hrn_run_catch returns it instead. Nothing else fails.
 */

/* The result of a run. */
struct hrn_result {
    enum hrn_law law;                /* HRN_LAW_NONE: every law was kept */
    size_t op_idx;                   /* operation at which it was broken; n_ops: at the end */
    char text[HRN_LAW_TEXT_BYTES];   /* what exactly was seen */
    uint64_t n_done;                 /* allocator operations executed (a burst of 512 counts 512) */
    uint64_t n_kind[HRN_KIND_COUNT]; /* the same by operation; refused ones count too */
    uint64_t n_refused;              /* allocations refused, lawfully */
    size_t peak_live_bytes;          /* requested bytes, most at once, over all arenas */
    size_t peak_source_bytes;        /* taken from the sources, most at once */
};

/* Runs the program; result may be NULL. A broken law does not return. */
void hrn_run(const struct slm_adapter *adapter, const struct hrn_program *program,
             struct hrn_result *result);

/* Runs the program. A broken law is in result->law, and the arenas' memory is released. */
enum hrn_law hrn_run_catch(const struct slm_adapter *adapter, const struct hrn_program *program,
                           struct hrn_result *result);

/* The same, observing the promises that the adapter does not declare (harness/run/promise.h). Adds
 * to what *probe has. */
struct hrn_promise_probe;
enum hrn_law hrn_run_probe(const struct slm_adapter *adapter, const struct hrn_program *program,
                           struct hrn_result *result, struct hrn_promise_probe *probe);

/* Counters of all runs of this process. */
struct hrn_totals {
    uint64_t n_runs;
    uint64_t n_done;
    uint64_t n_kind[HRN_KIND_COUNT];
    uint64_t n_misuse[HRN_MISUSE_COUNT];
    uint64_t n_refused;
};
const struct hrn_totals *hrn_run_totals(void);

/* Frees the memory that is kept from run to run. */
void hrn_run_fini(void);

#ifdef __cplusplus
}
#endif
#endif
