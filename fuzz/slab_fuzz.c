/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against the slab, every law checked. */
#include "fuzz/common/fuzz.h"

HRN_FUZZ_PROGRAMS("slab_fuzz", hrn_adapter_slab);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_one(&hrn_adapter_slab, bytes, n_bytes);
}
