/* SPDX-License-Identifier: Apache-2.0 */
/* Broken invariants: their messages, and when an assertion evaluates its condition. */
#include <climits>

#include "allocator/base/check.h"
#include "tests/base/death.h"

namespace {

TEST(Broken, EachKindAbortsWithItsNameAndPlace)
{
    SLM_EXPECT_ABORT(slm_broken_index("here"), "^slabmill: broken index in here\n");
    SLM_EXPECT_ABORT(slm_broken_bitmap("here"), "^slabmill: broken bitmap in here\n");
    SLM_EXPECT_ABORT(slm_broken_list("here"), "^slabmill: broken list in here\n");
    SLM_EXPECT_ABORT(slm_broken_page("here"), "^slabmill: broken page in here\n");
    SLM_EXPECT_ABORT(slm_broken_pool("here"), "^slabmill: broken pool in here\n");
}

TEST(Broken, AWholeCheckPrintsItsNumberInDecimal)
{
    SLM_EXPECT_ABORT(slm_broken_check("here", 0), "broken invariant I in here: number 0\n");
    SLM_EXPECT_ABORT(slm_broken_check("here", 7), "broken invariant I in here: number 7\n");
    SLM_EXPECT_ABORT(slm_broken_check("here", 12), "broken invariant I in here: number 12\n");
    SLM_EXPECT_ABORT(slm_broken_check("here", UINT_MAX), "in here: number 4294967295\n");
}

TEST(Assert, EvaluatesItsConditionFromLevelTwoOn)
{
    int n_looks = 0;
    SLM_ASSERT(pool, ++n_looks > 0);
    EXPECT_EQ(n_looks, SLM_CHECKS >= 2 ? 1 : 0);
}

TEST(CheckAll, CallsItsCheckFromLevelThreeOn)
{
    int n_calls = 0;
    auto check = [&n_calls] {
        n_calls++;
        return 0u;
    };
    SLM_CHECK_ALL(check());
    EXPECT_EQ(n_calls, SLM_CHECKS >= 3 ? 1 : 0);
}

} // namespace
