/* SPDX-License-Identifier: Apache-2.0 */
/* A journal and its slab: any range, any number, full logs, deaths at any point. */
#include "fuzz/common/fuzz.h"
#include "fuzz/journal/journal.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "journal_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/journal/journal.h",
    HRN_FUZZ_RUNS(hrn_fuzz_journal),
    .kind = hrn_journal_kind,
};
