/* SPDX-License-Identifier: Apache-2.0 */
/* Two stores of journal or slab in the wrong order: only a death between them shows that, and
 * zone_fuzz finds it. */
#include <gtest/gtest.h>

#include "tests/fuzz/zone_deaths.h"

namespace {

TEST(ZoneFuzz, FindsTwoStoresInTheWrongOrder)
{
    EXPECT_DEATH(slm_test::DieAtEachPointOfATurn(), "broken law: (contents|count)");
}

} // namespace
