/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/planted_target.h"

#include "fuzz/common/fuzz.h"
#include "harness/broken/broken.h"

int hrn_fuzz_planted(const uint8_t *bytes, size_t n_bytes)
{
    return hrn_fuzz_one(hrn_broken_adapter(HRN_BUG_page_edge), bytes, n_bytes);
}

int hrn_fuzz_sound(const uint8_t *bytes, size_t n_bytes)
{
    return hrn_fuzz_one(hrn_broken_adapter(HRN_BUG_none), bytes, n_bytes);
}
