/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against the adapter that HRN_FUZZ_ADAPTER names, at build or at run time. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/common/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Set by the build that knows the name; an environment variable of the same name comes first. */
extern const char hrn_fuzz_adapter_name[];

static const struct slm_adapter *adapter;

static void stop(const char *wrong)
{
    fprintf(stderr, "slabmill: %s\n", wrong);
    exit(2);
}

/* The mutator makes only operations that the adapter supports. */
static void find_adapter(void)
{
    char wrong[HRN_WRONG_TEXT_BYTES] = "";
    const char *name = getenv("HRN_FUZZ_ADAPTER");
    if (!hrn_adapters_are_sound(wrong, sizeof wrong)) {
        stop(wrong);
    }
    name = name == NULL ? hrn_fuzz_adapter_name : name;
    adapter = hrn_adapter_find(name);
    if (adapter == NULL) {
        snprintf(wrong, sizeof wrong, "no adapter is named %s", name);
        stop(wrong);
    }
    const struct hrn_shape shape = {HRN_HEAD_BYTES, HRN_RECORD_BYTES, true, hrn_can(adapter)};
    hrn_shape_set(&shape);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    find_adapter();
    return 0;
}

static int run(const uint8_t *bytes, size_t n_bytes)
{
    if (adapter == NULL) { /* an engine that does not initialize */
        find_adapter();
    }
    return hrn_fuzz_one(adapter, bytes, n_bytes);
}

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "mill_fuzz",
    .head_bytes = HRN_HEAD_BYTES,
    .record_bytes = HRN_RECORD_BYTES,
    .runs_programs = true,
    .header = "fuzz/common/fuzz.h",
    .run = run,
    .call = "LLVMFuzzerTestOneInput(bytes, n_bytes)",
};
