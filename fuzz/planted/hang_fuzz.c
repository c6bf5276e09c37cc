/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/common/fuzz.h"
#include "fuzz/planted/faults.h"

PLANTED(hang);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return planted_hang(bytes, n_bytes);
}
