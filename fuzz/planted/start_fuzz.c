/* SPDX-License-Identifier: Apache-2.0 */
/* Dies before it has run anything. */
#include "fuzz/common/fuzz.h"
#include "fuzz/planted/faults.h"

PLANTED(overrun);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    planted_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    return planted_overrun(bytes, n_bytes);
}
