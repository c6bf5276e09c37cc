/* SPDX-License-Identifier: Apache-2.0 */
/* Dies before it has run any input. */
#include "fuzz/common/fuzz.h"
#include "fuzz/planted/faults.h"

PLANTED(overrun);

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    hrn_planted_start();
    return 0;
}
