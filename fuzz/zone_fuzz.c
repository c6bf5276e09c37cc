/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that share a zone, and die: what they committed stays, what they did not is gone. */
#include "harness/fuzz.h"
#include "harness/fuzz_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

HRN_FUZZ_PLAIN_BYTES;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    return hrn_fuzz_zone(bytes, n_bytes);
}
