/* SPDX-License-Identifier: Apache-2.0 */
/* A child whose handler of a fatal signal never returns, as a sanitizer's does that asks a heap which
 * died in its own calls for memory. */
#include "tests/slabmill/command_fixture.h"

namespace {

using namespace slabmilltest;

TEST_F(Slabmill, AChildWhoseLastWordsNeverEndHasCrashedAndIsNoHang)
{
    std::string trace = Write("t.trace", "arena 0 alloc 0 650\narena 0 free 0\n");
    Done done = Run(
        {"explain", "--adapter", "./tests/slabmill/tray_mute.so:tray", "--timeout", "1", trace});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_TRUE(Has(done.out, "crashed: signal 11")) << done.out;
    EXPECT_TRUE(Has(done.out, ">      1  arena 0 free 0\n")) << done.out;
}

} // namespace
