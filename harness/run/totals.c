/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of all runs of this process. */
#include "harness/run/state.h"

static struct hrn_totals totals;

const struct hrn_totals *hrn_run_totals(void)
{
    return &totals;
}

void hrn_run_misused(enum hrn_misuse misuse)
{
    totals.n_misuse[misuse]++;
}

void hrn_run_count(const struct hrn_result *result)
{
    totals.n_runs++;
    totals.n_done += result->n_done;
    totals.n_refused += result->n_refused;
    for (size_t i = 0; i < HRN_KIND_COUNT; i++) {
        totals.n_kind[i] += result->n_kind[i];
    }
}
