/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to a slab region: nothing that looks at it may crash, hang, write, or be fooled. */
#include "harness/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

HRN_FUZZ_PLAIN_BYTES;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    return hrn_fuzz_image(bytes, n_bytes);
}
