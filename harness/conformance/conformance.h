/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about every allocator, each with a directed program that tests it. */
#ifndef HRN_CONFORMANCE_H
#define HRN_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/program/program.h"
#include "harness/registry/registry.h"
#include "harness/run/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A fixed list. A claim applies to an adapter that supports its operations and declares
 *          what it is about. Its program asks for little: a region of the default length has room
 *          for it many times.
 * Safety   As hrn_run_catch. Programs are deterministic.
 * Failure  None of its own.
 */
struct hrn_claim {
    const char *name; /* a word, for files */
    const char *text; /* what is claimed, in words */
    uint32_t needs;   /* HRN_BIT of each operation that must be supported */
    bool (*applies)(const struct slm_adapter *adapter); /* NULL: always */
    bool serves;                                        /* a refusal breaks it */
    void (*make)(const struct slm_adapter *adapter, struct hrn_program *program);
};

size_t hrn_claim_count(void);
const struct hrn_claim *hrn_claim_at(size_t idx);
bool hrn_claim_applies(const struct hrn_claim *claim, const struct slm_adapter *adapter);

/* Replaces the content of an initialized program by the claim's. */
void hrn_claim_make(const struct hrn_claim *claim, const struct slm_adapter *adapter,
                    struct hrn_program *program);

/* Runs it. A refusal that breaks the claim counts as a broken law `refusal`. */
enum hrn_law hrn_claim_run(const struct hrn_claim *claim, const struct slm_adapter *adapter,
                           const struct hrn_program *program, struct hrn_result *result);

#ifdef __cplusplus
}
#endif
#endif
