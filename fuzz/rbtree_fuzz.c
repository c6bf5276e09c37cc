/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against trees and lists, and damage to them. */
#include "fuzz/common/fuzz.h"
#include "fuzz/rbtree/rbtree.h"

const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "rbtree_fuzz",
    .head_bytes = 1,
    .record_bytes = 8,
    .header = "fuzz/rbtree/rbtree.h",
    HRN_FUZZ_RUNS(hrn_fuzz_rbtree),
    .kind = hrn_tree_kind,
};
