/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against a pool, compared with a naive model at each step. */
#include "fuzz/common/fuzz.h"

HRN_FUZZ_PROGRAMS("pool_vs_slow_fuzz", hrn_adapter_twin);
