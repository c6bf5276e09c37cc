/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against trees and lists, damage to them included. */
#include "fuzz/common/fuzz.h"
#include "fuzz/rbtree/rbtree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "rbtree_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/rbtree/rbtree.h",
    .call = "hrn_fuzz_rbtree(bytes, n_bytes)",
    .kind = hrn_tree_kind,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    hrn_fuzz_begin(bytes, n_bytes);
    return hrn_fuzz_rbtree(bytes, n_bytes);
}
