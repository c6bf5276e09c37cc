/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against the pool, every law checked. */
#include "fuzz/common/fuzz.h"

HRN_FUZZ_PROGRAMS("pool_fuzz", hrn_adapter_pool);
