/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against the slab, every law checked. */
#include "fuzz/common/fuzz.h"

HRN_FUZZ_PROGRAMS("slab_fuzz", hrn_adapter_slab);
