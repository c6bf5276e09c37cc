/* SPDX-License-Identifier: Apache-2.0 */
/* A program that does not link the SIGBUS guard: segments work without it. */
#include "tests/segment/fixture.h"

namespace {

using slm_test::Handle;
using slm_test::in_child;
using slm_test::kEveryKind;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;

TEST(SegmentWithoutTheGuardLinked, IsCreatedGrownAndVerified)
{
    for (Kind kind : kEveryKind) {
        Options options(kPage, 4 * kPage);
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(slm_segment_grow(a.segment, 4 * kPage, nullptr), SLM_OK);
        a.base()[4 * kPage - 1] = 7;
        EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
        EXPECT_EQ(slm_segment_refresh(a.segment, 4 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(slm_segment_shrink(a.segment, kPage, nullptr), SLM_OK);
    }
}

TEST(SegmentWithoutTheGuardLinked, VerifySeesACut)
{
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    ASSERT_EQ(ftruncate(slm_segment_id(a.segment), static_cast<off_t>(kPage)), 0);
    EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_E_TRUNCATED);
    EXPECT_EQ(in_child([&] {
                  (void)signal(SIGBUS, SIG_DFL);
                  a.base()[kPage] = 1;
                  return 0;
              }),
              128 + SIGBUS);
}

} // namespace
