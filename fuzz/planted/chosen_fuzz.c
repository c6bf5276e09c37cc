/* SPDX-License-Identifier: Apache-2.0 */
/* The mill on the allocator that HRN_PLANTED names. Inputs have the operations that it supports. */
#include "fuzz/common/fuzz.h"
#include "fuzz/planted/choice.h"

static const struct slm_adapter *adapter;

static int run(const uint8_t *bytes, size_t n_bytes)
{
    return hrn_fuzz_one(adapter, bytes, n_bytes);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    adapter = hrn_planted_choice();
    hrn_shape_set(&(struct hrn_shape){HRN_HEAD_BYTES, HRN_RECORD_BYTES, true, hrn_can(adapter)});
    return 0;
}

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "chosen_fuzz",
    .head_bytes = HRN_HEAD_BYTES,
    .record_bytes = HRN_RECORD_BYTES,
    .runs_programs = true,
    .header = "fuzz/common/fuzz.h",
    .run = run,
    .call = "hrn_fuzz_one(hrn_planted_choice(), bytes, n_bytes)",
};
