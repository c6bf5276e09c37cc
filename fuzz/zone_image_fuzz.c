/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to a zone: nothing that looks at it, or repairs it, may crash, hang or be fooled. */
#include "harness/fuzz.h"
#include "harness/fuzz_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

HRN_FUZZ_PLAIN_BYTES;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    return hrn_fuzz_zone_image(bytes, n_bytes);
}
