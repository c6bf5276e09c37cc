/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill check: one page about an adapter: its table, the claims, its promises, and a soak. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/conformance/conformance.h"
#include "tools/slabmill/slabmill.h"

#define PROBE_OPS_MAX 200000u

/* --- The table --- */

static void print_table(const struct slm_adapter *adapter, const char *as_named)
{
    static const char *const places[] = {"the region", "blocks of the source", "memory of its own"};
    uint32_t can = hrn_can(adapter);
    printf("%s", adapter->name);
    if (strcmp(adapter->name, as_named) != 0) {
        printf(" (%s)", as_named);
    }
    printf("\n  table        sound; objects are in %s\n  operations  ", places[adapter->memory]);
    for (enum hrn_kind kind = 0; kind < HRN_KIND_COUNT; kind++) {
        if ((can >> kind & 1u) != 0) {
            printf(" %s", hrn_kind_word(kind));
        }
    }
    printf("\n");
}

/* --- The claims --- */

struct claim_run {
    const struct slm_adapter *adapter;
    const struct hrn_claim *claim;
    const struct hrn_program *program;
};

static void run_claim(void *data, struct hrn_result *result)
{
    const struct claim_run *run = data;
    (void)hrn_claim_run(run->claim, run->adapter, run->program, result);
}

/* Keeps the program of a broken claim, to replay it. False: it could not be written. */
static bool keep_program(const struct claim_run *run)
{
    char path[160];
    struct hrn_trace trace;
    size_t n_bytes;
    snprintf(path, sizeof path, "check-%s-%s.trace", run->adapter->name, run->claim->name);
    hrn_trace_init(&trace);
    hrn_program_copy(&trace.program, run->program);
    trace.word = mill_adapter_word(run->adapter);
    char *bytes = hrn_trace_print(&trace, &n_bytes);
    bool written = mill_file_write(path, bytes, n_bytes);
    free(bytes);
    hrn_trace_fini(&trace);
    if (written) {
        printf("      the program is in %s\n", path);
    }
    return written;
}

static bool print_broken(const struct claim_run *run, const struct mill_trial *trial)
{
    char text[MILL_TRIAL_TEXT_BYTES];
    mill_trial_text(trial, text, sizeof text);
    printf("    not kept: %s\n      %s\n", run->claim->text, text);
    if (trial->end == MILL_END_LAW) {
        char place[MILL_PLACE_BYTES];
        mill_place_text(trial, run->program->n_ops, place);
        printf("      seen: %s%s%s\n", trial->result.text, place[0] != '\0' ? ", " : "", place);
    }
    mill_trial_print_log(trial, "      | ");
    return keep_program(run);
}

/* The claims that are not kept; *n_claims: those that apply. */
static size_t run_claims(const struct slm_adapter *adapter, const struct mill_options *options,
                         size_t *n_claims)
{
    size_t n_broken = 0;
    struct hrn_program program;
    hrn_program_init(&program);
    *n_claims = 0;
    for (size_t i = 0; i < hrn_claim_count(); i++) {
        struct claim_run run = {adapter, hrn_claim_at(i), &program};
        struct mill_trial trial;
        if (!hrn_claim_applies(run.claim, adapter)) {
            continue;
        }
        ++*n_claims;
        hrn_claim_make(run.claim, adapter, &program);
        mill_trial_call(&trial, run_claim, &run, (unsigned)options->timeout);
        if (trial.end != MILL_END_KEPT) {
            n_broken++;
            (void)print_broken(&run, &trial);
        }
    }
    hrn_program_fini(&program);
    return n_broken;
}

/* --- The page --- */

int mill_check(const struct mill_options *options)
{
    if (options->adapter == NULL) {
        return mill_complain("check: expected a shared object, or --adapter NAME");
    }
    const struct slm_adapter *adapter = mill_adapter_need(options->adapter);
    if (adapter == NULL) {
        return MILL_WRONG;
    }
    struct mill_options soak = *options;
    struct mill_options probe = *options;
    size_t n_claims;
    probe.ops = options->ops < PROBE_OPS_MAX ? options->ops : PROBE_OPS_MAX; /* 0: as usual */
    soak.ops = options->ops == 0 ? MILL_SOAK_OPS : options->ops;
    soak.seed = options->seed == 0 ? 1 : options->seed;
    print_table(adapter, options->adapter);
    (void)fflush(stdout);
    size_t n_broken = run_claims(adapter, options, &n_claims);
    printf("  conformance  %zu of %zu claims are kept\n", n_claims - n_broken, n_claims);
    enum mill_exit probed = mill_probe_adapter(&probe, adapter);
    if (probed == MILL_WRONG) {
        return MILL_WRONG;
    }
    printf("  soak         ");
    (void)fflush(stdout);
    int status = mill_soak_adapter(&soak, adapter);
    /* The soak tries what the probe tries; what only the probe saw is one more finding. */
    size_t n_findings = n_broken + (status != MILL_GOOD || probed == MILL_BROKEN);
    printf("findings: %zu\n", n_findings);
    return status == MILL_GOOD && n_findings > 0 ? MILL_BROKEN : status;
}
