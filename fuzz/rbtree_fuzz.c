/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against trees and lists, damage to them included. */
#include "harness/fuzz.h"
#include "harness/fuzz_rbtree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

HRN_FUZZ_PLAIN_BYTES;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    return hrn_fuzz_rbtree(bytes, n_bytes);
}
