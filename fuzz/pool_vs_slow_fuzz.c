/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against a pool and a naive account of it in lockstep. */
#include "fuzz/common/fuzz.h"

HRN_FUZZ_PROGRAMS("pool_vs_slow_fuzz", hrn_adapter_twin);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_one(&hrn_adapter_twin, bytes, n_bytes);
}
